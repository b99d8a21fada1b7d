"""Several quantities on the same draws of patients, so that any function of them has limits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from proctor_workers.statistics.arrays import Floats, Ints, Times
from proctor_workers.statistics.bootstrap import (
    ColumnSums,
    Kernel,
    Resampling,
    acceleration,
    bca_limits,
)

Loop = Callable[[Ints, Floats], None]  # draw counts (batch, patients) -> values (batch,)
Formula = Callable[[Floats], Floats]  # (..., k) -> (...)

_STEP = 1e-5  # relative, for the numeric derivative that only the acceleration needs


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A quantity of some rows of a cohort.

    `kernel` sees how often each of the cohort's patients is drawn, and `formula` makes the value
    of its outputs (..., k) -> (...). `influence` is each patient's (patients,), 0 for a patient
    without rows in it.
    """

    value: float
    kernel: Kernel
    formula: Formula
    influence: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """An estimate with limits; without limits, `reason` says why."""

    estimate: float
    lower: float | None = None
    upper: float | None = None
    reason: str | None = None

    def beyond(self, edge: float = 0.0) -> bool:
        """Whether the interval lies outside -edge to edge, on either side."""
        if self.lower is None or self.upper is None:
            return False
        return self.lower > edge or self.upper < -edge

    def within(self, edge: float) -> bool:
        """Whether the interval lies inside -edge to edge."""
        if self.lower is None or self.upper is None:
            return False
        return -edge < self.lower and self.upper < edge


def quantity_of_sums(sums: Floats, formula: Formula) -> Quantity:
    """Make a quantity of a formula of sums over the cohort's patients (patients, k)."""
    total = sums.sum(axis=0)
    value = float(formula(total))
    pull = value - formula(total - sums)
    return Quantity(
        value=value,
        kernel=ColumnSums(sums),
        formula=formula,
        influence=np.where(np.isfinite(pull), pull, 0.0),
    )


class _LoopOfSome:
    """A loop over the draw counts of some of the cohort's patients, as a kernel."""

    outputs = 1
    key: bytes | None = None

    def __init__(self, loop: Loop, patient: Ints) -> None:
        self.loop = loop
        self.patient = patient

    def fill(self, times: Times, values: Floats) -> None:
        """Hand the loop its patients' counts, one resample a row."""
        self.loop(times[self.patient].T.astype(np.int64, order="C"), values[0])


def quantity_of_loop(
    loop: Loop, influence: Floats, patient: Ints, patients: int, *, value: float
) -> Quantity:
    """Make a quantity of a loop over the draw counts of its own patients only.

    `patient` are their codes among the cohort's patients, `influence` theirs.
    """
    return Quantity(
        value=value,
        kernel=_LoopOfSome(loop, patient),
        formula=first_output,
        influence=among_all(influence, patient, patients),
    )


def first_output(values: Floats) -> Floats:
    """Return the first of a kernel's outputs (..., k)."""
    one: Floats = values[..., 0]
    return one


def among_all(influence: Floats, patient: Ints, patients: int) -> Floats:
    """Spread the influences of some patients over all of the cohort's; undefined ones are 0."""
    everyone = np.zeros(patients)
    everyone[patient] = np.where(np.isfinite(influence), influence, 0.0)
    return everyone


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedDraws:
    """Quantities (q,), their values in the same resamples (resamples, q) and influences."""

    values: Floats
    drawn: Floats
    influence: Floats
    stratum: Ints

    def difference(self, formula: Formula, level: float = 0.95) -> Difference:
        """Return a formula (..., q) -> (...) of the quantities with BCa limits.

        The acceleration takes the formula's derivative by central differences.
        """
        estimate = float(formula(self.values))
        if not np.isfinite(estimate):
            return Difference(estimate=estimate, reason="not estimable here")
        pull = np.sum(self.influence * self._gradient(formula), axis=1)
        accelerated = acceleration(pull, self.stratum)
        found = bca_limits(estimate, formula(self.drawn), accelerated, level)
        return Difference(
            estimate=estimate,
            lower=found.lower,
            upper=found.upper,
            reason=found.reason,
        )

    def _gradient(self, formula: Formula) -> Floats:
        step = _STEP * np.maximum(np.abs(self.values), 1e-3)
        step[~np.isfinite(step)] = 0.0
        moved = np.diag(step)
        rise = formula(self.values + moved) - formula(self.values - moved)
        slope = np.divide(rise, 2 * step, out=np.zeros_like(rise), where=step > 0)
        slope[~np.isfinite(slope)] = 0.0
        return slope


def shared_draws(quantities: Sequence[Quantity], plan: Resampling) -> SharedDraws:
    """Draw the patients once and compute every quantity in each resample."""
    parts = plan.replicate(*(quantity.kernel for quantity in quantities))
    drawn = [one.formula(part) for one, part in zip(quantities, parts, strict=True)]
    return SharedDraws(
        values=np.array([quantity.value for quantity in quantities]),
        drawn=np.column_stack(drawn),
        influence=np.column_stack([quantity.influence for quantity in quantities]),
        stratum=plan.stratum,
    )
