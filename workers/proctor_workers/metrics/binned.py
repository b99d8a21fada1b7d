"""Ranges that each hold enough patients: the steps of figures that may be shown to everybody."""

import numpy as np

from proctor_workers.statistics.arrays import Floats, Ints, compiled
from proctor_workers.statistics.checks import codes


def binned(value: Floats, patient: Ints, least: int = 11) -> Floats:
    """Return the upper ends of right-closed ranges of `value` with at least `least` patients each.

    Equal values stay together; what is left at the top joins the last range. Fewer patients than
    `least` give no range. A patient with rows in several ranges counts in each.

    Raises:
        ValueError: unequal lengths, or `least` below 1.
    """
    if len(value) != len(patient):
        raise ValueError("value and patient are not equally long")
    if least < 1:
        raise ValueError("a range holds at least one patient")
    if not len(value):
        return np.empty(0)
    order = np.argsort(value, kind="stable")
    code, patients = codes(patient)
    ordered = value[order]
    ends = ordered[_last_rows(ordered, code[order], patients, least)]
    if len(ends):
        ends[-1] = ordered[-1]
    return ends


def range_of(value: Floats, ends: Floats) -> Ints:
    """Return the range 0..len(ends)-1 that each value lies in."""
    return np.searchsorted(ends, value, side="left").astype(np.int64)


@compiled
def _last_rows(value: Floats, patient: Ints, patients: int, least: int) -> Ints:
    found = np.empty(len(value), dtype=np.int64)
    seen = np.full(patients, -1)
    ranges, held = 0, 0
    for row in range(len(value)):
        if seen[patient[row]] != ranges:
            seen[patient[row]] = ranges
            held += 1
        complete = row + 1 == len(value) or value[row + 1] != value[row]
        if complete and held >= least:
            found[ranges] = row
            ranges += 1
            held = 0
    return found[:ranges]
