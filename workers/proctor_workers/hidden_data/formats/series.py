"""Puts the slices of a case in order by where they lie in the patient, and says what is wrong.

The geometry is that of PS3.3 C.7.6.2.1.1: a slice's position and the directions of its rows and
columns, in mm, in the patient's system (left, posterior, superior). Slices make one volume if they
are parallel, of one size and spacing, each once, and equally far apart on one line.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from proctor_workers.hidden_data.case_files import Grid
from proctor_workers.hidden_data.findings import Finding, Severity

LARGEST_SPACING = 20.0  # mm
SAME_POSITION = 0.01  # mm
EVEN = 0.02  # share of the distance by which a slice may lie beside its place …
EVEN_MM = 0.11  # … and mm that it always may: some files round positions, also the ends', to 0.1
JUMP = 1.5  # times the usual distance
WHOLE = 0.1  # how far from a whole number of distances a jump is that left slices out
UNSEEN = 2.0  # times their thickness that slices are apart where much is left between them
SAME_DIRECTION = 0.999_85  # cosine of 1 degree
TILT = 0.5  # degrees between the stack and the normal of its slices
OBLIQUE = 0.9  # cosine between a slice's normal and the nearest axis, below which it is oblique
UNIT = 0.01  # by which a direction's length may differ from 1, and the two from a right angle
_PLANES = ("sagittal", "coronal", "axial")
_AGAIN = "Export the series again, and look whether all its slices arrive."
_APART = "Give them as cases of their own, or leave out what does not belong."

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One slice: a file, or one frame of a file.

    `spacing` is (between rows, between columns), mm. `position` and `orientation` are as in the
    file: 3 and 6 numbers. `phase` orders slices of one position: time, echo, b-value.
    """

    uid: str
    file: str
    series: str = ""
    number: int = 0
    size: tuple[int, int] = (0, 0)
    position: tuple[float, ...] | None = None
    orientation: tuple[float, ...] | None = None
    spacing: tuple[float, float] | None = None
    thickness: float | None = None
    frame_of_reference: str = ""
    phase: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """The order of a case's slices, what they are together, and what is wrong with them.

    `grid` is that of a case of one series and one size; it has an affine only if the slices, in
    this order, make one even volume.
    """

    order: tuple[int, ...]
    grid: Grid | None = None
    findings: tuple[Finding, ...] = ()
    orientation: str = ""  # axial, coronal, sagittal or oblique; empty if unknown or mixed
    slice_spacing: float | None = None  # mm


def arranged(slices: Sequence[Slice], *, as_stored: bool = False) -> Arrangement:
    """Return the slices in order: by series, along the stack, then by phase.

    `as_stored` keeps the order in which they are given: that of the frames of one file.
    """
    names = list(dict.fromkeys(one.series for one in slices))
    stacks = [_Stack(slices, [n for n, s in enumerate(slices) if s.series == name])
              for name in names]  # fmt: skip
    findings = [finding for stack in stacks for finding in stack.findings()]
    if len(stacks) > 1:
        told = f"belongs to a case of {len(stacks)} series"
        findings.append(_finding("several_series", Severity.NOTE, told, _APART, slices[0]))
        order = tuple(place for stack in stacks for place in stack.order)
        return Arrangement(order=order, findings=tuple(findings))
    (stack,) = stacks
    order = tuple(range(len(slices))) if as_stored else stack.order
    return Arrangement(
        order=order,
        grid=stack.grid(order),
        findings=tuple(findings),
        orientation=stack.orientation,
        slice_spacing=stack.step,
    )


