"""Looks for an opacity: compares a region of one lung with its mirror image in the other."""

import math
from pathlib import Path

from dicom_pixels import Pixels, read_pixels

from proctor_sdk.runtime import answer, cases

ROW, COLUMN, RADIUS = 132, 80, 13
UNIT = 24.0  # grey levels of one standard deviation of healthy lungs
MIDPOINT = 1.0  # units at which the score is one half


def opacity(pixels: Pixels) -> float:
    """Return how much denser the region is than its mirror image, in units."""
    total = count = 0
    for row in range(ROW - RADIUS, ROW + RADIUS + 1):
        half = math.isqrt(RADIUS**2 - (row - ROW) ** 2)
        start = row * pixels.columns
        left = pixels.values[start + COLUMN - half : start + COLUMN + half + 1]
        mirrored = start + pixels.columns - 1 - COLUMN
        right = pixels.values[mirrored - half : mirrored + half + 1]
        total += sum(left) - sum(right)
        count += len(left)
    difference = total / count
    return (-difference if pixels.inverted else difference) / UNIT


def score(path: Path) -> float:
    """Return the radiograph's score between 0 and 1."""
    return 1 / (1 + math.exp(MIDPOINT - opacity(read_pixels(path))))


def main() -> None:
    """Answer every case; one that cannot be read is answered "failed", never skipped."""
    for case in cases():
        try:
            answer(case, scores={"opacity": score(case.files[0].path)})
        except (ValueError, IndexError, KeyError) as error:
            answer(case, status="failed", reason=type(error).__name__)


if __name__ == "__main__":
    main()
