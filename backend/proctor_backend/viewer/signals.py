"""Draws a signal as ingest writes it, a WFDB record of digital values: one line for each lead."""

import io
import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

LONGEST_S = 10.0  # what is drawn of a recording, as on paper
MOST_LEADS = 24
_WIDTH, _HEIGHT, _MARGIN = 1400, 84, 110  # pixels: of the drawing, of a lead, for its name
_PAPER, _GRID, _INK = (255, 255, 255), (232, 208, 208), (20, 20, 20)
_SCALE = re.compile(r"(?P<gain>[^(]+)\((?P<baseline>-?\d+)\)/(?P<unit>\S+)")
_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_LEAST = {16: ("<i2", -(2**15)), 32: ("<i4", -(2**31))}  # the value that stands for none

Samples = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Lead:
    name: str
    unit: str
    values: Samples  # physical; NaN where nothing was sampled


def drawn(header: bytes, samples: bytes) -> bytes:
    """Return a PNG of the first ten seconds.

    Raises:
        ValueError, LookupError: the bytes are no such record.
    """
    rate, leads = _read(header.decode("ascii"), samples)
    seconds = len(leads[0].values) / rate
    image = Image.new("RGB", (_MARGIN + _WIDTH, _HEIGHT * len(leads) + 30), _PAPER)
    draw = ImageDraw.Draw(image)
    for second in range(int(seconds) + 1):
        at = _MARGIN + _WIDTH * second / seconds
        draw.line((at, 0, at, image.height), fill=_GRID)
    font = ImageFont.load_default(size=16)
    for position, lead in enumerate(leads):
        _draw_lead(draw, lead, _HEIGHT * position, font)
    told = f"{seconds:g} s, a line each second; every lead on its own scale"
    draw.text((_MARGIN, image.height - 26), told, fill=_INK, font=font)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _read(header: str, samples: bytes) -> tuple[float, list[_Lead]]:
    first, *lines = header.splitlines()
    _, count, rate, _ = first.split()
    leads = [line.split(maxsplit=8) for line in lines[: int(count)]]
    dtype, none = _LEAST[int(leads[0][1])]
    table = np.frombuffer(samples, dtype)
    table = table[: len(table) // len(leads) * len(leads)].reshape(-1, len(leads))
    shown = table[: max(2, int(LONGEST_S * float(rate)))].astype(np.float64)
    shown[shown == none] = np.nan
    return float(rate), [
        _lead(words, shown[:, index]) for index, words in enumerate(leads[:MOST_LEADS])
    ]


def _lead(words: list[str], digital: Samples) -> _Lead:
    scale = _SCALE.fullmatch(words[2])
    if scale is None:
        raise ValueError("a lead without scale")
    values = (digital - float(scale["baseline"])) / float(scale["gain"])
    return _Lead(words[8], scale["unit"], values)


def _draw_lead(draw: ImageDraw.ImageDraw, lead: _Lead, top: int, font: _Font) -> None:
    draw.text((8, top + _HEIGHT // 2 - 18), lead.name, fill=_INK, font=font)
    finite = lead.values[np.isfinite(lead.values)]
    if not finite.size:
        return
    low, high = float(finite.min()), float(finite.max())
    draw.text((8, top + _HEIGHT // 2 + 2), f"{high - low:.3g} {lead.unit}", fill=_INK, font=font)
    across = _MARGIN + np.arange(len(lead.values)) * (_WIDTH / max(1, len(lead.values) - 1))
    down = top + 6 + (high - lead.values) * ((_HEIGHT - 12) / ((high - low) or 1.0))
    for piece in np.split(np.arange(len(down)), np.flatnonzero(~np.isfinite(down))):
        points = [(float(across[at]), float(down[at])) for at in piece if np.isfinite(down[at])]
        if len(points) > 1:
            draw.line(points, fill=_INK, width=1)
