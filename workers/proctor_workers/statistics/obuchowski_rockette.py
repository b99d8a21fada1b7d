"""Multi-reader, multi-case analysis: Obuchowski and Rockette's model with Hillis' df.

Obuchowski & Rockette, Commun Stat Simul 1995;24:285; Hillis, Stat Med 2007;26:596 and
2014;33:330; Hillis, Berbaum & Metz, Acad Radiol 2008;15:647. Tested against R04 (Van Dyke).
With the unbiased covariance the variances are Gallas' one-shot U-statistics (Acad Radiol
2006;13:353).
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from proctor_workers.statistics.arrays import Floats
from proctor_workers.statistics.proportions import normal_quantile, student_quantile
from proctor_workers.statistics.reader_covariance import Figures

READERS_AND_CASES = "random readers, random cases"
CASES = "fixed readers, random cases"
READERS = "random readers, fixed cases"


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """Mean squares of the figures and the mean variance and covariances of the OR model.

    Cov1: same reader, other modality; Cov2: other reader, same modality; Cov3: both other.
    `cov2_of` and `error_of` are those within each modality. `ms_t` and `ms_tr` are NaN for one
    modality, as are Cov1 and Cov3.
    """

    values: Floats
    patients: int
    ms_t: float
    ms_r: float
    ms_tr: float
    error: float
    cov1: float
    cov2: float
    cov3: float
    error_of: Floats
    cov2_of: Floats
    covariance_method: str

    @property
    def modalities(self) -> int:
        """Number of modalities."""
        return int(self.values.shape[0])

    @property
    def readers(self) -> int:
        """Number of readers."""
        return int(self.values.shape[1])


def components(figures: Figures) -> Components:
    """Split figures (t, r) and their covariance into the parts of the OR model.

    Raises:
        ValueError: there is one reader.
    """
    values = figures.values
    t, r = values.shape
    if r < 2:
        raise ValueError("a reader study needs at least two readers")
    covariance = figures.covariance.reshape(t, r, t, r)
    same_reader = np.eye(r, dtype=np.bool_)[None, :, None, :]
    same_modality = np.eye(t, dtype=np.bool_)[:, None, :, None]
    kinds = (
        np.broadcast_to(same_reader, covariance.shape),
        np.broadcast_to(same_modality, covariance.shape),
    )
    of_modality = np.array([covariance[one, :, one, :] for one in range(t)])
    apart = ~np.eye(r, dtype=np.bool_)
    grand = values.mean()
    rows, columns = values.mean(axis=1), values.mean(axis=0)
    rest = values - rows[:, None] - columns[None, :] + grand
    several = t > 1
    return Components(
        values=values,
        patients=figures.patients,
        ms_t=r * float(np.sum((rows - grand) ** 2)) / (t - 1) if several else math.nan,
        ms_r=t * float(np.sum((columns - grand) ** 2)) / (r - 1),
        ms_tr=float(np.sum(rest**2)) / ((t - 1) * (r - 1)) if several else math.nan,
        error=float(covariance[kinds[0] & kinds[1]].mean()),
        cov1=float(covariance[kinds[0] & ~kinds[1]].mean()) if several else math.nan,
        cov2=float(covariance[~kinds[0] & kinds[1]].mean()),
        cov3=float(covariance[~kinds[0] & ~kinds[1]].mean()) if several else math.nan,
        error_of=np.array([np.diag(one).mean() for one in of_modality]),
        cov2_of=np.array([one[apart].mean() for one in of_modality]),
        covariance_method=figures.method,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """The difference of two modalities' mean figures, or one modality's mean (second None)."""

    first: int
    second: int | None
    value: float
    error: float
    df: float
    lower: float
    upper: float
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The test that all modalities are equal, and every pair of them.

    `statistic` is F with (df, denominator_df), or chi-squared with df for fixed readers, where
    `denominator_df` is infinite.
    """

    inference: str
    statistic: float
    df: int
    denominator_df: float
    p_value: float
    contrasts: tuple[Contrast, ...]


def compare(
    parts: Components, inference: str = READERS_AND_CASES, level: float = 0.95
) -> Comparison:
    """Test the modalities and give each pair's difference with its interval.

    Raises:
        ValueError: there is one modality, or the inference is not one of the three.
    """
    t, r = parts.modalities, parts.readers
    if t < 2:
        raise ValueError("a comparison needs at least two modalities")
    if inference == CASES:
        excess = max(parts.cov2 - parts.cov3, 0.0)
        spread = parts.error - parts.cov1 + (r - 1) * excess
        df = math.inf
    elif inference in {READERS_AND_CASES, READERS}:
        excess = max(parts.cov2 - parts.cov3, 0.0) if inference == READERS_AND_CASES else 0.0
        spread = parts.ms_tr + r * excess
        df = _hillis_df(parts.ms_tr, spread, (t - 1) * (r - 1))
    else:
        raise ValueError("the inference is to readers and cases, to cases, or to readers")
    statistic = _ratio(parts.ms_t, spread)
    chi_squared = df == math.inf
    statistic = statistic * (t - 1) if chi_squared else statistic
    upper_tail = (
        special.chdtrc(t - 1, statistic) if chi_squared else special.fdtrc(t - 1, df, statistic)
    )
    error = math.sqrt(2 / r * max(spread, 0.0))
    means = parts.values.mean(axis=1)
    return Comparison(
        inference=inference,
        statistic=statistic,
        df=t - 1,
        denominator_df=df,
        p_value=float(upper_tail),
        contrasts=tuple(
            _contrast(float(means[one] - means[two]), error, df, level, (one, two))
            for one in range(t)
            for two in range(one + 1, t)
        ),
    )


