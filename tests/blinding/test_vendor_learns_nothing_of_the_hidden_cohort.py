"""Two cohorts of other sizes and contents: their vendor sees the same, answer for answer."""

import pytest
from tests.blinding.watch import VENDORS

pytestmark = pytest.mark.podman


def unlike(pair):
    """Return what either run showed, place by place, where the other showed something else.

    A round may miss an answer that did not last; one that the other run never gives is a leak.
    """
    one, other = (run.seen.answers for run in pair)
    assert set(one) == set(other)
    return {
        place: (one[place], other[place])
        for place in one
        if one[place][-1] != other[place][-1]
        or not (is_part(one[place], other[place]) or is_part(other[place], one[place]))
    }


def is_part(some, whole):
    """Tell whether the answers come in this order among all."""
    rest = iter(whole)
    return all(answer in rest for answer in some)


def test_a_run_that_is_decided_looks_alike_over_time(decided):
    assert unlike(decided.answered) == {}


def test_a_run_that_fails_looks_alike_over_time(decided):
    assert unlike(decided.failed) == {}


def test_a_released_run_looks_alike_over_time(released):
    assert unlike(released.answered) == {}


@pytest.mark.parametrize("pair", ["answered", "failed"])
def test_no_header_differs(released, pair):
    one, other = (run.seen.headers for run in getattr(released, pair))
    both = set(one) & set(other)
    assert len(both) >= 30
    assert [place for place in both if one[place] != other[place]] == []


def test_no_answer_carries_a_validator_of_its_content(released):
    for run in released.all():
        names = {line.split()[0] for lines in run.seen.headers.values() for line in lines}
        assert not names & {"etag:", "last-modified:", "age:", "server-timing:"}


def test_the_vendor_sees_its_states_and_no_other(released):
    states = {"in evaluation", "decided", "released", "failed"}
    for run in released.all():
        seen = " ".join(run.seen.answers["vendor_developer", "/entries/{entry}"])
        assert not any(name in seen for name in ("EVALUATED", "MEASURED", "CONFORMANT"))
        assert any(f'"state": "{state}"' in seen for state in states)


@pytest.mark.parametrize("role", VENDORS)
def test_no_answer_names_the_hidden_cohort_or_its_size(lab, released, role):
    for run in released.all():
        hidden = lab.office.get(f"/studies/{run.study}")["cohort"]
        told = [
            lab[role].ask("GET", path).text
            for path in (f"/studies/{run.study}", f"/entries/{run.entry}", "/reports", "/cohorts")
        ]
        assert not any(hidden in text for text in told)
    assert lab[role].ask("GET", f"/cohorts/{hidden}").status_code == 404


def test_a_cancel_that_comes_too_late_tells_nothing(lab, released):
    answers = [
        lab["vendor_developer"].ask("POST", f"/entries/{run.entry}/cancel")
        for run in released.all()
    ]
    assert {answer.status_code for answer in answers} == {200}
    assert [lab.entry(run.entry)["state"] for run in released.answered] == ["RELEASED"] * 2
    assert [lab.entry(run.entry)["state"] for run in released.failed] == ["FAILED"] * 2


def test_an_upload_to_an_entry_that_is_over_is_refused_as_to_one_that_runs(lab, released):
    asked = [
        lab["vendor_developer"].ask("POST", f"/entries/{run.entry}/parts", json={"numbers": [1]})
        for run in released.all()
    ]
    assert len({(answer.status_code, answer.text) for answer in asked}) == 1
