"""Dice, HD95, ASSD and NSD of five labels in one volume, beside MONAI and surface-distance."""

import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import surface_distance
import torch
from monai.metrics import (
    compute_average_surface_distance,
    compute_dice,
    compute_hausdorff_distance,
    compute_surface_dice,
)
from numpy.typing import NDArray
from scipy import ndimage
from tests.bench.record import Row, paired

from proctor_workers.metrics.segmentation.cohort import (
    CaseMasks,
    score_in_processes,
    score_masks,
)
from proctor_workers.metrics.segmentation.runs import encode_runs
from proctor_workers.metrics.segmentation.scores import Definitions, score_case

SHAPE, LABELS, SPACING, TOLERANCE = (256, 256, 128), (1, 2, 3, 4, 5), (1.0, 1.0, 1.0), 2.0
ASKED = ("dice", "hd95", "assd", "nsd")
COHORT, COHORT_PAIRS = 200, 3  # cases a run; a pair takes half a minute
Labels = NDArray[np.uint8]


@dataclass(frozen=True)
class Scene:
    """Both label volumes: five rough ellipsoids, moved, scaled and with stray parts."""

    reference: Labels
    predicted: Labels

    def ours(self, definitions: Definitions) -> NDArray[np.float64]:
        """Score one case on one thread, (labels, asked)."""
        found = score_case(
            self.reference,
            self.predicted,
            spacing=SPACING,
            labels=LABELS,
            measures=ASKED,
            definitions=definitions,
        )
        return np.array([[one.values[name] for name in ASKED] for one in found])

    def monai(self) -> NDArray[np.float64]:
        """Score it as MONAI does."""
        p, r = (
            torch.from_numpy(np.stack([mask == label for label in (0, *LABELS)]))[None].float()
            for mask in (self.predicted, self.reference)
        )
        common = {"include_background": False, "spacing": SPACING}
        found = (
            compute_dice(p, r, include_background=False),
            compute_hausdorff_distance(p, r, percentile=95, **common),
            compute_average_surface_distance(p, r, symmetric=True, **common),
            compute_surface_dice(p, r, [TOLERANCE] * len(LABELS), **common),
        )
        return np.column_stack([one[0].numpy() for one in found])

    def surface_distance(self) -> NDArray[np.float64]:
        """Score it as surface-distance does; its ASSD is made of both directions."""
        return np.array([self._surfels(label) for label in LABELS])

    def _surfels(self, label: int) -> list[float]:
        reference, predicted = self.reference == label, self.predicted == label
        found = surface_distance.compute_surface_distances(reference, predicted, SPACING)
        sizes = [found[f"surfel_areas_{name}"].sum() for name in ("gt", "pred")]
        means = surface_distance.compute_average_surface_distance(found)
        return [
            surface_distance.compute_dice_coefficient(reference, predicted),
            surface_distance.compute_robust_hausdorff(found, 95),
            float(np.average(means, weights=sizes)),
            surface_distance.compute_surface_dice_at_tolerance(found, TOLERANCE),
        ]


def rows() -> list[Row]:
    """Compare on one scene, equal to 1e-6 or not at all; compile first."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    scene = made_scene()
    return [
        _against(scene, "monai", "MONAI 1.6.1", "voxel", 10),
        _against(scene, "surface_distance", "surface-distance 0.1", "surfel", 3),
        _cohort(scene),
    ]


def _against(scene: Scene, other: str, told: str, convention: str, goal: float) -> Row:
    ours = partial(scene.ours, Definitions(convention=convention, tolerance=TOLERANCE))
    theirs = getattr(scene, other)
    np.testing.assert_allclose(ours(), theirs(), rtol=1e-6)
    found = paired(partial(_timed, ours), partial(_timed, theirs))
    return Row(
        id=f"segmentation_{other}",
        what=f"Dice, HD95, ASSD, NSD of {len(LABELS)} labels in {'×'.join(map(str, SHAPE))}, one "
        f"thread, {convention} convention, equal to 1e-6",
        unit="ms",
        ours=found.ours,
        reference=found.reference,
        reference_name=told,
        ratio=found.ratio,
        interval=found.interval,
        goal=f"≥ {goal:g} x",
        met=found.interval[0] >= goal,
    )


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - begun)


def _cohort(scene: Scene) -> Row:
    masks = [
        {str(label): pairs for label, pairs in encode_runs(mask).items()}
        for mask in (scene.reference, scene.predicted)
    ]
    case = CaseMasks(
        shape=SHAPE,
        spacing=SPACING,
        reference=masks[0],
        predicted=masks[1],
        structures=tuple(map(str, LABELS)),
        asked=tuple((name, Definitions(tolerance=TOLERANCE)) for name in ASKED),
    )
    cases, cores = [case] * COHORT, os.cpu_count() or 1
    score_masks(case)
    found = paired(
        lambda: _timed(lambda: score_in_processes(cases, cores)),
        lambda: _timed(lambda: [score_masks(one) for one in cases]),
        pairs=COHORT_PAIRS,
    )
    return Row(
        id="segmentation_cohort",
        what=f"the same from runs for {COHORT} cases over {cores} processes, their start "
        f"included; {COHORT_PAIRS} pairs",
        unit="ms",
        ours=found.ours,
        reference=found.reference,
        reference_name="one process",
        ratio=found.ratio,
        interval=found.interval,
    )


def made_scene() -> Scene:
    """Make the scene; the same on every machine that has the same NumPy."""
    draws = np.random.default_rng(20261121)
    reference, predicted = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    for label in LABELS:
        centre = np.array([draws.uniform(70, side - 70) if side > 140 else 64 for side in SHAPE])
        half = np.array([draws.uniform(35, 60), draws.uniform(35, 60), draws.uniform(25, 45)])
        reference[_ellipsoid(centre, half, 0.15, draws)] = label
        moved = centre + draws.normal(0, 4, 3)
        predicted[_ellipsoid(moved, half * draws.uniform(0.85, 1.15, 3), 0.3, draws)] = label
        predicted[_ellipsoid(centre + np.array([55.0, 0.0, 0.0]), np.full(3, 6.0), 0.1, draws)] = (
            label
        )
    return Scene(reference, predicted)


def _ellipsoid(
    centre: NDArray[np.float64],
    half: NDArray[np.float64],
    rough: float,
    draws: np.random.Generator,
) -> NDArray[np.bool_]:
    coarse = draws.normal(size=[side // 16 + 1 for side in SHAPE])
    bumps = ndimage.zoom(coarse, np.array(SHAPE) / coarse.shape, order=1)
    axes = np.meshgrid(*map(np.arange, SHAPE), indexing="ij", sparse=True)
    far = sum(
        ((axis - at) / length) ** 2 for axis, at, length in zip(axes, centre, half, strict=True)
    )
    return np.asarray(far + rough * bumps < 1)
