"""R20's panoptic quality, and the worked example of AFROC and wAFROC in Chakraborty's book."""

import numpy as np
import pytest

from proctor_workers.metrics import instances
from proctor_workers.metrics.detection import areas, froc
from proctor_workers.metrics.detection.responses import FreeResponse, free_response

HIT = -1  # a false mark


def test_r20_panoptic_quality_of_figure_3_51() -> None:
    """Maier-Hein et al., Nature Methods 2024;21:195, figure SN 3.51."""
    reference, predicted = np.zeros((21, 21), dtype=int), np.zeros((21, 21), dtype=int)
    reference[8:11, 3] = reference[9, 2:5] = 1
    reference[14:19, 7:13] = 2
    reference[2:7, 14:17] = reference[2:4, 12:14] = 3
    predicted[5:7, 2:5] = 1
    predicted[14:18, 4:6] = predicted[16, 3] = 2
    predicted[14:18, 7:12] = 3
    predicted[2:8, 13:16] = predicted[2:4, 12] = 4
    pixels = instances.overlap(reference, predicted)
    table = instances.sums(pixels, instances.matched(pixels))[0]
    assert float(instances.panoptic_quality(table)) == pytest.approx(0.35047619, abs=1e-8)


def worked_example() -> FreeResponse:
    """4 images without lesions and 5 with 1, 1, 2, 2 and 3; Chakraborty, FROC chapter 3.9."""
    lesion_image = np.array([4, 5, 6, 6, 7, 7, 8, 8, 8])
    mark_image = np.array([1, 2, 2, 3, 4, 4, 5, 6, 7, 7, 8, 8, 8])
    score = np.array([0.5, 0.7, 0.6, -0.3, 1.5, 0.9, -0.2, 1.6, 3.0, 2.0, 1.0, 2.5, 1.0])
    hit = np.array([HIT, HIT, HIT, HIT, HIT, 0, 1, 2, 4, 5, 6, 7, 8])
    return free_response(
        np.arange(9),
        (lesion_image, np.zeros(9, dtype=bool)),
        (mark_image, score, hit),
        lesion_weight=np.array([1.0, 1.0, 0.1, 0.9, 0.9, 0.1, 0.3, 0.4, 0.3]),
    )


def test_afroc_area_of_the_worked_example() -> None:
    area = areas.area(areas.afroc(worked_example(), weighted=False))
    assert area == pytest.approx(0.5 * 7 / 9 + 0.5 * 8 / 9 + 0.25 * (1 / 9) / 2, abs=1e-12)


def test_weighted_afroc_area_of_the_worked_example() -> None:
    area = areas.area(areas.afroc(worked_example(), weighted=True))
    assert area == pytest.approx(0.7425, abs=1e-12)


def test_weighted_afroc_passes_the_published_operating_points() -> None:
    curve = areas.curve(areas.afroc(worked_example(), weighted=True))
    points = {(round(x, 6), round(y, 6)) for x, y in zip(curve.fpf, curve.llf, strict=True)}
    assert points >= {(0, 0), (0, 0.18), (0, 0.26), (0, 0.62), (0.5, 0.62), (0.5, 0.82), (1, 1)}


def test_froc_passes_the_published_steps() -> None:
    curve = froc.curve(worked_example())
    np.testing.assert_allclose(curve.llf[:4], np.array([0, 1, 2, 3]) / 9)
    assert (curve.nlf[-1], curve.llf[-1]) == pytest.approx((5 / 9, 8 / 9))
