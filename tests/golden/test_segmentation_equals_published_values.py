"""R20: the tests of surface-distance 0.1, MetricsReloaded and MONAI 1.6.1, and traps 2 to 4.

MetricsReloaded's figures: Reinke et al., Nat Methods 2024;21:182, supplement.
"""

import math
from collections.abc import Mapping

import numpy as np
import pytest
import surface_distance
import torch
from monai.metrics import compute_hausdorff_distance, compute_surface_dice
from numpy.typing import NDArray

from proctor_workers.metrics.segmentation import distances
from proctor_workers.metrics.segmentation.masks import MaskPair
from proctor_workers.metrics.segmentation.scores import Definitions, LabelScores, score_case

Mask = NDArray[np.uint8]
MONAI_SPACING = (0.85, 1.2, 0.9)


def scores(reference: Mask, predicted: Mask, **settings: object) -> LabelScores:
    spacing = settings.pop("spacing", (1.0,) * reference.ndim)
    return score_case(
        reference, predicted, spacing=spacing, labels=[1], definitions=Definitions(**settings)
    )[0]


def measured(reference: Mask, predicted: Mask, **settings: object) -> Mapping[str, float]:
    return scores(reference, predicted, **settings).values


def block(shape: tuple[int, ...], *boxes: tuple[slice, ...]) -> Mask:
    mask = np.zeros(shape, dtype=np.uint8)
    for box in boxes:
        mask[box] = 1
    return mask


def sphere(radius: float, centre: tuple[int, ...], spacing: tuple[float, ...] = (1, 1, 1)) -> Mask:
    """A sphere on 99 voxels an axis; radius and centre in mm."""
    squares = [(np.arange(99) * s - c) ** 2 for c, s in zip(centre, spacing, strict=True)]
    far = squares[0][:, None, None] + squares[1][None, :, None] + squares[2][None, None, :]
    return (far <= radius**2).astype(np.uint8)


SQUARE = block((14, 14), np.s_[5:9, 5:9])
SMALL = block((14, 14), np.s_[6:8, 6:8])
LARGE = block((14, 14), np.s_[4:10, 4:10])
BLOB = block((14, 14), np.s_[9:12, 9:12])
BLOB_AND_PIXEL = block((14, 14), np.s_[9:12, 9:12], np.s_[1:2, 1:2])
FIVE = block((11, 11), np.s_[3:8, 3:8])
CROSS = block((11, 11), np.s_[3:8, 3:8], np.s_[5:6, 1:10], np.s_[1:10, 5:6])


def test_r20_slabs_by_surface_elements() -> None:
    reference = block((100, 100, 100), np.s_[0:50])
    predicted = block((100, 100, 100), np.s_[0:51])
    pair = MaskPair.of(reference, predicted, spacing=(2, 1, 1), labels=[1])
    found = distances.surface_distances(pair.cropped(pair.counts[0]), pair.grid, "surfel")
    assert distances.directed_means(found) == pytest.approx((0.322447, 0.339396), abs=1e-6)
    assert distances.surface_overlaps(found, 1.0) == pytest.approx((0.842066, 0.830302), abs=1e-6)
    assert distances.hausdorff(found) == 2.0
    values = measured(reference, predicted, spacing=(2, 1, 1), convention="surfel")
    assert values["hd95"] == 2.0
    assert values["nsd"] == pytest.approx(0.836145, abs=1e-6)
    assert values["dice"] == pytest.approx(0.990099, abs=1e-6)


@pytest.mark.parametrize(
    ("reference", "predicted", "convention", "published"),
    [
        (
            SQUARE,
            SMALL,
            "voxel",
            {
                "dice": 0.4,
                "iou": 0.25,
                "hd": 1.4142136,
                "masd": 1.0690356,
                "assd": 1.1035534,
                "nsd": 0.75,
            },
        ),
        (SQUARE, SMALL, "surfel", {"nsd": 0.869398}),
        (
            SQUARE,
            LARGE,
            "voxel",
            {
                "dice": 0.6153846,
                "hd": 1.4142136,
                "masd": 1.0414214,
                "assd": 1.0517767,
                "nsd": 0.875,
            },
        ),
        (SQUARE, LARGE, "surfel", {"nsd": 0.924889}),
        (BLOB_AND_PIXEL, BLOB, "voxel", {"hd": 11.3137085, "hd95": 6.7882251}),
        (BLOB_AND_PIXEL, BLOB, "surfel", {"hd95": 11.3137085}),
        (
            FIVE,
            CROSS,
            "voxel",
            {
                "dice": 0.862069,
                "iou": 0.7575758,
                "assd": 0.4444444,
                "masd": 0.425,
                "nsd": 0.8888889,
            },
        ),
        (FIVE, CROSS, "surfel", {"nsd": 0.884485}),
    ],
)
def test_r20_metrics_reloaded(
    reference: Mask, predicted: Mask, convention: str, published: dict[str, float]
) -> None:
    found = measured(reference, predicted, convention=convention)
    assert {name: found[name] for name in published} == pytest.approx(published, rel=1e-6)


