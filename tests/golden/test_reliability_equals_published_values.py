"""R15 (Shrout & Fleiss 1979; R's psych) and the concordance correlation of R14 (epiR)."""

import numpy as np
import pytest

from proctor_workers.metrics.reliability import Form, concordance, intraclass

# Six subjects by four judges: Shrout & Fleiss, Psychol Bull 1979;86:420, table 2.
RATINGS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]],
    dtype=float,
)
# First readings of Bland & Altman, Lancet 1986;1:307, table I.
WRIGHT = np.array(
    [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427],
    dtype=float,
)
MINI = np.array(
    [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451],
    dtype=float,
)


@pytest.mark.parametrize(
    ("form", "published"),
    [
        (Form.ONE_SINGLE, (0.165741768405, -0.132932324875, 0.722560062328)),
        (Form.TWO_SINGLE, (0.289763779528, 0.0187865133747, 0.761084369649)),
        (Form.THREE_SINGLE, (0.714840714841, 0.342464765034, 0.945858259955)),
        (Form.ONE_MEAN, (0.442797133679, -0.884442155238, 0.912415420341)),
        (Form.TWO_MEAN, (0.620050547599, 0.0711368153025, 0.927232040168)),
        (Form.THREE_MEAN, (0.909315542377, 0.675674713816, 0.985891678169)),
    ],
)
def test_r15_intraclass_correlations(form: Form, published: tuple[float, float, float]) -> None:
    found = intraclass(RATINGS, form)
    assert (found.estimate, found.lower, found.upper) == pytest.approx(published, abs=1e-9)


def test_r14_concordance_correlation() -> None:
    found = concordance(MINI, WRIGHT)
    published = (0.942742431427, 0.850491873169, 0.97872627917)
    assert (found.estimate, found.lower, found.upper) == pytest.approx(published, abs=1e-9)
