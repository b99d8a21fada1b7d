"""Looks at a vendor's image before anything runs it."""

from proctor_workers.screening.errors import (
    ImageInvalidError,
    ImageRefusedError,
    ImageRejectedError,
)
from proctor_workers.screening.limits import ScreeningLimits
from proctor_workers.screening.screen import ScreeningReport, screen_archive, screen_sealed

__all__ = [
    "ImageInvalidError",
    "ImageRefusedError",
    "ImageRejectedError",
    "ScreeningLimits",
    "ScreeningReport",
    "screen_archive",
    "screen_sealed",
]
