"""How much of a gap in decisions is a move along the ROC curve, and how much lies between curves.

A scanner's gain or offset, or another calibration, moves a group to another point of the same
curve: sensitivity and specificity change against each other and the area stays. A weaker signal
lowers the curve itself.
"""

from dataclasses import replace

import numpy as np

from proctor_workers.metrics.binary import METRICS
from proctor_workers.metrics.metric import Loop, Plan, Weighted
from proctor_workers.metrics.sample import Sample
from proctor_workers.statistics.arrays import Bools, Floats, Ints, compiled
from proctor_workers.subgroups.adjusted import TwoGaps, two_gaps
from proctor_workers.subgroups.quantities import drawable

_MATCHED = "matched"


def moved_threshold(
    name: str, sample: Sample, level: Bools, other: Bools, plan: Plan
) -> TwoGaps | None:
    """Compare the gap in sensitivity (or specificity) as it is and at equal specificity (or s.).

    `first` is level minus other at the device's decision; `second` the same with the level's
    threshold moved to where its other rate equals the other group's; `change` is what the move
    along the curve accounts for. Scores must rank as decisions do: the larger, the more positive.

    Raises:
        ValueError: the quantity is neither sensitivity nor specificity.
    """
    if name not in {"sensitivity", "specificity"}:
        raise ValueError("only sensitivity and specificity move along a curve")
    columns = {"positive": sample.positive, "score": sample.score, "call": sample.call}
    if name == "specificity":  # the same question with the classes' names exchanged
        columns = {
            "positive": ~sample.positive,
            "score": -sample.score,
            "call": ~sample.call,
        }
    turned = replace(sample, columns=columns | {"level": level})
    both = turned.take(level | other)
    rows = level[level | other]
    rate = drawable(METRICS["sensitivity"], both, plan)
    matched = drawable(Weighted(name=_MATCHED, loop=_matched_loop), both, plan)
    everyone = np.ones(len(both), dtype=np.bool_)
    opposite = rate.of(~rows)
    return two_gaps(
        (rate.of(rows), opposite),
        (matched.of(everyone), opposite),
        rate,
    )


def _matched_loop(sample: Sample) -> Loop:
    """Return the level's sensitivity at the other group's specificity, for draw counts."""
    code, _ = sample.codes()
    level = np.asarray(sample["level"], dtype=np.bool_)
    inside = np.flatnonzero(level)
    order = inside[np.argsort(-sample.score[inside], kind="stable")]
    against = np.flatnonzero(~level & ~sample.positive)
    own = (
        np.ascontiguousarray(sample.score[order]),
        np.ascontiguousarray(sample.positive[order]),
        np.ascontiguousarray(sample.weight[order]),
        np.ascontiguousarray(code[order]),
    )
    others = (
        np.ascontiguousarray(sample.call[against]),
        np.ascontiguousarray(sample.weight[against]),
        np.ascontiguousarray(code[against]),
    )

    def loop(times: Ints, values: Floats) -> None:
        _matched_batch(*own, *others, times, values)

    return loop


@compiled
def _matched_batch(  # noqa: PLR0913, PLR0917 - compiled loops take positions
    score: Floats,
    positive: Bools,
    weight: Floats,
    patient: Ints,
    other_call: Bools,
    other_weight: Floats,
    other_patient: Ints,
    times: Ints,
    values: Floats,
) -> None:
    for repeat in range(times.shape[0]):
        called, negatives = 0.0, 0.0
        for row in range(len(other_call)):
            mass = other_weight[row] * times[repeat, other_patient[row]]
            negatives += mass
            if other_call[row]:
                called += mass
        ones, zeros = 0.0, 0.0
        for row in range(len(score)):
            mass = weight[row] * times[repeat, patient[row]]
            if positive[row]:
                ones += mass
            else:
                zeros += mass
        if negatives <= 0 or ones <= 0 or zeros <= 0:
            values[repeat] = np.nan
        else:
            wanted = called / negatives * zeros
            values[repeat] = (
                _true_positives(score, positive, weight, patient, times[repeat], wanted) / ones
            )


@compiled
def _true_positives(
    score: Floats, positive: Bools, weight: Floats, patient: Ints, times: Ints, wanted: float
) -> float:
    """Walk down the scores until `wanted` false positives; ties are entered in proportion."""
    tp, fp, row = 0.0, 0.0, 0
    while row < len(score):
        tied, one, zero = score[row], 0.0, 0.0
        while row < len(score) and score[row] == tied:
            mass = weight[row] * times[patient[row]]
            if positive[row]:
                one += mass
            else:
                zero += mass
            row += 1
        if fp + zero > wanted:
            return tp + one * (wanted - fp) / zero
        tp += one
        fp += zero
    return tp
