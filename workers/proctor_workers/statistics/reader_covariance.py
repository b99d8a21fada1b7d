"""Figures of merit of readers and modalities on the same patients, and how they vary together.

Axes: modality (t), reader (r), row (n). All three covariances are of one patient sample read by
these very readers; Obuchowski and Rockette's analysis adds the readers' own variation.
"""

from dataclasses import dataclass

import numpy as np

from proctor_workers.statistics.arrays import Bools, Floats, Ints, group_sums
from proctor_workers.statistics.auc import patient_parts, placements
from proctor_workers.statistics.categories import check_scores

_PAIRS_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Figures (t, r) with their covariance (t r, t r) over patients, and how many these are."""

    values: Floats
    covariance: Floats
    patients: int
    method: str

    def __post_init__(self) -> None:
        size = self.values.size
        if self.values.ndim != 2 or self.covariance.shape != (size, size):
            raise ValueError("figures are (modalities, readers) with one covariance over all pairs")
        if not (np.isfinite(self.values).all() and np.isfinite(self.covariance).all()):
            raise ValueError("every reader needs a defined figure of merit in every modality")


def jackknifed(values: Floats, left_out: Floats) -> Figures:
    """Take figures (t, r) and those without each patient (patients, t, r): any figure of merit.

    Covariance (n - 1)/n sum of products about the mean (Quenouille; in Obuchowski & Rockette's
    setting Hillis, Stat Med 2005;24:1579).
    """
    patients = len(left_out)
    if patients < 2 or left_out.shape[1:] != values.shape:
        raise ValueError("a jackknife needs the figures without each of at least two patients")
    table = left_out.reshape(patients, -1)
    centred = table - table.mean(axis=0)
    covariance = centred.T @ centred * (patients - 1) / patients
    return Figures(values=values, covariance=covariance, patients=patients, method="jackknife")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Ratings (t, r, n) of rows that belong to patients (codes 0..P-1), and who is positive.

    Raises:
        UndefinedScoreError: a rating is NaN.
        ValueError: the shapes differ, or there is no positive or no negative row.
    """

    rating: Floats
    positive: Bools
    patient: Ints

    def __post_init__(self) -> None:
        check_scores(self.rating)
        if self.rating.ndim != 3 or self.rating.shape[2] != len(self.positive):
            raise ValueError("ratings are (modalities, readers, rows): fully crossed")
        if self.positive.all() or not self.positive.any():
            raise ValueError("a reader study on AUC needs positive and negative cases")

    @property
    def patients(self) -> int:
        """Number of patients."""
        return int(self.patient.max()) + 1

    @property
    def clustered(self) -> bool:
        """Whether a patient has more than one row."""
        return self.patients < len(self.patient)

    def curves(self) -> list[Floats]:
        """Return each modality's and reader's ratings, modality first."""
        return [reader for modality in self.rating for reader in modality]


def auc_jackknife(reading: Reading) -> Figures:
    """AUCs with jackknife covariance, a patient at a time."""
    shape = reading.rating.shape[:2]
    values, columns = [], []
    for score in reading.curves():
        value, without = _auc_without(score, reading)
        values.append(value)
        columns.append(without)
    left_out = np.column_stack(columns).reshape(reading.patients, *shape)
    return jackknifed(np.reshape(values, shape), left_out)


def _auc_without(score: Floats, reading: Reading) -> tuple[float, Floats]:
    """Return the AUC and those without each patient, from placements instead of again."""
    found = placements(score, reading.positive)
    positive, patient, patients = reading.positive, reading.patient, reading.patients
    ones = group_sums(positive.astype(np.float64), patient, patients)[:, 0]
    zeros = group_sums((~positive).astype(np.float64), patient, patients)[:, 0]
    wins = group_sums(np.where(positive, found.placement * found.n, 0.0), patient, patients)[:, 0]
    losses = group_sums(np.where(positive, 0.0, found.placement * found.m), patient, patients)
    inner = _wins_within(score, reading) if reading.clustered else np.zeros(patients)
    left = found.auc * found.m * found.n - wins - losses[:, 0] + inner
    pairs = (found.m - ones) * (found.n - zeros)
    if np.any(pairs <= 0):
        raise ValueError("a single patient holds all positive or all negative rows")
    return found.auc, left / pairs


