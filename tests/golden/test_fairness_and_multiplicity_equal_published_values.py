"""R22 (fairlearn's documentation) and R24 (Benjamini & Hochberg 1995, R's p.adjust)."""

import numpy as np
import pytest

from proctor_workers.statistics.draws import Stream
from proctor_workers.statistics.multiplicity import benjamini_hochberg, holm
from proctor_workers.subgroups.fairness import fairness_measures, level_rates, spread_measures

TRUTH = np.array([0, 1, 1, 1, 1, 0, 1, 0, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1], dtype=bool)
CALL = np.array([0, 0, 1, 0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 0], dtype=bool)
GROUP = np.array(list("bbabbcccaacabccbcc"))
LEVELS = np.column_stack([name == GROUP for name in "abc"])
P_VALUES = [
    0.0001,
    0.0004,
    0.0019,
    0.0095,
    0.0201,
    0.0278,
    0.0298,
    0.0344,
    0.0459,
    0.324,
    0.4262,
    0.5719,
    0.6528,
    0.759,
    1,
]


def test_r22_rates_by_group() -> None:
    tpr, fpr, selected = level_rates(TRUTH, CALL, LEVELS)
    assert tpr == pytest.approx([0.5, 0.6, 0.4])
    assert fpr == pytest.approx([1, 0, 2 / 3])
    assert selected == pytest.approx([0.75, 0.5, 0.5])


def test_r22_differences_and_ratios_by_fairlearn_and_by_us() -> None:
    found = {
        measure.name: measure.value
        for measure in fairness_measures(
            TRUTH, CALL, LEVELS, np.arange(18), names=list("abc"), stream=Stream(1, "test")
        )
    }
    expected = {
        "true_positive_rate_difference": 0.2,
        "true_positive_rate_ratio": 0.6666667,
        "false_positive_rate_difference": 1.0,
        "false_positive_rate_ratio": 0.0,
        "selection_rate_difference": 0.25,
        "selection_rate_ratio": 0.6666667,
        "equalized_odds_difference": 1.0,
    }
    assert found == pytest.approx(expected, abs=1e-6)
    assert spread_measures(level_rates(TRUTH, CALL, LEVELS)) == pytest.approx(expected, abs=1e-6)


def test_r24_holm() -> None:
    adjusted = [0.0015, 0.0056, 0.0247, 0.114, 0.2211, *[0.278] * 3, 0.3213, *[1] * 6]
    assert holm(P_VALUES) == pytest.approx(adjusted, abs=1e-12)
    assert holm([0.01, 0.02, 0.03, 0.04, 0.05]) == pytest.approx([0.05, 0.08, 0.09, 0.09, 0.09])


def test_r24_benjamini_hochberg() -> None:
    found = benjamini_hochberg(P_VALUES)
    assert found[:5] == pytest.approx([0.0015, 0.003, 0.0095, 0.035625, 0.0603], abs=1e-12)
    assert found[5:9] == pytest.approx(
        [0.0638571428571, 0.0638571428571, 0.0645, 0.0765], abs=1e-12
    )
    assert found[9:] == pytest.approx(
        [0.486, 0.5811818181818, 0.714875, 0.7532307692308, 0.8132142857143, 1], abs=1e-12
    )
