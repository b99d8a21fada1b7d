import pytest

from proctor_sdk.reasons import ReasonCode, hidden_reason

HIDDEN = {"RUN_FAILED", "RESOURCE_LIMIT", "OUTPUT_INVALID", "PLATFORM_ERROR"}


@pytest.mark.parametrize("code", list(ReasonCode))
def test_every_code_becomes_one_of_the_four(code: ReasonCode) -> None:
    assert hidden_reason(code) in HIDDEN


@pytest.mark.parametrize("code", list(ReasonCode))
def test_every_code_has_a_sentence_and_a_cure(code: ReasonCode) -> None:
    assert code.sentence.endswith(".")
    assert code.cure.endswith(".")


@pytest.mark.parametrize("code", sorted(HIDDEN))
def test_the_four_stay_what_they_are(code: str) -> None:
    assert hidden_reason(ReasonCode(code)) == code
