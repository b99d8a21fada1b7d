"""False alarms of the subgroup family over cohorts without any bias."""

from tests.simulation.null_cohorts import BOUNDS, false_alarms

COHORTS = 500


def test_family_raises_few_false_alarms() -> None:
    """At 5 % at most 37 of 500: 25 expected, and 2.5 standard deviations of chance."""
    assert sum(false_alarms(COHORTS)) <= BOUNDS[COHORTS]
