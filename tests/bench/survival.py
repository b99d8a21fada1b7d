"""Concordance with a clustered interval against the points that people compute today."""

import time
import warnings
from collections.abc import Callable

import numpy as np
from lifelines.utils import concordance_index
from sksurv.metrics import concordance_index_censored
from tests.bench.record import Row, paired

from proctor_workers.metrics.survival.concordance import harrell, limits
from proctor_workers.metrics.survival.follow_up import follow_up

MANY, FEW = 20_000, 3_000  # scikit-survival compares all pairs


def rows() -> list[Row]:
    """Compare on one drawn follow-up, half of it censored; compile first."""
    warnings.simplefilter("ignore")
    return [
        _row("survival_concordance", MANY, "lifelines"),
        _row("survival_concordance_all_pairs", FEW, "scikit-survival"),
    ]


def _row(name: str, n: int, library: str) -> Row:
    draws = np.random.default_rng(20261121)
    risk = draws.normal(size=n)
    until, censored = draws.exponential(np.exp(-risk)), draws.exponential(1.0, n)
    times, events, patient = np.minimum(until, censored), until <= censored, np.arange(n)

    def ours() -> None:
        limits(harrell(follow_up(times, events, patient), risk))

    def theirs() -> None:
        if library == "lifelines":
            concordance_index(times, -risk, events)
        else:
            concordance_index_censored(events, times, risk)

    ours()
    found = paired(_timed(ours), _timed(theirs))
    return Row(
        id=name,
        what=f"Harrell's C at n = {n:,}: ours with its interval by patient, theirs the point alone",
        unit="s",
        ours=found.ours,
        reference=found.reference,
        reference_name=library,
        ratio=found.ratio,
        interval=found.interval,
    )


def _timed(run: Callable[[], None]) -> Callable[[], float]:
    def measured() -> float:
        begun = time.perf_counter()
        run()
        return time.perf_counter() - begun

    return measured
