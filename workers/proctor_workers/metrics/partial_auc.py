"""Part of the area under the ROC curve, and one rate where the other is given."""

from functools import partial
from typing import Literal

import numpy as np

from proctor_workers.metrics.calibration import once
from proctor_workers.metrics.roc import Scored, class_totals, rate_influence
from proctor_workers.metrics.statistic import Statistic
from proctor_workers.statistics.arrays import Bools, Floats, Ints, compiled, group_sums

Rate = Literal["specificity", "sensitivity"]
_SLACK = 1e-9  # 1 - .9 is not .1; a rate that misses its limit by less meets it


def partial_auc(
    data: Scored, low: float, high: float, *, over: Rate = "specificity", standardised: bool = False
) -> Statistic:
    """Return the area of the ROC curve over a range of specificity, or of sensitivity.

    Over sensitivity it is the area of specificity. The curve is linear between its points.
    Standardised, it lies at .5 for the diagonal and at 1 for a perfect curve (McClish, Med Decis
    Making 1989;9:190); below the diagonal it falls under .5. The influence is of the part's own
    rows, and of those that move the range's ends.

    Raises:
        ValueError: a range that does not rise within 0 and 1, or another rate.
    """
    if not 0 <= low < high <= 1:
        raise ValueError("a range of rates rises within 0 and 1")
    if over not in {"specificity", "sensitivity"}:
        raise ValueError("a partial area is over specificity or over sensitivity")
    rows = data if over == "specificity" else data.mirrored()
    start, end = 1 - high, 1 - low
    columns = (rows.group, rows.positive, rows.weight, rows.patient)
    least = (end**2 - start**2) / 2  # under the diagonal
    room = end - start - least
    loop = partial(_partial_batch, *columns, start, end, least, room if standardised else 0.0)
    value = once(loop, data.patients)
    if not standardised:
        influence = _partial_influence(rows, start, end, value)
    else:
        area = least + (2 * value - 1) * room
        influence = _partial_influence(rows, start, end, area) / (2 * room)
    return Statistic(value=value, loop=loop, influence=influence)


def _partial_influence(data: Scored, start: float, end: float, value: float) -> Floats:
    """Return each patient's influence: the density of the threshold cancels in the integral."""
    false_at, true_at = data.rates()
    first, last = false_at[:-1][data.group], false_at[1:][data.group]
    middle = (first + last) / 2
    ones, zeros = data.weight * data.positive, data.weight * ~data.positive
    row = ones * (np.clip(end - middle, 0, end - start) - value) / ones.sum()
    height = (true_at[:-1] + true_at[1:])[data.group] / 2
    at_start, at_end = np.interp([start, end], false_at, true_at)
    inside = (middle > start) & (middle <= end)
    above_start, above_end = middle <= start, middle <= end
    moved = height * inside - value
    moved += at_end * (end - above_end) - at_start * (start - above_start)
    row += zeros * moved / zeros.sum()
    return group_sums(row, data.patient, data.patients)[:, 0]


@compiled
def _partial_batch(  # noqa: PLR0913, PLR0917 - compiled loops take positions
    group: Ints,
    positive: Bools,
    weight: Floats,
    patient: Ints,
    start: float,
    end: float,
    least: float,
    room: float,
    times: Ints,
    values: Floats,
) -> None:
    rows = len(group)
    for repeat in range(times.shape[0]):
        zeros, ones = class_totals(positive, weight, patient, times[repeat])
        if zeros <= 0 or ones <= 0:
            values[repeat] = np.nan
            continue
        x0, y0, x1, y1, area = 0.0, 0.0, 0.0, 0.0, 0.0
        for row in range(rows):
            mass = weight[row] * times[repeat, patient[row]]
            if positive[row]:
                y1 += mass / ones
            else:
                x1 += mass / zeros
            if row + 1 < rows and group[row + 1] == group[row]:
                continue
            left, right = max(x0, start), min(x1, end)
            if right > left:
                slope = (y1 - y0) / (x1 - x0)
                area += (right - left) * (y0 + slope * ((left + right) / 2 - x0))
            x0, y0 = x1, y1
        values[repeat] = (1 + (area - least) / room) / 2 if room > 0 else area


def sensitivity_at(data: Scored, specificity: float) -> Statistic:
    """Return the greatest sensitivity of a threshold whose specificity is at least the given one.

    Limits are the bootstrap's (Platt, Hanley & Yang, Stat Med 2000;19:313).

    Raises:
        ValueError: a specificity outside [0, 1].
    """
    if not 0 <= specificity <= 1:
        raise ValueError("a rate lies within 0 and 1")
    loop = partial(
        _reached_batch, data.group, data.positive, data.weight, data.patient, 1 - specificity
    )
    influence = rate_influence(data, 1 - specificity)
    return Statistic(value=once(loop, data.patients), loop=loop, influence=influence)


def specificity_at(data: Scored, sensitivity: float) -> Statistic:
    """Return the greatest specificity of a threshold whose sensitivity is at least the given one.

    Raises:
        ValueError: a sensitivity outside [0, 1].
    """
    return sensitivity_at(data.mirrored(), sensitivity)


@compiled
def _reached_batch(
    group: Ints,
    positive: Bools,
    weight: Floats,
    patient: Ints,
    limit: float,
    times: Ints,
    values: Floats,
) -> None:
    rows = len(group)
    for repeat in range(times.shape[0]):
        zeros, ones = class_totals(positive, weight, patient, times[repeat])
        if zeros <= 0 or ones <= 0:
            values[repeat] = np.nan
            continue
        called_one, called_zero, reached = 0.0, 0.0, 0.0
        for row in range(rows):
            mass = weight[row] * times[repeat, patient[row]]
            if positive[row]:
                called_one += mass
            else:
                called_zero += mass
            if called_zero > (limit + _SLACK) * zeros:
                break
            if row + 1 == rows or group[row + 1] != group[row]:
                reached = called_one
        values[repeat] = reached / ones
