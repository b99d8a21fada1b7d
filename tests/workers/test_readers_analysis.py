from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor_workers.metrics.readers import (
    analyse,
    auc_figures,
    sensitivity_figures,
    specificity_figures,
)
from proctor_workers.statistics.arrays import Bools, Floats
from proctor_workers.statistics.auc import delong_paired, patient_auc
from proctor_workers.statistics.categories import UndefinedScoreError
from proctor_workers.statistics.obuchowski_rockette import (
    CASES,
    READERS,
    against_standalone,
    beyond_margin,
    compare,
    components,
    single_modality,
)
from proctor_workers.statistics.reader_covariance import (
    Figures,
    Reading,
    auc_jackknife,
    auc_unbiased,
    jackknifed,
)


def read(
    modalities: int,
    readers: int,
    patients: int,
    seed: int,
    *,
    rows: int = 1,
    gain: float = 0.0,
    readers_vary: float = 0.3,
) -> Reading:
    """Return ratings 1..7 with reader, case and modality effects."""
    rng = np.random.default_rng(seed)
    n = patients * rows
    positive = np.arange(n) % 5 < 2
    case = rng.normal(size=n)
    reader = readers_vary * rng.normal(size=(1, readers, 1))
    better = gain * np.arange(modalities)[:, None, None] * positive
    noise = rng.normal(size=(modalities, readers, n))
    signal = (1.2 + reader) * positive + 0.6 * case + better + noise
    patient = np.repeat(np.arange(patients), rows)
    return Reading(rating=np.round(signal * 2), positive=positive, patient=patient)


def without(reading: Reading, patient: int) -> Floats:
    keep = reading.patient != patient
    return np.array(
        [
            [patient_auc(row[keep], reading.positive[keep], np.arange(keep.sum()), keep.sum()).auc
             for row in modality]
            for modality in reading.rating
        ]
    )  # fmt: skip


@pytest.mark.parametrize("rows", [1, 3])
def test_jackknife_leaves_out_whole_patients(rows: int) -> None:
    reading = read(2, 3, 20, 1, rows=rows)
    left_out = np.array([without(reading, one) for one in range(20)])
    expected = jackknifed(auc_jackknife(reading).values, left_out)
    assert auc_jackknife(reading).covariance == pytest.approx(expected.covariance, abs=1e-14)


@pytest.mark.parametrize("rows", [1, 2])
def test_one_reader_of_two_modalities_is_paired_delong(rows: int) -> None:
    reading = read(2, 1, 40, 2, rows=rows)
    figures = auc_figures(reading, "delong")
    expected = delong_paired(
        reading.rating[0, 0], reading.rating[1, 0], reading.positive, reading.patient
    )
    variance = figures.covariance[0, 0] + figures.covariance[1, 1] - 2 * figures.covariance[0, 1]
    difference = figures.values[0, 0] - figures.values[1, 0]
    assert difference == pytest.approx(expected.difference)
    assert difference / np.sqrt(variance) == pytest.approx(expected.statistic)


def success(score: Floats, positive: Bools) -> Floats:
    ones, zeros = score[positive][:, None], score[~positive][None, :]
    return (ones > zeros) + (ones == zeros) / 2


def test_unbiased_covariance_is_the_u_statistic_by_enumeration() -> None:
    reading = read(1, 2, 10, 3)
    first, second = (success(score, reading.positive) for score in reading.rating[0])
    m, n = first.shape
    terms = [
        first[i, j] * second[k, q]
        for i, k in product(range(m), repeat=2)
        for j, q in product(range(n), repeat=2)
        if i != k and j != q
    ]
    found = auc_unbiased(reading)
    expected = first.mean() * second.mean() - np.mean(terms)
    assert found.covariance[0, 1] == pytest.approx(expected, abs=1e-14)


