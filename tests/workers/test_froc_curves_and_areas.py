"""FROC, AFROC, wAFROC and patients' ROC: MONAI, plain definitions, and every left-out patient."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.metrics import compute_froc_curve_data, compute_froc_score
from sklearn.metrics import roc_auc_score

from proctor_workers.metrics.detection import areas, froc, intervals, responses
from proctor_workers.metrics.detection.responses import FreeResponse
from proctor_workers.statistics.arrays import Floats, Ints
from proctor_workers.statistics.bootstrap import jackknife_influence

RATES = np.array(froc.RATES)


def made(
    seed: int, patients: int = 12, images: int = 30, *, weighted: bool = False
) -> FreeResponse:
    """Random responses with equal scores, patients of several images, and weights if asked for."""
    rng = np.random.default_rng(seed)
    patient = np.concatenate([np.arange(patients), rng.integers(0, patients, images - patients)])
    diseased = np.flatnonzero(rng.random(images) < 0.6)
    lesion_image = np.sort(rng.choice(diseased, 2 * len(diseased)))
    score = np.round(rng.normal(1, 1, len(lesion_image)), 1)
    score[rng.random(len(score)) < 0.3] = -np.inf
    false_image = np.sort(rng.integers(0, images, 4 * images))
    given = rng.random(len(lesion_image)) + 0.1
    total = np.bincount(lesion_image, weights=given, minlength=images)
    return FreeResponse(
        patient=patient,
        weight=rng.random(images) + 0.5 if weighted else np.ones(images),
        lesion_image=lesion_image,
        lesion_weight=given / total[lesion_image],
        lesion_score=score,
        false_image=false_image,
        false_score=np.round(rng.normal(0, 1, len(false_image)), 1),
        failed=np.zeros(images, dtype=bool),
    )


def once(response: FreeResponse) -> Ints:
    return np.ones((1, response.patients), dtype=np.int64)


def all_but_one(response: FreeResponse) -> Ints:
    return 1 - np.eye(response.patients, dtype=np.int64)


def monai_curve(response: FreeResponse) -> tuple[Floats, Floats]:
    """MONAI leaves its lowest threshold out: a false mark below all others takes that place."""
    hit = response.lesion_score[response.lesion_score > -np.inf]
    false = np.append(response.false_score, -1e9)
    return compute_froc_curve_data(false, hit, len(response.lesion_image), len(response.patient))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_curve_equals_monai(seed: int) -> None:
    response = made(seed)
    false, found = monai_curve(response)
    curve = froc.curve(response)
    np.testing.assert_allclose(curve.nlf, false[::-1], atol=1e-12)
    np.testing.assert_allclose(curve.llf, found[::-1], atol=1e-12)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_mean_sensitivity_equals_monai(seed: int) -> None:
    response = made(seed)
    expected = compute_froc_score(*monai_curve(response), eval_thresholds=froc.RATES)
    assert froc.sensitivity(response, RATES)[-1] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_sensitivity_is_read_from_the_curve(*, weighted: bool) -> None:
    response = made(4, weighted=weighted)
    curve = froc.curve(response)
    expected = np.interp(RATES, curve.nlf, curve.llf)
    np.testing.assert_allclose(froc.sensitivity(response, RATES)[:-1], expected, atol=1e-12)


def test_operating_point_lies_on_the_curve() -> None:
    response = made(5)
    curve = froc.curve(response)
    hits, lesions, false, images = froc.at_threshold(response, curve.threshold[7]).sum(axis=0)
    assert (false / images, hits / lesions) == pytest.approx((curve.nlf[7], curve.llf[7]))


def copied(response: FreeResponse, times: Ints) -> FreeResponse:
    """Return the response in which each patient's images stand as often as it was drawn."""
    source = np.repeat(np.arange(len(response.patient)), times[response.patient])
    lesions = [np.flatnonzero(response.lesion_image == one) for one in source]
    false = [np.flatnonzero(response.false_image == one) for one in source]
    at, by = np.concatenate(lesions), np.concatenate(false)
    new = np.arange(len(source))
    return FreeResponse(
        patient=new,
        weight=response.weight[source],
        lesion_image=np.repeat(new, [len(one) for one in lesions]),
        lesion_weight=response.lesion_weight[at],
        lesion_score=response.lesion_score[at],
        false_image=np.repeat(new, [len(one) for one in false]),
        false_score=response.false_score[by],
        failed=response.failed[source],
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_a_resample_of_the_curve_is_the_copied_data_set(*, weighted: bool) -> None:
    response = made(6, weighted=weighted)
    times = np.random.default_rng(1).multinomial(12, np.full(12, 1 / 12), size=6)
    values = np.empty((6, len(RATES) + 1))
    froc.sensitivities(response, RATES)(times, values)
    expected = [froc.sensitivity(copied(response, row), RATES) for row in times]
    np.testing.assert_allclose(values, expected, atol=1e-12)


@pytest.mark.parametrize("share", [False, True])
def test_a_resample_of_the_area_is_the_copied_data_set(*, share: bool) -> None:
    response = made(7, weighted=True)
    times = np.random.default_rng(2).multinomial(12, np.full(12, 1 / 12), size=6)
    values = np.empty((6, 1))
    areas.areas(areas.afroc(response, weighted=share))(times, values)
    expected = [areas.area(areas.afroc(copied(response, row), weighted=share)) for row in times]
    np.testing.assert_allclose(values[:, 0], expected, atol=1e-12)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_sensitivity_without_each_patient(*, seed: int, weighted: bool) -> None:
    response = made(seed, weighted=weighted)
    values = np.empty((response.patients, len(RATES) + 1))
    froc.sensitivities(response, RATES)(all_but_one(response), values)
    found = froc.sensitivities_without(response, RATES)
    np.testing.assert_allclose(found, values, atol=1e-9)


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("share", [False, True])
def test_area_without_each_patient(*, every: bool, share: bool) -> None:
    ratings = areas.afroc(made(8, weighted=True), weighted=share, every_image=every)
    values = np.empty((ratings.patients, 1))
    areas.areas(ratings)(all_but_one(made(8)), values)
    np.testing.assert_allclose(areas.areas_without(ratings), values, atol=1e-12)


def plain_afroc(response: FreeResponse, *, weighted: bool, every: bool) -> float:
    """Compare every lesion with every image, as the definition has it."""
    image = np.arange(len(response.patient))
    normal = image if every else np.setdiff1d(image, response.lesion_image)
    top = np.array(
        [max(response.false_score[response.false_image == k], default=-np.inf) for k in normal]
    )
    share = response.lesion_weight if weighted else np.ones(len(response.lesion_image))
    score = response.lesion_score
    wins = (score[:, None] > top[None, :]) + 0.5 * (score[:, None] == top[None, :])
    return float(np.sum(share[:, None] * wins) / (share.sum() * len(normal)))


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_areas_follow_their_definition(*, weighted: bool, every: bool) -> None:
    response = made(9)
    found = areas.area(areas.afroc(response, weighted=weighted, every_image=every))
    assert found == pytest.approx(plain_afroc(response, weighted=weighted, every=every), abs=1e-12)


def test_area_is_that_under_its_curve() -> None:
    ratings = areas.afroc(made(10), weighted=True)
    curve = areas.curve(ratings)
    assert np.trapezoid(curve.llf, curve.fpf) == pytest.approx(areas.area(ratings), abs=1e-12)


def test_patient_roc_equals_scikit_learn() -> None:
    response = made(11, patients=25, images=30)
    top = np.maximum(response.highest, -1e9)
    expected = roc_auc_score(response.diseased_patient, top)
    assert areas.area(areas.patient_roc(response)) == pytest.approx(expected, abs=1e-12)


def test_missing_outputs_count_as_missed_lesions_and_false_marks_up_to_the_cap() -> None:
    response = made(12)
    failed = np.zeros(len(response.patient), dtype=bool)
    failed[[response.lesion_image[0], 3]] = True
    worst = responses.with_failures(response, failed, cap=5)
    hits, _, false, images = froc.at_threshold(worst, np.inf).sum(axis=0)
    assert (hits, false, images) == (0, 10, 30)
    assert np.all(worst.lesion_score[worst.lesion_image == response.lesion_image[0]] == -np.inf)
    assert np.all(froc.sensitivity(worst, RATES) <= froc.sensitivity(response, RATES))


def test_missing_outputs_put_a_patient_at_the_wrong_end() -> None:
    response = made(13, patients=30)
    worst = responses.with_failures(response, np.ones(30, dtype=bool), cap=5)
    expected = np.where(response.diseased_patient, -np.inf, np.inf)
    np.testing.assert_array_equal(worst.highest, expected)


def test_no_lesions_leave_the_sensitivity_undefined() -> None:
    response = made(14)
    bare = replace(
        response,
        lesion_image=np.zeros(0, dtype=np.int64),
        lesion_weight=np.zeros(0),
        lesion_score=np.zeros(0),
    )
    assert np.isnan(froc.sensitivity(bare, RATES)).all()
    assert np.isnan(areas.area(areas.afroc(bare, weighted=True)))


def test_no_marks_find_nothing_and_rate_everything_equal() -> None:
    response = made(15)
    silent = replace(
        response,
        lesion_score=np.full(len(response.lesion_score), -np.inf),
        false_image=np.zeros(0, dtype=np.int64),
        false_score=np.zeros(0),
    )
    assert np.all(froc.sensitivity(silent, RATES) == 0.0)
    assert areas.area(areas.afroc(silent, weighted=True)) == 0.5


def test_no_images_are_undefined() -> None:
    none, nothing = np.zeros(0, dtype=np.int64), np.zeros(0)
    empty = FreeResponse(
        patient=none,
        weight=nothing,
        lesion_image=none,
        lesion_weight=nothing,
        lesion_score=nothing,
        false_image=none,
        false_score=nothing,
        failed=none.astype(bool),
    )
    assert np.isnan(froc.sensitivity(empty, RATES)).all()
    assert np.isnan(areas.area(areas.patient_roc(empty)))


def shuffled(response: FreeResponse, seed: int) -> FreeResponse:
    rng = np.random.default_rng(seed)
    lesion, false = (
        rng.permutation(len(response.lesion_image)),
        rng.permutation(len(response.false_image)),
    )
    return replace(
        response,
        lesion_image=response.lesion_image[lesion],
        lesion_weight=response.lesion_weight[lesion],
        lesion_score=response.lesion_score[lesion],
        false_image=response.false_image[false],
        false_score=response.false_score[false],
    )


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), order=st.integers(0, 10_000))
def test_order_of_rows_changes_no_byte(seed: int, order: int) -> None:
    response = made(seed)
    other = shuffled(response, order)
    assert froc.sensitivity(response, RATES).tobytes() == froc.sensitivity(other, RATES).tobytes()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_rising_transforms_of_scores_change_nothing(seed: int) -> None:
    response = made(seed)
    risen = replace(
        response,
        lesion_score=np.arctan(response.lesion_score) * 10 + 3,
        false_score=np.arctan(response.false_score) * 10 + 3,
    )
    lost = response.lesion_score == -np.inf
    risen.lesion_score[lost] = -np.inf
    assert froc.sensitivity(risen, RATES).tolist() == froc.sensitivity(response, RATES).tolist()
    pair = [areas.area(areas.afroc(one, weighted=True)) for one in (risen, response)]
    assert pair[0] == pair[1]


