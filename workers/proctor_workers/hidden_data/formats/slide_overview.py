"""Looks at a canonical slide as a whole: its smallest level, and whether all show the same."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from proctor_workers.hidden_data.case_files import QuarantineError, UnreadableFileError
from proctor_workers.hidden_data.deidentify.profile import BurnedIn
from proctor_workers.hidden_data.deidentify.text_regions import text_regions

COMPARED_TILES = 12  # of the base, with every other level
LARGEST_DIFFERENCE = 16.0  # grey levels between their means; of true levels below 5
THUMBNAIL_SIDE, SEARCHED_SIDE = 1024, 4096

Pixels = npt.NDArray[np.uint8]
Rectangle = tuple[int, int, int, int]  # top, bottom, left, right


def overview(path: Path) -> Pixels:
    """Return the smallest level's pixels: rows × columns, or rows × columns × 3.

    Raises:
        UnreadableFileError: a tile cannot be decoded.
        QuarantineError: a level shows something else than the base.
    """
    try:
        with tifffile.TiffFile(path) as slide:
            base, *others = [page for page in slide.pages if isinstance(page, tifffile.TiffPage)]
            for page in others:
                _check_same(slide, base, page)
            pixels: Pixels = (others or [base])[-1].asarray(maxworkers=1)
    except (RuntimeError, ValueError, TypeError, IndexError) as exc:
        raise UnreadableFileError("has tiles that cannot be decoded", "Export it again.") from exc
    return pixels


def search_for_text(picture: npt.NDArray[Any], policy: BurnedIn) -> dict[str, int]:
    """Look for text in the smallest level if the plan asks for it; return what was done, counted.

    Tiles are carried over as they are, so that none can be blanked: a person must look.

    Raises:
        QuarantineError: there is text.
    """
    if policy is BurnedIn.KEEP or picture.dtype != np.uint8:
        return {}
    if found := text_regions(thumbnail(picture, side=SEARCHED_SIDE)):
        raise QuarantineError(
            f"has text in its picture, in {len(found)} places",
            "Look at it; crop the text off, or leave the case out. Slides are not blanked.",
        )
    return {"pixels.searched": 1}


def thumbnail(picture: Pixels, *, side: int = THUMBNAIL_SIDE) -> Pixels:
    """Return the means of squares, so many pixels wide that the longer side is at most `side`."""
    factor = -(-max(picture.shape[:2]) // side)
    rows, columns = (max(side // factor, 1) for side in picture.shape[:2])
    whole = picture[: rows * factor, : columns * factor]
    squares = whole.reshape(rows, -1, columns, whole.shape[1] // columns, *picture.shape[2:])
    sums: npt.NDArray[np.uint64] = squares.sum(axis=(1, 3), dtype=np.uint64)
    area = squares.shape[1] * squares.shape[3]
    means: Pixels = ((sums + area // 2) // area).astype(np.uint8)
    return means


def _check_same(slide: tifffile.TiffFile, base: tifffile.TiffPage, page: tifffile.TiffPage) -> None:
    """Compare the base's busiest tiles with the same places of another level.

    A label that passes for a level, by its shape and its name, shows something else there.
    """
    scale = base.imagewidth / page.imagewidth
    busiest = np.argsort(np.array(base.databytecounts), kind="stable")[::-1][:COMPARED_TILES]
    differences = []
    for index in busiest.tolist():
        place = _place(base, index)
        top, bottom, left, right = (round(edge / scale) for edge in place)
        one = _region(slide, base, place)
        other = _region(slide, page, (top, bottom, left, right))
        if one.size and other.size:
            differences.append(abs(float(one.mean()) - float(other.mean())))
    if differences and float(np.median(differences)) > LARGEST_DIFFERENCE:
        raise QuarantineError(
            "has a level that does not show what its base shows",
            "Look at it: it may be the label. Export the slide without it.",
        )


def _place(page: tifffile.TiffPage, index: int) -> Rectangle:
    """Return where a tile lies, as far as the picture goes."""
    row, column = divmod(index, -(-page.imagewidth // page.tilewidth))
    top, left = row * page.tilelength, column * page.tilewidth
    bottom = min(top + page.tilelength, page.imagelength)
    return top, bottom, left, min(left + page.tilewidth, page.imagewidth)


def _region(slide: tifffile.TiffFile, page: tifffile.TiffPage, place: Rectangle) -> Pixels:
    """Return a rectangle of a page, put together from its tiles."""
    top, bottom, left, right = place
    across = -(-page.imagewidth // page.tilewidth)
    rows = range(top // page.tilelength, -(-bottom // page.tilelength))
    columns = range(left // page.tilewidth, -(-right // page.tilewidth))
    if not rows or not columns:
        return np.zeros((0, 0), np.uint8)
    whole = np.concatenate(
        [
            np.concatenate(
                [_tile(slide, page, row * across + column) for column in columns], axis=1
            )
            for row in rows
        ]
    )
    above, before = rows[0] * page.tilelength, columns[0] * page.tilewidth
    return whole[top - above : bottom - above, left - before : right - before]


def _tile(slide: tifffile.TiffFile, page: tifffile.TiffPage, index: int) -> Pixels:
    """Return a whole decoded tile; black where it is missing."""
    shape = (page.tilelength, page.tilewidth, page.samplesperpixel)
    place, length = page.dataoffsets[index], page.databytecounts[index]
    if not length:
        return np.zeros(shape, np.uint8)
    slide.filehandle.seek(place)
    content = slide.filehandle.read(length)
    decoded, _, _ = page.decode(content, index, jpegtables=page.jpegtables, _fullsize=True)
    tile: Pixels = np.asarray(decoded, np.uint8).reshape(shape)
    return tile
