import itertools

import cc3d
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor_workers.metrics.segmentation.masks import LabelError
from proctor_workers.metrics.segmentation.runs import RunsError, decode_runs, encode_runs
from proctor_workers.metrics.segmentation.skeleton import centreline_dice, skeleton


@given(st.integers(0, 10_000), st.sampled_from([(4, 5, 6), (7, 9), (1, 1)]))
@settings(max_examples=25, deadline=None)
def test_runs_give_the_mask_back(seed: int, shape: tuple[int, ...]) -> None:
    volume = np.random.default_rng(seed).choice([0, 0, 1, 3, 300], shape).astype(np.uint16)
    runs = encode_runs(volume)
    assert np.array_equal(decode_runs(runs, shape), volume)
    assert sum(int(part[:, 1].sum()) for part in runs.values()) == np.count_nonzero(volume)


def test_runs_count_in_c_order() -> None:
    mask = np.array([[0, 1, 1], [1, 0, 2]], dtype=np.uint8)
    runs = encode_runs(mask)
    assert {label: part.tolist() for label, part in runs.items()} == {1: [[1, 3]], 2: [[5, 1]]}


def test_no_run_is_an_empty_mask() -> None:
    nothing = np.empty((0, 2), dtype=np.int64)
    assert not decode_runs({}, (2, 3)).any()
    assert not decode_runs({1: nothing}, (2, 3)).any()


@pytest.mark.parametrize(
    ("runs", "told"),
    [
        ({1: [[0, 0]]}, "no voxel"),
        ({1: [[-1, 2]]}, "outside"),
        ({1: [[5, 2]]}, "outside"),
        ({1: [[2**62, 2**62]]}, "outside"),
        ({1: [[3, 1], [1, 1]]}, "order"),
        ({1: [[1, 2], [2, 1]]}, "order"),
        ({1: [[1, 2]], 2: [[2, 1]]}, "another label"),
        ({1: [[1, 2, 3]]}, "pairs"),
        ({1: [[0.5, 1.0]]}, "pairs"),
    ],
)
def test_runs_that_describe_no_mask_are_refused(runs: dict[int, list], told: str) -> None:
    with pytest.raises(RunsError, match=told):
        decode_runs({label: np.array(part) for label, part in runs.items()}, (2, 3))


def test_labels_that_are_none_are_refused() -> None:
    with pytest.raises(LabelError):
        decode_runs({0: np.array([[0, 1]])}, (2, 3))
    with pytest.raises(LabelError):
        encode_runs(np.array([[0.5]]))
    with pytest.raises(LabelError):
        encode_runs(np.array([[-1]]))


def characteristic(mask: np.ndarray) -> int:
    """Euler number of the union of closed voxels: points - edges + faces - cells."""
    padded, number = np.pad(mask, 1).astype(np.bool_), 0
    for along in itertools.product((0, 1), repeat=3):
        cells = padded
        for axis, kept in enumerate(along):
            if not kept:
                ends = [slice(None)] * 3, [slice(None)] * 3
                ends[0][axis], ends[1][axis] = slice(None, -1), slice(1, None)
                cells = cells[tuple(ends[0])] | cells[tuple(ends[1])]
        number += (-1) ** sum(along) * int(cells.sum())
    return number


def topology(mask: np.ndarray) -> tuple[int, int, int]:
    """Parts, cavities and Euler number, from which the tunnels follow."""
    return (
        int(cc3d.connected_components(mask, connectivity=26).max()),
        int(cc3d.connected_components(1 - mask, connectivity=6).max()),
        characteristic(mask),
    )


@given(st.integers(0, 10_000), st.sampled_from([0.2, 0.5, 0.8]))
@settings(max_examples=15, deadline=None)
def test_thinning_keeps_parts_tunnels_and_cavities(seed: int, share: float) -> None:
    mask = np.random.default_rng(seed).random((9, 10, 11)) < share
    padded = np.pad(mask.astype(np.uint8), 1)
    thin = skeleton(padded, flat=False)
    assert (thin <= padded).all()
    assert topology(thin) == topology(padded)
    assert np.array_equal(skeleton(thin, flat=False), thin)


@given(st.integers(0, 10_000), st.sampled_from([0.3, 0.6, 0.8]))
@settings(max_examples=15, deadline=None)
def test_thinning_of_a_plane_keeps_parts_and_holes(seed: int, share: float) -> None:
    mask = np.random.default_rng(seed).random((1, 14, 12)) < share
    padded = np.pad(mask.astype(np.uint8), 1)
    thin = skeleton(padded, flat=True)
    assert topology(thin) == topology(padded)
    assert np.array_equal(skeleton(thin, flat=True), thin)


def test_bar_thins_to_its_middle_line() -> None:
    bar = np.pad(np.ones((1, 3, 9), dtype=np.uint8), 1)
    thin = skeleton(bar, flat=True)[1]
    assert thin[2].sum() == thin.sum() >= 7
    rod = np.pad(np.ones((3, 3, 9), dtype=np.uint8), 1)
    thin = skeleton(rod, flat=False)
    assert thin[2, 2].sum() == thin.sum() >= 7


def test_line_and_point_stay_as_they_are() -> None:
    line = np.zeros((3, 6, 6), dtype=np.uint8)
    line[1, [1, 2, 3, 4], [1, 2, 3, 3]] = 1
    assert np.array_equal(skeleton(line, flat=True), line)
    point = np.zeros((3, 3, 3), dtype=np.uint8)
    point[1, 1, 1] = 1
    assert np.array_equal(skeleton(point, flat=False), point)


def test_small_block_does_not_vanish() -> None:
    block = np.pad(np.ones((1, 2, 2), dtype=np.uint8), 1)
    assert 1 <= skeleton(block, flat=True).sum() <= 2


def test_broken_vessel_costs_centre_line_though_little_volume() -> None:
    bits = np.zeros((7, 7, 32), dtype=np.uint8)
    bits[2:5, 2:5, 1:31] = 3
    bits[:, :, 15:17] &= 1  # the prediction lacks two slices
    found = centreline_dice(bits, flat=False)
    assert 0.9 < found < 1


def test_centre_lines_without_a_common_voxel_agree_nowhere() -> None:
    bits = np.zeros((3, 8, 8), dtype=np.uint8)
    bits[1, 1, 1:7], bits[1, 6, 1:7] = 1, 2
    assert centreline_dice(bits, flat=True) == 0.0