def _wins_within(score: Floats, reading: Reading) -> Floats:
    """Pairs of one patient's own rows that stand right, ties half, (patients,)."""
    wins = np.zeros(reading.patients)
    order = np.argsort(reading.patient, kind="stable")
    bounds = np.searchsorted(reading.patient[order], np.arange(reading.patients + 1))
    for code in range(reading.patients):
        rows = order[bounds[code] : bounds[code + 1]]
        ones = score[rows[reading.positive[rows]]][:, None]
        zeros = score[rows[~reading.positive[rows]]][None, :]
        wins[code] = float(np.sum((ones > zeros) + (ones == zeros) / 2))
    return wins


def auc_delong(reading: Reading) -> Figures:
    """AUCs with the covariance of DeLong (Biometrics 1988;44:837), Obuchowski's by patient."""
    found = [placements(score, reading.positive) for score in reading.curves()]
    parts = [patient_parts(one, reading.patient, reading.patients) for one in found]
    ones = np.column_stack([part[:, 0] for part in parts])
    zeros = np.column_stack([part[:, 1] for part in parts])
    has_one = len(np.unique(reading.patient[reading.positive]))
    has_zero = len(np.unique(reading.patient[~reading.positive]))
    if min(has_one, has_zero) < 2:
        raise ValueError("DeLong's covariance needs two patients of either kind")
    crossed = ones.T @ zeros
    covariance = (
        ones.T @ ones * has_one / (has_one - 1)
        + zeros.T @ zeros * has_zero / (has_zero - 1)
        + (crossed + crossed.T) * reading.patients / (reading.patients - 1)
    )
    return Figures(
        values=np.reshape([one.auc for one in found], reading.rating.shape[:2]),
        covariance=covariance,
        patients=reading.patients,
        method="DeLong",
    )


def auc_unbiased(reading: Reading) -> Figures:
    """AUCs with the unbiased covariance (Gallas, Acad Radiol 2006;13:353): product less U."""
    values = np.array([placements(score, reading.positive).auc for score in reading.curves()])
    return Figures(
        values=values.reshape(reading.rating.shape[:2]),
        covariance=np.outer(values, values) - expected_products(reading),
        patients=reading.patients,
        method="unbiased",
    )


def expected_products(reading: Reading) -> Floats:
    """Return the unbiased estimate of E[AUC] E[AUC'] for each pair of curves, (t r, t r).

    The mean of s(i, j) s'(k, l) over different positives i, k and different negatives j, l, with
    s = 1, 1/2 or 0 (Gallas 2006: the moment of different cases).

    Raises:
        ValueError: a patient has several rows, or a kind has fewer than two.
    """
    m, n = int(reading.positive.sum()), int((~reading.positive).sum())
    if reading.clustered:
        raise ValueError("the unbiased covariance takes one row a patient; use the jackknife")
    if min(m, n) < 2:
        raise ValueError("the unbiased covariance needs two patients of either kind")
    curves = reading.curves()
    ones = np.array([score[reading.positive] for score in curves])
    zeros = np.array([score[~reading.positive] for score in curves])
    total, both = np.zeros(len(curves)), np.zeros((len(curves), len(curves)))
    same_positive, by_negative = np.zeros_like(both), np.zeros((len(curves), n))
    step = max(1, _PAIRS_AT_ONCE // n)
    for first in range(0, m, step):
        some = ones[:, first : first + step, None]
        success = (some > zeros[:, None, :]) + (some == zeros[:, None, :]) / 2
        by_positive = success.sum(axis=2)
        flat = success.reshape(len(curves), -1)
        both += flat @ flat.T
        same_positive += by_positive @ by_positive.T
        by_negative += success.sum(axis=1)
        total += by_positive.sum(axis=1)
    different = np.outer(total, total) - same_positive - by_negative @ by_negative.T + both
    products: Floats = different / (m * (m - 1) * n * (n - 1))
    return products


def share_jackknife(hit: Bools, inside: Bools, patient: Ints) -> Figures:
    """Shares of hits (t, r, n) among the rows `inside` (n,), with jackknife covariance.

    Sensitivity is the share among the positives, specificity among the negatives; patients
    without such a row take no part.

    Raises:
        ValueError: fewer than two patients have a row inside.
    """
    names, code = np.unique(patient[inside], return_inverse=True)
    if len(names) < 2:
        raise ValueError("a share with a covariance needs rows of at least two patients")
    table = hit[:, :, inside].reshape(-1, len(code)).T.astype(np.float64)
    size = np.bincount(code).astype(np.float64)
    hits = group_sums(table, code, len(names))
    left_out = (hits.sum(axis=0) - hits) / (size.sum() - size)[:, None]
    shape = hit.shape[:2]
    values = (hits.sum(axis=0) / size.sum()).reshape(shape)
    return jackknifed(values, left_out.reshape(len(names), *shape))
