import itertools

import numpy as np
import pytest
import surface_distance
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.metrics import (
    compute_average_surface_distance,
    compute_dice,
    compute_hausdorff_distance,
    compute_iou,
    compute_surface_dice,
)
from monai.metrics.absolute_volume_difference import compute_absolute_volume_difference
from numpy.typing import NDArray
from scipy import ndimage
from surface_distance import lookup_tables

from proctor_workers.metrics.segmentation import distances
from proctor_workers.metrics.segmentation.distances import SurfaceDistances
from proctor_workers.metrics.segmentation.masks import MaskPair
from proctor_workers.metrics.segmentation.scores import MEASURES, Definitions, score_case
from proctor_workers.metrics.segmentation.surfels import contour_lengths, surface_areas

pytestmark = pytest.mark.filterwarnings("ignore")
Mask = NDArray[np.uint8]
SPACINGS = [(1.0, 1.0, 1.0), (0.7, 0.8, 3.0), (2.5, 0.5, 0.5)]
MEASURED = tuple(name for name in MEASURES if name != "cldice")


def blobs(shape: tuple[int, ...], seed: int) -> tuple[Mask, Mask]:
    """Two masks of smooth shapes that differ, touch the border and have stray parts."""
    draws = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(draws.normal(size=shape), 2.0)
    other = smooth + ndimage.gaussian_filter(draws.normal(size=shape), 1.0) * 0.3
    pair = (smooth > 0.03).astype(np.uint8), (other > 0.05).astype(np.uint8)
    for mask in pair:
        mask[(0,) * len(shape)] = 1  # never empty
    return pair


def surfaces(reference: Mask, predicted: Mask, spacing: tuple[float, ...]) -> SurfaceDistances:
    pair = MaskPair.of(reference, predicted, spacing=spacing, labels=[1])
    bits = pair.cropped(pair.counts[0])
    return distances.surface_distances(bits, pair.grid, "surfel")


SHAPES = st.sampled_from([(9, 14, 11), (5, 8, 21), (17, 23)])
CASES = (
    SHAPES,
    st.integers(0, 10_000),
    st.sampled_from(SPACINGS),
    st.sampled_from([0.5, 1.0, 2.4]),
)


@given(*CASES)
@settings(max_examples=25, deadline=None)
def test_voxel_convention_is_monai(
    shape: tuple[int, ...], seed: int, steps: tuple[float, ...], tolerance: float
) -> None:
    reference, predicted = blobs(shape, seed)
    spacing = steps[: len(shape)]
    definitions = Definitions(tolerance=tolerance)
    ours = score_case(
        reference,
        predicted,
        spacing=spacing,
        labels=[1],
        measures=MEASURED,
        definitions=definitions,
    )[0].values
    p, r = (torch.from_numpy(mask)[None, None].float() for mask in (predicted, reference))
    common = {"include_background": True, "spacing": spacing}
    theirs = {
        "dice": compute_dice(p, r),
        "iou": compute_iou(p, r),
        "hd": compute_hausdorff_distance(p, r, **common),
        "hd95": compute_hausdorff_distance(p, r, percentile=95, **common),
        "assd": compute_average_surface_distance(p, r, symmetric=True, **common),
        "nsd": compute_surface_dice(p, r, [tolerance], **common),
        "absolute_volume_error": compute_absolute_volume_difference(p, r) * np.prod(spacing),
    }
    assert {name: ours[name] for name in theirs} == pytest.approx(
        {name: float(value) for name, value in theirs.items()}, rel=1e-6, abs=1e-6
    )
    one_way = [compute_average_surface_distance(a, b, **common) for a, b in ((p, r), (r, p))]
    assert ours["masd"] == pytest.approx(float(sum(one_way)) / 2, rel=1e-6, abs=1e-6)


@given(*CASES)
@settings(max_examples=25, deadline=None)
def test_surfel_convention_is_surface_distance(
    shape: tuple[int, ...], seed: int, steps: tuple[float, ...], tolerance: float
) -> None:
    reference, predicted = blobs(shape, seed)
    spacing = steps[: len(shape)]
    theirs = surface_distance.compute_surface_distances(reference > 0, predicted > 0, spacing)
    ours = surfaces(reference, predicted, spacing)
    for mine, name in (
        (ours.from_reference, "distances_gt_to_pred"),
        (ours.from_predicted, "distances_pred_to_gt"),
    ):
        assert np.array_equal(np.sort(mine), theirs[name])
    assert distances.directed_means(ours) == pytest.approx(
        surface_distance.compute_average_surface_distance(theirs), rel=1e-12
    )
    for percent in (50, 95, 100):
        assert distances.hausdorff_percentile(
            ours, percent
        ) == surface_distance.compute_robust_hausdorff(theirs, percent)
    assert distances.surface_overlaps(ours, tolerance) == pytest.approx(
        surface_distance.compute_surface_overlap_at_tolerance(theirs, tolerance), rel=1e-12
    )
    assert distances.surface_dice(ours, tolerance) == pytest.approx(
        surface_distance.compute_surface_dice_at_tolerance(theirs, tolerance), rel=1e-12
    )


@given(st.integers(0, 10_000), st.sampled_from(SPACINGS))
@settings(max_examples=10, deadline=None)
def test_pooled_percentile_is_that_of_all_border_voxels(
    seed: int, spacing: tuple[float, ...]
) -> None:
    reference, predicted = (mask > 0 for mask in blobs((9, 14, 11), seed))
    border = [mask & ~ndimage.binary_erosion(mask) for mask in (reference, predicted)]
    far = [ndimage.distance_transform_edt(~one, sampling=spacing) for one in border]
    every = np.concatenate([far[1][border[0]], far[0][border[1]]])
    ours = score_case(
        reference,
        predicted,
        spacing=spacing,
        labels=[1],
        measures=["hd95", "assd"],
        definitions=Definitions(percentile="pooled"),
    )[0].values
    assert ours["hd95"] == pytest.approx(np.percentile(every, 95), rel=1e-12)
    assert ours["assd"] == pytest.approx(every.mean(), rel=1e-12)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_surface_areas_of_every_arrangement(spacing: tuple[float, ...]) -> None:
    areas = lookup_tables.create_table_neighbour_code_to_surface_area(spacing)
    assert surface_areas(spacing) == pytest.approx(areas, abs=1e-12)
    lengths = lookup_tables.create_table_neighbour_code_to_contour_length(spacing[1:])
    assert contour_lengths(spacing[1:]) == pytest.approx(lengths, abs=1e-12)


def test_distances_are_exact_where_masks_lie_far_apart() -> None:
    spacing = (0.7, 1.3, 2.1)
    for first, second in itertools.permutations(range(3), 2):
        reference, predicted = np.zeros((2, 12, 15, 18), dtype=np.uint8)
        np.moveaxis(reference, first, 0)[0] = 1
        np.moveaxis(predicted, second, 0)[-1] = 1
        ours = score_case(
            reference,
            predicted,
            spacing=spacing,
            labels=[1],
            measures=["hd"],
            definitions=Definitions(),
        )[0].values["hd"]
        far = [
            ndimage.distance_transform_edt(mask == 0, sampling=spacing)[other > 0].max()
            for mask, other in ((reference, predicted), (predicted, reference))
        ]
        assert ours == pytest.approx(max(far), rel=1e-12)