def test_mean_of_readers_has_the_one_shot_variance() -> None:
    reading = read(1, 4, 40, 4)
    figures = auc_unbiased(reading)
    parts = components(figures)
    assert parts.cov2 > 0  # otherwise the two differ by the truncation at zero
    values = figures.values[0]
    expected_products = np.outer(values, values) - figures.covariance
    apart = ~np.eye(4, dtype=bool)
    one_shot = values.mean() ** 2 - expected_products[apart].mean()
    assert single_modality(parts, 0).error ** 2 == pytest.approx(one_shot, abs=1e-14)


def test_covariances_agree_in_large_samples() -> None:
    reading = read(2, 2, 2000, 5)
    jackknife, delong, unbiased = (
        auc_figures(reading, one).covariance for one in ("jackknife", "delong", "unbiased")
    )
    assert delong == pytest.approx(jackknife, rel=0.01)
    assert unbiased == pytest.approx(jackknife, rel=0.01)


def test_variance_over_many_studies_is_the_estimated_one() -> None:
    studies = [auc_unbiased(read(1, 1, 60, 10_000 + seed, readers_vary=0.0)) for seed in range(600)]
    estimated = np.mean([figures.covariance[0, 0] for figures in studies])
    seen = np.var([figures.values[0, 0] for figures in studies], ddof=1)
    assert estimated == pytest.approx(seen, rel=0.2)  # 3.5 Monte Carlo errors


@given(st.permutations(range(3)), st.permutations(range(4)))
@settings(max_examples=10, deadline=None)
def test_names_of_modalities_and_readers_are_nothing(
    modalities: list[int], readers: list[int]
) -> None:
    reading = read(3, 4, 40, 6, gain=0.4)
    moved = Reading(
        rating=reading.rating[modalities][:, readers],
        positive=reading.positive,
        patient=reading.patient,
    )
    before, after = (analyse(auc_figures(one)).comparison for one in (reading, moved))
    assert before is not None
    assert after is not None
    assert after.p_value == pytest.approx(before.p_value, abs=1e-12)
    assert sorted(abs(one.value) for one in after.contrasts) == pytest.approx(
        sorted(abs(one.value) for one in before.contrasts)
    )


def test_monotone_transform_of_ratings_changes_nothing() -> None:
    reading = read(2, 3, 40, 7)
    moved = Reading(
        rating=np.exp(reading.rating), positive=reading.positive, patient=reading.patient
    )
    assert analyse(auc_figures(reading)).comparison == analyse(auc_figures(moved)).comparison


def test_random_readers_and_cases_give_the_widest_interval() -> None:
    parts = components(auc_figures(read(2, 4, 60, 8)))
    assert parts.cov2 > parts.cov3
    errors = {
        inference: compare(parts, inference).contrasts[0].error
        for inference in (CASES, READERS, "random readers, random cases")
    }
    assert errors["random readers, random cases"] >= errors[READERS]


def test_one_modality_has_means_and_no_comparison() -> None:
    study = analyse(auc_figures(read(1, 3, 40, 9)))
    assert study.comparison is None
    assert study.means[0].lower < study.means[0].value < study.means[0].upper
    with pytest.raises(ValueError, match="two modalities"):
        compare(study.parts)


def test_modalities_read_alike_differ_by_nothing() -> None:
    once = read(1, 3, 40, 10).rating
    reading = read(1, 3, 40, 10)
    twice = Reading(
        rating=np.concatenate([once, once]), positive=reading.positive, patient=reading.patient
    )
    comparison = analyse(auc_figures(twice)).comparison
    assert comparison is not None
    assert (comparison.contrasts[0].value, comparison.p_value) == (0.0, 1.0)


def test_perfect_readers_have_a_degenerate_but_defined_interval() -> None:
    positive = np.arange(20) % 2 == 0
    rating = np.tile(positive.astype(float), (2, 3, 1))
    study = analyse(auc_figures(Reading(rating=rating, positive=positive, patient=np.arange(20))))
    assert (study.means[0].lower, study.means[0].upper) == (1.0, 1.0)


