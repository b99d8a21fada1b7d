"""What users run today for bootstrap intervals of subgroup metrics: CPU seconds a resample."""

import time
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
import torch
from fairlearn.metrics import MetricFrame
from numpy.typing import NDArray
from scipy import stats
from sklearn import metrics as sk
from torchmetrics.classification import (
    BinaryAccuracy,
    BinaryAUROC,
    BinaryAveragePrecision,
    BinaryF1Score,
    BinaryPrecision,
    BinaryRecall,
    BinarySpecificity,
)
from torchmetrics.wrappers import BootStrapper

THRESHOLD = 0.5
Floats, Ints = NDArray[np.float64], NDArray[np.int64]
Rival = Callable[[Floats, Ints, Ints], float]  # score, outcome, group -> CPU seconds a resample
FEW = {"fairlearn": 2, "scikit-learn": 4, "scipy": 4, "torchmetrics": 4}  # resamples that they run
_METRICS = {
    "auroc": sk.roc_auc_score,
    "auprc": sk.average_precision_score,
    "sensitivity": sk.recall_score,
    "specificity": partial(sk.recall_score, pos_label=0),
    "ppv": sk.precision_score,
    "accuracy": sk.accuracy_score,
    "f1": sk.f1_score,
}
_RANKED = {"auroc", "auprc"}
_TORCH = (
    BinaryAUROC,
    BinaryAveragePrecision,
    BinaryRecall,
    BinarySpecificity,
    BinaryPrecision,
    BinaryAccuracy,
    BinaryF1Score,
)


def _all_metrics(outcome: Ints, score: Floats, axis: int = -1) -> Floats:
    del axis  # one resample at a time
    called = (score >= THRESHOLD).astype(np.int64)
    return np.array(
        [metric(outcome, score if name in _RANKED else called) for name, metric in _METRICS.items()]
    )


def _loop(score: Floats, outcome: Ints, group: Ints) -> float:
    draws = np.random.default_rng(1)
    begun = time.process_time()
    for inside in _members(group):
        for _ in range(FEW["scikit-learn"]):
            chosen = draws.choice(inside, len(inside))
            _all_metrics(outcome[chosen], score[chosen])
    return (time.process_time() - begun) / FEW["scikit-learn"]


def _scipy(score: Floats, outcome: Ints, group: Ints) -> float:
    begun = time.process_time()
    for inside in _members(group):
        stats.bootstrap(
            (outcome[inside], score[inside]),
            _all_metrics,
            paired=True,
            vectorized=False,
            n_resamples=FEW["scipy"],
            method="percentile",
            rng=np.random.default_rng(1),
        )
    return (time.process_time() - begun) / FEW["scipy"]


def _torchmetrics(score: Floats, outcome: Ints, group: Ints) -> float:
    torch.set_num_threads(1)
    begun = time.process_time()
    for inside in _members(group):
        preds, target = torch.tensor(score[inside]), torch.tensor(outcome[inside])
        for metric in _TORCH:
            found = BootStrapper(
                metric(validate_args=False),
                num_bootstraps=FEW["torchmetrics"],
                sampling_strategy="multinomial",
            )
            found.update(preds, target)
            found.compute()
    return (time.process_time() - begun) / FEW["torchmetrics"]


def _fairlearn(score: Floats, outcome: Ints, group: Ints) -> float:
    return (
        _frames(score, outcome, group, FEW["fairlearn"]) - _frames(score, outcome, group, None)
    ) / FEW["fairlearn"]


def _frames(score: Floats, outcome: Ints, group: Ints, resamples: int | None) -> float:
    called = (score >= THRESHOLD).astype(np.int64)
    begun = time.process_time()
    for names, predicted in ((_RANKED, score), (_METRICS.keys() - _RANKED, called)):
        MetricFrame(
            metrics={name: _METRICS[name] for name in names},
            y_true=outcome,
            y_pred=predicted,
            sensitive_features=pd.Series(group, name="group"),
            n_boot=resamples,
            ci_quantiles=None if resamples is None else [0.025, 0.975],
            random_state=None if resamples is None else 1,
        )
    return time.process_time() - begun


def _members(group: Ints) -> list[Ints]:
    return [np.flatnonzero(group == one) for one in np.unique(group)]


OTHERS: dict[str, Rival] = {
    "fairlearn": _fairlearn,
    "scikit-learn": _loop,
    "scipy": _scipy,
    "torchmetrics": _torchmetrics,
}
