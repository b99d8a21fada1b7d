"""Reads DICOM segmentations (PS3.3 A.51, C.8.20) into a mask on the grid of the case's pictures.

A frame goes where its position says, or to the slice of the instance that it was derived from;
slices without a frame are empty. Fractional values of half the maximum and more are inside.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from proctor_workers.hidden_data.case_files import Grid, Refusal, UnreadableFileError
from proctor_workers.hidden_data.findings import Finding
from proctor_workers.hidden_data.formats.dicom.originals import Original
from proctor_workers.hidden_data.formats.dicom.pixels import decoded, layout_of
from proctor_workers.hidden_data.reference_objects.instances import slice_of_instance
from proctor_workers.hidden_data.reference_objects.lattice import Lattice, Plane
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
    volume_size,
)
from proctor_workers.hidden_data.reference_objects.naming import Names

MOST_FRAMES = 1 << 17
LARGEST_PACKED = 1 << 30  # bytes of one-bit frames
_OTHER_GRID = "Frames of the segmentation lie on another grid than the pictures."
_OTHER_SYSTEM = "The segmentation belongs to another frame of reference than the pictures."

Decode = Callable[[int], NDArray[Any]]


@dataclass(frozen=True, slots=True)
class _Frame:
    """A frame: its number from 0, the segment that it shows (0: several), and where it lies."""

    number: int
    segment: int
    plane: Plane | None


def segmentation_mask(original: Original, names: Names, grid: Grid) -> Taken:
    """Return the mask of a segmentation object.

    Raises:
        UnreadableFileError: its pixels are damaged or too large.
    """
    header = original.header
    if "TotalPixelMatrixColumns" in header:
        return _SLIDE, ()
    segments, unnamed = _segments(header, names)
    frames = _frames(header, grid)
    rows, columns = int(header.Rows), int(header.Columns)
    decode = _decoder(original, header, len(frames))
    painter = _Painter(grid, (rows, columns), frames, decode)
    by_name: defaultdict[str, set[int]] = defaultdict(set)
    for number, name in segments.items():
        by_name[name].add(number)
    made = masks_of(
        mask_size(grid),
        mask_spacing(grid),
        ((name, painter.painted(name, numbers)) for name, numbers in sorted(by_name.items())),
    )
    if isinstance(made, Refusal):
        return made, ()
    findings = [*painter.findings(original.name), *not_taken(original.name, unnamed)]
    if not segments and unnamed:
        return made, (*findings, not_named(original.name))
    if _differs(header, grid):
        findings.append(geometry(original.name, _OTHER_SYSTEM))
    return made, (*findings, *mask_findings(original.name, painter.counts, painter.pixels))


_SLIDE = Refusal(
    "is a segmentation of a whole slide in tiles",
    "Give regions as boxes or points in JSON, or a label map of the picture that models see.",
)


class _Painter:
    """Puts the frames of one structure after the other into a volume, which is used again."""

    def __init__(
        self, grid: Grid, size: tuple[int, int], frames: Sequence[_Frame], decode: Decode
    ) -> None:
        self._size, self._frame_size = volume_size(grid), size
        self._frames, self._decode = frames, decode
        self._displaced = self._outside = 0
        self.counts: dict[str, int] = {}
        self.pixels = int(np.prod(self._size))

    def painted(self, name: str, segments: set[int]) -> Bits:
        """Return the pixels of the structure with these segments."""
        volume = np.zeros(self._size, dtype=np.bool_)
        for frame in self._frames:
            if frame.segment and frame.segment not in segments:
                continue
            values = self._decode(frame.number)
            inside = values.astype(np.bool_) if frame.segment else np.isin(values, [*segments])
            self._paint(volume, inside, frame.plane)
        self.counts[name] = int(np.count_nonzero(volume))
        return volume

    def _paint(self, volume: Bits, inside: Bits, plane: Plane | None) -> None:
        rows, columns = np.nonzero(inside)
        if not len(rows):
            return
        if plane is None:
            self._displaced += 1
            return
        places = plane.places(rows, columns)
        kept = ((places >= 0) & (places < np.array(self._size)[:, None])).all(axis=0)
        self._outside += not kept.all()
        volume[tuple(places[:, kept])] = True

    def findings(self, name: str) -> Iterator[Finding]:
        """Yield what could not be put where it says."""
        if self._displaced:
            yield geometry(name, _OTHER_GRID)
        if self._outside:
            yield outside(name, self._outside, "frames")


def _segments(header: Dataset, names: Names) -> tuple[dict[int, str], int]:
    """Return the name of each segment that is taken, and how many are not."""
    taken: dict[int, str] = {}
    unnamed = 0
    for item in header.get("SegmentSequence") or ():
        number = int(item.SegmentNumber)
        kinds = item.get("SegmentedPropertyTypeCodeSequence") or ()
        words = [str(kind.get(key) or "") for kind in kinds for key in ("CodeMeaning", "CodeValue")]
        name = names.of(str(item.get("SegmentLabel") or ""), str(number), *words)
        if name is None:
            unnamed += 1
        elif number > 0:
            taken[number] = name
    return taken, unnamed


def _frames(header: Dataset, grid: Grid) -> list[_Frame]:
    shared = (header.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    groups = header.get("PerFrameFunctionalGroupsSequence") or [Dataset()]
    if len(groups) > MOST_FRAMES:
        raise UnreadableFileError("has too many frames", "Split it.")
    lattice = Lattice.of(grid)
    if lattice is not None and _differs(header, grid):
        lattice = None  # positions of another system mean nothing here; instances still do
    shape = int(header.Rows), int(header.Columns)
    whole = str(header.get("SegmentationType") or "") == "LABELMAP"
    return [
        _Frame(
            number,
            0 if whole else _segment(group, shared),
            _plane(_Groups(group, shared), shape, lattice, grid),
        )
        for number, group in enumerate(groups)
    ]


def _differs(header: Dataset, grid: Grid) -> bool:
    own = str(header.get("FrameOfReferenceUID") or "")
    return bool(own and grid.frame_of_reference and own != grid.frame_of_reference)


def _segment(group: Dataset, shared: Dataset) -> int:
    found = _Groups(group, shared).item("SegmentIdentificationSequence")
    number = int(found.get("ReferencedSegmentNumber") or 0)
    if number < 1:
        raise UnreadableFileError("has a frame of no segment", "Export it again.")
    return number


@dataclass(frozen=True, slots=True)
class _Groups:
    """The functional groups of a frame: its own, else those shared by all (PS3.3 C.7.6.16)."""

    own: Dataset
    shared: Dataset

    def item(self, keyword: str) -> Dataset:
        """Return the first item of a sequence, empty if there is none."""
        for group in (self.own, self.shared):
            if items := group.get(keyword):
                return items[0]
        return Dataset()


def _plane(
    groups: _Groups, shape: tuple[int, int], lattice: Lattice | None, grid: Grid
) -> Plane | None:
    """Return where a frame lies; None if that is on no grid with the pictures."""
    position = groups.item("PlanePositionSequence").get("ImagePositionPatient")
    directions = groups.item("PlaneOrientationSequence").get("ImageOrientationPatient")
    spacing = groups.item("PixelMeasuresSequence").get("PixelSpacing")
    if lattice is not None and position and directions and spacing:
        return lattice.plane(shape, _floats(position, 3), _floats(directions, 6),
                             _floats(spacing, 2))  # fmt: skip
    if shape != grid.size[-2:]:
        return None
    number = _slice_of_source(groups, grid)
    return None if number is None else Plane.of_slice(number)


def _slice_of_source(groups: _Groups, grid: Grid) -> int | None:
    """Return the slice of the instance that a frame was derived from."""
    sources = groups.item("DerivationImageSequence").get("SourceImageSequence") or ()
    found = {
        number for source in sources if (number := slice_of_instance(grid, source)) is not None
    }
    if len(found) == 1:
        return found.pop()
    return 0 if not sources and volume_size(grid)[0] == 1 else None


def _floats(values: Any, count: int) -> NDArray[np.float64]:
    found = np.array([float(value) for value in values])
    if found.shape != (count,) or not np.isfinite(found).all():
        raise UnreadableFileError("has a position that is no place", "Export it again.")
    return found


def _decoder(original: Original, header: Dataset, frames: int) -> Decode:
    """Return what gives a frame: rows × columns, truth values or numbers of segments."""
    rows, columns = int(header.Rows), int(header.Columns)
    if int(header.get("BitsAllocated") or 0) == 1 and not original.element.encapsulated:
        _, packed = original.content()
        return _unpacked(packed, rows, columns, frames)
    layout = layout_of(original)
    if layout.frames < frames:
        raise UnreadableFileError("has fewer frames than it describes", "Export it again.")
    _, content = original.content()
    values = decoded(original, layout, content).values
    if str(header.get("SegmentationType") or "") == "FRACTIONAL":
        half = float(header.get("MaximumFractionalValue") or 255) / 2
        return lambda number: values[number] >= half
    return lambda number: values[number]


def _unpacked(packed: memoryview, rows: int, columns: int, frames: int) -> Decode:
    """Return frames of one bit a pixel, the lowest bit first, without padding (PS3.5 8.1.1)."""
    pixels = rows * columns
    if len(packed) > LARGEST_PACKED or len(packed) * 8 < pixels * frames or pixels < 1:
        raise UnreadableFileError("has fewer pixels than its header says", "Export it again.")
    content = np.frombuffer(packed, dtype=np.uint8)

    def frame(number: int) -> NDArray[Any]:
        first = number * pixels
        some = content[first // 8 : -(-(first + pixels) // 8)]
        bits = np.unpackbits(some, bitorder="little")[first % 8 :][:pixels]
        return bits.reshape(rows, columns)

    return frame
