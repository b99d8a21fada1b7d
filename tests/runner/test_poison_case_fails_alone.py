"""A case on which the container dies twice fails alone; too many restarts fail the run."""

import pytest

from proctor_sdk.contracts.base import RunFailedError
from proctor_sdk.predictions import Status
from proctor_sdk.reasons import ReasonCode

from .conftest import Ran, Run, name_of

pytestmark = pytest.mark.podman


def failed(ran: Ran) -> list[str]:
    return [answer.case for answer in ran.answers if answer.status is Status.FAILED]


def ran_of(run: Run) -> Ran:
    ran: Ran = run.ran  # type: ignore[attr-defined]
    return ran


@pytest.mark.parametrize("act", ["crash", "segfault", "starve"])
def test_others_are_answered(run: Run, act: str) -> None:
    ran = run([{}, {}, {"do": act}, {}])
    assert failed(ran) == [name_of(2)]
    assert len(ran.answers) == 4


def test_first_case_can_be_the_poison(run: Run) -> None:
    assert failed(run([{"do": "crash"}, {}, {}])) == [name_of(0)]


def test_hang_at_a_case_fails_that_case(run: Run) -> None:
    ran = run([{}, {"do": "hang"}, {}], seconds_per_case=0.3)
    assert [answer.reason for answer in ran.answers if answer.reason] == ["proctor:TIME_LIMIT"]


def test_poison_within_a_window_costs_only_itself(run: Run) -> None:
    ran = run([{}, {}, {"do": "crash"}, {}, {}, {}], window=4)
    assert failed(ran) == [name_of(2)]
    assert len({answer.case for answer in ran.answers}) == 6


def test_too_many_restarts_fail_the_run(run: Run) -> None:
    with pytest.raises(RunFailedError) as caught:
        run([{}, *[{"do": "crash"}] * 4, {}])
    assert caught.value.reason is ReasonCode.NONZERO_EXIT
    assert ran_of(run).summary.restarts == 6


def test_isolation_case_gives_every_case_a_fresh_container(run: Run) -> None:
    ran = run([{}, {}, {}], isolation="case")
    assert (len(ran.answers), ran.summary.containers) == (3, 3)


def test_a_container_sees_one_case_at_a_time(run: Run) -> None:
    ran = run([{"x": 0}, {"x": 0}])
    assert [answer.outputs["scores"]["died"] for answer in ran.answers] == [0, 0]
