"""Reads DICOM structure sets (PS3.3 C.8.8.5, C.8.8.6) into a mask on the grid of the pictures.

Closed planar contours are filled slice by slice; within a structure, contours of one slice are
combined by exclusive or, so that an inner one is a hole. A contour belongs to the slice that it
lies in, up to a quarter of the distance between slices; one between slices is left out and told.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from proctor_workers.hidden_data.case_files import Grid, Refusal
from proctor_workers.hidden_data.findings import Finding, Severity
from proctor_workers.hidden_data.reference_objects.lattice import Lattice
from proctor_workers.hidden_data.reference_objects.masks import (
    Bits,
    Taken,
    geometry,
    mask_findings,
    mask_size,
    mask_spacing,
    masks_of,
    not_named,
    not_taken,
    outside,
)
from proctor_workers.hidden_data.reference_objects.naming import Names
from proctor_workers.hidden_data.reference_objects.polygons import TooManyCrossingsError, filled

IN_SLICE = 0.25  # of the distance between slices
_FILLED = frozenset({"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"})
_BEYOND = 1.0  # pixels by which a contour may reach out of the picture

Floats = NDArray[np.float64]


def structure_set_mask(header: Dataset, name: str, names: Names, grid: Grid) -> Taken:
    """Return the mask of a structure set."""
    lattice = Lattice.of(grid)
    if lattice is None:
        return _NO_PLACE, ()
    regions, unnamed = _regions(header, names)
    drawing = _Drawing(lattice, name)
    try:
        made = masks_of(
            mask_size(grid),
            mask_spacing(grid),
            ((word, drawing.drawn(word, items)) for word, items in sorted(regions.items())),
        )
    except TooManyCrossingsError:
        return _TOO_MANY, ()
    if isinstance(made, Refusal):
        return made, ()
    findings = [*drawing.findings(), *not_taken(name, unnamed), *_systems(header, name, grid)]
    if not regions and unnamed:
        return made, (*findings, not_named(name))
    return made, (*findings, *mask_findings(name, drawing.counts, drawing.pixels))


_NO_PLACE = Refusal(
    "is a structure set of pictures that are no one volume with positions",
    "Give the case one even series, or the reference as SEG.",
)
_TOO_MANY = Refusal("has contours of too many points", "Export it with fewer points.")


class _Drawing:
    """Draws one structure after the other, and counts what does not fit."""

    def __init__(self, lattice: Lattice, name: str) -> None:
        self._lattice, self._name = lattice, name
        self._between = self._outside = self._other = self._skipping = 0
        self.counts: dict[str, int] = {}
        self.pixels = int(np.prod(lattice.size))

    def drawn(self, name: str, structures: Sequence[Sequence[Dataset]]) -> Bits:
        """Return the pixels of all structures of one name."""
        volume = np.zeros(self._lattice.size, dtype=np.bool_)
        for contours in structures:
            placed = self._placed(contours)
            self._skipping += _skip_slices([number for axis, number in placed if axis == 0])
            for (axis, number), polygons in placed.items():
                plane = volume.swapaxes(0, axis)[number]
                plane |= filled(polygons, *plane.shape)
        self.counts[name] = int(np.count_nonzero(volume))
        return volume

    def _placed(self, contours: Sequence[Dataset]) -> dict[tuple[int, int], list[Floats]]:
        """Return the polygons of a structure by axis and number of the slice that they lie in."""
        found: defaultdict[tuple[int, int], list[Floats]] = defaultdict(list)
        for contour in contours:
            points = self._points(contour)
            if points is None:
                continue
            axis = int(np.argmin(np.ptp(points, axis=0) > IN_SLICE))
            along = points[:, axis]
            number = int(np.rint(along.mean()))
            if np.abs(along - number).max() > IN_SLICE:
                self._between += 1
                continue
            self._outside += self._reaches_out(points)
            if 0 <= number < self._lattice.size[axis]:
                others = [other for other in _swapped(axis) if other != axis]
                found[axis, number].append(points[:, others])
        return found

    def _points(self, contour: Dataset) -> Floats | None:
        """Return the indices (n, 3) of a closed contour's points."""
        if str(contour.get("ContourGeometricType") or "") not in _FILLED:
            self._other += 1
            return None
        numbers = _numbers(contour)
        if len(numbers) < 9 or len(numbers) % 3 or not np.isfinite(numbers).all():
            self._other += 1
            return None
        return self._lattice.indices(numbers.reshape(-1, 3))

    def _reaches_out(self, points: Floats) -> bool:
        low, high = points.min(axis=0), points.max(axis=0)
        last = np.array(self._lattice.size) - 1
        return bool((low < -_BEYOND).any() or (high > last + _BEYOND).any())

    def findings(self) -> Iterator[Finding]:
        """Yield what could not be drawn."""
        if self._between:
            yield geometry(
                self._name, f"{self._between} contours lie between the slices of the pictures."
            )
        if self._outside:
            yield outside(self._name, self._outside, "contours")
        if self._skipping:
            yield Finding(
                code="reference.slices_skipped",
                severity=Severity.WARNING,
                message="A structure is drawn in every second or a rarer slice only; the slices "
                "between are empty.",
                cure="Interpolate the contours in the program that drew them, and export again.",
                file=self._name,
            )
        if self._other:
            yield Finding(
                code="reference.contour_left_out",
                severity=Severity.WARNING,
                message=f"{self._other} contours are no closed outlines in a plane (points, open "
                "lines) and are left out.",
                cure="Draw them as closed contours, or give points as JSON.",
                file=self._name,
            )