def test_constant_ratings_are_worth_one_half() -> None:
    reading = read(2, 2, 20, 1)
    flat = Reading(
        rating=np.ones_like(reading.rating), positive=reading.positive, patient=reading.patient
    )
    assert auc_figures(flat).values == pytest.approx(np.full((2, 2), 0.5))


def test_non_inferiority_follows_the_interval() -> None:
    contrast = compare(components(auc_figures(read(2, 4, 60, 11)))).contrasts[0]
    assert beyond_margin(contrast, -contrast.lower) == pytest.approx(0.025)
    assert beyond_margin(contrast, -contrast.lower + 0.01) < 0.025


def test_standalone_device_is_compared_with_the_mean_reader() -> None:
    reading = read(1, 5, 60, 12)
    figures = auc_figures(reading)
    device = figures.values[0, 4]
    found = against_standalone(figures.values[0, :4], device, figures.covariance)
    assert found.value == pytest.approx(figures.values[0, :4].mean() - device)
    swapped = against_standalone(
        figures.values[0, [2, 0, 3, 1]],
        device,
        figures.covariance[np.ix_([2, 0, 3, 1, 4], [2, 0, 3, 1, 4])],
    )
    assert swapped.error == pytest.approx(found.error)


def test_device_that_copies_every_reader_differs_by_nothing() -> None:
    reading = read(1, 1, 40, 13)
    rating = np.repeat(reading.rating, 4, axis=1)
    figures = auc_figures(
        Reading(rating=rating, positive=reading.positive, patient=reading.patient)
    )
    found = against_standalone(figures.values[0, :3], figures.values[0, 3], figures.covariance)
    assert (found.value, found.error) == pytest.approx((0.0, 0.0), abs=1e-9)


def test_specificity_is_the_share_of_negatives_not_called() -> None:
    reading = read(2, 3, 40, 14)
    called = reading.rating >= 2
    figures = specificity_figures(called, reading.positive, reading.patient)
    assert figures.values == pytest.approx(1 - called[:, :, ~reading.positive].mean(axis=2))
    assert figures.patients == int((~reading.positive).sum())


def test_any_figure_of_merit_may_be_analysed_by_its_jackknife() -> None:
    reading = read(2, 3, 30, 15)
    left_out = np.array([without(reading, one) for one in range(30)])
    figures = jackknifed(auc_figures(reading).values, left_out)
    expected = analyse(auc_figures(reading)).comparison
    found = analyse(figures).comparison
    assert found is not None
    assert expected is not None
    assert found.p_value == pytest.approx(expected.p_value)


def test_studies_that_cannot_be_analysed_are_refused() -> None:
    positive, patient = np.array([True, False, True]), np.arange(3)
    with pytest.raises(ValueError, match="positive and negative"):
        Reading(rating=np.ones((1, 2, 3)), positive=np.ones(3, dtype=bool), patient=patient)
    with pytest.raises(ValueError, match="fully crossed"):
        Reading(rating=np.ones((2, 3)), positive=positive, patient=patient)
    with pytest.raises(UndefinedScoreError):
        Reading(rating=np.full((1, 2, 3), np.nan), positive=positive, patient=patient)
    with pytest.raises(ValueError, match="two readers"):
        analyse(auc_figures(read(2, 1, 20, 1)))
    with pytest.raises(ValueError, match="all positive or all negative"):
        auc_figures(Reading(rating=np.ones((1, 2, 3)), positive=positive, patient=patient))
    with pytest.raises(ValueError, match="one row a patient"):
        auc_figures(read(1, 2, 20, 1, rows=2), "unbiased")
    with pytest.raises(ValueError, match="two patients"):
        sensitivity_figures(np.ones((1, 2, 3), dtype=bool), np.array([True, False, False]), patient)
    with pytest.raises(ValueError, match="defined figure"):
        Figures(values=np.array([[np.nan, 1.0]]), covariance=np.eye(2), patients=3, method="given")
