"""How far a measured value is from its reference: formulas of patient sums, and rank measures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from proctor_workers.metrics.method_comparison import moment_columns, moments
from proctor_workers.statistics.arrays import Bools, Floats, Ints, compiled
from proctor_workers.statistics.checks import require_finite, require_rows
from proctor_workers.statistics.quantiles import resampled_quantile

Formula = Callable[[Floats], Floats]
_MOMENTS = 6  # of the columns, see `columns`


@dataclass(frozen=True, slots=True)
class Allowance:
    """How far a value may be from its reference: the larger of an absolute and a relative part.

    Both parts are at least 0; `relative` is a share of the reference's size. ISO 15197, for one,
    allows 15 mg/dl below 100 mg/dl and 15 % from there on.
    """

    absolute: float = 0.0
    relative: float = 0.0

    def __post_init__(self) -> None:
        """Refuse an allowance that allows nothing."""
        if not (self.absolute >= 0 and self.relative >= 0 and self.absolute + self.relative > 0):
            raise ValueError("an allowable difference must be positive")

    def inside(self, value: Floats, reference: Floats) -> Bools:
        """Return which values (n,) are near enough; an infinite value never is."""
        allowed = np.maximum(self.absolute, self.relative * np.abs(reference))
        near: Bools = np.abs(value - reference) <= allowed
        return near


def columns(value: Floats, reference: Floats, centre: tuple[float, float]) -> Floats:
    """Return what each row adds to the sums that FORMULAS take, (rows, 10).

    The moments of reference and value about `centre` (see `method_comparison.centre_of`), then the
    difference, its size, its square, and its size relative to that of the reference. The last is
    NaN where the reference is 0; it then undoes MAPE and nothing else.

    Raises:
        ValueError: NaN or an infinity.
    """
    require_finite(value=value, reference=reference)
    difference = value - reference
    size = np.abs(difference)
    base = np.where(reference == 0, np.nan, np.abs(reference))
    return np.column_stack(
        [
            moment_columns(reference, value, centre),
            difference,
            size,
            difference * difference,
            size / base,
        ]
    )


def _mean(column: int) -> Formula:
    def formula(sums: Floats) -> Floats:
        return _divide(sums[..., column], sums[..., 0])

    return formula


def _divide(top: Floats, bottom: Floats) -> Floats:
    """Divide, with NaN where the bottom is not positive."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Floats = np.where(bottom > 0, top / bottom, np.nan)
    return ratio


def _rmse(sums: Floats) -> Floats:
    root: Floats = np.sqrt(_mean(_MOMENTS + 2)(sums))
    return root


def _r_squared(sums: Floats) -> Floats:
    return 1 - _divide(_mean(_MOMENTS + 2)(sums), _spread(moments(sums).uu, sums, 3))


def _pearson(sums: Floats) -> Floats:
    part = moments(sums)
    product = _spread(part.uu, sums, 3) * _spread(part.vv, sums, 4)
    return np.clip(_divide(part.uv, np.sqrt(product)), -1.0, 1.0)


def _ccc(sums: Floats) -> Floats:
    part = moments(sums)
    bias = _mean(_MOMENTS)(sums)
    whole = _spread(part.uu, sums, 3) + _spread(part.vv, sums, 4) + bias * bias
    return _divide(2 * part.uv, whole)


def _spread(variance: Floats, sums: Floats, column: int) -> Floats:
    """Return a variance, or 0 where it is no more than the rounding of its sum of squares."""
    size = _divide(sums[..., column], sums[..., 0])
    spread: Floats = np.where(variance > 1e-13 * size, variance, 0.0)
    return spread


FORMULAS: Mapping[str, Formula] = {
    "bias": _mean(_MOMENTS),
    "mae": _mean(_MOMENTS + 1),
    "rmse": _rmse,
    "mape": _mean(_MOMENTS + 3),
    "r_squared": _r_squared,
    "pearson": _pearson,
    "ccc": _ccc,
}
"""Mean error; mean absolute, root mean square and mean relative error (a share, not per cent);
1 - residual over total sum of squares; product-moment correlation; Lin's concordance correlation
(Biometrics 1989;45:255, variances with divisor n). Each takes sums (..., 10) of `columns`."""


def median_absolute_error(
    value: Floats, reference: Floats, patient: Ints
) -> Callable[[Ints, Floats], None]:
    """Return the loop from draw counts (batch, patients) to median sizes of the error (batch,).

    Raises:
        ValueError: NaN or an infinity.
    """
    require_finite(value=value, reference=reference)
    return resampled_quantile(np.abs(value - reference), patient, 0.5)


def spearman(value: Floats, reference: Floats, patient: Ints) -> Callable[[Ints, Floats], None]:
    """Return the loop from draw counts (batch, patients) to rank correlations (batch,).

    Pearson's correlation of midranks (Spearman, Am J Psychol 1904;15:72), the ranks taken anew
    among the rows drawn; NaN where either side has one value only.

    Raises:
        ValueError: NaN or an infinity.
        NotEstimableError: fewer than 3 rows.
    """
    require_finite(value=value, reference=reference)
    require_rows(len(value), 3, "a rank correlation of rows")
    # Levels of each side in order, and each row's place among them.
    _, first = np.unique(reference, return_inverse=True)
    _, second = np.unique(value, return_inverse=True)
    order = np.lexsort((second, first))
    sides = np.stack([first[order], second[order]]).astype(np.int64)
    return partial(_spearman_batch, sides, np.ascontiguousarray(patient[order]))


@compiled
def _spearman_batch(level: Ints, patient: Ints, times: Ints, values: Floats) -> None:
    levels = max(level[0].max(), level[1].max()) + 1
    count = np.empty((2, levels))
    for repeat in range(times.shape[0]):
        count[:] = 0.0
        total = 0.0
        for row in range(len(patient)):
            mass = times[repeat, patient[row]]
            count[0, level[0, row]] += mass
            count[1, level[1, row]] += mass
            total += mass
        for side in range(2):
            seen = 0.0
            for place in range(levels):
                tied = count[side, place]
                count[side, place] = seen + tied / 2 - total / 2  # midrank about its mean
                seen += tied
        xx, yy, xy = 0.0, 0.0, 0.0
        for row in range(len(patient)):
            mass = times[repeat, patient[row]]
            u, v = count[0, level[0, row]], count[1, level[1, row]]
            xx += mass * u * u
            yy += mass * v * v
            xy += mass * u * v
        values[repeat] = xy / np.sqrt(xx * yy) if xx > 0 and yy > 0 else np.nan
