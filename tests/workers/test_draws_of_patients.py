"""Draws, their sums and what shares them: against plain NumPy, and whichever way they came."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor_workers import accelerator
from proctor_workers.statistics import bootstrap
from proctor_workers.statistics.arrays import Floats, Ints
from proctor_workers.statistics.bootstrap import (
    ColumnSums,
    Drawn,
    Kernel,
    Looped,
    Resampling,
    bca_limits,
)
from proctor_workers.statistics.draws import LANES, Stream
from proctor_workers.statistics.philox import fill_halves

STREAM = Stream(11, "draws")


def drawn_by_numpy(stratum: Ints, resample: int, stream: Stream) -> Ints:
    """How often each patient is drawn, from NumPy's generator and sums."""
    low, high = (int(part) for part in stream.key())
    source = np.random.Philox(key=low + (high << 64), counter=resample << 64)
    words = source.random_raw((len(stratum) + 1) // 2)
    halves = np.column_stack([words & np.uint64(2**32 - 1), words >> np.uint64(32)]).ravel()
    order = np.argsort(stratum, kind="stable")
    counts = np.zeros(len(stratum), dtype=np.int64)
    start = 0
    for size in np.unique(stratum, return_counts=True)[1]:
        places = (halves[start : start + size] * np.uint64(size)) >> np.uint64(32)
        np.add.at(counts, order[start + places.astype(np.int64)], 1)
        start += size
    return counts


def counts_of(plan: Resampling) -> Ints:
    found = np.concatenate([times.T for _, times in plan.times()])
    return found[: plan.resamples].astype(np.int64)


def cohort(patients: int = 301, strata: int = 1, resamples: int = 130) -> Resampling:
    return Resampling(resamples, np.arange(patients) % strata, STREAM)


@given(st.integers(0, 2**128 - 1), st.integers(0, 2**40), st.integers(0, 2**40))
@settings(max_examples=30, deadline=None)
def test_halves_are_numpys_philox_word_for_word(key: int, resample: int, block: int) -> None:
    halves = np.empty(24, dtype=np.uint32)
    parts = (np.uint64(key & (2**64 - 1)), np.uint64(key >> 64))
    fill_halves(parts, resample, block, 3, halves)
    words = np.random.Philox(key=key, counter=block + (resample << 64)).random_raw(12)
    assert np.array_equal(halves[::2], words & np.uint64(2**32 - 1))
    assert np.array_equal(halves[1::2], words >> np.uint64(32))


@pytest.mark.parametrize(
    ("patients", "strata"), [(1, 1), (7, 1), (8, 3), (301, 1), (1500, 1), (1500, 2), (2100, 40)]
)
def test_draws_equal_those_made_by_numpy(patients: int, strata: int) -> None:
    plan = cohort(patients, strata, 70)
    expected = [drawn_by_numpy(plan.stratum, repeat, STREAM) for repeat in range(70)]
    assert np.array_equal(counts_of(plan), expected)


def test_each_stratum_is_drawn_as_often_as_it_has_patients() -> None:
    plan = cohort(1000, 7)
    drawn = counts_of(plan)
    for code, size in zip(*np.unique(plan.stratum, return_counts=True), strict=True):
        assert np.all(drawn[:, plan.stratum == code].sum(axis=1) == size)


def test_every_patient_is_drawn_equally_often() -> None:
    drawn = counts_of(cohort(50, resamples=2000)).sum(axis=0)
    assert np.all(np.abs(drawn - 2000) < 5 * np.sqrt(2000))


def test_fewer_resamples_are_the_first_of_more() -> None:
    assert np.array_equal(counts_of(cohort(resamples=200))[:70], counts_of(cohort(resamples=70)))


@pytest.mark.parametrize("whole", [True, False])
def test_sums_equal_counts_times_columns(*, whole: bool) -> None:
    plan = cohort(strata=3)
    columns = np.random.default_rng(1).normal(size=(301, 5)) * (np.arange(5) != 2)
    columns = np.rint(9 * columns) if whole else columns
    expected = counts_of(plan) @ columns
    assert plan.sums(columns) == pytest.approx(expected, abs=0 if whole else 1e-11)


def test_a_sum_is_made_in_the_patients_order() -> None:
    plan = cohort(40, resamples=3)
    column = np.random.default_rng(2).normal(size=40)
    expected = []
    for counts in counts_of(plan):
        total = 0.0
        for count, mass in zip(counts, column, strict=True):
            total += count * mass
        expected.append(total)
    assert np.array_equal(plan.sums(column[:, None])[:, 0], expected)


def test_whole_numbers_too_large_for_32_bits_are_summed_all_the_same() -> None:
    plan = cohort(40, resamples=3)
    columns = np.full((40, 1), 2.0**40)
    assert np.array_equal(plan.sums(columns)[:, 0], np.full(3, 40 * 2.0**40))


def several_kernels() -> list[Kernel]:
    rng = np.random.default_rng(3)
    columns = rng.normal(size=(301, 3))

    def loop(times: Ints, values: Floats) -> None:
        values[:] = times @ columns[:, 0]

    return [ColumnSums(columns), ColumnSums(np.rint(columns)), Looped(loop)]


def test_quantities_drawn_together_equal_those_drawn_alone() -> None:
    together = cohort().replicate(*several_kernels())
    for one, kernel in zip(together, several_kernels(), strict=True):
        assert np.array_equal(one, cohort().replicate(kernel)[0])


def test_draws_that_are_kept_equal_those_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [cohort().replicate(kernel)[0] for kernel in several_kernels()]
    monkeypatch.setattr(bootstrap, "_KEPT_BYTES", 0)
    plan = cohort()
    again = [plan.replicate(kernel)[0] for kernel in several_kernels()]
    assert all(np.array_equal(one, other) for one, other in zip(kept, again, strict=True))


def test_a_loop_sees_one_row_for_each_resample() -> None:
    seen: list[Ints] = []

    def loop(times: Ints, values: Floats) -> None:
        seen.append(times)
        values[:] = times[:, 0]

    plan = cohort(resamples=LANES + 3)
    values = plan.values(loop)
    assert np.array_equal(np.concatenate(seen), counts_of(plan))
    assert np.array_equal(values, counts_of(plan)[:, 0])


def test_plans_of_the_same_patients_share_their_draws() -> None:
    drawn, stratum = Drawn(), np.zeros(30, dtype=np.int64)
    first = drawn.of(100, stratum, STREAM)
    assert drawn.of(100, stratum.copy(), STREAM) is first
    assert drawn.of(100, np.zeros(31, dtype=np.int64), STREAM) is not first
    assert drawn.of(100, stratum, Stream(12, "draws")) is not first


def test_shared_draws_stay_within_their_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "_KEPT_BYTES", 3 * 128 * 100)
    drawn = Drawn()
    plans = [drawn.of(100, np.zeros(100, dtype=np.int64), Stream(seed, "")) for seed in range(6)]
    for plan in plans:
        list(plan.times())
    assert sum(one.bytes_kept for one in drawn._last.values()) <= 3 * 128 * 100
    assert drawn.of(100, np.zeros(100, dtype=np.int64), Stream(0, "")) is not plans[0]


