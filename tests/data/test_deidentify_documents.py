"""The page on de-identification says what the code keeps."""

import re
from pathlib import Path

from proctor_workers.hidden_data.deidentify.annex_e import keywords_of
from proctor_workers.hidden_data.deidentify.headers import GRANTABLE
from proctor_workers.hidden_data.deidentify.national_numbers import RULES
from proctor_workers.hidden_data.deidentify.profile import Option

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "explanation" / "de-identification.md").read_text("utf-8")


def test_every_option_is_documented_with_the_attributes_that_it_keeps() -> None:
    table = PAGE.split("<!-- options")[1].split("<!-- end of options")[0]
    rows = {cells[1].strip(" `"): cells[2] for line in table.splitlines()
            if len(cells := line.split("|")) > 3}  # fmt: skip
    assert set(rows) == {str(option) for option in Option}
    for option in Option:
        assert tuple(re.findall(r"`(\w+)`", rows[str(option)])) == keywords_of(option)


def test_the_attributes_named_for_uptake_values_can_be_granted() -> None:
    named = re.findall(r"`(\w+)`", PAGE.split("For SUV:")[1].split(";")[0])
    assert len(named) == 7
    assert set(named) <= set(GRANTABLE)


def test_the_number_of_national_numbers_is_the_one_that_is_told() -> None:
    assert len(RULES) == 13
    assert "thirteen countries" in PAGE
