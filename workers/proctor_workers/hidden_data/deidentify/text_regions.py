"""Finds where text stands in a picture, by OCR; what it says is looked at and never kept."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from proctor_workers.hidden_data.deidentify.vocabulary import MARKERS

Pixels = npt.NDArray[Any]
Frame = npt.NDArray[np.uint8]

_SHORTEST = 3  # letters and digits; fewer name nobody
# Scores of the recogniser: shades of anatomy are taken for a few signs, and with less certainty.
_SURE, _LONG_SURE, _LONG = 0.6, 0.4, 6
_TILE, _OVERLAP = 1024, 160  # pixels: the detector sees a tile at its own scale
_MARGIN = 0.3  # of a line's height around its box, as letters end beyond it
_LEAST_MARGIN = 3  # pixels
_SIGNS = re.compile(r"[^\W_]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Where text stands in a frame: a box in pixels, its end excluded, and how sure that is."""

    top: int
    left: int
    bottom: int
    right: int
    score: float

    def touches(self, other: "Region") -> bool:
        """Tell whether two boxes share a pixel."""
        apart_down = self.bottom <= other.top or other.bottom <= self.top
        return not (apart_down or self.right <= other.left or other.right <= self.left)

    def joined(self, other: "Region") -> "Region":
        """Return the box around both."""
        return Region(
            top=min(self.top, other.top),
            left=min(self.left, other.left),
            bottom=max(self.bottom, other.bottom),
            right=max(self.right, other.right),
            score=max(self.score, other.score),
        )


def text_regions(frame: Frame, larger: int = 1) -> tuple[Region, ...]:
    """Return where text stands in an 8-bit frame, rows × columns or rows × columns × 3.

    Markers of side and view, and texts of one or two signs, are left: they name nobody. Boxes are
    those of the picture of which the frame is an enlargement, `larger` times.
    """
    return tuple(
        _moved(region, top, left, frame.shape, larger)
        for top, left, tile in _tiles(frame)
        for region in _recognised(_as_colour(tile))
    )


def _recognised(tile: Frame) -> Iterator[Region]:
    if tile.min() == tile.max():
        return
    lines, _ = _engine()(tile, text_score=0.0)
    for corners, text, score in lines or ():
        if _tells(text, float(score)):
            yield _around(corners, float(score))


def _around(corners: Sequence[Sequence[float]], score: float) -> Region:
    """Return the upright box around a line's four corners, first to second along the line."""
    height = math.dist(corners[0], corners[3])
    margin = max(_LEAST_MARGIN, round(_MARGIN * height))
    xs, ys = zip(*corners, strict=True)
    return Region(
        top=math.floor(min(ys)) - margin,
        left=math.floor(min(xs)) - margin,
        bottom=math.ceil(max(ys)) + 1 + margin,
        right=math.ceil(max(xs)) + 1 + margin,
        score=score,
    )


def _tells(text: str, score: float) -> bool:
    """Tell whether a recognised line could say anything of a person."""
    signs = len(_SIGNS.findall(text))
    if signs < _SHORTEST or text.strip(" .:()-").upper() in MARKERS:
        return False
    return score >= (_LONG_SURE if signs >= _LONG else _SURE)


def _tiles(frame: Frame) -> Iterator[tuple[int, int, Frame]]:
    for top in _starts(frame.shape[0]):
        for left in _starts(frame.shape[1]):
            yield top, left, frame[top : top + _TILE, left : left + _TILE]


def _starts(side: int) -> range:
    return range(0, max(1, side - _OVERLAP), _TILE - _OVERLAP)


def _moved(region: Region, top: int, left: int, shape: tuple[int, ...], larger: int) -> Region:
    """Return a tile's box in the picture."""
    return Region(
        top=max(0, region.top + top) // larger,
        left=max(0, region.left + left) // larger,
        bottom=-(-min(shape[0], region.bottom + top) // larger),
        right=-(-min(shape[1], region.right + left) // larger),
        score=region.score,
    )


def _as_colour(tile: Frame) -> Frame:
    return np.ascontiguousarray(tile if tile.ndim == 3 else np.repeat(tile[..., None], 3, axis=2))


@lru_cache(maxsize=1)
def _engine() -> Any:
    """Load the OCR engine, once a process, and only where pictures are looked at."""
    from rapidocr_onnxruntime import RapidOCR  # noqa: PLC0415 -- 0.4 s and 200 MB

    return RapidOCR(intra_op_num_threads=1, inter_op_num_threads=1)
