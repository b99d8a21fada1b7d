"""What the quantities of measured values share: closed-form limits, refusals, complete cases.

Columns: `value` and `reference`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from proctor_workers.metrics import regression
from proctor_workers.metrics.method_comparison import centre_of
from proctor_workers.metrics.metric import Estimate, FormulaOfSums, Weighted
from proctor_workers.metrics.sample import Design, Sample
from proctor_workers.statistics.arrays import Floats
from proctor_workers.statistics.proportions import Limits

FEWEST = 3
UNWEIGHTED = "not weighted by the sampling weights"


def analytic(
    sample: Sample,
    *,
    value: float,
    limits: Limits | None,
    method: str,
    weighted: bool = False,
    reason: str | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Estimate:
    """Return an estimate whose limits have a closed form; without limits a flag says why."""
    flags = [f"no interval: {reason}"] if reason else []
    if sample.weighted:
        flags.append("weighted by the sampling weights" if weighted else UNWEIGHTED)
    lower, upper = limits if limits is not None else (None, None)
    return Estimate(
        n=len(sample),
        patients=sample.patients,
        n_positive=None,
        method=method if limits is not None else "none",
        value=value,
        lower=lower,
        upper=upper,
        effective_n=float(sample.patients),
        flags=tuple(flags),
        extra=extra or {},
    )


def too_few(sample: Sample) -> str | None:
    """Return why a sample is too small, or None."""
    if sample.patients < FEWEST:
        return f"not estimable: fewer than {FEWEST} patients"
    return None


def moment_sums(sample: Sample) -> Floats:
    """Return each row's weighted part of the sums that the formulas take."""
    value, reference = sample["value"], sample["reference"]
    columns = regression.columns(value, reference, centre_of(reference, value))
    weighted: Floats = columns * sample.weight[:, None]
    return weighted


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorFormula(FormulaOfSums):
    """A formula of the moments and errors of value and reference."""

    columns: Callable[[Sample], Floats] = moment_sums
    needs: str = "value"
    family: str = "errors"
    complete_cases: bool = True
    unit_scale: bool = False

    def refusal(self, sample: Sample, design: Design) -> str | None:
        """Refuse fewer than three patients, and relative errors of a reference of 0."""
        del design
        if self.name == "mape" and bool(np.any(sample["reference"] == 0)):
            return "not estimable: a reference value is 0"
        return too_few(sample)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked(Weighted):
    """A statistic of how often patients are drawn, of complete cases."""

    needs: str = "value"
    complete_cases: bool = True
    unit_scale: bool = False

    def refusal(self, sample: Sample, design: Design) -> str | None:
        """Refuse fewer than three patients."""
        del design
        return too_few(sample)

    def flags(self, sample: Sample, design: Design) -> tuple[str, ...]:
        """Say that weights are not used."""
        del design
        return (UNWEIGHTED,) if sample.weighted else ()
