"""Whoever may not know of a thing cannot tell it from one that does not exist."""

import pytest
from tests.blinding.watch import VENDORS

from proctor_backend.api.permissions import API, RULES

pytestmark = pytest.mark.podman
MISSING = {
    "study": "stu_" + "a" * 26,
    "entry": "ent_" + "a" * 26,
    "report": "rep_" + "a" * 26,
    "cohort": "coh_" + "a" * 26,
    "chain": "ent_" + "a" * 26,
}
NOUNS = ("{study}", "{entry}", "{report}", "{cohort}", "{chain}")
PASSWORD = {"password": "a guess", "meaning": "m", "role": "vendor_regulatory"}
BODIES = {
    "/entries/{entry}/parts": {"numbers": [1]},
    "/entries/{entry}/close": {
        "parts": [{"number": 1, "etag": "e", "sha256": "ab" * 32}],
        "sealed_sha256": "ab" * 32,
    },
    "/reports/{report}/annex": {"intended_use": "x"},
    "/studies/{study}/signatures": PASSWORD,
}


def rules():
    return [rule for rule in RULES if any(noun in rule.path for noun in NOUNS)]


@pytest.mark.parametrize("role", VENDORS)
@pytest.mark.parametrize("rule", rules(), ids=lambda rule: f"{rule.method} {rule.path}")
def test_another_vendors_ids_answer_like_ids_of_nothing(lab, rival, released, role, rule):
    run = released.answered[0]
    hidden = lab.office.get(f"/studies/{run.study}")["cohort"]
    real = {"study": run.study, "entry": run.entry, "report": run.report, "cohort": hidden}
    real |= {"chain": run.entry}
    path, more = (
        rule.path.removeprefix(API),
        {
            "case": "cas_" + "a" * 26,
            "edition": "public",
            "comparison": "cmp_" + "a" * 26,
        },
    )
    body = BODIES.get(path, {})

    def ask(ids):
        answer = rival[role].ask(rule.method, path.format(**ids, **more), json=body)
        text = answer.text
        for noun, name in ids.items():
            text = text.replace(name, noun)
        headers = {k: v for k, v in answer.headers.items() if k != "date"}
        return answer.status_code, text, headers

    assert ask(real) == ask(MISSING)
