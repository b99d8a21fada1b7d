"""The short version of `make coverage`: all that can be listed, and a little that is drawn."""

import math
from collections.abc import Callable, Iterable
from itertools import islice

import pytest
from tests.simulation import areas, binomials, categories, clusters, further, measured, resampled
from tests.simulation.coverage import APPROXIMATE, FEWEST_OF_EXACT, TAIL, Row
from tests.simulation.reasons import explained

from proctor_workers.statistics.proportions import clopper_pearson

ENUMERATED = {
    "one proportion": binomials.one_proportion,
    "two proportions": binomials.two_proportions,
    "paired proportions": binomials.paired_proportions,
    "predictive values": binomials.predictive_values,
}
DRAWN = {
    "clustered proportions": (clusters.clustered_proportions, 400),
    "areas": (areas.single_areas, 300),
    "clustered areas": (areas.clustered_areas, 300),
    "areas over classes": (categories.class_areas, 200),
    "the patient bootstrap": (lambda n: islice(resampled.bootstrapped(n), 11), 120),
    "measurements": (measured.measured, 100),
    "repeats, lines, readers": (further.further, 80),
}


@pytest.fixture(scope="module")
def listed() -> list[Row]:
    return explained(row for part in ENUMERATED.values() for row in part())


@pytest.mark.parametrize("n", [5, 20, 60, 150])
def test_exact_interval_never_covers_less_than_it_says(n: int) -> None:
    assert binomials.least_coverage(n, clopper_pearson) >= 0.95


def test_exact_rows_meet_their_target(listed: list[Row]) -> None:
    exact = [row for row in listed if row.kind == "exact"]
    assert exact
    assert all(row.ok for row in exact)


def test_what_misses_says_why_and_what_to_choose(listed: list[Row]) -> None:
    missed = [row for row in listed if not row.ok]
    assert missed
    assert not [f"{row.method}, {row.scenario}" for row in missed if not row.why]


def test_no_method_errs_at_a_margin_of_noninferiority(listed: list[Row]) -> None:
    for row in listed:
        worse = row.scenario in {
            "first right only 0.05, second right only 0.1",
            "first right only 0.02, second right only 0.05",
            "first right only 0.02, second right only 0.07",
        }
        assert not worse or row.lower_error <= TAIL, row


@pytest.mark.parametrize("name", DRAWN)
def test_drawn_cohorts_contradict_no_target(name: str) -> None:
    """A few cohorts cannot show that a target is met, but can show that it is far off."""
    part, repetitions = DRAWN[name]
    for row in drawn(part, repetitions):
        least = FEWEST_OF_EXACT if row.kind == "exact" else APPROXIMATE[0]
        slack = 4 * math.sqrt(least * (1 - least) / repetitions)
        known = "balanced_accuracy" in row.method and row.n == 400
        assert known or row.coverage >= least - slack, row


def drawn(part: Callable[[int], Iterable[Row]], repetitions: int) -> Iterable[Row]:
    return part(repetitions)