class _Stack:
    """The slices of one series, and where they lie along the normal of their plane."""

    def __init__(self, slices: Sequence[Slice], places: Sequence[int]) -> None:
        self._all, self._slices = slices, [slices[place] for place in places]
        self._normals = [_normal(one) for one in self._slices]
        first = self._normals[0]
        self._placed = [normal is not None for normal in self._normals]
        self._mixed = any(
            n is not None and first is not None and float(n @ first) < SAME_DIRECTION
            for n in self._normals
        ) or _differ(_rounded(one.orientation) for one in self._slices if one.orientation)
        self._normal = first if all(self._placed) and not self._mixed else None
        self._along = [self._distance(one) for one in self._slices]
        ranked = sorted(range(len(places)), key=self._rank)
        self.order = tuple(places[rank] for rank in ranked)
        self._levels = self._counted([self._along[rank] for rank in ranked])
        gaps = [after - before for (before, _), (after, _) in pairwise(self._levels)]
        self._gaps = gaps
        self.step = float(np.median(gaps)) if gaps else None

    @property
    def orientation(self) -> str:
        """Return the plane of the slices."""
        if self._normal is None:
            return ""
        axis = int(np.argmax(np.abs(self._normal)))
        return _PLANES[axis] if abs(self._normal[axis]) >= OBLIQUE else "oblique"

    def grid(self, order: Sequence[int]) -> Grid | None:
        """Return the grid of the slices in this order; None if their sizes differ."""
        slices = [self._all[place] for place in order]
        first = slices[0]
        if _differ(one.size for one in slices):
            return None
        alone = len(slices) == 1 and self._normal is None
        affine = None if self._mixed_planes() else self._affine(slices)
        steps = None if affine is None else np.linalg.norm(affine[:3, :3], axis=0)
        return Grid(
            size=first.size if alone else (len(slices), *first.size),
            spacing=tuple(steps.tolist())
            if steps is not None
            else first.spacing
            if alone
            else None,
            affine=None if affine is None else tuple(map(tuple, affine.tolist())),
            frame_of_reference=first.frame_of_reference,
            instances=tuple(one.uid for one in slices),
        )

    def findings(self) -> Iterator[Finding]:
        """Yield what is wrong with the slices of this series."""
        yield from self._implausible()
        yield from self._mixtures()
        yield from self._repeated()
        if self._normal is not None and len(self._levels) > 1:
            yield from self._distances()
            yield from self._tilted()

    def _rank(self, place: int) -> tuple[float, tuple[float, ...], int, int]:
        one = self._slices[place]
        if self._normal is None:
            return 0.0, one.phase, one.number, place
        return round(self._along[place] / SAME_POSITION), one.phase, one.number, place

    def _distance(self, one: Slice) -> float:
        if self._normal is None:
            return 0.0
        return float(np.array(one.position) @ self._normal)

    def _counted(self, along: Sequence[float]) -> list[tuple[float, int]]:
        """Return the places along the normal in ascending order, and how many slices each has."""
        levels: list[tuple[float, int]] = []
        for distance in along if self._normal is not None else ():
            if levels and distance - levels[-1][0] < 2 * SAME_POSITION:
                levels[-1] = levels[-1][0], levels[-1][1] + 1
            else:
                levels.append((distance, 1))
        return levels

    def _mixed_planes(self) -> bool:
        """Say whether the slices are no parallel pictures of one scale in one system."""
        return self._normal is None or any(
            _differ(getattr(one, name) for one in self._slices)
            for name in ("spacing", "frame_of_reference")
        )

    def _affine(self, slices: Sequence[Slice]) -> Vector | None:
        """Return the map of (slice, row, column, 1) to LPS; None if no straight one fits."""
        first = slices[0]
        if first.spacing is None or min(first.spacing) <= 0 or self._normal is None:
            return None
        positions = np.array([one.position for one in slices])
        if len(slices) > 1:
            through = (positions[-1] - positions[0]) / (len(slices) - 1)
            step = float(np.linalg.norm(through))
            line = positions[0] + np.arange(len(slices))[:, None] * through
            if step <= SAME_POSITION or np.abs(positions - line).max() > _tolerance(step):
                return None
        else:
            through = self._normal * (first.thickness or 1.0)
        along_row, along_column = np.split(np.array(first.orientation), 2)
        affine = np.eye(4)
        affine[:3] = np.column_stack(
            [through, along_column * first.spacing[0], along_row * first.spacing[1], positions[0]]
        )
        return affine

    def _implausible(self) -> Iterator[Finding]:
        for one in self._slices:
            if one.spacing is None:
                continue
            if min(one.spacing) <= 0 or max(one.spacing) > LARGEST_SPACING:
                worst = min(one.spacing) if min(one.spacing) <= 0 else max(one.spacing)
                yield _finding(
                    "implausible_spacing",
                    Severity.ERROR if worst <= 0 else Severity.WARNING,
                    f"says that its pixels are {worst:g} mm apart",
                    "Correct its Pixel Spacing at the origin.",
                    one,
                )
                break
        if self.step is not None and self.step > LARGEST_SPACING:
            told = f"belongs to slices that are {self.step:g} mm apart"
            yield self._told("implausible_spacing", Severity.WARNING, told, _APART)

    def _mixtures(self) -> Iterator[Finding]:
        slices = self._slices
        found = (
            ("mixed_orientation", "directions", self._mixed),
            ("mixed_size", "sizes", _differ(one.size for one in slices)),
            ("mixed_spacing", "pixel spacings", _differ(one.spacing for one in slices)),
            (
                "mixed_frame_of_reference",
                "frames of reference",
                _differ(one.frame_of_reference for one in slices),
            ),
        )
        for code, what, mixed in found:
            if mixed:
                told = f"belongs to a series of several {what}"
                yield self._told(code, Severity.WARNING, told, _APART)
        if any(self._placed) and not all(self._placed):
            odd = slices[self._placed.index(False)]
            told = "has no usable position, as others of its series do"
            yield _finding("position_missing", Severity.WARNING, told, _AGAIN, odd)

    def _repeated(self) -> Iterator[Finding]:
        """Find slices that are there twice, and places that have fewer than the others."""
        files = Counter((one.uid, one.file) for one in self._slices)
        uids = Counter(uid for uid, _ in files if uid)
        for one in self._slices:
            if uids[one.uid] > 1:
                told = "is an instance that the case has twice"
                yield _finding("duplicate_slice", Severity.ERROR, told, "Leave one out.", one)
                return
        counts = Counter(count for _, count in self._levels)
        if not counts:
            return
        usual = max(counts, key=lambda count: (counts[count], -count))
        more = sum(count - usual for _, count in self._levels if count > usual)
        fewer = sum(usual - count for _, count in self._levels if count < usual)
        if more:
            told = f"belongs to a series with {more} slices more at places that have one already"
            cure = "Leave out what is there twice."
            yield self._told("duplicate_slice", Severity.ERROR, told, cure, count=more)
        if fewer:
            told = f"belongs to a series that lacks {fewer} slices which other phases have"
            yield self._told("missing_slice", Severity.ERROR, told, _AGAIN, count=fewer)
        if usual > 1 and not more and not fewer:
            told = f"belongs to a series with {usual} slices at each place (times, echoes, …)"
            yield self._told("repeated_positions", Severity.NOTE, told, "", count=usual)

    def _distances(self) -> Iterator[Finding]:
        step = self.step or 0.0
        jumps = [gap / step for gap in self._gaps if gap > JUMP * step]
        missing = sum(round(jump) - 1 for jump in jumps if abs(jump - round(jump)) <= WHOLE)
        odd = [jump for jump in jumps if abs(jump - round(jump)) > WHOLE]
        if missing:
            told = f"belongs to a series that lacks {missing} slices between others"
            yield self._told("missing_slice", Severity.ERROR, told, _AGAIN, count=missing)
        if odd:
            told = f"belongs to a series with a gap of {max(odd) * step:.4g} mm in its slices"
            yield self._told("gap", Severity.WARNING, told, _AGAIN, gap_mm=max(odd) * step)
        thickness = self._slices[0].thickness
        if thickness and step > UNSEEN * thickness:
            told = f"is a slice of {thickness:g} mm, and the next is {step:.4g} mm away"
            yield self._told("gap", Severity.NOTE, told, "", gap_mm=step - thickness)
        if not jumps and self._off_line() > _tolerance(step):
            low, high = min(self._gaps), max(self._gaps)
            told = f"belongs to slices of uneven distance: {low:.4g} to {high:.4g} mm"
            yield self._told("uneven_spacing", Severity.WARNING, told, _AGAIN)

    def _off_line(self) -> float:
        """Return by how much a place lies beside an even line along the normal, mm."""
        along = np.array([distance for distance, _ in self._levels])
        return float(np.abs(along - np.linspace(along[0], along[-1], len(along))).max())

    def _tilted(self) -> Iterator[Finding]:
        first, last = self._ends()
        through = np.array(last.position) - np.array(first.position)
        cosine = abs(float(through @ self._normal)) / max(float(np.linalg.norm(through)), 1e-9)
        angle = float(np.degrees(np.arccos(min(cosine, 1.0))))
        if angle > TILT:
            told = f"belongs to a stack that is tilted by {angle:.1f} degrees against its slices"
            cure = "Nothing to do: positions say so, and an assembled volume keeps the shear."
            yield self._told("tilted_gantry", Severity.WARNING, told, cure, degrees=angle)

    def _ends(self) -> tuple[Slice, Slice]:
        low = min(range(len(self._slices)), key=self._along.__getitem__)
        high = max(range(len(self._slices)), key=self._along.__getitem__)
        return self._slices[low], self._slices[high]

    def _told(
        self, code: str, severity: Severity, message: str, cure: str, **values: float
    ) -> Finding:
        return _finding(code, severity, message, cure, self._slices[0], **values)


