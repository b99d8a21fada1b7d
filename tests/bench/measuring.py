"""Metrics of subgroups with bootstrap intervals against what people run today; AUC variances."""

import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from tests.bench.record import ROOT, Row, paired
from tests.bench.resampling import FEW, OTHERS, THRESHOLD, Rival

from proctor_workers.metrics.binary import METRICS
from proctor_workers.metrics.metric import Plan
from proctor_workers.metrics.sample import Design, Sample
from proctor_workers.statistics.auc import delong_paired, patient_auc

GROUPS, RESAMPLES = 30, 2_000
ROWS = 100_000
MANY = 1_000_000
OURS = ("auroc", "auprc", "sensitivity", "specificity", "ppv", "accuracy", "f1")
GOALS = {"fairlearn": 5_000, "scikit-learn": 500, "scipy": 500, "torchmetrics": 500}
CLUSTERED_GOAL = 2.0
LINEAR_GOAL = 15.0  # ten times the rows; the caches of the machine hold fewer of them
MEMORY_GOAL_MB = 1_000
SORT_GOAL = 2.0


@dataclass(frozen=True, slots=True)
class Cohort:
    """Scores and outcomes of rows in `GROUPS` groups, some of one patient."""

    score: NDArray[np.float64]
    outcome: NDArray[np.int64]
    patient: NDArray[np.int64]

    @property
    def group(self) -> NDArray[np.int64]:
        """A patient's group."""
        return self.patient % GROUPS

    def measured(self) -> float:
        """Return the CPU seconds of every metric in every group with BCa limits."""
        begun = time.process_time()
        rows = len(self.score)
        whole = Sample(
            patient=self.patient,
            weight=np.ones(rows),
            stratum=np.zeros(rows, dtype=np.int64),
            columns={
                "positive": self.outcome == 1,
                "score": self.score,
                "call": self.score >= THRESHOLD,
            },
        )
        plan = Plan(
            design=Design(kind="consecutive", weighted=False),
            method="bootstrap_bca",
            resamples=RESAMPLES,
            seed=1,
        )
        for group in range(GROUPS):
            sample = whole.take(self.group == group)
            for name in OURS:
                found = METRICS[name].estimate(sample, replace(plan, stream=f"{group}"))
                if found.lower is None:
                    raise RuntimeError(f"{name} has no interval in group {group}")
        return time.process_time() - begun

    def rival(self, run: Rival) -> Callable[[], float]:
        """Return a measurement of another's CPU seconds, scaled to all resamples."""
        return lambda: run(self.score, self.outcome, self.group) * RESAMPLES


