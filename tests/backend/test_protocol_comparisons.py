"""What a protocol must say of a comparison before it can be locked."""

from pathlib import Path

import pytest

from proctor_backend.services.protocols import check_protocol

EXAMPLE = Path(__file__).parents[2] / "docs/examples/protocols/binary-comparison.yaml"
FIRST = "{against: version2, hypothesis: non_inferiority, margin: 0.05, reason: Readers differ by as much.}"  # noqa: E501 - as it is written


@pytest.fixture
def text() -> str:
    return EXAMPLE.read_text("utf-8")


@pytest.mark.parametrize(
    ("old", "new", "field", "what"),
    [
        (FIRST, "{against: version2, hypothesis: equivalence}",
         "endpoints[0].comparison", "A comparison for equivalence needs a margin."),
        (FIRST, "{against: version2, hypothesis: equivalence, margin: 0.05}",
         "endpoints[0].comparison.margin", "The margin has no reason."),
        ("primary: co_primary", "primary: holm", "endpoints[0].comparison",
         "A comparison is judged at its own level, which holm would change."),
        ("primary: co_primary", "primary: gatekeeping", "endpoints[0].comparison",
         "A comparison is judged at its own level, which gatekeeping would change."),
        ("primary: co_primary", "primary: gatekeeping", "multiplicity.primary",
         "Gatekeeping needs a primary criterion and a secondary one behind it."),
        ("adjust_for: [scanner, age]", "adjust_for: [sex]", "subgroups[0].adjust_for[0]",
         "A difference in sex is not adjusted for sex itself."),
        (FIRST, "{against: 'version 2'}", "endpoints[0].comparison.against", None),
    ],
)  # fmt: skip
def test_a_comparison_that_could_not_be_judged_is_named(
    text: str, old: str, new: str, field: str, what: str | None
) -> None:
    problems = check_protocol(text.replace(old, new, 1))
    found = {problem["field"]: problem["what"] for problem in problems}
    assert field in found, problems
    assert what in {None, found[field]}


def test_superiority_needs_no_margin(text: str) -> None:
    new = "{against: version2, hypothesis: superiority}"
    assert check_protocol(text.replace(FIRST, new, 1)) == []
