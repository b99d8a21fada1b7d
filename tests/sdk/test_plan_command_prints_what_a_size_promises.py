import json
from pathlib import Path

import pytest

from proctor_sdk.cli import main
from proctor_sdk.commands.plan import counts_of
from proctor_sdk.errors import ProctorSdkError

from .conftest import Platform

TABLE = Path(__file__).parents[2] / "docs/examples/protocols/binary-table.yaml"
COUNTS = "cases=2000,patients=2000,positives=500,sex:F=900,sex:M=1100,reference:1=500"


def test_counts_are_read_with_levels_and_reference_values() -> None:
    assert counts_of(COUNTS) == {
        "cases": 2000,
        "patients": 2000,
        "positives": 500,
        "levels": {"sex": {"F": 900, "M": 1100}},
        "values": {"1": 500},
    }


@pytest.mark.parametrize("text", ["patients=5", "cases", "cases=many", "cases=5,beds=3", ""])
def test_counts_that_cannot_be_read_are_told_with_the_cure(text: str) -> None:
    with pytest.raises(ProctorSdkError) as caught:
        counts_of(text)
    assert "cases=600" in caught.value.cure


def test_plan_prints_a_line_for_each_endpoint_and_level(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["study", "plan", str(TABLE), "--counts", COUNTS]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("endpoint")
    assert lines[1].startswith("auroc")
    assert any(line.startswith("auroc") and "sex F" in line for line in lines)


def test_plan_prints_the_answer_for_a_program(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["study", "plan", str(TABLE), "--counts", COUNTS, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["exact"]
    assert answer["outlooks"][0]["endpoint"] == "auroc"


def test_a_coarse_plan_says_so(platform: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "plan", "--study", "stu_1"]) == 0
    assert "rounded to 0.05" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [[], [str(TABLE)], [str(TABLE), "--study", "stu_1"], ["--counts", COUNTS],
     [str(TABLE), "--counts", COUNTS, "--cohort", "coh_1"]],
)  # fmt: skip
def test_an_unclear_plan_is_refused_with_the_cure(
    platform: Platform, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert main(["study", "plan", *arguments]) == 1
    assert "--cohort or --counts" in capsys.readouterr().err
