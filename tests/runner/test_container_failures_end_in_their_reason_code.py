"""Every way a container can go wrong ends in the reason code that tells its vendor what to cure."""

from typing import Any

import pytest

from proctor_sdk.contracts.base import RunFailedError
from proctor_sdk.reasons import ReasonCode

from .conftest import Run

pytestmark = pytest.mark.podman


def reason(run: Run, inputs: Any, **more: Any) -> ReasonCode:
    with pytest.raises(RunFailedError) as caught:
        run(inputs, **more)
    return caught.value.reason


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        ("crash", ReasonCode.START_FAILED),
        ("quit", ReasonCode.OUTPUT_MISSING),
        ("starve", ReasonCode.OUT_OF_MEMORY),
        ("child_starves", ReasonCode.OUT_OF_MEMORY),
        ("fork_bomb", ReasonCode.POLICY_VIOLATION),
        ("forbidden", ReasonCode.POLICY_VIOLATION),
        ("fill_output", ReasonCode.OUTPUT_TOO_LARGE),
        ("fill_tmp", ReasonCode.RESOURCE_LIMIT),
        ("network", ReasonCode.START_FAILED),
        ("root", ReasonCode.START_FAILED),
        ("link", ReasonCode.POLICY_VIOLATION),
    ],
)
def test_failure_at_start(run: Run, act: str, expected: ReasonCode) -> None:
    assert reason(run, [{}, {}], task={"at_start": act}) is expected


def test_hang_at_start_is_a_failed_start(run: Run) -> None:
    limits = {"start_seconds": 0.2, "seconds_per_case": 0.2}
    assert reason(run, [{}, {}], task={"at_start": "hang"}, **limits) is ReasonCode.START_FAILED


@pytest.mark.parametrize(
    "written",
    ["garbage", "broken", "nan", "infinite", "twice", "unknown", "tag", "noscore", "impostor"],
)
def test_invalid_answer_fails_the_run(run: Run, written: str) -> None:
    assert reason(run, [{}, {"write": written}, {}]) is ReasonCode.OUTPUT_INVALID


def test_line_without_end_is_too_large(run: Run) -> None:
    assert (
        reason(run, [{"write": "endless"}], policy={"output_mb": 8}) is ReasonCode.OUTPUT_TOO_LARGE
    )


def test_answers_out_of_order_are_invalid(run: Run) -> None:
    assert reason(run, [{}] * 4, task={"reverse": True}, window=2) is ReasonCode.OUTPUT_INVALID


@pytest.mark.parametrize(
    ("act", "expected"),
    [("stray", ReasonCode.POLICY_VIOLATION), ("replace", ReasonCode.POLICY_VIOLATION)],
)
def test_foreign_files_in_output_violate_the_policy(
    run: Run, act: str, expected: ReasonCode
) -> None:
    assert reason(run, [{}, {"do": act}, {"do": "hang"}]) in {expected, ReasonCode.OUTPUT_INVALID}


def test_nonzero_exit_after_the_last_case_fails_the_run(run: Run) -> None:
    assert reason(run, [{}], task={"at_end": "crash"}) is ReasonCode.NONZERO_EXIT


def test_hang_after_the_last_case_is_a_time_limit(run: Run) -> None:
    assert reason(run, [{}], task={"at_end": "hang"}) is ReasonCode.TIME_LIMIT


def test_whole_run_has_a_time_limit(run: Run) -> None:
    got = reason(run, [{}] * 50, task={"slow": 0.3}, seconds_total=1)
    assert got is ReasonCode.TIME_LIMIT


def test_a_lot_of_log_is_cut_and_does_no_harm(run: Run) -> None:
    ran = run([{}], task={"at_end": "chatter"}, exit_seconds=20)
    assert len(ran.log) <= 64 * 1024