def _numbers(contour: Dataset) -> Floats:
    """Return a contour's coordinates; as text, where the library has made no objects of them."""
    if "ContourData" not in contour:
        return np.empty(0)
    raw = contour.get_item("ContourData").value
    if isinstance(raw, bytes):
        return np.array(raw.strip(b" \0").split(b"\\")).astype(np.float64)
    return np.array([float(number) for number in contour.get("ContourData") or ()])


def _skip_slices(numbers: Sequence[int]) -> bool:
    """Say whether slices are drawn at a regular distance of more than one, three times or more."""
    gaps = set(np.diff(sorted(numbers)).tolist())
    return len(numbers) > 2 and len(gaps) == 1 and min(gaps) > 1


def _swapped(axis: int) -> list[int]:
    """Return the axes in the order of a volume whose first axis was swapped with this one."""
    order = [0, 1, 2]
    order[0], order[axis] = order[axis], order[0]
    return order


def _regions(header: Dataset, names: Names) -> tuple[dict[str, list[Sequence[Dataset]]], int]:
    """Return the contours of each structure that is taken, by name, and how many are not."""
    taken: defaultdict[str, list[Sequence[Dataset]]] = defaultdict(list)
    unnamed = 0
    contours = {
        str(item.get("ReferencedROINumber")): item.get("ContourSequence") or ()
        for item in header.get("ROIContourSequence") or ()
    }
    for item in header.get("StructureSetROISequence") or ():
        number = str(item.get("ROINumber"))
        name = names.of(str(item.get("ROIName") or ""), number)
        if name is None:
            unnamed += 1
        else:
            taken[name].append(contours.get(number, ()))
    return dict(taken), unnamed


def _systems(header: Dataset, name: str, grid: Grid) -> list[Finding]:
    """Return the finding of structures that belong to another frame of reference."""
    systems = {
        str(item.get("ReferencedFrameOfReferenceUID") or "")
        for item in header.get("StructureSetROISequence") or ()
    } - {""}
    if not grid.frame_of_reference or not systems or grid.frame_of_reference in systems:
        return []
    return [
        geometry(name, "The structures belong to another frame of reference than the pictures.")
    ]
