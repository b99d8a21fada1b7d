"""Takes text out of pictures, or holds their case back for a person (PS3.15 E.3.1).

Readers call `clean_pixels` on the stored values of each file before anything is written of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from pydicom.dataset import Dataset
from scipy import ndimage

from proctor_workers.hidden_data.case_files import QuarantineError
from proctor_workers.hidden_data.deidentify.profile import BurnedIn
from proctor_workers.hidden_data.deidentify.readable import UNREADABLE
from proctor_workers.hidden_data.deidentify.text_regions import (
    Frame,
    Pixels,
    Region,
    text_regions,
)
from proctor_workers.hidden_data.findings import Finding, Severity

_MONOCHROME = frozenset({"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"})
_LOOKED_AT = 3  # frames of a multi-frame picture: first, middle, last
_ENLARGED_TO = 1024  # pixels of a side; smaller pictures are doubled, as small ones have small text
_NEAR = 31  # pixels around one, of which it may differ
_BORDER = 3  # pixels around a box, of which its background is taken


class CleanedPixels(NamedTuple):
    """Pixels as they may be kept, what was found in them, and what was done, counted."""

    pixels: Pixels
    findings: tuple[Finding, ...]
    actions: Mapping[str, int]


def clean_pixels(
    pixels: Pixels,
    photometric: str,
    policy: BurnedIn,
    *,
    file: str = "",
    regions: Sequence[Region] = (),
) -> CleanedPixels:
    """Return the stored values with text blanked, as the plan has it.

    Pixels are [frames ×] rows × columns [× samples], samples last where `photometric` is a colour.
    `regions` are where the picture itself is (`ultrasound_regions`); around them all is blanked.
    Text is looked for in the first, middle and last frame and in the brightest and darkest values
    over all frames, by its value and by its contrast, and blanked in every frame. KEEP looks at
    nothing.

    Raises:
        QuarantineError: text was found, and a person is to look.
    """
    if policy is BurnedIn.KEEP or pixels.size == 0:
        return CleanedPixels(pixels, (), {})
    frames = _frames(pixels, photometric)
    found = _found(frames)
    if policy is BurnedIn.QUARANTINE:
        if found:
            raise QuarantineError(
                f"has text in its picture, in {len(found)} places",
                "Look at it; blank the text, leave the case out, or set burned_in to blank.",
                file=file,
            )
        return CleanedPixels(pixels, (), {"pixels.searched": 1})
    return _blanked(frames, found, regions, pixels.shape, file)


def burned_in_declared(annotation: str, policy: BurnedIn, *, file: str = "") -> tuple[Finding, ...]:
    """Return a finding where a file says that it has text and the plan has nobody look."""
    if annotation.strip().upper() != "YES" or policy is not BurnedIn.KEEP:
        return ()
    return (
        Finding(
            code="pixels.burned_in_declared",
            severity=Severity.ERROR,
            message="The file says that text is burned into its picture.",
            cure="Set burned_in to blank or quarantine.",
            file=file,
        ),
    )


def ultrasound_regions(source: Dataset) -> tuple[Region, ...]:
    """Return where a file says that its ultrasound pictures are (PS3.3 C.8.5.5)."""
    try:
        return tuple(
            Region(
                top=int(item.RegionLocationMinY0),
                left=int(item.RegionLocationMinX0),
                bottom=int(item.RegionLocationMaxY1) + 1,
                right=int(item.RegionLocationMaxX1) + 1,
                score=1.0,
            )
            for item in source.get("SequenceOfUltrasoundRegions") or ()
        )
    except UNREADABLE:
        return ()


def _frames(pixels: Pixels, photometric: str) -> Pixels:
    """Return a view as frames × rows × columns × samples."""
    samples = 1 if photometric in _MONOCHROME or pixels.ndim == 2 else pixels.shape[-1]
    rows, columns = pixels.shape[-2:] if samples == 1 else pixels.shape[-3:-1]
    return pixels.reshape(-1, rows, columns, samples)


def _found(frames: Pixels) -> tuple[Region, ...]:
    """Return where text is found in any view; what overlaps is one place."""
    places: list[Region] = []
    views = _views(frames)
    for region in (found for view, larger in views for found in text_regions(view, larger)):
        one = region
        while touching := next((place for place in places if one.touches(place)), None):
            places.remove(touching)
            one = one.joined(touching)
        places.append(one)
    return tuple(places)


def _views(frames: Pixels) -> Iterator[tuple[Frame, int]]:
    """Yield 8-bit pictures in which any text shows, and how much larger each is than the frames."""
    picked = {0, len(frames) // 2, len(frames) - 1}
    still = [frames[number] for number in sorted(picked)]
    if len(frames) > _LOOKED_AT:
        still += [frames.max(axis=0), frames.min(axis=0)]
    for picture in still:
        values = _finite(picture[..., 0] if picture.shape[-1] == 1 else picture)
        yield _whole_range(values), 1
        flat = _local_contrast(values)
        if max(flat.shape[:2]) > _ENLARGED_TO:
            yield flat, 1
        else:
            yield flat.repeat(2, axis=0).repeat(2, axis=1), 2


def _finite(values: Pixels) -> Pixels:
    """Return the values with the least in the place of what is no number."""
    if values.dtype.kind != "f":
        return values
    numbers = np.isfinite(values)
    return np.where(numbers, values, values[numbers].min() if numbers.any() else 0)


def _whole_range(values: Pixels) -> Frame:
    """Return a picture over its whole range: text has an extreme value as a rule."""
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values)
    low, high = float(values.min()), float(values.max())
    scaled: Frame = ((values.astype(np.float32) - low) * (255 / ((high - low) or 1))).astype(
        np.uint8
    )
    return scaled


def _local_contrast(values: Pixels) -> Frame:
    """Return what differs from its surroundings, in units of how much these differ.

    Text shows here that is no brighter than the rest of the picture, or whose contrast a few
    extreme values elsewhere take away.
    """
    plain = values.astype(np.float32)
    window = (_NEAR, _NEAR, 1)[: values.ndim]
    around = (2 * _NEAR, 2 * _NEAR, 1)[: values.ndim]
    differences = plain - ndimage.uniform_filter(plain, window)
    power = ndimage.uniform_filter(differences**2, around)
    spread = np.sqrt(np.maximum(power, 0)) + 1e-3  # the running sum may fall below zero
    shown: Frame = np.clip(127 + 40 * differences / spread, 0, 255).astype(np.uint8)
    return shown


def _blanked(
    frames: Pixels,
    found: Sequence[Region],
    regions: Sequence[Region],
    shape: tuple[int, ...],
    file: str,
) -> CleanedPixels:
    outside = _outside(frames.shape[1:3], regions)
    if not found and outside is None:
        return CleanedPixels(frames.reshape(shape), (), {"pixels.searched": 1})
    clean = frames.copy()
    for region in found:
        _fill(clean, region)
    if outside is not None:
        clean[:, outside] = 0 if clean.dtype.kind == "u" else clean.min()
    finding = Finding(
        code="pixels.blanked",
        severity=Severity.NOTE,
        message=f"Text was blanked in {len(found)} places of the picture.",
        file=file,
        values={"boxes": "; ".join(_box(region) for region in found), "places": len(found)},
    )
    actions = {"pixels.searched": 1, "pixels.blanked": 1, "pixels.regions_blanked": len(found)}
    return CleanedPixels(clean.reshape(shape), (finding,), actions)


def _box(region: Region) -> str:
    return f"{region.top},{region.left},{region.bottom},{region.right}"


def _fill(frames: Pixels, region: Region) -> None:
    """Set a box to the median of its border, in each frame."""
    top, left = max(0, region.top - _BORDER), max(0, region.left - _BORDER)
    around = frames[:, top : region.bottom + _BORDER, left : region.right + _BORDER]
    inner = np.zeros(around.shape[1:3], bool)
    inner[
        region.top - top : region.bottom - top,
        region.left - left : region.right - left,
    ] = True
    border = around[:, ~inner] if not inner.all() else around[:, inner]
    background = np.median(border, axis=1).astype(frames.dtype)
    frames[:, region.top : region.bottom, region.left : region.right] = background[:, None, None]


def _outside(shape: tuple[int, ...], regions: Sequence[Region]) -> np.ndarray | None:
    """Return where no picture is said to be; None where nothing, or too little, is said."""
    inside = np.zeros(shape, bool)
    for region in regions:
        inside[max(0, region.top) : region.bottom, max(0, region.left) : region.right] = True
    return ~inside if inside.any() and not inside.all() else None
