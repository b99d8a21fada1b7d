"""How often an interval holds the truth: one row a method and scenario, judged by fixed targets."""

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from proctor_workers.statistics.arrays import Floats

Limits = tuple[float | None, float | None]

FEWEST_OF_EXACT = 0.94
APPROXIMATE = (0.935, 0.965)
TAIL = 0.025
# An approximate method that is enumerated is given the slack of as many drawn cohorts.
ENUMERATED_AS = 10_000
_DECIMALS = 3  # shares are compared as they are printed: to a tenth of a per cent


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a row says before anything is counted.

    `decides` is the limit by which a criterion judges: lower, upper, or "" where none does.
    """

    method: str
    kind: str
    scenario: str
    n: int
    clusters: int
    decides: str = "lower"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One method in one scenario; `repetitions` is 0 where every sample was enumerated.

    `lower_error` is the share of intervals wholly above the truth, `upper_error` wholly below it;
    `undefined` the share of samples without an interval, which count in neither.
    """

    method: str
    kind: str
    scenario: str
    n: int
    clusters: int
    decides: str
    repetitions: int
    coverage: float
    lower_error: float
    upper_error: float
    mean_width: float
    undefined: float
    ok: bool
    why: str = ""


def enumerated(case: Case, found: Floats, truth: Floats, weight: Floats) -> Row:
    """Judge limits (samples, 2) of every sample there is, averaged over several truths.

    `weight` is (truths, samples): an approximate method's coverage jumps with the truth between
    two counts, and nobody's truth sits on such a jump.
    """
    return _tallied(case, found, truth, weight / len(truth), repetitions=0)


def repeated(
    case: Case,
    draw: Callable[[np.random.Generator], Limits],
    truth: float,
    *,
    repetitions: int,
) -> Row:
    """Draw a cohort and its limits again and again; the seed is the case's own words."""
    seed = zlib.crc32(f"{case.method}/{case.scenario}/{case.n}/{case.clusters}".encode())
    rng = np.random.default_rng(seed)
    found = np.array([draw(rng) for _ in range(repetitions)], dtype=np.float64)
    weight = np.full((1, repetitions), 1 / repetitions)
    return _tallied(case, found, np.array([truth]), weight, repetitions=repetitions)


def _tallied(case: Case, found: Floats, truth: Floats, weight: Floats, *, repetitions: int) -> Row:
    given = np.isfinite(found).all(axis=1)
    weight = weight * given
    share = float(weight.sum())
    # A limit that equals the truth up to rounding holds it.
    edge = 1e-9 * np.maximum(1.0, np.abs(truth))
    above = float(np.sum(weight * (found[None, :, 0] > (truth + edge)[:, None]))) / share
    below = float(np.sum(weight * (found[None, :, 1] < (truth - edge)[:, None]))) / share
    width = np.where(given, found[:, 1] - found[:, 0], 0.0)
    coverage = 1 - above - below
    return Row(
        method=case.method,
        kind=case.kind,
        scenario=case.scenario,
        n=case.n,
        clusters=case.clusters,
        decides=case.decides,
        repetitions=repetitions,
        coverage=coverage,
        lower_error=above,
        upper_error=below,
        mean_width=float(np.sum(weight * width[None, :])) / share,
        undefined=max(0.0, 1 - share),
        ok=meets(case, coverage, above, below, repetitions),
    )


def meets(
    case: Case, coverage: float, lower_error: float, upper_error: float, repetitions: int
) -> bool:
    """Judge by the targets: coverage of its kind, and the tail that a criterion rests on."""
    cohorts = repetitions or (ENUMERATED_AS if case.kind == "approximate" else 0)
    slack = 3 * math.sqrt(TAIL * (1 - TAIL) / cohorts) if cohorts else 0.0
    tail = {"lower": lower_error, "upper": upper_error, "": 0.0}[case.decides]
    if round(tail, _DECIMALS) > round(TAIL + slack, _DECIMALS):
        return False
    shown = round(coverage, _DECIMALS)
    if case.kind == "exact":
        return shown >= FEWEST_OF_EXACT
    return APPROXIMATE[0] <= shown <= APPROXIMATE[1]
