"""Finds where text stands in a picture, by OCR; what it says is looked at and never kept."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from proctor_workers.hidden_data.deidentify.vocabulary import MARKERS

Pixels = npt.NDArray[Any]
Frame = npt.NDArray[np.uint8]

_SHORTEST = 3  # letters and digits; fewer name nobody
_SURE = 0.6  # score of the recognised text; a long one may be less sure
_LONG, _LONG_SURE = 6, 0.45
_TILE, _OVERLAP = 1024, 160  # pixels: the detector sees a tile at its own scale
_MARGIN = 2  # pixels around a box, as letters end beyond it
_SIGNS = re.compile(r"[^\W_]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Where text stands in a frame: a box in pixels, its end excluded, and how sure that is."""

    top: int
    left: int
    bottom: int
    right: int
    score: float


def text_regions(frame: Frame) -> tuple[Region, ...]:
    """Return where text stands in an 8-bit frame, rows × columns or rows × columns × 3.

    Markers of side and view, and texts of one or two signs, are left: they name nobody.
    """
    found: list[Region] = []
    for top, left, tile in _tiles(frame):
        found += [
            _moved(region, top, left, frame.shape) for region in _recognised(_as_colour(tile))
        ]
    return tuple(found)


def _recognised(tile: Frame) -> Iterator[Region]:
    if tile.min() == tile.max():
        return
    lines, _ = _engine()(tile, text_score=0.0)
    for corners, text, score in lines or ():
        if _tells(text, float(score)):
            xs, ys = zip(*corners, strict=True)
            yield Region(
                top=int(min(ys)), left=int(min(xs)),
                bottom=int(max(ys)) + 1, right=int(max(xs)) + 1, score=float(score),
            )  # fmt: skip


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


def _moved(region: Region, top: int, left: int, shape: tuple[int, ...]) -> Region:
    return Region(
        top=max(0, region.top + top - _MARGIN),
        left=max(0, region.left + left - _MARGIN),
        bottom=min(shape[0], region.bottom + top + _MARGIN),
        right=min(shape[1], region.right + left + _MARGIN),
        score=region.score,
    )


def _as_colour(tile: Frame) -> Frame:
    return np.ascontiguousarray(tile if tile.ndim == 3 else np.repeat(tile[..., None], 3, axis=2))


@lru_cache(maxsize=1)
def _engine() -> Any:
    """Load the OCR engine, once a process, and only where pictures are looked at."""
    from rapidocr_onnxruntime import RapidOCR  # noqa: PLC0415 -- 0.4 s and 200 MB

    return RapidOCR(intra_op_num_threads=1, inter_op_num_threads=1)
