"""The rows that one quantity is estimated from, and what the sampling design allows."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from proctor_workers.statistics.arrays import Bools, Floats, Ints

Column = NDArray[Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Rows after the missing-output rule, ordered by (patient, case).

    `columns` holds what the quantity is made from, one entry a row: for binary decisions
    `positive`, `score` and `call`. `stratum` is the patient's bootstrap stratum.
    """

    patient: Ints
    weight: Floats
    stratum: Ints
    columns: Mapping[str, Column]
    _made: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.patient)

    def __getitem__(self, name: str) -> Column:
        return self.columns[name]

    def take(self, keep: Bools) -> "Sample":
        """Return the rows where `keep` holds."""
        return replace(
            self,
            patient=self.patient[keep],
            weight=self.weight[keep],
            stratum=self.stratum[keep],
            columns={name: column[keep] for name, column in self.columns.items()},
        )

    @property
    def positive(self) -> Bools:
        """Whether the reference standard is positive."""
        return self.columns["positive"]

    @property
    def score(self) -> Floats:
        """Scores; infinite where a rule places a missing output at an end."""
        return self.columns["score"]

    @property
    def call(self) -> Bools:
        """Decisions."""
        return self.columns["call"]

    @property
    def n_positive(self) -> int | None:
        """Number of reference-positive rows; None where the task has no such status."""
        return int(self.positive.sum()) if "positive" in self.columns else None

    def codes(self) -> tuple[Ints, Ints]:
        """Return each row's patient as 0..P-1 and each patient's stratum."""
        return self.once("codes", self._codes)

    def _codes(self) -> tuple[Ints, Ints]:
        code = patient_codes(self.patient)
        first = np.empty(int(code.max(initial=-1)) + 1, dtype=np.int64)
        first[code[::-1]] = np.arange(len(code))[::-1]
        return code, self.stratum[first]

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what is made of these rows; quantities that ask for the same share it."""
        if key not in self._made:
            self._made[key] = make()
        made: T = self._made[key]
        return made

    @property
    def patients(self) -> int:
        """Number of patients."""
        return len(self.codes()[1])

    @property
    def clustered(self) -> bool:
        """Whether a patient has more than one row."""
        return self.patients < len(self)

    @property
    def weighted(self) -> bool:
        """Whether the rows count unequally."""
        return len(self) > 0 and bool(np.any(self.weight != self.weight[0]))


def distinct(patient: Ints) -> int:
    """Count patients; rows in their order need no sort."""
    step = np.diff(patient)
    if np.all(step >= 0):
        return int(np.count_nonzero(step)) + (len(patient) > 0)
    return len(np.unique(patient))


def patient_codes(patient: Ints) -> Ints:
    """Number patients 0..P-1 in ascending order; rows in that order need no sort."""
    step = np.diff(patient)
    if np.all(step >= 0):
        return np.concatenate(([0], np.cumsum(step > 0)))[: len(patient)].astype(np.int64)
    return np.unique(patient, return_inverse=True)[1].astype(np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """How the cases were sampled, as far as it decides what can be estimated."""

    kind: str
    weighted: bool
    prevalence: float | None = None
    prevalence_low: float | None = None
    prevalence_high: float | None = None

    @property
    def represents_prevalence(self) -> bool:
        """Whether the rows, as weighted, show the population's prevalence."""
        return self.kind == "consecutive" or self.weighted

    @property
    def standardised_to(self) -> float | None:
        """The prevalence that both classes are re-weighted to, where the design needs it."""
        return None if self.represents_prevalence else self.prevalence