def part(response: FreeResponse, images: Ints) -> FreeResponse:
    _, patient = np.unique(response.patient[images], return_inverse=True)
    nobody = np.zeros(len(images), dtype=bool)
    return responses.taken(response, images, patient, response.weight[images], nobody)


def test_a_part_and_the_rest_make_the_whole() -> None:
    response = made(16)
    parts = [part(response, np.arange(11)), part(response, np.arange(29, 10, -1))]
    whole = sum(froc.at_threshold(one, 0.3).sum(axis=0) for one in parts)
    np.testing.assert_array_equal(whole, froc.at_threshold(response, 0.3).sum(axis=0))


def test_jackknife_limits_of_a_mean_are_students() -> None:
    values = np.random.default_rng(6).normal(size=20)
    influence = (values - values.mean()) / 20
    half = intervals.jackknife_spread(influence, np.zeros(20, dtype=np.int64))
    assert half == pytest.approx(2.093024054408263 * values.std(ddof=1) / np.sqrt(20))


def test_one_patient_has_no_jackknife_limits() -> None:
    assert np.isnan(intervals.jackknife_spread(np.zeros(1), np.zeros(1, dtype=np.int64)))


def test_limits_on_the_logit_stay_inside() -> None:
    lower, upper = intervals.on_the_logit(0.9, 0.15)
    assert 0 < lower < 0.9 < upper < 1
    assert intervals.on_the_logit(1.0, 0.0) is None


