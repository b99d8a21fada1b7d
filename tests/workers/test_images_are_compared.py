import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

from proctor_workers.metrics.images import (
    ImageError,
    Similarity,
    intensity_errors,
    peak_signal_to_noise,
    structural_similarity,
)

pytestmark = pytest.mark.filterwarnings("ignore")
SHAPES = st.sampled_from([(11, 12), (20, 30), (12, 13, 14)])


def pair(shape: tuple[int, ...], seed: int) -> tuple[np.ndarray, np.ndarray]:
    draws = np.random.default_rng(seed)
    truth = draws.normal(100, 50, shape)
    return truth, truth + draws.normal(3, 20, shape)


@given(SHAPES, st.integers(0, 10_000))
@settings(max_examples=6, deadline=None)
def test_similarity_is_that_of_torchmetrics(shape: tuple[int, ...], seed: int) -> None:
    truth, made = pair(shape, seed)
    theirs, every = structural_similarity_index_measure(
        *(torch.from_numpy(image)[None, None] for image in (made, truth)),
        data_range=300.0,
        return_full_image=True,
    )
    reflected = Similarity(data_range=300.0, windows="reflected")
    assert structural_similarity(truth, made, reflected) == pytest.approx(float(theirs), abs=1e-6)
    inside = every[0, 0][tuple(slice(5, n - 5) for n in shape)].mean()
    ours = structural_similarity(truth, made, Similarity(data_range=300.0))
    assert ours == pytest.approx(float(inside), abs=1e-6)


@given(SHAPES, st.integers(0, 10_000))
@settings(max_examples=6, deadline=None)
def test_noise_ratio_is_that_of_torchmetrics(shape: tuple[int, ...], seed: int) -> None:
    truth, made = pair(shape, seed)
    theirs = peak_signal_noise_ratio(
        torch.from_numpy(made), torch.from_numpy(truth), data_range=300.0
    )
    ours = peak_signal_to_noise(truth, made, data_range=300.0)
    assert ours == pytest.approx(float(theirs), rel=1e-6)


def test_equal_images_are_alike_and_have_no_noise() -> None:
    truth, _ = pair((12, 12), 1)
    assert structural_similarity(truth, truth, Similarity(data_range=1.0)) == pytest.approx(1.0)
    assert peak_signal_to_noise(truth, truth, data_range=1.0) == math.inf
    assert intensity_errors(truth, truth).largest == 0


def test_errors_are_taken_within_the_region() -> None:
    truth = np.zeros((4, 4), dtype=np.int16)
    made, region = truth.copy(), np.zeros((4, 4), dtype=np.bool_)
    made[0, 0], made[3, 3] = 30, -1000
    region[0, :2] = True
    found = intensity_errors(truth, made, region=region)
    assert (found.n, found.bias, found.mean_absolute, found.largest) == (2, 15.0, 15.0, 30.0)
    assert found.root_mean_square == pytest.approx(math.sqrt(450))


FLAT = np.zeros((12, 12))


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (np.zeros((12, 13)), "shape"),
        (np.full((12, 12), np.nan), "finite"),
        (np.full((12, 12), np.inf), "finite"),
    ],
)
def test_images_that_do_not_fit_are_refused(made: np.ndarray, told: str) -> None:
    with pytest.raises(ImageError, match=told):
        intensity_errors(FLAT, made)


@pytest.mark.parametrize(
    "region", [np.zeros((12, 12), dtype=np.bool_), np.ones((3, 3), dtype=np.bool_), FLAT]
)
def test_region_that_is_none_is_refused(region: np.ndarray) -> None:
    with pytest.raises(ImageError, match="region"):
        intensity_errors(FLAT, FLAT, region=region)


def test_image_without_axes_or_smaller_than_the_window_is_refused() -> None:
    with pytest.raises(ImageError, match="2 or 3 axes"):
        intensity_errors(np.zeros(3), np.zeros(3))
    with pytest.raises(ImageError, match="window of 11"):
        structural_similarity(np.zeros((12, 10)), np.zeros((12, 10)), Similarity(data_range=1.0))


@pytest.mark.parametrize("width", [0.0, -1.0, math.nan])
def test_scale_without_width_is_refused(width: float) -> None:
    with pytest.raises(ValueError, match="positive width"):
        Similarity(data_range=width)
    with pytest.raises(ValueError, match="positive width"):
        peak_signal_to_noise(FLAT, FLAT, data_range=width)