def made(rows: int, rows_a_patient: int = 1) -> Cohort:
    """Make a cohort of distinct scores."""
    draws = np.random.default_rng(20261121)
    outcome = (draws.random(rows) < 0.4).astype(np.int64)
    score = np.clip(draws.normal(0.4 + 0.2 * outcome, 0.2), 0.001, 0.999)
    return Cohort(score, outcome, np.arange(rows) // rows_a_patient)


def rows() -> list[Row]:
    """Compile, then compare; CPU seconds of one thread throughout."""
    warnings.simplefilter("ignore")
    made(9_000).measured()
    made(9_000, 3).measured()
    cohort = made(ROWS)
    found = [_against(name, run, cohort) for name, run in OTHERS.items()]
    return [*found, _small(), _clustered(cohort), _linear(cohort), _memory(), *_areas()]


def _told(n: int) -> str:
    return (
        f"{GROUPS} groups × {len(OURS)} metrics × {RESAMPLES:,} resamples at n = {n:,}, "
        "CPU time of one thread, BCa intervals"
    )


def _against(name: str, run: Rival, cohort: Cohort) -> Row:
    found = paired(cohort.measured, cohort.rival(run))
    return Row(
        id=f"bootstrap_{name.replace('-', '_')}",
        what=f"{_told(ROWS)}; theirs are percentiles",
        unit="s",
        ours=found.ours,
        reference=found.reference,
        reference_name=f"{name}, {FEW[name]} resamples run and scaled",
        ratio=found.ratio,
        interval=found.interval,
        goal=f"≥ {GOALS[name]:,} x",
        met=found.interval[0] >= GOALS[name],
    )


def _small() -> Row:
    cohort = made(10_000)
    found = paired(cohort.measured, cohort.rival(OTHERS["torchmetrics"]))
    return Row(
        id="bootstrap_10k",
        what=f"{_told(10_000)}; theirs are percentiles",
        unit="s",
        ours=found.ours,
        reference=found.reference,
        reference_name=f"torchmetrics, {FEW['torchmetrics']} resamples run and scaled",
        ratio=found.ratio,
        interval=found.interval,
    )


def _slower(id_: str, what: str, of: Cohort, than: Cohort, name: str, goal: float) -> Row:
    found = paired(than.measured, of.measured)
    return Row(
        id=id_,
        what=f"{what}; ratio: times as long",
        unit="s",
        ours=found.reference,
        reference=found.ours,
        reference_name=name,
        ratio=found.ratio,
        interval=found.interval,
        goal=f"≤ {goal:g} x",
        met=found.interval[1] <= goal,
    )


def _clustered(cohort: Cohort) -> Row:
    what = f"{_told(ROWS)}, three rows a patient"
    return _slower(
        "bootstrap_clustered", what, made(ROWS, 3), cohort, "one row a patient", CLUSTERED_GOAL
    )


def _linear(cohort: Cohort) -> Row:
    return _slower(
        "bootstrap_linear", _told(MANY), made(MANY), cohort, f"n = {ROWS:,}", LINEAR_GOAL
    )


def _memory() -> Row:
    """Measure in a process of its own: a peak is never given back."""
    program = "from tests.bench.measuring import peak_mb; print(peak_mb())"
    told = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT
    )
    peak = float(told.stdout)
    return Row(
        id="bootstrap_memory",
        what=f"{_told(MANY)}: peak resident memory, libraries included; one run",
        unit="MB",
        ours=peak,
        goal=f"≤ {MEMORY_GOAL_MB:,} MB",
        met=peak <= MEMORY_GOAL_MB,
    )


def peak_mb() -> float:
    """Return this process's peak of memory after a measurement of a million rows."""
    made(MANY).measured()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _areas() -> list[Row]:
    """Compare the variance of AUCs with sorting the same scores by NumPy."""
    cohort = made(MANY)
    other = cohort.score + np.random.default_rng(1).normal(0, 0.1, MANY)
    positive, alone = cohort.outcome == 1, np.arange(MANY)
    threes = alone // 3

    def sort() -> None:
        np.sort(cohort.score)

    def sort_both() -> None:
        np.sort(cohort.score)
        np.sort(other)

    rounded = np.round(cohort.score, 2)
    return [
        _sorted_row(
            "delong",
            "DeLong's AUC and variance",
            lambda: patient_auc(cohort.score, positive, alone, MANY),
            sort,
        ),
        _sorted_row(
            "delong_ties",
            "DeLong's AUC and variance, scores of two decimals",
            lambda: patient_auc(rounded, positive, alone, MANY),
            lambda: np.sort(rounded),
        ),
        _sorted_row(
            "delong_clustered",
            "Obuchowski's AUC and variance, three rows a patient",
            lambda: patient_auc(cohort.score, positive, threes, int(threes[-1]) + 1),
            sort,
        ),
        _sorted_row(
            "delong_paired",
            "DeLong's test of two scores",
            lambda: delong_paired(cohort.score, other, positive, alone),
            sort_both,
        ),
    ]


def _sorted_row(id_: str, what: str, ours: Callable[[], object], sort: Callable[[], object]) -> Row:
    ours()
    found = paired(_timed(sort), _timed(ours))
    return Row(
        id=id_,
        what=f"{what} at n = {MANY:,}; ratio: times as long",
        unit="ms",
        ours=found.reference * 1e3,
        reference=found.ours * 1e3,
        reference_name="np.sort of the same scores",
        ratio=found.ratio,
        interval=found.interval,
        goal=f"< {SORT_GOAL:g} x",
        met=found.interval[1] < SORT_GOAL,
    )


def _timed(run: Callable[[], object]) -> Callable[[], float]:
    def timed() -> float:
        begun = time.process_time()
        run()
        return time.process_time() - begun

    return timed
