from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk
from statsmodels.stats.contingency_tables import SquareTable
from statsmodels.stats.inter_rater import cohens_kappa

from proctor_workers.metrics.metric import FormulaOfSums, Plan
from proctor_workers.metrics.multiclass import (
    TABLES,
    TableFormula,
    confusion_columns,
    f1,
    one_hot,
    precision,
    recall,
    tables,
    top_k,
    top_k_hits,
)
from proctor_workers.metrics.sample import Design, Sample
from proctor_workers.statistics.arrays import Floats, Ints
from proctor_workers.statistics.auc import patient_auc
from proctor_workers.statistics.categories import (
    NONE,
    UndefinedScoreError,
    UnknownCategoryError,
    category_codes,
)
from proctor_workers.statistics.contingency import (
    agreement_weights,
    bowker,
    kappa_estimate,
    stuart_maxwell,
)
from proctor_workers.statistics.hypotheses import mcnemar
from proctor_workers.statistics.pairwise_auc import (
    hand_till,
    hand_till_batch,
    mean_auc,
    mean_auc_batch,
    tie_groups,
)


def labelled(n: int, k: int, seed: int) -> tuple[Ints, Ints]:
    """Return reference and called categories; every category has a case."""
    rng = np.random.default_rng(seed)
    truth = np.concatenate([np.arange(k), rng.integers(0, k, n - k)])
    called = np.where(rng.random(n) < 0.6, truth, rng.integers(0, k, n))
    return truth, called


def scored(truth: Ints, k: int, seed: int, levels: int | None = None) -> Floats:
    """Return probabilities (n, k); `levels` makes ties."""
    rng = np.random.default_rng(seed)
    score = rng.random((len(truth), k)) + 0.7 * np.eye(k)[truth]
    if levels:
        score = np.round(score * levels) + 1
    return score / score.sum(axis=1, keepdims=True)


CONSECUTIVE = Design(kind="consecutive", weighted=False)


def sample(truth: Ints, called: Ints, k: int) -> Sample:
    n = len(truth)
    return Sample(
        patient=np.arange(n),
        weight=np.ones(n),
        stratum=np.zeros(n, dtype=np.int64),
        columns={"truth": one_hot(truth, k), "called": one_hot(called, k)},
    )


def value(name: str, truth: Ints, called: Ints, k: int) -> float:
    return TABLES[name].point(sample(truth, called, k), CONSECUTIVE)


def sums(truth: Ints, called: Ints, k: int) -> Floats:
    return confusion_columns(truth, called, k, np.ones(len(truth))).sum(axis=0)


def by_patient(first: Ints, second: Ints, patient: Ints, k: int) -> Floats:
    columns = confusion_columns(first, second, k, np.ones(len(first)))
    found = np.zeros((patient.max() + 1, k * k))
    np.add.at(found, patient, columns)
    return found.reshape(-1, k, k)


