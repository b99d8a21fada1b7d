"""pROC's aSAH data (Robin, BMC Bioinformatics 2011;12:77), partial areas as its tests hold them."""

import numpy as np
import pytest
from asah import NDKA, POOR, WFNS

from proctor_workers.metrics.partial_auc import partial_auc
from proctor_workers.metrics.roc import scored

SCORES = {
    name: scored(np.array(values, dtype=float), np.array(POOR, dtype=bool), np.arange(len(POOR)))
    for name, values in (("wfns", WFNS), ("ndka", NDKA))
}
RANGES = ((0.9, 1.0), (0.8, 0.9), (0.0, 0.5), (0.0, 1.0))


@pytest.mark.parametrize(
    ("name", "over", "values"),
    [
        (
            "wfns",
            "specificity",
            (0.0334417344173442, 0.0598373983739837, 0.488134475939354, 0.823678861788618),
        ),
        (
            "ndka",
            "specificity",
            (0.0107046070460705, 0.0277777777777778, 0.416836043360434, 0.611957994579946),
        ),
        (
            "wfns",
            "sensitivity",
            (0.0400999322493225, 0.0609953703703703, 0.483358739837398, 0.823678861788618),
        ),
        (
            "ndka",
            "sensitivity",
            (0.0037940379403794, 0.0242547425474255, 0.428523035230352, 0.611957994579946),
        ),
    ],
)
def test_partial_areas(name, over, values) -> None:
    found = [partial_auc(SCORES[name], *ends, over=over).value for ends in RANGES]
    assert found == pytest.approx(values, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "over", "values"),
    [
        ("wfns", "specificity", (0.649693339038653, 0.763749402199904, 0.952537903757416)),
        ("ndka", "specificity", (0.530024247610897, 0.575163398692811, 0.667344173441734)),
        ("wfns", "sensitivity", (0.68473648552275, 0.770561002178649, 0.933434959349593)),
    ],
)
def test_partial_areas_standardised_by_mcclish(name, over, values) -> None:
    found = [
        partial_auc(SCORES[name], *ends, over=over, standardised=True).value for ends in RANGES[:3]
    ]
    assert found == pytest.approx(values, abs=1e-12)
