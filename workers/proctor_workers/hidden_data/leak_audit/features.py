"""What a container could see beside the picture itself: the traces that the leak audit tests.

A trace is what an export, a converter or a file's history left behind. What the picture shows, and
how it was acquired, are no traces: a model is meant to use the first, and the second is tested as
confounding. So neither the least and greatest value nor how well a picture compresses is here: a
bright implant or a noisy exposure moves them.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from proctor_workers.hidden_data.case_files import Fact

if TYPE_CHECKING:  # readers call this module, and blocks know of readers
    from proctor_workers.hidden_data.blocks import StoredFile

BLOCK = 8  # ITU-T T.81 (JPEG), A.1.1: samples are transformed in blocks of 8 × 8
CORNER = 4
PIXELS_A_VALUE = 16
LONGEST_GAP = 8
LARGEST_HISTOGRAM = 1 << 16
LARGEST_SIDE = 1024  # of the middle of a picture, which is all that a large one is judged by

# Whose size says nothing but how many pixels there are, and how long the header is.
UNCOMPRESSED = (".dcm", ".nii", ".nrrd", ".mha")


def of_pixels(array: NDArray[Any], *, bits_stored: int | None = None) -> dict[str, Fact]:
    """Return the traces in a case's decoded pixels; of a volume, those of its middle slice.

    Args:
        array: rows × columns, slices × rows × columns, or either with 3 or 4 colours behind; as
            it is stored, before any rescaling.
        bits_stored: how many bits the format says a value has; else those of the array's type.

    Returns:
        Names and values; nothing for an array that is no picture, such as a signal.
    """
    picture = _picture(np.asarray(array))
    if picture is None:
        return {}
    traces: dict[str, Fact] = {
        # The type is chosen by whoever wrote the file; the picture would fit several.
        "stored_type": array.dtype.str[1:],
        # JPEG at any time in the file's history leaves steps at every eighth pixel.
        "jpeg_blockiness": round(_blockiness(_middle(picture)), 3),
        # The value that fills what the detector did not see is the exporting software's choice.
        "padding_value": _padding(picture),
        # A last row or column that repeats its neighbour, or is blank, made an odd size even.
        "edge_padding": _edge_padding(picture),
    }
    if picture.dtype.kind in "iu":
        traces |= _of_integers(picture, bits_stored)
    return traces


def of_files(files: "Sequence[StoredFile]", facts: Mapping[str, Fact]) -> dict[str, Fact]:
    """Return the traces in a case's canonical files as a container finds them.

    `file_names` are the roles and names with their digits left out, so that a number of slices is
    not among the traces; it is an acquisition fact. `header_bytes` is what an uncompressed file
    holds beside its pixels: the size modulo one plane, because a size as such only says how many
    pixels there are. The size of a compressed picture follows from its pixels alone, since one
    encoder with one setting wrote them all; it is no trace.
    """
    names = {f"{file.role} {re.sub(r'[0-9]+', '#', file.name)}" for file in files}
    traces: dict[str, Fact] = {"file_names": ", ".join(sorted(names))}
    rows, columns = facts.get("rows"), facts.get("columns")
    sides = [side for side in (rows, columns) if isinstance(side, int | float)]
    # A slide's tiles are compressed, also in DICOM.
    plane = int(np.prod(sides)) if len(sides) == 2 and "levels" not in facts else 0
    beside = [file.size % plane for file in files if plane and file.name.endswith(UNCOMPRESSED)]
    if beside:
        traces["header_bytes"] = float(np.median(beside))
    return traces


def _picture(array: NDArray[Any]) -> NDArray[Any] | None:
    """Return the middle slice in one colour: the green one, which JPEG keeps at full size."""
    if array.ndim in (3, 4) and array.shape[-1] in (3, 4) and array.shape[-2] > 4:
        array = array[..., 1]
    if array.ndim == 3:
        array = array[len(array) // 2] if len(array) else array[:0].reshape(0, 0)
    if array.ndim != 2 or min(array.shape) < 2 * BLOCK or array.dtype.kind not in "iuf":
        return None
    return array


def _middle(picture: NDArray[Any]) -> NDArray[Any]:
    """Return the middle of a large picture, beginning where a block of 8 × 8 does."""
    top, left = (max(side - LARGEST_SIDE, 0) // 2 // BLOCK * BLOCK for side in picture.shape)
    return picture[top : top + LARGEST_SIDE, left : left + LARGEST_SIDE]


def _blockiness(picture: NDArray[Any]) -> float:
    """Return how much more the picture bends at every eighth pixel than elsewhere; 1 is no grid.

    The mean absolute second difference at the block edges over that in the middle of the blocks,
    the greater of the two directions (after Wang, Bovik and Evan, Blind measurement of blocking
    artifacts in images, ICIP 2000, in the pixel domain). Every second line is looked at.
    """
    return max(_bends(picture[::2]), _bends(picture[:, ::2].T))


def _bends(lines: NDArray[Any]) -> float:
    """Return the ratio along the second axis."""
    values = lines.astype(np.float32)
    values = np.where(np.isfinite(values), values, np.float32(0))
    steps = np.diff(values, axis=1)
    # Step i leads from pixel i to pixel i + 1; steps 7, 15, … cross from one block to the next.
    edge, middle = (_bend_at(steps, first) for first in (BLOCK - 1, BLOCK // 2 - 1))
    return edge / middle if middle > 0 else 1.0


def _bend_at(steps: NDArray[np.float32], first: int) -> float:
    """Return by how much, on average, a step differs from the mean of those beside it.

    The median over the places, so that the edge of one bright thing in the picture is no grid.
    """
    at = np.arange(first, steps.shape[1] - 1, BLOCK)
    bends = np.abs(steps[:, at] - (steps[:, at - 1] + steps[:, at + 1]) / 2)
    return float(np.median(bends.mean(axis=0)))


def _padding(picture: NDArray[Any]) -> str:
    """Return the one value that fills all four corners; "" if they are not filled."""
    corners = np.stack(
        [
            picture[:CORNER, :CORNER],
            picture[:CORNER, -CORNER:],
            picture[-CORNER:, :CORNER],
            picture[-CORNER:, -CORNER:],
        ]
    )
    first = corners.flat[0]
    return f"{float(first):g}" if bool((corners == first).all()) else ""


def _edge_padding(picture: NDArray[Any]) -> str:
    """Return how the last row or column was made up: repeated, blank, or "" if it was not."""
    for lines in (picture, picture.T):
        last, before, third = lines[-1], lines[-2], lines[-3]
        if bool((before == before[0]).all()):
            continue  # a blank margin, of any width, is no padding to an even size
        if bool((last == before).all()) and not bool((before == third).all()):
            return "repeated"
        if bool((last == last[0]).all()):
            return "blank"
    return ""


def _of_integers(picture: NDArray[Any], bits_stored: int | None) -> dict[str, Fact]:
    """Return the traces that only whole numbers can have."""
    low, high = int(picture.min()), int(picture.max())
    bits = bits_stored or picture.dtype.itemsize * 8
    least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if low < 0 else (0, (1 << bits) - 1)
    step, gaps = _steps(_middle(picture))
    return {
        # Both ends of what the bits hold: each picture was stretched when it was exported.
        "full_range": float(low <= least and high >= most),
        # Values that fit 8 bits in a wider type: the picture went through an 8-bit format.
        "used_bits": float(8 if high - low < 256 and low > -256 and high < 256 else bits),
        # Multiples of 16 or 257: 12 or 8 bits were shifted or scaled into 16.
        "value_step": float(step),
        # Values that never occur between ones that do: a picture was rescaled after acquisition.
        "histogram_gaps": round(gaps, 3),
    }


def _steps(picture: NDArray[Any]) -> tuple[int, float]:
    """Return the greatest step that all values are apart, and the share of values left out.

    Left out is a value, or a run of up to 8, that never occurs between two that do, 16 times or
    more each: neither chance nor a picture of few tones makes such gaps, a rescaling does.
    """
    low, high = int(picture.min()), int(picture.max())
    if not 0 < high - low < LARGEST_HISTOGRAM or high > np.iinfo(np.int64).max:
        return (1 if high > low else 0), 0.0
    counts = np.bincount(picture.ravel().astype(np.int64) - low)
    step = int(np.gcd.reduce(np.flatnonzero(counts)))
    counts = counts[::step]
    occupied = np.flatnonzero(counts)
    often = counts[occupied] >= PIXELS_A_VALUE
    missing = np.diff(occupied) - 1
    gaps = missing[(missing >= 1) & (missing <= LONGEST_GAP) & often[1:] & often[:-1]].sum()
    return step, float(gaps / max(gaps + often.sum(), 1))
