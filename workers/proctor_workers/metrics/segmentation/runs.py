"""Masks as runs: how many voxels of a label follow from which place, counted in C order."""

from collections.abc import Mapping, Sequence

import numpy as np

from proctor_workers.metrics.segmentation.masks import LabelError, Labels, MaskError
from proctor_workers.statistics.arrays import Ints, compiled

Runs = Mapping[int, Ints]  # label → (n, 2): first voxel, how many
_LARGEST_LABEL = 65535
_FAULTS = (
    "",
    "a run has no voxel",
    "a run lies outside the image",
    "runs are not in order, or overlap",
    "a run lies on voxels of another label",
)


class RunsError(MaskError):
    """Runs that describe no mask: not in order, outside the image, or overlapping."""


def decode_runs(runs: Runs, shape: Sequence[int]) -> Labels:
    """Return the label volume that runs describe; 0 where there is none.

    Args:
        runs: for each label in 1..65535 its runs in order, (n, 2) whole numbers.
        shape: the volume's.

    Raises:
        RunsError: a run is empty, outside, out of order or on another one's voxels.
        LabelError: a label outside 1..65535.
    """
    if not all(0 < label <= _LARGEST_LABEL for label in runs):
        raise LabelError("a label lies outside 1..65535")
    narrow = max(runs, default=0) < 256
    volume = np.zeros(int(np.prod(shape)), dtype=np.uint8 if narrow else np.uint16)
    for label in sorted(runs):
        part = np.asarray(runs[label])
        if part.size and (part.ndim != 2 or part.shape[1] != 2 or part.dtype.kind not in "iu"):
            raise RunsError(f"label {label}: runs are pairs of whole numbers")
        fault = _fill(volume, np.ascontiguousarray(part.reshape(-1, 2), dtype=np.int64), label)
        if fault:
            raise RunsError(f"label {label}: {_FAULTS[fault]}")
    return volume.reshape(shape)


def encode_runs(volume: Labels) -> dict[int, Ints]:
    """Return the runs of every label that a volume holds, the background (0) left out.

    Args:
        volume: any shape, whole numbers 0..65535.
    """
    flat = np.ascontiguousarray(volume).reshape(-1)
    if flat.dtype.kind == "b":
        flat = flat.view(np.uint8)
    if flat.dtype.kind not in "iu" or (flat.size and not 0 <= flat.min() <= flat.max() < 65536):
        raise LabelError("a label is a whole number in 0..65535")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = np.concatenate(([0], changes)) if flat.size else np.empty(0, dtype=np.int64)
    lengths = np.diff(np.append(starts, flat.size))
    label = flat[starts]
    pairs = np.column_stack([starts, lengths]).astype(np.int64)
    return {int(one): pairs[label == one] for one in np.unique(label) if one}


@compiled
def _fill(volume: Labels, runs: Ints, label: int) -> int:
    """Write one label's runs; return the number of the first fault, 0 for none."""
    end = 0
    for place in range(len(runs)):
        start, length = runs[place, 0], runs[place, 1]
        if length < 1:
            return 1
        if start < 0 or length > len(volume) or start > len(volume) - length:
            return 2
        if start < end:
            return 3
        end = start + length
        for voxel in range(start, end):
            if volume[voxel] != 0:
                return 4
            volume[voxel] = label
    return 0
