import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor_workers.metrics.landmarks import PointsError, point_errors
from proctor_workers.metrics.registration import (
    Affine,
    DisplacementField,
    TransformError,
    target_errors,
    warped_labels,
)
from proctor_workers.metrics.segmentation.masks import Grid, MaskShapeError, SpacingError

REFERENCE = np.array([[10.0, 10.0], [20.0, 30.0], [40.0, 0.0]])


def test_distances_are_in_mm_of_each_axis() -> None:
    found = point_errors(REFERENCE, REFERENCE + (3.0, 4.0), spacing=(1.0, 0.5))  # noqa: RUF005
    assert found.distance == pytest.approx(np.full(3, math.sqrt(9 + 4)))
    assert found.mean() == pytest.approx(found.root_mean_square())


def test_missing_point_has_no_distance_and_is_not_detected() -> None:
    given_points = REFERENCE.copy()
    given_points[1] = np.nan
    given_points[2] += (0.0, 2.0)
    found = point_errors(REFERENCE, given_points)
    assert found.missing == 1
    assert found.mean() == 1.0
    assert found.detected(2.0) == pytest.approx(2 / 3)
    assert found.detected(1.9) == pytest.approx(1 / 3)
    assert found.correct(0.1, 20.0) == pytest.approx(2 / 3)


def test_case_without_any_point_has_no_mean() -> None:
    found = point_errors(REFERENCE, np.full((3, 2), np.nan))
    assert math.isnan(found.mean())
    assert math.isnan(found.root_mean_square())
    assert found.detected(100.0) == 0.0


@pytest.mark.parametrize(
    ("reference", "found", "spacing"),
    [
        (REFERENCE, REFERENCE[:2], None),
        (REFERENCE, np.zeros((3, 3)), None),
        (np.zeros((0, 2)), np.zeros((0, 2)), None),
        (np.zeros((2, 4)), np.zeros((2, 4)), None),
        (np.array([[math.nan, 0.0]]), np.zeros((1, 2)), None),
        (np.zeros((1, 2)), np.array([[math.nan, 0.0]]), None),
        (np.zeros((1, 2)), np.array([[math.inf, 0.0]]), None),
        (REFERENCE, REFERENCE, (1.0,)),
        (REFERENCE, REFERENCE, (1.0, -1.0)),
    ],
)
def test_points_that_do_not_fit_are_refused(
    reference: np.ndarray, found: np.ndarray, spacing: tuple[float, ...] | None
) -> None:
    with pytest.raises(PointsError):
        point_errors(reference, found, spacing=spacing)


def test_radius_and_length_must_be_lengths() -> None:
    found = point_errors(REFERENCE, REFERENCE)
    with pytest.raises(ValueError, match="radius"):
        found.detected(-1.0)
    with pytest.raises(ValueError, match="positive"):
        found.correct(0.5, 0.0)


def rotation(angle: float) -> np.ndarray:
    matrix = np.eye(3)
    matrix[:2, :2] = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    matrix[:2, 2] = (5.0, -3.0)
    return matrix


def field_of(matrix: np.ndarray, shape: tuple[int, ...], **frame: tuple[float, ...]) -> Affine:
    """The displacement field of an affine map."""
    spacing, origin = frame["spacing"], frame["origin"]
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    points = grid * np.array(spacing) + np.array(origin)
    moved = points @ matrix[:-1, :-1].T + matrix[:-1, -1]
    return DisplacementField(displacement=moved - points, spacing=spacing, origin=origin)


@given(st.floats(-3, 3))
@settings(max_examples=15, deadline=None)
def test_true_transform_has_no_error_and_no_fold(angle: float) -> None:
    truth = Affine(matrix=rotation(angle))
    assert target_errors(truth, REFERENCE, truth.mapped(REFERENCE)).mean() == pytest.approx(
        0, abs=1e-12
    )
    assert truth.folding() == 0.0


def test_identity_leaves_the_initial_distance() -> None:
    moving = REFERENCE + np.array([0.0, 7.0])
    assert target_errors(Affine(matrix=np.eye(3)), REFERENCE, moving).mean() == 7.0


