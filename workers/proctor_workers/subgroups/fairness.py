"""fairlearn's measures as point estimates beside what equality alone would give; no conclusion."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from fairlearn.metrics import (
    MetricFrame,
    equalized_odds_difference,
    false_positive_rate,
    selection_rate,
    true_positive_rate,
)

from proctor_workers.statistics.arrays import Bools, Floats, Ints
from proctor_workers.statistics.draws import Stream
from proctor_workers.statistics.permutation import Membership, membership

_DRAWS = 100
_RATES = ("true_positive_rate", "false_positive_rate", "selection_rate")


@dataclass(frozen=True, slots=True)
class FairnessMeasure:
    """A measure's value and its mean under equality given the reference status.

    None where it is undefined, such as a ratio of two zeros.
    """

    name: str
    value: float | None
    expected: float | None


def fairness_measures(
    positive: Bools, call: Bools, level: Bools, patient: Ints, *, names: list[str], stream: Stream
) -> list[FairnessMeasure]:
    """Compute difference and ratio over the levels (rows, levels) and equalized odds.

    Levels without both classes are left out; a row of several levels counts in each.
    """
    usable = [
        column
        for column in range(level.shape[1])
        if 0 < positive[level[:, column]].sum() < level[:, column].sum()
    ]
    if len(usable) < 2:
        return []
    inside = level[:, usable].any(axis=1)
    order = np.flatnonzero(inside)
    order = order[np.lexsort((positive[order], patient[order]))]
    member = level[order][:, usable]
    values = _by_fairlearn(positive[order], call[order], member, [names[one] for one in usable])
    expected = _expected(positive[order], call[order], member, patient[order], stream)
    return [
        FairnessMeasure(name, value if np.isfinite(value) else None, expected.get(name))
        for name, value in values.items()
    ]


def _by_fairlearn(
    positive: Bools, call: Bools, member: Bools, names: list[str]
) -> dict[str, float]:
    row, column = np.nonzero(member)
    truth, called = positive[row].astype(int), call[row].astype(int)
    groups = pd.Series(np.array(names)[column], name="level")
    rates = dict(
        zip(_RATES, (true_positive_rate, false_positive_rate, selection_rate), strict=True)
    )
    frame = MetricFrame(metrics=rates, y_true=truth, y_pred=called, sensitive_features=groups)
    difference, ratio = frame.difference(), frame.ratio()
    found: dict[str, float] = {}
    for name in _RATES:
        found[f"{name}_difference"] = float(difference[name])
        found[f"{name}_ratio"] = float(ratio[name])
    found["equalized_odds_difference"] = float(
        equalized_odds_difference(truth, called, sensitive_features=groups)
    )
    return found


def level_rates(positive: Bools, call: Bools, member: Bools) -> Floats:
    """Return true positive, false positive and selection rate of each level, (3, levels)."""
    cells = np.stack([positive & call, positive, ~positive & call, ~positive]).astype(np.float64)
    tp, p, fp, n = cells @ member
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.stack([tp / p, fp / n, (tp + fp) / (p + n)])


def spread_measures(rates: Floats) -> dict[str, float]:
    """Return max - min and min / max of each rate, and equalized odds."""
    high, low = rates.max(axis=1), rates.min(axis=1)
    found: dict[str, float] = {}
    for name, top, bottom in zip(_RATES, high, low, strict=True):
        found[f"{name}_difference"] = float(top - bottom)
        found[f"{name}_ratio"] = float(bottom / top) if top > 0 else 1.0
    found["equalized_odds_difference"] = max(
        found["true_positive_rate_difference"], found["false_positive_rate_difference"]
    )
    return found


def _expected(
    positive: Bools, call: Bools, member: Bools, patient: Ints, stream: Stream
) -> dict[str, float]:
    _, code = np.unique(patient, return_inverse=True)
    joined = membership(member, code.astype(np.int64), positive)
    totals: dict[str, list[float]] = {}
    for source in _shuffles(joined, stream):
        for name, value in spread_measures(level_rates(positive, call, member[source])).items():
            if np.isfinite(value):
                totals.setdefault(name, []).append(value)
    return {name: float(np.mean(values)) for name, values in totals.items()}


def _shuffles(joined: Membership, stream: Stream) -> Iterator[Ints]:
    """Yield, per draw, the row whose membership each row takes."""
    home = np.argsort(joined.kind, kind="stable")
    offset = np.arange(len(joined.patient)) - joined.first_row[joined.patient]
    if joined.constant:
        offset = np.zeros_like(offset)
    words = stream.words()
    for _ in range(_DRAWS):
        donor = np.empty(len(home), dtype=np.int64)
        donor[home] = np.lexsort((words.random_raw(len(home)), joined.kind))
        yield joined.first_row[donor[joined.patient]] + offset
