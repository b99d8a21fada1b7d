"""Turns label maps (PNG, TIFF, NIfTI, NRRD, MHA) into masks: each value is one structure."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from proctor_workers.hidden_data.case_files import Grid, Refusal, SourceFile
from proctor_workers.hidden_data.formats.raster.tiff import read_tiff
from proctor_workers.hidden_data.formats.volumes.case_volumes import CaseFiles
from proctor_workers.hidden_data.formats.volumes.volume import Volume
from proctor_workers.hidden_data.reference_objects.lattice import Lattice, same_points
from proctor_workers.hidden_data.reference_objects.masks import (
    MOST_PIXELS,
    SPECKLED,
    TOO_LARGE,
    Taken,
    geometry,
    is_too_large,
    mask_findings,
    mask_of,
    mask_size,
    mask_spacing,
    value_runs,
)

MOST_VALUES = 255


def png_mask(content: bytes, name: str, labels: Mapping[str, str], grid: Grid | None) -> Taken:
    """Return the mask of a PNG with one grey value or palette index for each pixel."""
    pixels = _png_pixels(content)
    return (pixels, ()) if isinstance(pixels, Refusal) else _flat(pixels, name, labels, grid)


def tiff_mask(file: SourceFile, labels: Mapping[str, str], grid: Grid | None) -> Taken:
    """Return the mask of a TIFF; its pages are the slices.

    Raises:
        UnreadableFileError: it is damaged, too large or of a kind that is not read.
    """
    picture = read_tiff(file.path)
    if picture.is_colour:
        return _COLOURS, ()
    pixels = picture.pixels
    if picture.bits in {1, 2, 4}:  # were stretched to the scale of 8 bits, to be looked at
        pixels = pixels // (255 // ((1 << picture.bits) - 1))
    return _flat(pixels, file.name, labels, grid)


def volume_mask(files: Sequence[SourceFile], labels: Mapping[str, str], grid: Grid | None) -> Taken:
    """Return the mask of a label volume: NIfTI, NRRD or MetaImage, in one file or in two.

    On the grid of the case's pictures, if their points are the same: axes may be swapped or
    flipped. Without positions on either side the sizes must be equal, in the order of the file.

    Raises:
        UnreadableFileError: it is damaged, too large or of a kind that is not read.
    """
    volume, _ = CaseFiles(files).volume(files[0])
    if volume.voxels.size > MOST_PIXELS:
        return TOO_LARGE, ()
    values = _whole(volume)
    if isinstance(values, Refusal):
        return values, ()
    lattice = Lattice.of(grid)
    if lattice is None or not volume.oriented:
        return _flat(values, files[0].name, labels, grid, own=volume.grid())
    moved = same_points(values, volume.affine[:, [2, 1, 0, 3]], lattice)
    if moved is None:
        wrong = geometry(
            files[0].name,
            "The label map lies on another grid than the pictures: "
            f"{_sides(values.shape)} voxels at other places than theirs, {_sides(lattice.size)}.",
        )
        made, findings = _flat(values, files[0].name, labels, None, own=volume.grid())
        return made, (*findings, wrong)
    return _flat(moved, files[0].name, labels, grid)


_COLOURS = Refusal("is a picture with colours, not a label map", "Save one grey value each.")


def _flat(
    pixels: NDArray[Any],
    name: str,
    labels: Mapping[str, str],
    grid: Grid | None,
    own: Grid | None = None,
) -> Taken:
    """Return the mask of pixels that lie as the case's do; `own` is the grid the file tells."""
    fits = grid is None or _plain(pixels.shape) == _plain(grid.size)
    findings = []
    where = own
    if grid is not None and fits:
        where = grid
        pixels = pixels.reshape(mask_size(grid))
    elif grid is not None:
        findings.append(
            geometry(
                name,
                f"The label map has {_sides(pixels.shape)} pixels, the pictures "
                f"{_sides(mask_size(grid))}.",
            )
        )
    if is_too_large(pixels.shape):
        return TOO_LARGE, ()
    runs = value_runs(np.ascontiguousarray(pixels).ravel())
    named = SPECKLED if runs is None else _named(runs, labels)
    if isinstance(named, Refusal):
        return named, ()
    spacing = mask_spacing(where) if where is not None else None
    fitting = spacing if spacing is not None and len(spacing) == pixels.ndim else None
    counts = {word: sum(one[1::2]) for word, one in named.items()}
    odd = mask_findings(name, counts or {"": 0}, pixels.size)
    return mask_of(pixels.shape, fitting, named), (*findings, *odd)


def _named(
    runs: Mapping[int, list[int]], labels: Mapping[str, str]
) -> dict[str, list[int]] | Refusal:
    """Return the runs of each value by its name."""
    if len(runs) > MOST_VALUES:
        return Refusal(f"holds more than {MOST_VALUES} values", "Give instances as JSON.")
    if unknown := [value for value in runs if str(value) not in labels]:
        return Refusal(
            f"holds the value {unknown[0]}, which has no name",
            "Name it under reference_labels in the cohort's description.",
        )
    named = {labels[str(value)]: of_value for value, of_value in runs.items()}
    if len(named) < len(runs):
        return Refusal("has two values of one name", "Give each value its own name.")
    return named


def _png_pixels(content: bytes) -> NDArray[Any] | Refusal:
    try:
        with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
            if image.width * image.height > MOST_PIXELS:
                return TOO_LARGE
            if image.mode not in {"L", "P", "1", "I;16"}:
                return _COLOURS
            return np.asarray(image)
    except Image.DecompressionBombError:
        return TOO_LARGE
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        return Refusal("cannot be read as PNG", "Export it again.")


def _whole(volume: Volume) -> NDArray[Any] | Refusal:
    """Return the values as whole numbers; many programs write labels as floats."""
    values = volume.voxels
    if (volume.slope, volume.inter) != (1.0, 0.0):
        values = values * volume.slope + volume.inter
    if values.dtype.kind in "iu":
        return values
    finite = bool(np.isfinite(values).all())
    if not finite or bool((values != np.rint(values)).any()) or np.abs(values).max() > 1 << 31:
        return Refusal(
            "holds values between whole numbers, which are no labels",
            "Save the label map, not a probability map.",
        )
    return values.astype(np.int64)


def _plain(size: Sequence[int]) -> tuple[int, ...]:
    """Return the sides without the one of a single slice."""
    return tuple(size)[1:] if len(size) == 3 and size[0] == 1 else tuple(size)


def _sides(size: Sequence[int]) -> str:
    return " × ".join(map(str, size))
