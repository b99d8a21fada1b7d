"""Reviewers and statisticians walk every GET route before the results are signed."""

import pytest
from tests.blinding.watch import MASKED
from tests.flow.lab import VENDOR

pytestmark = pytest.mark.podman
NAMES = (VENDOR, "secret-product", "a secret description", "Dr vendor_")


@pytest.mark.parametrize("role", MASKED)
def test_no_answer_before_signing_names_vendor_or_model(lab, read_before_signing, role):
    names = (*NAMES, lab.orgs["vendor"], lab.emails["vendor_developer"])
    assert len(read_before_signing[role]) >= 10
    for path, text in read_before_signing[role].items():
        assert not [name for name in names if name in text], path


def test_the_reviewer_does_read_the_body_all_the_while(decided, read_before_signing):
    texts, report = read_before_signing["reviewer"], decided.answered[0].report
    assert '"results"' in texts[f"/reports/{report}/body"]
    assert '"events"' in texts[f"/audit/{decided.answered[0].entry}"]
