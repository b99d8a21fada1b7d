"""An image held against the image it should be: PSNR, SSIM, error in its own units."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from proctor_workers.statistics.arrays import Bools, Floats

Image = NDArray[Any]


class ImageError(ValueError):
    """Images that cannot be compared: other shape, NaN, or too small for the window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Similarity:
    """SSIM's settings, as published: an 11-point gaussian window of standard deviation 1.5.

    `data_range` is the width of the scale that both images live on, in their unit: it belongs to
    the protocol, never to the single image. `windows`: those that lie "inside" the image, as
    published and in scikit-image, or one around every pixel of the image "reflected" at its edges,
    as in torchmetrics 1.9.
    """

    data_range: float
    windows: Literal["inside", "reflected"] = "inside"
    sigma: float = 1.5
    radius: int = 5
    k1: float = 0.01
    k2: float = 0.03

    def __post_init__(self) -> None:
        """Refuse a scale that has no width."""
        if not (math.isfinite(self.data_range) and self.data_range > 0):
            raise ValueError("a data range is a positive width")


@dataclass(frozen=True, slots=True, kw_only=True)
class IntensityErrors:
    """Errors in the images' own unit (HU for CT) over n voxels: bias, MAE, RMSE, largest."""

    n: int
    bias: float
    mean_absolute: float
    root_mean_square: float
    largest: float


def _checked(reference: Image, produced: Image) -> tuple[Floats, Floats]:
    if reference.shape != produced.shape:
        raise ImageError(
            f"the produced image's shape {produced.shape} is not the reference's {reference.shape}"
        )
    if not reference.size or reference.ndim not in {2, 3}:
        raise ImageError("an image has 2 or 3 axes and at least one voxel")
    pair = reference.astype(np.float64), produced.astype(np.float64)
    if not all(np.isfinite(image).all() for image in pair):
        raise ImageError("an image holds values that are no finite numbers")
    return pair


def intensity_errors(
    reference: Image, produced: Image, *, region: Bools | None = None
) -> IntensityErrors:
    """Compare two images voxel by voxel, within a region where one is given.

    Raises:
        ImageError: shapes differ, a value is not finite, or the region holds nothing.
    """
    first, second = _checked(reference, produced)
    if region is not None:
        if region.shape != first.shape or region.dtype != np.bool_:
            raise ImageError("a region is true or false for each voxel of the image")
        if not region.any():
            raise ImageError("the region holds no voxel")
    error = second - first if region is None else second[region] - first[region]
    return IntensityErrors(
        n=error.size,
        bias=float(error.mean()),
        mean_absolute=float(np.abs(error).mean()),
        root_mean_square=math.sqrt(float(np.mean(error**2))),
        largest=float(np.abs(error).max()),
    )


def peak_signal_to_noise(reference: Image, produced: Image, *, data_range: float) -> float:
    """Return PSNR in dB, 10 log10(range² / mean squared error); infinite for equal images.

    Raises:
        ImageError: see `intensity_errors`.
    """
    if not (math.isfinite(data_range) and data_range > 0):
        raise ValueError("a data range is a positive width")
    error = intensity_errors(reference, produced).root_mean_square
    return 20 * math.log10(data_range / error) if error > 0 else math.inf


def structural_similarity(reference: Image, produced: Image, settings: Similarity) -> float:
    """Return the mean SSIM over all windows.

    Wang et al., IEEE Trans Image Process 2004;13:600, population covariances; in 3-D the window has
    three axes.

    Raises:
        ImageError: see `intensity_errors`; an axis is shorter than the window.
    """
    first, second = _checked(reference, produced)
    if min(first.shape) < 2 * settings.radius + 1:
        raise ImageError(f"an axis is shorter than the window of {2 * settings.radius + 1}")
    mean_1, mean_2 = _blurred(first, settings), _blurred(second, settings)
    spread_1 = np.maximum(_blurred(first * first, settings) - mean_1**2, 0)
    spread_2 = np.maximum(_blurred(second * second, settings) - mean_2**2, 0)
    shared = _blurred(first * second, settings) - mean_1 * mean_2
    c1, c2 = (settings.k1 * settings.data_range) ** 2, (settings.k2 * settings.data_range) ** 2
    light = (2 * mean_1 * mean_2 + c1) / (mean_1**2 + mean_2**2 + c1)
    structure = (2 * shared + c2) / (spread_1 + spread_2 + c2)
    return float(np.mean(light * structure))


def _blurred(image: Floats, settings: Similarity) -> Floats:
    """Weight each window; inside the image the result is smaller by the radius."""
    blurred: Floats = ndimage.gaussian_filter(
        image, settings.sigma, radius=settings.radius, mode="mirror"
    )
    if settings.windows == "reflected":
        return blurred
    inside = tuple(slice(settings.radius, n - settings.radius) for n in image.shape)
    return blurred[inside]