def single_modality(
    parts: Components, modality: int, inference: str = READERS_AND_CASES, level: float = 0.95
) -> Contrast:
    """Return one modality's mean figure with its interval, from this modality's data alone.

    The p value is that of a mean of zero and of no use.
    """
    r = parts.readers
    figures = parts.values[modality]
    between = float(np.var(figures, ddof=1))
    excess = max(float(parts.cov2_of[modality]), 0.0)
    if inference == CASES:
        spread = float(parts.error_of[modality]) + (r - 1) * excess
        df = math.inf
    else:
        spread = between + (r * excess if inference == READERS_AND_CASES else 0.0)
        df = _hillis_df(between, spread, r - 1)
    error = math.sqrt(max(spread, 0.0) / r)
    return _contrast(float(figures.mean()), error, df, level, (modality, None))


def _hillis_df(mean_square: float, spread: float, df: int) -> float:
    """Return spread^2 / (mean square^2 / df); infinite where the readers do not differ."""
    return df * (spread / mean_square) ** 2 if mean_square > 0 else math.inf


def _ratio(top: float, bottom: float) -> float:
    if bottom > 0:
        return top / bottom
    return 0.0 if top == 0 else math.inf


def _contrast(
    value: float, error: float, df: float, level: float, places: tuple[int, int | None]
) -> Contrast:
    quantile = normal_quantile(level) if df == math.inf else student_quantile(df, level)
    statistic = abs(_ratio(abs(value), error))
    return Contrast(
        first=places[0],
        second=places[1],
        value=value,
        error=error,
        df=df,
        lower=value - quantile * error,
        upper=value + quantile * error,
        p_value=min(1.0, 2 * upper_tail(statistic, df)),
    )


def upper_tail(statistic: float, df: float) -> float:
    """Return P(T > statistic) of Student's t, or of the normal where df is infinite."""
    if df == math.inf:
        return float(special.ndtr(-statistic))
    return float(special.stdtr(df, -statistic))


def beyond_margin(contrast: Contrast, margin: float) -> float:
    """Return the one-sided p value of H0: difference <= -margin.

    A margin above 0 asks for non-inferiority, 0 for superiority.
    """
    return upper_tail(_signed_ratio(contrast.value + margin, contrast.error), contrast.df)


def _signed_ratio(top: float, bottom: float) -> float:
    return math.copysign(_ratio(abs(top), bottom), top)


@dataclass(frozen=True, slots=True, kw_only=True)
class DbmComponents:
    """Variance components of Dorfman, Berbaum & Metz's model of jackknife pseudovalues."""

    reader: float
    case: float
    modality_reader: float
    modality_case: float
    reader_case: float
    rest: float


def dbm_components(parts: Components) -> DbmComponents:
    """Translate jackknife OR components to DBM's (Invest Radiol 1992;27:723; Hillis 2005)."""
    n, t = parts.patients, parts.modalities
    return DbmComponents(
        reader=(parts.ms_r - parts.ms_tr) / t - parts.cov1 + parts.cov3,
        case=n * parts.cov3,
        modality_reader=parts.ms_tr - parts.error + parts.cov1 + parts.cov2 - parts.cov3,
        modality_case=n * (parts.cov2 - parts.cov3),
        reader_case=n * (parts.cov1 - parts.cov3),
        rest=n * (parts.error - parts.cov1 - parts.cov2 + parts.cov3),
    )


def against_standalone(
    readers: Floats, standalone: float, covariance: Floats, level: float = 0.95
) -> Contrast:
    """Compare the readers' mean with a device that reads alone: mean difference, readers random.

    `covariance` is (readers + 1, readers + 1), the device last. The differences of each reader
    from the device are one modality's figures (Hillis, Obuchowski & Berbaum, Acad Radiol
    2011;18:129; Chakraborty, Observer Performance Methods 2017, ch. 22).
    """
    r = len(readers)
    minus = np.hstack([np.eye(r), -np.ones((r, 1))])
    figures = Figures(
        values=(readers - standalone)[None, :],
        covariance=minus @ covariance @ minus.T,
        patients=0,
        method="given",
    )
    return single_modality(components(figures), 0, level=level)
