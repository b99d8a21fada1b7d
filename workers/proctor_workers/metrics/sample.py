"""The rows that one quantity is estimated from, and what the sampling design allows."""

from dataclasses import dataclass, replace

import numpy as np

from proctor_workers.statistics.arrays import Bools, Floats, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Rows after the missing-output rule, ordered by (patient, case).

    `score` may hold infinities where a rule places a missing output at an end; `call` is None
    where the quantity takes no decision; `stratum` is the patient's bootstrap stratum.
    """

    patient: Ints
    positive: Bools
    score: Floats
    call: Bools | None
    weight: Floats
    stratum: Ints

    def __len__(self) -> int:
        return len(self.patient)

    def take(self, keep: Bools) -> "Sample":
        """Return the rows where `keep` holds."""
        return replace(
            self,
            patient=self.patient[keep],
            positive=self.positive[keep],
            score=self.score[keep],
            call=None if self.call is None else self.call[keep],
            weight=self.weight[keep],
            stratum=self.stratum[keep],
        )

    def calls(self) -> Bools:
        """Return the decisions."""
        if self.call is None:
            raise ValueError("this quantity needs decisions at an operating point")
        return self.call

    def codes(self) -> tuple[Ints, Ints]:
        """Return each row's patient as 0..P-1 and each patient's stratum."""
        _, first, code = np.unique(self.patient, return_index=True, return_inverse=True)
        return code.astype(np.int64), self.stratum[first]

    @property
    def patients(self) -> int:
        """Number of patients."""
        return len(np.unique(self.patient))

    @property
    def clustered(self) -> bool:
        """Whether a patient has more than one row."""
        return self.patients < len(self)

    @property
    def weighted(self) -> bool:
        """Whether the rows count unequally."""
        return len(self) > 0 and bool(np.any(self.weight != self.weight[0]))


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
