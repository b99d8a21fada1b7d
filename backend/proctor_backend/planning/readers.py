"""A reader study planned: readers and cases both random, by Obuchowski and Rockette with Hillis.

Hillis, Obuchowski & Berbaum, Acad Radiol 2011;18:129.
"""

from dataclasses import dataclass

from proctor_backend.planning.distributions import f_quantile, noncentral_f_cdf


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderVariance:
    """Variance components of a pilot study of `cases` cases, on the scale of the figure of merit.

    `covariance1` joins two modalities of one reader, `covariance2` two readers of one modality,
    `covariance3` different readers and modalities; `interaction` is modality by reader.
    """

    cases: int
    error: float
    covariance1: float
    covariance2: float
    covariance3: float
    interaction: float


def reader_power(
    variance: ReaderVariance, difference: float, readers: int, cases: int, *, alpha: float = 0.05
) -> float:
    """Return the power to show a difference of two modalities, readers and cases random."""
    if readers < 2 or cases < 2:
        raise ValueError("a reader study needs two readers and two cases")
    scale = variance.cases / cases
    shared = scale * max(variance.covariance2 - variance.covariance3, 0.0)
    own = variance.interaction + scale * (variance.error - variance.covariance1) - shared
    spread = own + readers * shared
    noncentrality = readers * difference**2 / 2 / spread
    df = spread**2 / (own**2 / (readers - 1))
    critical = f_quantile(1 - alpha, 1, df)
    return 1 - noncentral_f_cdf(critical, 1, df, noncentrality)


def reader_required_cases(
    variance: ReaderVariance,
    difference: float,
    readers: int,
    *,
    chance: float = 0.8,
    alpha: float = 0.05,
    largest: int = 20_000,
) -> int:
    """Return the fewest cases with which so many readers reach the power.

    Raises:
        ValueError: no number of cases up to `largest` is enough; more readers are.
    """

    def enough(cases: int) -> bool:
        return reader_power(variance, difference, readers, cases, alpha=alpha) >= chance

    if not enough(largest):
        raise ValueError("more cases do not help; more readers do")
    low, high = 1, largest
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
