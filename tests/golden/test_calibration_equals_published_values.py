"""R17: Metrics Reloaded (Nature Methods 2024;21:182), figure SN2.24; the torchmetrics page."""

import numpy as np
import pytest

from proctor_workers.metrics.calibration import (
    bin_edges,
    binned_error,
    positive_class,
    risks,
    top_label,
)

PITFALL = risks(
    np.array([0.22, 0.48, 0.49, 0.96, 0.55, 0.64, 0.78, 0.82, 0.34, 0.87]),
    np.array([0, 1, 0, 0, 1, 1, 1, 1, 1, 0], dtype=bool),
    np.arange(10),
)
PAGE = risks(
    np.array([0.25, 0.25, 0.55, 0.75, 0.75]), np.array([0, 0, 1, 1, 1], dtype=bool), np.arange(5)
)


@pytest.mark.parametrize(
    ("bins", "expected", "greatest"), [(2, 0.109, 0.1175), (5, 0.315, 0.55), (10, 0.359, 0.96)]
)
def test_r17_expected_and_maximum_calibration_error(bins, expected, greatest) -> None:
    edges = bin_edges(PITFALL.probability, bins, "equal width")
    found = [
        binned_error(PITFALL, positive_class(PITFALL), edges, norm) for norm in ("mean", "greatest")
    ]
    assert found == pytest.approx([expected, greatest], abs=1e-6)


@pytest.mark.parametrize(
    ("norm", "value"), [("mean", 0.29), ("root mean square", 0.2918333), ("greatest", 0.3166667)]
)
def test_r17_three_norms(norm, value) -> None:
    edges = bin_edges(PAGE.probability, 2, "equal width")
    assert binned_error(PAGE, positive_class(PAGE), edges, norm) == pytest.approx(value, abs=1e-6)


def test_positive_class_and_top_label_differ_on_the_same_data() -> None:
    edges = bin_edges(PITFALL.probability, 5, "equal width")
    assert binned_error(PITFALL, positive_class(PITFALL), edges) == pytest.approx(0.315, abs=1e-6)
    assert binned_error(PITFALL, top_label(PITFALL), edges) == pytest.approx(0.221, abs=1e-6)
