"""One-way variance components of rows that repeat within subjects, balanced or not."""

from dataclasses import dataclass

import numpy as np

from proctor_workers.statistics.arrays import Floats, Ints, group_sums
from proctor_workers.statistics.checks import codes, require_finite


@dataclass(frozen=True, slots=True, kw_only=True)
class OneWay:
    """Mean squares between and within subjects, with what each subject adds.

    `size` and `mean` are per subject in the order of the sorted subject codes; `divisor` is the
    m0 by which the difference of the mean squares estimates the variance between subjects, and
    `harmonic` the harmonic mean of the sizes. A mean square without degrees of freedom is 0.
    """

    size: Floats
    mean: Floats
    squares: Floats
    between: float
    within: float
    df_between: int
    df_within: int

    @property
    def subjects(self) -> int:
        """Number of subjects."""
        return len(self.size)

    @property
    def divisor(self) -> float:
        """Return m0 = (N - sum m^2 / N) / (subjects - 1)."""
        total = float(self.size.sum())
        return (total - float(np.sum(self.size**2)) / total) / self.df_between

    @property
    def harmonic(self) -> float:
        """Return the harmonic mean of the sizes."""
        return self.subjects / float(np.sum(1 / self.size))

    @property
    def intraclass(self) -> float:
        """Return the intraclass correlation, cut at 0 and 1; 0 where no subject repeats."""
        if not self.df_within or not self.df_between:
            return 0.0
        variance = max(self.between - self.within, 0.0) / self.divisor
        return variance / (variance + self.within) if variance > 0 else 0.0


def one_way(value: Floats, subject: Ints) -> OneWay:
    """Split the variation of rows (n,) into that between and that within subjects.

    Searle, Casella & McCulloch, Variance Components, 1992, section 3.6.

    Raises:
        ValueError: NaN, an infinity, or no row.
    """
    require_finite(value=value)
    if not len(value):
        raise ValueError("variance components need at least one row")
    code, subjects = codes(subject)
    size = group_sums(np.ones(len(value)), code, subjects)[:, 0]
    mean = group_sums(value, code, subjects)[:, 0] / size
    squares = group_sums((value - mean[code]) ** 2, code, subjects)[:, 0]
    grand = float(np.sum(size * mean) / np.sum(size))
    df_between, df_within = subjects - 1, len(value) - subjects
    spread = float(np.sum(size * (mean - grand) ** 2))
    return OneWay(
        size=size,
        mean=mean,
        squares=squares,
        between=spread / df_between if df_between else 0.0,
        within=float(squares.sum()) / df_within if df_within else 0.0,
        df_between=df_between,
        df_within=df_within,
    )
