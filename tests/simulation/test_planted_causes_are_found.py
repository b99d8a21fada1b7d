"""Cohorts with one planted cause: the gap, its size and what the data can tell of its cause."""

import numpy as np
import pytest
from tests.simulation.mechanisms import MECHANISMS, Told, tell

from proctor_workers.subgroups.causes import Cause, Verdict

SEEDS = 5
CASES = 4000
GAPS = [name for name in MECHANISMS if name not in {"nothing", "prevalence_only", "tiny_group"}]


@pytest.fixture(scope="module")
def told() -> dict[str, list[tuple[float, Told]]]:
    found: dict[str, list[tuple[float, Told]]] = {}
    for name, mechanism in MECHANISMS.items():
        drawn = [mechanism(np.random.default_rng([seed, 20261121]), CASES) for seed in range(SEEDS)]
        found[name] = [(planted.truth, tell(planted)) for planted in drawn]
    return found


@pytest.mark.parametrize("name", GAPS)
def test_planted_gap_is_shown(name: str, told: dict[str, list[tuple[float, Told]]]) -> None:
    assert sum(one.shown for _, one in told[name]) >= SEEDS - 1


@pytest.mark.parametrize("name", [name for name in MECHANISMS if name not in GAPS])
def test_no_gap_is_shown_where_none_can_be(
    name: str, told: dict[str, list[tuple[float, Told]]]
) -> None:
    assert not any(one.shown for _, one in told[name])


@pytest.mark.parametrize("name", [name for name in MECHANISMS if name != "tiny_group"])
def test_gap_has_its_planted_size(name: str, told: dict[str, list[tuple[float, Told]]]) -> None:
    errors = [one.difference.estimate - truth for truth, one in told[name]]
    assert abs(float(np.mean(errors))) < 0.025


@pytest.mark.parametrize("name", list(MECHANISMS))
def test_what_the_data_can_tell_of_the_cause_is_told(
    name: str, told: dict[str, list[tuple[float, Told]]]
) -> None:
    planted = MECHANISMS[name](np.random.default_rng([0, 20261121]), CASES)
    for cause, verdict in planted.expected:
        assert sum(verdict in one.verdicts(cause) for _, one in told[name]) >= SEEDS - 1


@pytest.mark.parametrize("name", list(MECHANISMS))
def test_no_other_cause_is_named(name: str, told: dict[str, list[tuple[float, Told]]]) -> None:
    planted = MECHANISMS[name](np.random.default_rng([0, 20261121]), CASES)
    wrong = [
        (cause, one.verdicts(cause))
        for _, one in told[name]
        for cause in planted.forbidden
        if Verdict.CANDIDATE in one.verdicts(cause)
    ]
    assert len(wrong) <= 1


def test_simpsons_paradox_is_called_by_its_name(
    told: dict[str, list[tuple[float, Told]]],
) -> None:
    for _, one in told["simpson"]:
        mix = next(finding for finding in one.findings if finding.cause is Cause.MIX)
        assert mix.evidence["crude"].estimate > 0 > mix.evidence["adjusted"].estimate
        assert "Simpson" in mix.statement