def test_limits_of_an_area_cover_it() -> None:
    truth = areas.area(areas.afroc(cohort(np.random.default_rng(0), 200_000), weighted=True))
    draw, covered = np.random.default_rng(1), 0
    for _ in range(400):
        ratings = areas.afroc(cohort(draw, 60), weighted=True)
        stratum = np.zeros(60, dtype=np.int64)
        influence = jackknife_influence(areas.areas_without(ratings)[:, 0], stratum)
        spread = intervals.jackknife_spread(influence, stratum)
        lower, upper = intervals.on_the_logit(areas.area(ratings), spread)
        covered += lower <= truth <= upper
    assert covered / 400 > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 400)


def cohort(draw: np.random.Generator, patients: int) -> FreeResponse:
    """Patients whose lesions and false marks are rated alike, half of them with lesions."""
    effect = draw.normal(0, 0.5, patients)
    lesions = np.where(draw.random(patients) < 0.5, 1 + draw.poisson(0.7, patients), 0)
    lesion = np.repeat(np.arange(patients), lesions)
    score = 1.3 + effect[lesion] + draw.normal(size=len(lesion))
    score[draw.random(len(lesion)) < 0.1] = -np.inf
    false = np.repeat(np.arange(patients), draw.poisson(0.8 * np.exp(effect)))
    return FreeResponse(
        patient=np.arange(patients),
        weight=np.ones(patients),
        lesion_image=lesion,
        lesion_weight=1 / lesions[lesion],
        lesion_score=score,
        false_image=false,
        false_score=effect[false] / 2 + draw.normal(size=len(false)),
        failed=np.zeros(patients, dtype=bool),
    )


def test_lesion_weights_add_up_to_one_on_an_image() -> None:
    response = responses.free_response(
        np.arange(2),
        (np.array([0, 0, 1]), np.array([False, False, False])),
        (np.array([0]), np.array([0.4]), np.array([1])),
        lesion_weight=np.array([1.0, 3.0, 5.0]),
    )
    assert response.lesion_weight.tolist() == [0.25, 0.75, 1.0]
    assert response.lesion_score.tolist() == [-np.inf, 0.4, -np.inf]


def test_lesion_weights_below_zero_are_refused() -> None:
    with pytest.raises(ValueError, match="lesion weights"):
        responses.free_response(
            np.arange(1),
            (np.array([0]), np.array([False])),
            (np.array([0]), np.array([0.4]), np.array([0])),
            lesion_weight=np.array([-1.0]),
        )
