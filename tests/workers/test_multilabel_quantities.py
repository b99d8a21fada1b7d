import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from proctor_workers.metrics.metric import Plan
from proctor_workers.metrics.multilabel import METRICS, label_columns
from proctor_workers.metrics.sample import Design, Sample
from proctor_workers.statistics.arrays import Bools, Floats

CONSECUTIVE = Design(kind="consecutive", weighted=False)
DECIDED = sorted(name for name, metric in METRICS.items() if metric.needs == "labels")


def labelled(n: int, labels: int, seed: int) -> tuple[Bools, Bools, Floats]:
    rng = np.random.default_rng(seed)
    truth = rng.random((n, labels)) < 0.3
    truth[0], truth[1] = True, False
    score = rng.random((n, labels)) + 0.5 * truth
    return truth, score > 0.7, score


def sample(truth: Bools, **columns: Bools | Floats) -> Sample:
    n = len(truth)
    return Sample(
        patient=np.arange(n),
        weight=np.ones(n),
        stratum=np.zeros(n, dtype=np.int64),
        columns={"truth": truth, **columns},
    )


def value(name: str, truth: Bools, called: Bools) -> float:
    return METRICS[name].point(sample(truth, called=called), CONSECUTIVE)


@given(st.integers(8, 50), st.integers(1, 5), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_formulas_equal_scikit_learn(n: int, labels: int, seed: int) -> None:
    truth, called, _ = labelled(n, labels, seed)
    expected = {
        "subset_accuracy": float((truth == called).all(axis=1).mean()),
        "hamming_loss": sk.hamming_loss(truth, called),
    }
    if labels > 1:  # one column would be taken for a binary task
        expected["subset_accuracy"] = sk.accuracy_score(truth, called)
        for average in ("macro", "micro"):
            found = sk.precision_recall_fscore_support(
                truth, called, average=average, zero_division=0
            )
            for name, one in zip(("precision", "recall", "f1"), found[:3], strict=True):
                expected[f"label_{average}_{name}"] = one
    for name, one in expected.items():
        if name == "label_micro_precision" and not called.any():
            continue
        assert value(name, truth, called) == pytest.approx(one, abs=1e-12), name


@pytest.mark.filterwarnings("ignore")
def test_formulas_equal_torchmetrics() -> None:
    import torch
    from torchmetrics.functional import classification as tm

    truth, called, _ = labelled(200, 4, 1)
    first, second = torch.tensor(called.astype(int)), torch.tensor(truth.astype(int))
    expected = {
        "label_macro_f1": tm.multilabel_f1_score(first, second, 4, average="macro"),
        "label_micro_f1": tm.multilabel_f1_score(first, second, 4, average="micro"),
        "hamming_loss": tm.multilabel_hamming_distance(first, second, 4, average="micro"),
        "subset_accuracy": tm.multilabel_exact_match(first, second, 4),
    }
    for name, one in expected.items():
        assert value(name, truth, called) == pytest.approx(float(one), abs=1e-6), name


def test_areas_equal_scikit_learn_and_count_by_patient() -> None:
    truth, _, score = labelled(80, 3, 2)
    drawn = sample(truth, scores=score)
    for average in ("macro", "micro"):
        metric = METRICS[f"label_{average}_auroc"]
        found = metric.estimate(drawn, Plan(design=CONSECUTIVE))
        assert found.value == pytest.approx(sk.roc_auc_score(truth, score, average=average))
        assert (found.n, found.patients) == (80, 80)
        assert metric.influence(drawn, CONSECUTIVE).shape == (80,)


@given(st.permutations(range(4)), st.integers(0, 100))
@settings(max_examples=15, deadline=None)
def test_order_of_the_labels_is_nothing(order: list[int], seed: int) -> None:
    truth, called, _ = labelled(40, 4, seed)
    for name in DECIDED:
        moved = value(name, truth[:, order], called[:, order])
        assert moved == pytest.approx(value(name, truth, called), abs=1e-12), name


def test_label_without_case_and_call_leaves_its_mean_undefined() -> None:
    truth = np.array([[True, False], [False, False]])
    called = np.array([[True, False], [True, False]])
    assert np.isnan(value("label_macro_f1", truth, called))
    assert np.isnan(value("label_macro_recall", truth, called))
    assert value("label_micro_f1", truth, called) == pytest.approx(2 / 3)


def test_label_never_called_counts_nothing_as_precision() -> None:
    truth = np.array([[True, True], [False, False]])
    called = np.array([[True, False], [False, False]])
    assert value("label_macro_precision", truth, called) == pytest.approx(0.5)


@pytest.mark.parametrize("shape", [(3,), (3, 0), (3, 3)])
def test_shapes_that_do_not_fit_are_refused(shape: tuple[int, ...]) -> None:
    truth = np.zeros((3, 2), dtype=bool) if shape == (3, 3) else np.zeros(shape, dtype=bool)
    with pytest.raises(ValueError, match="each row and label"):
        label_columns(truth, np.zeros(shape, dtype=bool), np.ones(3))
