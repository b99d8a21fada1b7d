"""Contours become masks: the pixels whose centres lie inside, by the even-odd rule."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.path import Path as Outline
from tests.data.annotations import TEST_FILES, grid_of, pixels_of, read, series, structure_set

from proctor_workers.hidden_data.case_files import Grid, Refusal
from proctor_workers.hidden_data.findings import Severity
from proctor_workers.hidden_data.reference_objects.polygons import filled

SLICES = series()
GRID = grid_of(SLICES)


def millimetres(points: object, slice_: float = 2, grid: Grid = GRID) -> np.ndarray:
    """Positions of (row, column) in a slice."""
    pairs = np.array(points, dtype=float)
    indices = np.column_stack([np.full(len(pairs), slice_), pairs, np.ones(len(pairs))])
    return (np.array(grid.affine) @ indices.T).T[:, :3]


def square(low: float, high: float) -> list[tuple[float, float]]:
    return [(low, low), (low, high), (high, high), (high, low)]


def test_a_contour_fills_the_pixels_whose_centres_it_encloses(tmp_path: Path) -> None:
    made = structure_set({"GTV": [millimetres([(2.5, 3.5), (2.5, 8.5), (6.5, 8.5), (6.5, 3.5)])]})

    outputs, findings = read(made, tmp_path, GRID)

    expected = np.zeros((5, 16, 16), dtype=bool)
    expected[2, 3:7, 4:9] = True
    assert findings == {}
    assert outputs["mask"]["spacing"] == pytest.approx([2.5, 0.488281, 0.488281])
    assert (pixels_of(outputs, "GTV") == expected).all()


def test_centres_on_the_upper_and_left_edge_are_inside_and_others_not(tmp_path: Path) -> None:
    made = structure_set({"GTV": [millimetres(square(4, 8))]})

    outputs, _ = read(made, tmp_path, GRID)

    rows, columns = np.nonzero(pixels_of(outputs, "GTV")[2])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 7, 4, 7)
    assert len(rows) == 16


def test_an_inner_contour_is_a_hole(tmp_path: Path) -> None:
    contours = [millimetres(square(1.5, 10.5)), millimetres(square(4.5, 6.5))]

    outputs, _ = read(structure_set({"GTV": contours}), tmp_path, GRID)

    inside = pixels_of(outputs, "GTV")[2]
    assert inside.sum() == 81 - 4
    assert not inside[5:7, 5:7].any()


def test_a_keyhole_contour_has_its_hole(tmp_path: Path) -> None:
    keyhole = [(1.5, 1.5), (1.5, 10.5), (10.5, 10.5), (10.5, 1.5), (5.2, 1.5), (5.2, 4.5),
               (6.5, 4.5), (6.5, 6.5), (4.5, 6.5), (4.5, 4.5), (5.2, 4.5), (5.2, 1.5)]  # fmt: skip

    outputs, _ = read(structure_set({"GTV": [millimetres(keyhole)]}), tmp_path, GRID)

    assert pixels_of(outputs, "GTV")[2].sum() == 81 - 4


def test_contours_of_two_structures_with_one_name_are_joined(tmp_path: Path) -> None:
    made = structure_set({
        "Lung left": [millimetres(square(1.5, 8.5))], "Lung right": [millimetres(square(4.5, 6.5))]
    })  # fmt: skip

    outputs, findings = read(
        made, tmp_path, GRID, labels={"Lung left": "lung", "Lung right": "lung"}
    )

    assert findings == {}
    assert pixels_of(outputs, "lung").sum() == 49


def test_contours_in_sagittal_planes_are_filled_too(tmp_path: Path) -> None:
    affine = np.array(GRID.affine)
    corners = np.array([[0.6, 3.5, 7], [0.6, 9.5, 7], [3.4, 9.5, 7], [3.4, 3.5, 7]])
    points = (affine @ np.column_stack([corners, np.ones(4)]).T).T[:, :3]

    outputs, findings = read(structure_set({"GTV": [points]}), tmp_path, GRID)

    expected = np.zeros((5, 16, 16), dtype=bool)
    expected[1:4, 4:10, 7] = True
    assert findings == {}
    assert (pixels_of(outputs, "GTV") == expected).all()


def test_contours_of_a_tilted_series_are_filled_in_its_slices(tmp_path: Path) -> None:
    angle = np.radians(20)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)],
                     [0, np.sin(angle), np.cos(angle)]])  # fmt: skip
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.array(GRID.affine)[:3, :3]
    affine[:3, 3] = [10, -20, 30]
    grid = grid_of(SLICES, affine=tuple(map(tuple, affine.tolist())))
    made = structure_set({"GTV": [millimetres(square(2.5, 5.5), grid=grid)]})

    outputs, findings = read(made, tmp_path, grid)

    assert findings == {}
    assert pixels_of(outputs, "GTV")[2, 3:6, 3:6].all()
    assert pixels_of(outputs, "GTV").sum() == 9


def test_contours_between_slices_are_another_grid(tmp_path: Path) -> None:
    made = structure_set({"GTV": [millimetres(square(2.5, 5.5), slice_=1.5)]})

    outputs, findings = read(made, tmp_path, GRID)

    assert outputs["mask"]["labels"] == {"GTV": []}
    assert findings["reference.geometry"].severity is Severity.ERROR


def test_contours_outside_the_picture_are_told_and_cut(tmp_path: Path) -> None:
    made = structure_set({
        "GTV": [millimetres(square(10.5, 40)), millimetres(square(2.5, 5.5), slice_=9)]
    })  # fmt: skip

    outputs, findings = read(made, tmp_path, GRID)

    assert pixels_of(outputs, "GTV").sum() == 25
    assert findings["reference.outside"].message.startswith("2 contours")


def test_points_and_open_lines_are_told_and_left_out(tmp_path: Path) -> None:
    made = structure_set({"GTV": [millimetres(square(2.5, 5.5))]}, kind="OPEN_PLANAR")

    outputs, findings = read(made, tmp_path, GRID)

    assert outputs["mask"]["labels"] == {"GTV": []}
    assert findings["reference.contour_left_out"].severity is Severity.WARNING


def test_contours_in_every_second_slice_only_are_told(tmp_path: Path) -> None:
    contours = [millimetres(square(2.5, 5.5), slice_=number) for number in (0, 2, 4)]

    _, findings = read(structure_set({"GTV": contours}), tmp_path, GRID)

    assert findings["reference.slices_skipped"].severity is Severity.WARNING


def test_structures_of_another_frame_of_reference_are_told(tmp_path: Path) -> None:
    made = structure_set({"GTV": [millimetres(square(2.5, 5.5))]}, frame="1.2.3.4")

    _, findings = read(made, tmp_path, GRID)

    assert findings["reference.geometry"].severity is Severity.ERROR


def test_without_positions_a_structure_set_is_refused(tmp_path: Path) -> None:
    made = structure_set({"GTV": [millimetres(square(2.5, 5.5))]})

    refused, _ = read(made, tmp_path, grid_of(SLICES, affine=None))

    assert isinstance(refused, Refusal)


def test_a_real_structure_set_is_drawn_where_it_says(tmp_path: Path) -> None:
    affine = ((0.0, 0.0, 10.0, -250.0), (0.0, 10.0, 0.0, -250.0), (10.0, 0.0, 0.0, -200.0),
              (0.0, 0.0, 0.0, 1.0))  # fmt: skip
    grid = Grid(size=(41, 51, 51), spacing=(10.0, 10.0, 10.0), affine=affine)

    outputs, findings = read(TEST_FILES / "rtstruct.dcm", tmp_path, grid, {"patient": "body"})

    body = pixels_of(outputs, "body")
    assert "reference.not_taken" in findings  # two isocentres
    assert body.any(axis=(1, 2)).nonzero()[0].tolist() == [0, 1, 2]  # -200, -190 and -180 mm
    # -200 to 200 mm, left edge inside: 40 columns; those on the right edge are not
    assert body.any(axis=(0, 1)).nonzero()[0].tolist() == list(range(5, 45))


@pytest.mark.parametrize("seed", range(8))
def test_random_polygons_are_filled_as_matplotlib_fills_them(seed: int) -> None:
    random = np.random.default_rng(seed)
    corners = random.uniform(-5, 45, size=(int(random.integers(3, 12)), 2)).round(2) + 0.005
    angles = np.argsort(np.arctan2(*(corners - corners.mean(axis=0)).T))
    corners = corners[angles]  # star-shaped: even-odd and winding agree
    rows, columns = np.mgrid[:37, :41]
    centres = np.column_stack([rows.ravel(), columns.ravel()])

    expected = Outline(corners).contains_points(centres).reshape(37, 41)

    assert (filled([corners], 37, 41) == expected).all()


def test_polygons_that_share_an_edge_share_no_pixel() -> None:
    random = np.random.default_rng(3)
    cut = np.column_stack([np.arange(0, 33, 4), random.uniform(8, 24, 9)])
    left = np.vstack([cut, [(32, 0), (0, 0)]])
    right = np.vstack([cut, [(32, 32), (0, 32)]])

    one, other = filled([left], 32, 32), filled([right], 32, 32)

    assert not (one & other).any()
    assert (one | other).all()
