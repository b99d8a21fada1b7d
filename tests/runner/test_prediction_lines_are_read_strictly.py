"""What a line may say, without a container."""

import pytest

from proctor_sdk.cases import CaseLineError, case_name, parse_case
from proctor_sdk.predictions import OutputInvalidError, Status, TaskSpec, parse_prediction

TASK = TaskSpec(
    kind="binary_classification",
    classes=("alive", "died"),
    positive="died",
    operating_points=("main",),
    indeterminate=("poor_quality",),
)


def test_scores_and_calls_are_kept_as_emitted() -> None:
    line = b'{"case":"c1","status":"ok","outputs":{"scores":{"died":0.25},"call":{"main":true}}}'
    found = parse_prediction(line, task=TASK)
    assert found.outputs == {"scores": {"died": 0.25}, "call": {"main": True}}


def test_declared_reason_makes_a_case_indeterminate() -> None:
    line = b'{"case":"c1","status":"indeterminate","reason":"poor_quality"}'
    assert parse_prediction(line, task=TASK).status is Status.INDETERMINATE


@pytest.mark.parametrize(
    "line",
    [
        b"[]",
        b'{"case":1,"status":"ok"}',
        b'{"case":"c","case":"d","status":"ok"}',
        b'{"case":"c","status":"fine"}',
        b'{"case":"c","status":"ok","outputs":{"scores":{"other":1}}}',
        b'{"case":"c","status":"ok","outputs":{"scores":{"died":true}}}',
        b'{"case":"c","status":"ok","outputs":{"scores":{"died":1' + b"0" * 400 + b"}}}",
        b'{"case":"c","status":"ok","outputs":{"boxes":[],"scores":{"died":1}}}',
        b'{"case":"c","status":"indeterminate","reason":"mood"}',
        b'{"case":"c","status":"failed","reason":"proctor:TIME_LIMIT"}',
        b'{"case":"c","status":"failed","outputs":{"scores":{"died":1}}}',
        b'{"case":"c","status":"ok","outputs":{"scores":{"died":1}},"note":"x"}',
        b'{"case":"c","status":"ok","outputs":' + b"[" * 100_000,
        b'{"case":"c","status":"failed","reason":"\\ud800"}',
        b'{"case":"c","status":"ok","outputs":{"scores":{"died":1e31}}}',
    ],
)
def test_line_outside_the_contract_is_named_invalid(line: bytes) -> None:
    with pytest.raises(OutputInvalidError):
        parse_prediction(line, task=TASK)


@pytest.mark.parametrize(
    ("kind", "outputs"),
    [
        ("survival", '{"survival":{"times":[-1,5],"probabilities":[1,0.5]}}'),
        ("forecasting", '{"forecast":{"quantiles":{"0.1":[1],"0.10":[2]}}}'),
        ("forecasting", '{"forecast":{"quantiles":{" 0.1":[1]}}}'),
        ("forecasting", '{"forecast":{"quantiles":{"1e-9":[1]}}}'),
        ("registration", '{"transform":{"matrix":[[1e200,0,0],[0,1,0],[0,0,1]]}}'),
    ],
)
def test_output_that_no_measurement_can_take_is_named_invalid(kind: str, outputs: str) -> None:
    line = f'{{"case":"c","status":"ok","outputs":{outputs}}}'.encode()
    with pytest.raises(OutputInvalidError):
        parse_prediction(line, task=TaskSpec(kind=kind))


def test_forecast_has_no_more_levels_than_are_measured() -> None:
    levels = ",".join(f'"0.{level:03d}":[1]' for level in range(1, 201))
    line = '{"case":"c","status":"ok","outputs":{"forecast":{"quantiles":{' + levels + "}}}}"
    with pytest.raises(OutputInvalidError):
        parse_prediction(line.encode(), task=TaskSpec(kind="forecasting"))


def test_names_of_two_attempts_have_nothing_in_common() -> None:
    assert case_name(b"a" * 32, "cas_1") != case_name(b"b" * 32, "cas_1")
    assert len(case_name(b"a" * 32, "cas_1")) == 27


def test_file_name_that_is_a_path_is_refused() -> None:
    line = b'{"case":"c","files":[{"name":"../x","role":"image","sha256":"0","size":1}]}'
    with pytest.raises(CaseLineError):
        parse_case(line)