@pytest.mark.parametrize(("first_row", "published"), [(2, 0.86), (3, 0.67)])
def test_metrics_reloaded_centreline_dice_of_a_small_corner(
    first_row: int, published: float
) -> None:
    reference = block((14, 14), np.s_[1:4, 1:2], np.s_[3:4, 1:4])
    predicted = block((14, 14), np.s_[first_row:4, 1:2], np.s_[3:4, 1:4])
    assert measured(reference, predicted)["cldice"] == pytest.approx(published, abs=5e-3)


def test_r20_monai_spheres_of_two_sizes() -> None:
    small, large = sphere(20, (20, 33, 22)), sphere(40, (20, 33, 22))
    pair = MaskPair.of(large, small, spacing=(1, 1, 1), labels=[1])
    found = distances.surface_distances(pair.cropped(pair.counts[0]), pair.grid, "voxel")
    assert distances.hausdorff(found) == pytest.approx(20.223748416156685, abs=1e-12)
    assert distances.hausdorff_percentile(found) == pytest.approx(20.09975124224178, rel=1e-6)
    assert found.from_predicted.max() == pytest.approx(20.09975124224178, abs=1e-12)


@pytest.mark.parametrize(
    ("reference", "predicted", "published"),
    [
        ((20, (19, 19, 19)), (20, (20, 20, 20)), 2.2671568),
        ((30, (20, 33, 22)), (15, (20, 33, 22)), 15.62594),
    ],
)
def test_r20_monai_anisotropic_spheres(
    reference: tuple[float, tuple[int, ...]],
    predicted: tuple[float, tuple[int, ...]],
    published: float,
) -> None:
    found = measured(
        sphere(*reference, MONAI_SPACING), sphere(*predicted, MONAI_SPACING), spacing=MONAI_SPACING
    )
    assert found["hd"] == pytest.approx(published, abs=5e-6)


@pytest.mark.filterwarnings("ignore")
def test_trap_2_surface_distance_fails_where_a_mask_is_empty(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(np, "Inf", raising=False)  # torchmetrics puts it back when imported
    empty = np.zeros((14, 14), dtype=np.bool_)
    with pytest.raises(AttributeError):
        surface_distance.compute_surface_distances(SQUARE > 0, empty, (1.0, 1.0))
    found = measured(SQUARE, empty.astype(np.uint8), convention="surfel")
    assert (found["nsd"], found["hd95"]) == (0.0, math.hypot(14, 14))


@pytest.mark.filterwarnings("ignore")
def test_trap_3_the_libraries_disagree_and_each_is_selectable() -> None:
    one_hot = [torch.from_numpy(mask)[None, None].float() for mask in (BLOB, BLOB_AND_PIXEL)]
    monai = float(compute_hausdorff_distance(*one_hot, include_background=True, percentile=95))
    found = surface_distance.compute_surface_distances(BLOB_AND_PIXEL > 0, BLOB > 0, (1.0, 1.0))
    google = surface_distance.compute_robust_hausdorff(found, 95)
    assert monai == pytest.approx(measured(BLOB_AND_PIXEL, BLOB)["hd95"], rel=1e-6)
    assert google == measured(BLOB_AND_PIXEL, BLOB, convention="surfel")["hd95"]
    assert google > monai + 4


@pytest.mark.filterwarnings("ignore")
def test_trap_3_monai_subvoxels_are_our_surfels() -> None:
    one_hot = [torch.from_numpy(mask)[None, None].float() for mask in (SMALL, SQUARE)]
    theirs = compute_surface_dice(*one_hot, [1.0], include_background=True, use_subvoxels=True)
    ours = measured(SQUARE, SMALL, convention="surfel")["nsd"]
    assert ours == pytest.approx(float(theirs), rel=1e-6)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("predicted", "theirs"), [(SQUARE, math.inf), (np.zeros_like(SQUARE), math.nan)]
)
def test_trap_4_monai_has_infinity_or_nan_and_we_a_declared_policy(
    predicted: Mask, theirs: float
) -> None:
    empty = np.zeros_like(SQUARE)
    one_hot = [torch.from_numpy(mask)[None, None].float() for mask in (predicted, empty)]
    found = float(compute_hausdorff_distance(*one_hot, include_background=True))
    assert found == pytest.approx(theirs, nan_ok=True)
    ours = scores(empty, predicted)
    far = math.hypot(14, 14) if math.isinf(theirs) else math.nan
    assert ours.values["hd"] == pytest.approx(far, nan_ok=True)
    assert ours.empty == ("reference" if math.isinf(theirs) else "both")
