"""Draws one phantom chest radiograph: body, lungs, ribs, noise, an opacity of chosen strength."""

from functools import cache

import numpy as np
import numpy.typing as npt

SIDE = 256
NOISE = 40.0  # grey levels
UNIT = 24.0  # grey levels between the two regions that make one standard deviation of the score
REGION_ROW, REGION_COLUMN, REGION_RADIUS = 132, 80, 13

Grey = npt.NDArray[np.float64]
_ROWS, _COLUMNS = np.mgrid[0:SIDE, 0:SIDE].astype(np.float64)


def _disc(row: float, column: float, radius: float) -> npt.NDArray[np.bool_]:
    return (_ROWS - row) ** 2 + (_COLUMNS - column) ** 2 <= radius**2


def _oval(row: float, column: float, height: float, width: float) -> npt.NDArray[np.bool_]:
    return ((_ROWS - row) / height) ** 2 + ((_COLUMNS - column) / width) ** 2 <= 1


REGION = _disc(REGION_ROW, REGION_COLUMN, REGION_RADIUS)
MIRRORED = REGION[:, ::-1]


@cache
def anatomy(sex: str) -> Grey:
    """Return the mirror-symmetric body without noise."""
    image = np.full((SIDE, SIDE), 280.0)
    image[_oval(160, 127.5, 140, 116)] = 1450.0
    lungs = _oval(122, 80, 74, 37) | _oval(122, SIDE - 1 - 80, 74, 37)
    image[lungs] = 760.0
    from_spine = np.abs(_COLUMNS - 127.5)
    for rib in range(52, 210, 21):
        image[lungs & (np.abs(_ROWS - rib - 0.1 * from_spine) < 3.5)] += 150.0
    image[from_spine < 11] += 330.0
    if sex == "F":
        for column in (78, SIDE - 1 - 78):
            spread = ((_COLUMNS - column) / 33) ** 2 + ((_ROWS - 170) / 25) ** 2
            image += 110.0 * np.exp(-spread)
    return (image + image[:, ::-1]) / 2


def radiograph(random: np.random.Generator, sex: str, score: float) -> npt.NDArray[np.uint16]:
    """Return 12-bit grey levels (brighter is denser) whose two regions differ by `score` units."""
    image = anatomy(sex) + random.normal(0.0, NOISE, (SIDE, SIDE))
    found = image[REGION].mean() - image[MIRRORED].mean()
    image[REGION] += score * UNIT - found
    return np.clip(np.rint(image), 0, 4095).astype(np.uint16)
