"""Follow-up times as every survival quantity reads them, and the product limits made from them.

Ties: at one time events come first, censorings after them, so that a patient censored at t counts
as at risk for an event at t. A censoring weight of an event at t is 1 / G(t-), of a row still
followed after t it is 1 / G(t).
"""

from dataclasses import dataclass

import numpy as np

from proctor_workers.statistics.arrays import Bools, Floats, Ints, compiled, group_sums
from proctor_workers.statistics.checks import NotEstimableError, codes, require_finite


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """Rows ordered by (time, event before censoring); `order` brings other columns in line.

    `slot` is the place of a row's time among the distinct `times`, `patient` is 0..patients-1.
    """

    time: Floats
    event: Bools
    patient: Ints
    weight: Floats
    patients: int
    times: Floats
    slot: Ints
    order: Ints

    def __len__(self) -> int:
        return len(self.time)

    @property
    def last(self) -> float:
        """The longest follow-up."""
        return float(self.times[-1])

    @property
    def clustered(self) -> bool:
        """Whether a patient has more than one row."""
        return self.patients < len(self)

    @property
    def weighted(self) -> bool:
        """Whether the rows count unequally."""
        return bool(np.any(self.weight != self.weight[0]))

    def slots_until(self, time: float) -> int:
        """Return how many distinct times are at or before `time`.

        Raises:
            ValueError: the time is negative or not finite.
            NotEstimableError: no row is followed beyond it.
        """
        if not (np.isfinite(time) and time >= 0):
            raise ValueError("a time is a finite number of at least 0")
        if time >= self.last:
            raise NotEstimableError(
                f"nobody is followed beyond {time:g}, the last is {self.last:g}"
            )
        return int(np.searchsorted(self.times, time, side="right"))

    def column(self, values: Floats, name: str) -> Floats:
        """Return a column given in the caller's row order in this order; infinities may rank.

        Raises:
            ValueError: another length, or NaN.
        """
        if np.any(np.isnan(values)):
            raise ValueError(f"{name} holds NaN")
        if len(values) != len(self):
            raise ValueError(f"{name} has {len(values)} rows, the follow-up {len(self)}")
        return np.ascontiguousarray(values[self.order], dtype=np.float64)

    def by_patient(self, row: Floats) -> Floats:
        """Add rows up to (patients,)."""
        return group_sums(row, self.patient, self.patients)[:, 0]


def follow_up(time: Floats, event: Bools, patient: Ints, weight: Floats | None = None) -> FollowUp:
    """Order rows by time; `patient` may be any integers, `weight` are sampling weights.

    Raises:
        ValueError: unequal lengths, times that are negative or not finite, weights that are not
            above zero.
        NotEstimableError: no rows.
    """
    if len(time) == 0:
        raise NotEstimableError("there are no rows")
    given = np.ones(len(time)) if weight is None else weight
    require_finite(time=time, weight=given)
    if not len(time) == len(event) == len(patient) == len(given):
        raise ValueError("time, event, patient and weight are not equally long")
    if np.any(time < 0):
        raise ValueError("a follow-up time is negative")
    if np.any(given <= 0):
        raise ValueError("a weight is not above zero")
    code, patients = codes(patient)
    order = np.lexsort((~event, time)).astype(np.int64)
    times, slot = np.unique(time[order], return_inverse=True)
    return FollowUp(
        time=np.ascontiguousarray(time[order], dtype=np.float64),
        event=np.ascontiguousarray(event[order]),
        patient=np.ascontiguousarray(code[order]),
        weight=np.ascontiguousarray(given[order], dtype=np.float64),
        patients=patients,
        times=times,
        slot=slot.astype(np.int64),
        order=order,
    )


@compiled
def tally(slot: Ints, event: Bools, mass: Floats, counts: Floats) -> None:
    """Fill counts (3, slots + 1): events, censorings, and those still followed, by slot."""
    slots = counts.shape[1] - 1
    counts[:] = 0.0
    for row in range(len(slot)):
        if event[row]:
            counts[0, slot[row]] += mass[row]
        else:
            counts[1, slot[row]] += mass[row]
    for place in range(slots - 1, -1, -1):
        counts[2, place] = counts[2, place + 1] + counts[0, place] + counts[1, place]


@compiled
def event_free(counts: Floats, survival: Floats) -> None:
    """Fill Kaplan and Meier's S just after each slot (JASA 1958;53:457)."""
    running = 1.0
    for place in range(len(survival)):
        if counts[0, place] > 0:
            running *= (counts[1, place] + counts[2, place + 1]) / counts[2, place]
        survival[place] = running


@compiled
def uncensored(counts: Floats, before: Floats) -> None:
    """Fill the censoring's product limit G (slots + 1,) just before each slot.

    Entry k is the product over the first k slots: G(t-) of an event in slot k, and G(t) of a time
    that has k slots at or before it.
    """
    running = 1.0
    for place in range(len(before) - 1):
        before[place] = running
        if counts[1, place] > 0:
            running *= counts[2, place + 1] / (counts[1, place] + counts[2, place + 1])
    before[len(before) - 1] = running


def whole_tally(data: FollowUp) -> Floats:
    """Return the tally with every patient counted once."""
    counts = np.empty((3, len(data.times) + 1))
    tally(data.slot, data.event, data.weight, counts)
    return counts


def whole_uncensored(data: FollowUp) -> Floats:
    """Return G (slots + 1,) with every patient counted once."""
    before = np.empty(len(data.times) + 1)
    uncensored(whole_tally(data), before)
    return before


def whole_survival(data: FollowUp) -> Floats:
    """Return S (slots,) with every patient counted once."""
    survival = np.empty(len(data.times))
    event_free(whole_tally(data), survival)
    return survival


def through_censoring(data: FollowUp, part: Floats, slots: Ints) -> Floats:
    """Return how each row's weight moves a sum of parts, through their censoring weights.

    Row i's `part` (rows,) is what it adds to the sum; it contains the factor 1 / G over the first
    `slots[i]` slots. The derivative of log G by a row's weight is that of a product limit.
    """
    counts = whole_tally(data)
    size = len(data.times)
    sums = np.bincount(slots, weights=part, minlength=size + 1)
    beyond = np.cumsum(sums[::-1])[::-1][1:]  # parts whose G contains the slot
    censored, left = counts[1, :-1], counts[2, 1:]
    known = left > 0
    own = np.divide(beyond, left, out=np.zeros(size), where=known)
    shared = np.divide(beyond * censored, left * (left + censored), out=np.zeros(size), where=known)
    passed = np.concatenate(([0.0], np.cumsum(shared)))
    exposed = data.slot + ~data.event  # a censored row is at risk in its own slot, an event not
    moved: Floats = np.where(data.event, 0.0, own[data.slot]) - passed[exposed]
    return moved * data.weight


def through_survival(data: FollowUp, part: Floats) -> Floats:
    """Return how each row's weight moves a sum over slots of part (slots,) times log S(slot)."""
    counts = whole_tally(data)
    size = len(data.times)
    beyond = np.cumsum(part[::-1])[::-1]
    events, left = counts[0, :-1], counts[1, :-1] + counts[2, 1:]
    known = left > 0
    own = np.divide(beyond, left, out=np.zeros(size), where=known)
    shared = np.divide(beyond * events, left * (left + events), out=np.zeros(size), where=known)
    passed = np.cumsum(shared)
    moved: Floats = passed[data.slot] - np.where(data.event, own[data.slot], 0.0)
    return moved * data.weight