@given(st.integers(12, 60), st.integers(2, 5), st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_formulas_equal_scikit_learn(n: int, k: int, seed: int) -> None:
    truth, called = labelled(n, k, seed)
    names = list(range(k))
    expected = {
        "category_accuracy": sk.accuracy_score(truth, called),
        "macro_recall": sk.balanced_accuracy_score(truth, called),
        "category_mcc": sk.matthews_corrcoef(truth, called),
        "kappa": sk.cohen_kappa_score(truth, called, labels=names),
        "kappa_linear": sk.cohen_kappa_score(truth, called, labels=names, weights="linear"),
        "kappa_quadratic": sk.cohen_kappa_score(truth, called, labels=names, weights="quadratic"),
    }
    for average in ("macro", "micro", "weighted"):
        found = sk.precision_recall_fscore_support(
            truth, called, labels=names, average=average, zero_division=0
        )
        for name, one in zip(("precision", "recall", "f1"), found[:3], strict=True):
            expected[f"{average}_{name}"] = one
    for name, one in expected.items():
        assert value(name, truth, called, k) == pytest.approx(one, abs=1e-12), name


@pytest.mark.filterwarnings("ignore")
def test_formulas_equal_torchmetrics() -> None:
    import torch
    from torchmetrics.functional import classification as tm

    truth, called = labelled(300, 4, 1)
    first, second = torch.tensor(called), torch.tensor(truth)
    expected = {
        "kappa": tm.multiclass_cohen_kappa(first, second, 4),
        "kappa_linear": tm.multiclass_cohen_kappa(first, second, 4, weights="linear"),
        "kappa_quadratic": tm.multiclass_cohen_kappa(first, second, 4, weights="quadratic"),
        "category_mcc": tm.multiclass_matthews_corrcoef(first, second, 4),
        "macro_f1": tm.multiclass_f1_score(first, second, 4, average="macro"),
        "weighted_precision": tm.multiclass_precision(first, second, 4, average="weighted"),
    }
    for name, one in expected.items():
        assert value(name, truth, called, 4) == pytest.approx(float(one), abs=1e-6)


@given(st.integers(2, 6), st.sampled_from([None, 3]), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_areas_equal_scikit_learn(k: int, levels: int | None, seed: int) -> None:
    truth = labelled(60, k, seed)[0]
    score = scored(truth, k, seed, levels)
    patient = np.arange(60)
    pairs = hand_till(score, truth, patient, 60)
    rest = mean_auc(score, np.eye(k, dtype=bool)[truth], patient, 60)
    if k == 2:
        expected = (sk.roc_auc_score(truth, score[:, 1]),) * 2
    else:
        expected = tuple(
            sk.roc_auc_score(truth, score, multi_class=way, average="macro")
            for way in ("ovo", "ovr")
        )
    assert (pairs.value, rest.value) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("rows_per_patient", [1, 3])
def test_area_of_two_classes_is_the_binary_one(rows_per_patient: int) -> None:
    truth = labelled(60, 2, 3)[0]
    high = scored(truth, 2, 3)[:, 1]
    patient = np.arange(60) // rows_per_patient
    patients = 60 // rows_per_patient
    expected = patient_auc(high, truth == 1, patient, patients)
    found = hand_till(np.column_stack([-high, high]), truth, patient, patients)
    assert (found.value, found.variance) == pytest.approx((expected.auc, expected.variance))


@pytest.mark.parametrize("levels", [None, 2])
def test_drawing_a_patient_twice_is_having_its_rows_twice(levels: int | None) -> None:
    k, patient = 3, np.arange(48) // 2
    truth = labelled(48, k, 5)[0]
    score = scored(truth, k, 5, levels)
    times = np.random.default_rng(5).integers(0, 3, (1, 24))
    rows = np.repeat(np.arange(48), times[0, patient])
    order, starts = tie_groups(score)
    pairs, rest = np.empty(1), np.empty(1)
    ones = np.ones(48)
    hand_till_batch(order, starts, truth, ones, patient, times, pairs)
    of_class = np.eye(k, dtype=bool)[truth]
    mean_auc_batch(order, starts, of_class.T.copy(), ones, patient, times, rest)
    assert pairs[0] == pytest.approx(hand_till(score[rows], truth[rows], patient[rows], 24).value)
    assert rest[0] == pytest.approx(mean_auc(score[rows], of_class[rows], patient[rows], 24).value)


def test_class_that_is_not_drawn_leaves_the_areas_undefined() -> None:
    truth = np.array([0, 1, 2, 0, 1])
    order, starts = tie_groups(scored(truth, 3, 1))
    pairs, rest = np.empty(1), np.empty(1)
    times, patient, ones = np.array([[2, 1, 0, 1, 1]]), np.arange(5), np.ones(5)
    hand_till_batch(order, starts, truth, ones, patient, times, pairs)
    mean_auc_batch(
        order, starts, np.eye(3, dtype=bool)[:, truth].copy(), ones, patient, times, rest
    )
    assert np.isnan(pairs[0])
    assert np.isnan(rest[0])


def test_variance_of_the_area_is_the_jackknife_to_first_order() -> None:
    truth = labelled(300, 4, 8)[0]
    score, patient = scored(truth, 4, 8), np.arange(300) // 2
    found = hand_till(score, truth, patient, 150)
    without = np.array(
        [
            hand_till(
                score[patient != one], truth[patient != one], patient[patient != one], 150
            ).value
            for one in range(150)
        ]
    )
    jackknife = np.sum((without - without.mean()) ** 2) * 149 / 150
    assert found.variance == pytest.approx(jackknife, rel=0.03)


def test_constant_scores_order_nothing() -> None:
    truth = labelled(30, 3, 2)[0]
    found = hand_till(np.full((30, 3), 1 / 3), truth, np.arange(30), 30)
    assert (found.value, found.variance) == (0.5, 0.0)


@given(st.permutations(range(4)), st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_renaming_categories_permutes_and_changes_nothing_else(
    renamed: list[int], seed: int
) -> None:
    truth, called = labelled(50, 4, seed)
    score, place = scored(truth, 4, seed, 4), np.array(renamed)
    before, after = sums(truth, called, 4), sums(place[truth], place[called], 4)
    for name, metric in TABLES.items():
        if not (isinstance(metric, TableFormula) and metric.ordered):
            expected = value(name, truth, called, 4)
            found = value(name, place[truth], place[called], 4)
            assert found == pytest.approx(expected, abs=1e-12), name
    for of_each in (recall, precision, f1):
        assert of_each(after)[place] == pytest.approx(of_each(before), abs=1e-12)
    moved = np.empty_like(score)
    moved[:, place] = score
    patient = np.arange(50)
    first, second = (
        hand_till(score, truth, patient, 50),
        hand_till(moved, place[truth], patient, 50),
    )
    assert first.value == pytest.approx(second.value, abs=1e-12)
    assert first.variance == pytest.approx(second.variance, abs=1e-12)


def test_merging_categories_adds_their_cells() -> None:
    truth, called = labelled(80, 4, 3)
    whole = tables(sums(truth, called, 4))
    positive, call = truth == 2, called == 2
    merged = tables(sums(positive.astype(np.int64), call.astype(np.int64), 2))
    rest = [0, 1, 3]
    assert merged[1, 1] == whole[2, 2]
    assert merged[0, 1] == whole[rest, 2].sum()
    assert merged[0, 0] == whole[np.ix_(rest, rest)].sum()


def test_sums_of_resamples_go_through_the_formulas_at_once() -> None:
    truth, called = labelled(60, 3, 9)
    columns = confusion_columns(truth, called, 3, np.ones(60))
    drawn = np.random.default_rng(1).integers(0, 60, (5, 60))
    stacked = np.array([columns[rows].sum(axis=0) for rows in drawn])
    for metric in TABLES.values():
        if isinstance(metric, FormulaOfSums):
            singly = [float(metric.formula(one)) for one in stacked]
            assert metric.formula(stacked) == pytest.approx(singly, nan_ok=True, abs=1e-14)


def test_category_without_cases_leaves_unweighted_means_undefined() -> None:
    labels = (np.array([0, 0, 1, 1]), np.array([0, 1, 1, 2]), 3)
    for name in ("macro_recall", "macro_precision", "macro_f1"):
        assert np.isnan(value(name, *labels)), name
        assert "no case" in (TABLES[name].refusal(sample(*labels), CONSECUTIVE) or "")
    assert value("weighted_recall", *labels) == 0.5
    assert value("category_accuracy", *labels) == 0.5


def test_category_never_called_has_no_precision_to_be_proud_of() -> None:
    labels = (np.array([0, 0, 1, 2]), np.array([0, 0, 1, 1]), 3)
    assert precision(sums(*labels)) == pytest.approx([1.0, 0.5, 0.0])
    assert value("macro_precision", *labels) == pytest.approx(0.5)


@pytest.mark.parametrize("name", ["kappa", "kappa_linear", "kappa_quadratic", "category_mcc"])
def test_one_category_only_leaves_chance_corrected_quantities_undefined(name: str) -> None:
    nothing = np.zeros(6, dtype=np.int64)
    assert np.isnan(value(name, nothing, nothing, 3))


def test_kappa_of_one_category_only_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="kappa is undefined"):
        kappa_estimate(np.eye(9)[[0] * 5].reshape(-1, 3, 3), agreement_weights(3, "identity"))


@given(st.integers(3, 5), st.integers(0, 500))
@settings(max_examples=15, deadline=None)
def test_kappa_errors_equal_statsmodels(k: int, seed: int) -> None:
    truth, called = labelled(80, k, seed)
    table = tables(sums(truth, called, k))
    for scheme, weighting in (("identity", None), ("linear", "linear"), ("quadratic", "quadratic")):
        expected = cohens_kappa(table, wt=weighting)
        found = kappa_estimate(
            by_patient(truth, called, np.arange(80), k), agreement_weights(k, scheme)
        )
        assert found.value == pytest.approx(expected.kappa, abs=1e-12)
        assert found.error == pytest.approx(expected.std_kappa, abs=1e-12)
        assert found.null_error == pytest.approx(expected.std_kappa0, abs=1e-12)


def test_repeating_every_row_does_not_narrow_kappa() -> None:
    truth, called = labelled(40, 3, 4)
    weights = agreement_weights(3, "linear")
    once = kappa_estimate(by_patient(truth, called, np.arange(40), 3), weights)
    thrice = kappa_estimate(
        by_patient(np.repeat(truth, 3), np.repeat(called, 3), np.repeat(np.arange(40), 3), 3),
        weights,
    )
    assert thrice.value == pytest.approx(once.value)
    assert thrice.error == pytest.approx(once.error * np.sqrt(40 / 39))


@given(st.integers(3, 5), st.integers(0, 500))
@settings(max_examples=15, deadline=None)
def test_symmetry_and_margin_tests_equal_statsmodels(k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, k, 400), rng.integers(0, k, 400)
    patients = by_patient(first, second, np.arange(400), k)
    reference = SquareTable(patients.sum(axis=0), shift_zeros=False)
    for found, expected in (
        (bowker(patients), reference.symmetry()),
        (stuart_maxwell(patients), reference.homogeneity()),
    ):
        assert (found.statistic, found.p_value, found.df) == pytest.approx(
            (expected.statistic, expected.pvalue, expected.df), abs=1e-9
        )


def test_margin_test_of_two_categories_is_mcnemars() -> None:
    first, second = labelled(90, 2, 6)
    found = stuart_maxwell(by_patient(first, second, np.arange(90), 2))
    b, c = int(np.sum((first == 1) & (second == 0))), int(np.sum((first == 0) & (second == 1)))
    assert found.statistic == pytest.approx(mcnemar(b, c, corrected=False).statistic)


def test_margin_test_counts_patients_and_not_their_rows() -> None:
    first, second = labelled(60, 3, 7)
    once = by_patient(first, second, np.arange(60), 3)
    found, repeated = stuart_maxwell(once), stuart_maxwell(4 * once)
    assert repeated.statistic == pytest.approx(found.statistic)


def test_margin_test_of_equal_labellings_shows_nothing() -> None:
    truth = labelled(30, 3, 1)[0]
    patients = by_patient(truth, truth, np.arange(30), 3)
    assert (bowker(patients).p_value, stuart_maxwell(patients).p_value) == (1.0, 1.0)


@given(st.integers(1, 4), st.integers(0, 500))
@settings(max_examples=15, deadline=None)
def test_top_k_equals_scikit_learn_without_ties(k: int, seed: int) -> None:
    truth = labelled(40, 5, seed)[0]
    score = scored(truth, 5, seed)
    expected = sk.top_k_accuracy_score(truth, score, k=k, labels=range(5))
    assert top_k_hits(score, truth, k).mean() == pytest.approx(expected)


def test_ties_at_the_edge_of_the_top_share_its_places() -> None:
    score = np.array([[0.4, 0.3, 0.3], [0.2, 0.4, 0.4], [1 / 3, 1 / 3, 1 / 3]])
    assert top_k_hits(score, np.array([1, 1, 0]), 2) == pytest.approx([0.5, 1.0, 2 / 3])


def test_top_k_with_shared_places_has_bootstrap_limits() -> None:
    truth = labelled(60, 4, 3)[0]
    for levels, method in ((None, "Clopper-Pearson"), (2, "patient bootstrap")):
        drawn = replace(
            sample(truth, truth, 4),
            columns={"truth": one_hot(truth, 4), "scores": scored(truth, 4, 3, levels)},
        )
        found = top_k(2).estimate(drawn, Plan(design=CONSECUTIVE, resamples=200))
        assert found.method.startswith(method)
        assert found.value == pytest.approx(top_k_hits(drawn["scores"], truth, 2).mean())


def test_quantities_bound_to_prevalence_are_refused_after_case_control_sampling() -> None:
    drawn = sample(*labelled(40, 3, 1), 3)
    design = Design(kind="case_control", weighted=False)
    for metric in TABLES.values():
        found = metric.estimate(drawn, Plan(design=design, resamples=200))
        assert (found.value is None) is metric.prevalence_bound
        assert not metric.prevalence_bound or "refused" in (found.reason or "")


def test_labels_follow_the_protocols_order_whatever_the_data_has() -> None:
    labels = ["b", "c", "a", None]
    assert category_codes(labels, ["a", "b", "c"]).tolist() == [1, 2, 0, NONE]
    assert category_codes(labels, ["c", "b", "a"]).tolist() == [1, 0, 2, NONE]


@pytest.mark.parametrize(
    ("labels", "categories"), [(["a", "x"], ["a", "b"]), (["a"], ["a", "b", "a"])]
)
def test_unknown_or_repeated_category_is_a_named_error(
    labels: list[str], categories: list[str]
) -> None:
    with pytest.raises(UnknownCategoryError):
        category_codes(labels, categories)


def test_error_of_an_unknown_category_does_not_tell_it() -> None:
    with pytest.raises(UnknownCategoryError) as caught:
        category_codes(["secret diagnosis"], ["a", "b"])
    assert "secret" not in caught.value.message + caught.value.cure


@pytest.mark.parametrize("bad", [-1, 3])
def test_code_outside_the_categories_is_a_named_error(bad: int) -> None:
    good, wrong = np.array([0, 1, 2]), np.array([0, 1, bad])
    for truth, called in ((good, wrong), (wrong, good)):
        with pytest.raises(UnknownCategoryError):
            confusion_columns(truth, called, 3, np.ones(3))


def test_single_category_is_no_classification() -> None:
    with pytest.raises(UnknownCategoryError, match="two categories"):
        confusion_columns(np.zeros(3, dtype=np.int64), np.zeros(3, dtype=np.int64), 1, np.ones(3))


def test_area_without_cases_of_a_class_is_refused() -> None:
    with pytest.raises(ValueError, match="every class"):
        hand_till(np.ones((4, 3)), np.array([0, 1, 0, 1]), np.arange(4), 4)


def test_score_that_is_no_number_is_a_named_error() -> None:
    score, truth = np.array([[0.1, np.nan], [0.5, 0.5]]), np.array([0, 1])
    for measured in (
        lambda: hand_till(score, truth, np.arange(2), 2),
        lambda: top_k_hits(score, truth, 1),
        lambda: mean_auc(score, np.eye(2, dtype=bool), np.arange(2), 2),
    ):
        with pytest.raises(UndefinedScoreError):
            measured()
