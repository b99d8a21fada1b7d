"""Writes masks as runs, on the grid of the case's pictures where that is known."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proctor_sdk.canonical import canonical_bytes
from proctor_workers.hidden_data.case_files import Grid, Refusal
from proctor_workers.hidden_data.findings import Finding, Severity

MOST_PIXELS = 1 << 27
MOST_NUMBERS = 1 << 22  # in the runs of one mask: about what 32 MiB of JSON hold
MOST_SIDE = 1 << 16  # of the contract
TOO_LARGE = Refusal("is larger than 2^27 pixels", "Cut it into several cases.")
SPECKLED = Refusal("is too finely speckled to be kept as runs", "Give fewer pixels.")

Bits = NDArray[np.bool_]
Taken = tuple[str | Refusal, tuple[Finding, ...]]  # canonical JSON, and what is odd about it


def mask_size(grid: Grid) -> tuple[int, ...]:
    """Return the size that a mask of this grid has: one DICOM slice is a picture of two sides."""
    return grid.size[1:] if grid.size[0] == 1 and grid.instances else grid.size


def mask_spacing(grid: Grid) -> tuple[float, ...] | None:
    """Return the spacing in mm of a mask of this grid, if it is known."""
    return grid.spacing[-len(mask_size(grid)) :] if grid.spacing else None


def volume_size(grid: Grid) -> tuple[int, int, int]:
    """Return slices, rows and columns of a grid."""
    slices = grid.size[0] if len(grid.size) == 3 else 1
    return slices, grid.size[-2], grid.size[-1]


def is_too_large(size: Sequence[int]) -> bool:
    """Say whether a mask of this size is not made."""
    return math.prod(size) > MOST_PIXELS or max(size, default=0) > MOST_SIDE


def masks_of(
    size: Sequence[int], spacing: Sequence[float] | None, regions: Iterable[tuple[str, Bits]]
) -> str | Refusal:
    """Return the canonical JSON of a mask; regions are taken one by one, so that one is held.

    Args:
        size: sides of the mask, slices, rows, columns or rows, columns.
        spacing: in mm, in the same order.
        regions: name and pixels of each structure, each name once.
    """
    runs: dict[str, list[int]] = {}
    numbers = 0
    for name, pixels in regions:
        found = value_runs(pixels.ravel())
        if found is None:
            return SPECKLED
        runs[name] = found.get(1, [])
        numbers += len(runs[name])
        if numbers > MOST_NUMBERS:
            return SPECKLED
    return mask_of(size, spacing, runs)


def mask_of(
    size: Sequence[int], spacing: Sequence[float] | None, runs: Mapping[str, list[int]]
) -> str:
    """Return the canonical JSON of a mask with these runs."""
    mask: dict[str, Any] = {"size": [int(side) for side in size], "labels": dict(runs)}
    if spacing is not None:
        mask["spacing"] = [float(step) for step in spacing]
    return canonical_bytes({"mask": mask}).decode()


def value_runs(values: NDArray[Any]) -> dict[int, list[int]] | None:
    """Return start, length, start, length … of each value but 0, in one walk over (n,) values.

    None if there are more numbers than a mask may have.
    """
    changes = values[1:] != values[:-1]
    if np.count_nonzero(changes) > MOST_NUMBERS + 2:  # every second run is of a structure
        return None
    starts = np.concatenate(([0], np.flatnonzero(changes) + 1))
    lengths = np.diff(np.concatenate((starts, [len(values)])))
    kinds = values[starts]
    found: dict[int, list[int]] = {}
    for value in np.unique(kinds):
        if value:
            of_value = kinds == value
            pairs = np.column_stack([starts[of_value], lengths[of_value]])
            found[int(value)] = pairs.ravel().tolist()
    return found if sum(map(len, found.values())) <= MOST_NUMBERS else None


def mask_findings(name: str, counts: Mapping[str, int], pixels: int) -> list[Finding]:
    """Return what is odd of a mask of so many `pixels`, by how many each structure has.

    Args:
        name: the reference file.
        counts: pixels of each structure.
        pixels: of the whole mask.
    """
    if counts and not any(counts.values()):
        return [empty(name)]
    return [
        Finding(
            code="reference.full",
            severity=Severity.WARNING,
            message="A structure covers the whole picture.",
            cure="Look whether background and structure are swapped.",
            file=name,
        )
        for count in counts.values()
        if count == pixels
    ][:1]


def empty(name: str) -> Finding:
    """Return the finding of a mask without a pixel."""
    return Finding(
        code="reference.empty",
        severity=Severity.WARNING,
        message="The mask is empty.",
        cure="Look whether nothing is there; if the truth is not known, set its status to missing.",
        file=name,
    )


def geometry(name: str, what: str) -> Finding:
    """Return the finding of an object that lies on another grid than the case's pictures."""
    return Finding(
        code="reference.geometry",
        severity=Severity.ERROR,
        message=what,
        cure="Export it on the grid of the pictures, without resampling or cropping.",
        file=name,
    )


def outside(name: str, number: int, what: str) -> Finding:
    """Return the finding of parts that lie outside the case's pictures and are left out."""
    return Finding(
        code="reference.outside",
        severity=Severity.WARNING,
        message=f"{number} {what} lie outside the case's pictures, wholly or in part; what is "
        "outside is left out.",
        cure="Look whether the case has all slices of the series.",
        file=name,
    )


def not_taken(name: str, number: int) -> list[Finding]:
    """Return the finding of structures that the plan does not name, if there are any."""
    if not number:
        return []
    return [
        Finding(
            code="reference.not_taken",
            severity=Severity.NOTE,
            message=f"{number} structures are left out: the plan has no name for them.",
            cure="Name those that are meant under reference_labels.",
            file=name,
        )
    ]


def not_named(name: str) -> Finding:
    """Return the finding of an object none of whose structures is taken: its truth is empty."""
    return Finding(
        code="reference.not_named",
        severity=Severity.ERROR,
        message="None of its structures has a name of the plan, so that nothing is there.",
        cure="Correct reference_labels; override this if the structures are truly absent.",
        file=name,
    )