@given(st.floats(-1, 1), st.sampled_from([0.5, 1.0, 2.5]))
@settings(max_examples=15, deadline=None)
def test_field_of_an_affine_map_is_that_map(angle: float, step: float) -> None:
    affine = Affine(matrix=rotation(angle))
    field = field_of(affine.matrix, (12, 15), spacing=(step, 2 * step), origin=(-3.0, 4.0))
    points = np.array([[-3.0, 4.0], [-3.0 + 11 * step, 4.0 + 28 * step], [-2.7 + step, 4.1]])
    assert field.mapped(points) == pytest.approx(affine.mapped(points), abs=1e-9)
    assert field.jacobian() == pytest.approx(np.ones((12, 15)), abs=1e-9)
    assert field.folding() == 0.0


def test_reflection_folds_everything() -> None:
    mirror = np.diag([-1.0, 1.0, 1.0])
    assert Affine(matrix=mirror).folding() == 1.0
    field = field_of(mirror, (5, 6), spacing=(1.0, 1.0), origin=(0.0, 0.0))
    assert field.jacobian() == pytest.approx(-np.ones((5, 6)))
    assert field.folding() == 1.0


def test_fold_is_found_where_the_map_turns_back() -> None:
    displacement = np.zeros((10, 4, 4, 3))
    displacement[5:, ..., 0] = -2.0
    field = DisplacementField(displacement=displacement, spacing=(1.0,) * 3, origin=(0.0,) * 3)
    assert field.folding() == pytest.approx(2 / 10)


def test_labels_are_warped_by_nearest_voxel() -> None:
    moving = np.zeros((6, 8), dtype=np.uint8)
    moving[2:4, 3:6] = 1
    shift = np.eye(3)
    shift[:2, 2] = (2.0, 1.0)  # mm: a voxel in each axis
    grid = Grid.of((6, 8), (2.0, 1.0))
    warped = warped_labels(
        Affine(matrix=shift),
        moving,
        moving=grid,
        fixed=grid,
        moving_origin=(0.0, 0.0),
        fixed_origin=(0.0, 0.0),
    )
    assert np.array_equal(warped[1:3, 2:5], np.ones((2, 3)))
    assert warped.sum() == 6


def test_labels_of_another_grid_are_refused() -> None:
    grid = Grid.of((6, 8), (1.0, 1.0))
    with pytest.raises(MaskShapeError):
        warped_labels(
            Affine(matrix=np.eye(3)),
            np.zeros((6, 7), dtype=np.uint8),
            moving=grid,
            fixed=grid,
            moving_origin=(0.0, 0.0),
            fixed_origin=(0.0, 0.0),
        )


@pytest.mark.parametrize(
    "matrix",
    [np.eye(2), np.eye(5), np.zeros((3, 4)), np.full((3, 3), math.nan), np.ones((3, 3))],
)
def test_matrix_that_maps_nothing_is_refused(matrix: np.ndarray) -> None:
    with pytest.raises(TransformError):
        Affine(matrix=matrix)


@pytest.mark.parametrize(
    ("displacement", "spacing", "origin", "error"),
    [
        (np.zeros((4, 4, 3)), (1.0, 1.0), (0.0, 0.0), TransformError),
        (np.zeros((1, 4, 2)), (1.0, 1.0), (0.0, 0.0), TransformError),
        (np.full((4, 4, 2), math.nan), (1.0, 1.0), (0.0, 0.0), TransformError),
        (np.zeros((4, 4, 2)), (1.0, 0.0), (0.0, 0.0), SpacingError),
        (np.zeros((4, 4, 2)), (1.0, 1.0), (0.0,), TransformError),
    ],
)
def test_field_that_maps_nothing_is_refused(
    displacement: np.ndarray,
    spacing: tuple[float, ...],
    origin: tuple[float, ...],
    error: type[Exception],
) -> None:
    with pytest.raises(error):
        DisplacementField(displacement=displacement, spacing=spacing, origin=origin)


def test_points_outside_the_field_or_of_other_axes_are_refused() -> None:
    field = DisplacementField(
        displacement=np.zeros((4, 4, 2)), spacing=(1.0, 1.0), origin=(0.0, 0.0)
    )
    with pytest.raises(TransformError, match="outside"):
        field.mapped(np.array([[0.0, 3.5]]))
    with pytest.raises(TransformError, match="axes"):
        target_errors(field, np.zeros((2, 3)), np.zeros((2, 3)))