def _normal(one: Slice) -> Vector | None:
    """Return the unit normal of a slice that has a position and two directions at right angles."""
    if one.position is None or one.orientation is None:
        return None
    if len(one.position) != 3 or len(one.orientation) != 6:
        return None
    numbers = np.array([*one.position, *one.orientation])
    if not np.isfinite(numbers).all():
        return None
    row, column = numbers[3:6], numbers[6:]
    lengths = np.linalg.norm([row, column], axis=1)
    if np.abs(lengths - 1).max() > UNIT or abs(float(row @ column)) > UNIT:
        return None
    normal = np.cross(row, column)
    return np.asarray(normal / np.linalg.norm(normal))


def _tolerance(step: float) -> float:
    return max(EVEN * step, EVEN_MM)


def _rounded(numbers: Sequence[float]) -> tuple[float, ...]:
    return tuple(round(number, 2) + 0.0 for number in numbers)


def _differ(values: Iterable[Hashable]) -> bool:
    return len(set(values)) > 1


def _finding(
    code: str,
    severity: Severity,
    message: str,
    cure: str,
    one: Slice,
    **values: float,
) -> Finding:
    return Finding(
        code=f"geometry.{code}",
        severity=severity,
        message=message,
        cure=cure,
        file=one.file,
        values=values,
    )
