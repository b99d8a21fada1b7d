"""The face in a head volume goes, the brain stays, and what is not certain is not guessed."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from proctor_workers.hidden_data.case_files import QuarantineError
from proctor_workers.hidden_data.deidentify.faces import remove_face

TEMPLATES = Path("/usr/share/mricron/templates")  # Debian mricron-data, BSD-3
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])  # NIfTI's coordinates are RAS
HALVED = np.diag([2.0, 2.0, 2.0, 1.0])
Voxels = NDArray[np.float32]


def template(name: str) -> NDArray[np.uint8]:
    return np.asarray(nibabel.load(TEMPLATES / f"{name}.nii.gz").dataobj)


@pytest.fixture(scope="module")
def head() -> NDArray[np.uint8]:
    return template("ch2")


@pytest.fixture(scope="module")
def brain() -> NDArray[np.bool_]:
    return template("ch2bet") > 0


@pytest.fixture(scope="module")
def affine() -> NDArray[np.float64]:
    return np.asarray(LPS @ nibabel.load(TEMPLATES / "ch2.nii.gz").affine)


def at(affine: NDArray[np.float64], x: float, y: float, z: float) -> tuple[int, ...]:
    """The voxel of a point of the atlas, RAS mm."""
    index = np.linalg.inv(affine) @ LPS @ (x, y, z, 1.0)
    return tuple(round(float(one)) for one in index[:3])


def test_a_real_heads_face_goes_and_every_voxel_of_its_brain_stays(
    head: NDArray[np.uint8], brain: NDArray[np.bool_], affine: NDArray[np.float64]
) -> None:
    clean, mask = remove_face(head, affine)
    assert not (mask & brain).any()
    assert (clean[brain] == head[brain]).all()
    assert not clean[mask].any()
    for point in ((32, 68, -38), (-32, 68, -38), (0, 90, -40), (0, 80, -60)):  # eyes, nose, mouth
        assert mask[at(affine, *point)]
    assert (mask & (head > 25)).sum() > 100_000  # mm³ of the head


def test_whatever_is_kept_is_kept_as_it_was(
    head: NDArray[np.uint8], affine: NDArray[np.float64]
) -> None:
    clean, mask = remove_face(head, affine)
    assert (clean[~mask] == head[~mask]).all()
    assert clean.dtype == head.dtype


def test_the_array_may_have_any_order_and_direction(
    head: NDArray[np.uint8], brain: NDArray[np.bool_], affine: NDArray[np.float64]
) -> None:
    half, matrix = head[::2, ::2, ::2], affine @ HALVED
    turned = np.transpose(half, (2, 1, 0))[::-1]  # slices downwards, as a series may have them
    to_old = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [-1, 0, 0, 90], [0, 0, 0, 1.0]])
    _, mask = remove_face(turned, matrix @ to_old)
    _, straight = remove_face(half, matrix)
    assert (mask == np.transpose(straight, (2, 1, 0))[::-1]).all()


@pytest.mark.parametrize("kind", ["noise", "bias", "chin down", "thick slices"])
def test_the_brain_stays_in_other_heads_than_the_atlas(
    kind: str, head: NDArray[np.uint8], brain: NDArray[np.bool_], affine: NDArray[np.float64]
) -> None:
    values = head[::2, ::2, ::2].astype(np.float32)
    inside, matrix = brain[::2, ::2, ::2], affine @ HALVED
    if kind == "noise":
        values = values + np.random.default_rng(0).normal(0, 12, values.shape)
    elif kind == "bias":
        values = values * np.linspace(0.6, 1.4, values.shape[1], dtype=np.float32)[None, :, None]
    elif kind == "thick slices":
        values, inside = head[::2, ::2, ::5].astype(np.float32), brain[::2, ::2, ::5]
        matrix = affine @ np.diag([2.0, 2.0, 5.0, 1.0])
    else:
        angle, axes = 15, (1, 2)
        values = ndimage.rotate(values, angle, axes, reshape=False, order=1)
        inside = ndimage.rotate(inside.astype(np.uint8), angle, axes, reshape=False, order=0) > 0
    _, mask = remove_face(values, matrix)
    assert not (mask & inside).any()
    assert mask.any()


def test_a_volume_without_a_head_is_for_a_person() -> None:
    chance = np.random.default_rng(0)
    for values in (chance.normal(100, 10, (60, 60, 60)), np.zeros((40, 40, 40))):
        with pytest.raises(QuarantineError):
            remove_face(values, np.diag([3.0, 3.0, 3.0, 1.0]))


@pytest.mark.parametrize("spacing", [1e-6, 1e6])
def test_a_volume_of_no_heads_size_is_for_a_person_before_it_is_interpolated(
    spacing: float,
) -> None:
    with pytest.raises(QuarantineError, match="size of a head"):
        remove_face(np.ones((60, 60, 60)), np.diag([spacing, spacing, spacing, 1.0]))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=12, deadline=None)
def test_whatever_the_values_are_a_volume_is_cleaned_or_for_a_person(seed: int) -> None:
    chance = np.random.default_rng(seed)
    shape = tuple(int(side) for side in chance.integers(1, 50, 3))
    values = chance.choice([0.0, 1.0, 1e30, -1e30, np.inf, np.nan, -1000.0], shape)
    matrix = np.diag([*chance.uniform(0.5, 9, 3), 1.0]) + np.pad(
        chance.normal(0, 0.3, (3, 3)), (0, 1)
    )
    try:
        clean, mask = remove_face(values, matrix)
    except QuarantineError:
        return
    assert clean.shape == mask.shape == values.shape


def test_a_brain_without_a_face_is_for_a_person(
    head: NDArray[np.uint8], brain: NDArray[np.bool_], affine: NDArray[np.float64]
) -> None:
    with pytest.raises(QuarantineError):
        remove_face(np.where(brain, head, 0), affine)


@pytest.mark.parametrize("matrix", [np.zeros((4, 4)), np.full((4, 4), np.nan), np.eye(3)])
def test_a_volume_that_does_not_say_how_it_lies_is_for_a_person(
    matrix: NDArray[np.float64], head: NDArray[np.uint8]
) -> None:
    with pytest.raises(QuarantineError):
        remove_face(head, matrix)