@given(st.integers(1, 60), st.integers(0, 100), st.floats(0.01, 0.99))
@settings(max_examples=40, deadline=None)
def test_limits_are_weibull_quantiles(n: int, seed: int, level: float) -> None:
    values = np.random.default_rng(seed).normal(size=n)
    shares = [0.5 - level / 2, 0.5 + level / 2]
    expected = np.quantile(values, shares, method="weibull")
    assert bootstrap._quantiles(values, shares) == pytest.approx(expected, abs=1e-13)


def test_bca_without_bias_and_acceleration_is_the_percentile_interval() -> None:
    values = np.arange(1.0, 2000.0)
    found = bca_limits(1000.0, values, 0.0)
    assert (found.lower, found.upper) == pytest.approx((50.0, 1950.0))


@pytest.mark.parametrize(
    "device",
    [
        "cpu",
        pytest.param(
            "cuda",
            marks=[
                pytest.mark.gpu,
                pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
            ],
        ),
    ],
)
def test_an_accelerators_sums_equal_ours_to_the_last_bit(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = np.rint(50 * np.random.default_rng(4).normal(size=(301, 12)))
    ours = cohort().sums(columns)
    monkeypatch.setattr(bootstrap, "_WORTH_A_DEVICE", 0)
    monkeypatch.setattr(bootstrap, "device", lambda: device)
    kernel = ColumnSums(columns)
    assert kernel._away is not None
    assert np.array_equal(cohort().replicate(kernel)[0], ours)


def test_without_a_driver_torch_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerator, "_DRIVER", accelerator.Path("/nowhere"))
    accelerator.device.cache_clear()
    assert accelerator.device() is None
    accelerator.device.cache_clear()
