"""Subgroup metrics with bootstrap intervals against the loops that people write today."""

import time
import warnings
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from fairlearn.metrics import MetricFrame
from numpy.typing import NDArray
from sklearn import metrics as sk
from tests.bench.record import Row, paired

from proctor_workers.metrics.estimate import Plan, estimate
from proctor_workers.metrics.sample import Design, Sample

ROWS, GROUPS, RESAMPLES, THRESHOLD = 10_000, 30, 2_000, 0.5
OURS = ("auroc", "auprc", "sensitivity", "specificity", "ppv", "accuracy", "f1")
THEIRS = {
    "auroc": sk.roc_auc_score,
    "auprc": sk.average_precision_score,
    "sensitivity": sk.recall_score,
    "specificity": partial(sk.recall_score, pos_label=0),
    "ppv": sk.precision_score,
    "accuracy": sk.accuracy_score,
    "f1": sk.f1_score,
}
RANKED = {"auroc", "auprc"}
FEW_LOOPS, FEW_FRAMES = 4, 2  # resamples that the slow ones run; the rest is scaled


@dataclass(frozen=True, slots=True)
class Cohort:
    """Scores and outcomes of `ROWS` patients in `GROUPS` groups."""

    score: NDArray[np.float64]
    outcome: NDArray[np.int64]
    group: NDArray[np.int64]

    def proctor(self) -> float:
        """Time every metric in every group with BCa intervals."""
        begun = time.perf_counter()
        design = Design(kind="consecutive", weighted=False)
        plan = Plan(design=design, method="bootstrap_bca", resamples=RESAMPLES, seed=1)
        whole = Sample(
            patient=np.arange(ROWS),
            positive=self.outcome == 1,
            score=self.score,
            call=self.score >= THRESHOLD,
            weight=np.ones(ROWS),
            stratum=np.zeros(ROWS, dtype=np.int64),
        )
        for group in range(GROUPS):
            sample = whole.take(self.group == group)
            for name in OURS:
                if estimate(name, sample, plan).lower is None:
                    raise RuntimeError(f"{name} has no interval in group {group}")
        return time.perf_counter() - begun

    def loop(self) -> float:
        """Time scikit-learn on a few resamples of each group, scaled."""
        draws = np.random.default_rng(1)
        begun = time.perf_counter()
        for group in range(GROUPS):
            inside = np.flatnonzero(self.group == group)
            for _ in range(FEW_LOOPS):
                chosen = draws.choice(inside, len(inside))
                score, outcome = self.score[chosen], self.outcome[chosen]
                called = (score >= THRESHOLD).astype(np.int64)
                for name, metric in THEIRS.items():
                    metric(outcome, score if name in RANKED else called)
        return (time.perf_counter() - begun) * RESAMPLES / FEW_LOOPS

    def frame(self) -> float:
        """Time fairlearn's MetricFrame on a few resamples, less its time for none, scaled."""
        return (self._frame(FEW_FRAMES) - self._frame(None)) * RESAMPLES / FEW_FRAMES

    def _frame(self, resamples: int | None) -> float:
        called = (self.score >= THRESHOLD).astype(np.int64)
        begun = time.perf_counter()
        for names, predicted in (
            (RANKED, self.score),
            (THEIRS.keys() - RANKED, called),
        ):
            MetricFrame(
                metrics={name: THEIRS[name] for name in names},
                y_true=self.outcome,
                y_pred=predicted,
                sensitive_features=pd.Series(self.group, name="group"),
                n_boot=resamples,
                ci_quantiles=None if resamples is None else [0.025, 0.975],
                random_state=None if resamples is None else 1,
            )
        return time.perf_counter() - begun


def rows() -> list[Row]:
    """Compare on one cohort; compile first."""
    warnings.simplefilter("ignore")
    draws = np.random.default_rng(20261121)
    outcome = (draws.random(ROWS) < 0.4).astype(np.int64)
    score = np.clip(draws.normal(0.4 + 0.2 * outcome, 0.2), 0.001, 0.999)
    cohort = Cohort(score, outcome, np.arange(ROWS) % GROUPS)
    cohort.proctor()
    return [
        _row("measurement_speed", cohort, "loop", "scikit-learn in a loop", FEW_LOOPS),
        _row("measurement_speed_fairlearn", cohort, "frame", "fairlearn MetricFrame", FEW_FRAMES),
    ]


def _row(name: str, cohort: Cohort, other: str, told: str, few: int) -> Row:
    found = paired(cohort.proctor, getattr(cohort, other))
    return Row(
        id=name,
        what=f"{GROUPS} groups x {len(OURS)} metrics x {RESAMPLES:,} resamples at n = {ROWS:,}, "
        "BCa intervals, one thread; theirs are percentiles",
        unit="s",
        ours=found.ours,
        reference=found.reference,
        reference_name=f"{told}, {few} resamples run and scaled",
        ratio=found.ratio,
        interval=found.interval,
    )
