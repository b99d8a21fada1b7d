"""How well coded fields predict a binary truth in patients not fitted on, and by how much chance.

Pure numbers. Every prediction is for patients of the fold that was left out, by a ridge regression
on the fields' levels fitted on the other folds. The test permutes the truth among patients and does
the whole cross-fitting again: the fields do not change, so that a fit is two matrix products.

Exact under "the fields say nothing of the truth": patients are dealt to the folds within their
class of the truth, at random, and exchange the truth of all their cases with patients of the same
fold and the same number of cases only; so every permutation has the same folds (Phipson & Smyth,
Stat Appl Genet Mol Biol 2010;9:39, for p = (1 + count) / (1 + permutations)). Several hypotheses
are adjusted together by the greatest standardised AUC (Westfall & Young, Resampling-based multiple
testing, 1993, single-step max-T).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from proctor_workers.statistics.arrays import Bools, Floats, Ints
from proctor_workers.statistics.auc import logit_limits, newcombe_method5

Singles = NDArray[np.float32]

FOLDS = 5
PERMUTATIONS = 999
MOST_CASES_A_PATIENT = 4  # more add little, and hardly any two patients have equally many
RIDGE = 10.0  # as if each level had been seen in ten more cases of the average truth
AT_ONCE = 100  # permutations, to bound the memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The cases tested, patient by patient, fold by fold.

    `rows` are the places of the cases in the cohort as it was given; `folds` are slices of them,
    `exchanges` runs of patients, (first case, patients, cases a patient), that may exchange their
    truth.
    """

    rows: Ints
    patient: Ints
    folds: tuple[slice, ...]
    exchanges: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Codes:
    """A field's level in every case tested: whole numbers from 0 up to below `levels`.

    `ordered`: the levels of a number, the lowest first, and the last one if it is absent.
    """

    code: Ints
    levels: int
    ordered: bool = False

    def one_hot(self) -> Singles:
        """Return cases × levels of zeros and ones."""
        found: Singles = np.eye(self.levels, dtype=np.float32)[self.code]
        return found

    def columns(self) -> Singles:
        """Return what all fields together are fitted on: the levels, and a number's trend."""
        hot = self.one_hot()
        if not self.ordered:
            return hot
        trend = (self.code - self.code.mean()) / max(float(self.code.std()), 1e-9)
        return np.column_stack([hot, trend.astype(np.float32)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """The AUC of one hypothesis in patients not fitted on; p is adjusted for its family."""

    auc: float
    lower: float
    upper: float
    p: float


def lay_out(patient: Ints, positive: Bools, *, most: int, stream: np.random.Generator) -> Layout:
    """Draw up to `most` cases, in whole patients, and deal the patients to folds.

    Args:
        patient: each case's patient.
        positive: cases × classes of the truth; a patient's class is that of its first case drawn.
        most: a larger cohort's patients are drawn at random until this many cases are reached.
        stream: decides the draws.
    """
    cases = _drawn(patient, most, stream)  # one array of cases for every patient
    kinds: dict[tuple[int, ...], list[int]] = {}
    for number, held in enumerate(cases):
        kinds.setdefault((len(held), *positive[held[0]].astype(int)), []).append(number)
    dealt: list[list[Ints]] = [[] for _ in range(FOLDS)]
    place = 0
    for kind in sorted(kinds):
        for number in kinds[kind]:  # in random order already
            dealt[place % FOLDS].append(cases[number])
            place += 1
    rows, ids, folds, exchanges = [], [], [], []
    first = 0
    for members in dealt:
        begin = first
        for size in sorted({len(held) for held in members}):
            alike = [held for held in members if len(held) == size]
            exchanges.append((first, len(alike), size))
            rows += alike
            ids += [np.full(size, patient[held[0]]) for held in alike]
            first += size * len(alike)
        folds.append(slice(begin, first))
    return Layout(
        rows=np.concatenate(rows),
        patient=np.concatenate(ids),
        folds=tuple(folds),
        exchanges=tuple(exchanges),
    )


def _drawn(patient: Ints, most: int, stream: np.random.Generator) -> list[Ints]:
    order = stream.permutation(len(patient))
    held: dict[int, list[int]] = {}
    for case in order:
        held.setdefault(int(patient[case]), []).append(int(case))
    drawn, total = [], 0
    for members in held.values():
        kept = np.array(members[:MOST_CASES_A_PATIENT], dtype=np.int64)
        if total + len(kept) > most:
            break
        drawn.append(kept)
        total += len(kept)
    return drawn


def family(
    layout: Layout,
    fields: Sequence[Codes],
    truths: Sequence[Bools],
    *,
    permutations: int,
    stream: np.random.Generator,
) -> list[list[Tested]]:
    """Test all fields together and each alone against every truth.

    Args:
        layout: which cases, in which order.
        fields: at least one, in the layout's order.
        truths: each (cases,), in the layout's order.
        permutations: how many; p is no smaller than 1 / (1 + permutations).
        stream: decides the permutations.

    Returns:
        For all fields together, then for each field alone, one test a truth. p is adjusted for
        all of them.
    """
    labels = np.stack(truths, axis=1).astype(np.float32)
    joint = _Joint(layout, fields)
    models: list[_Joint | _Alone] = [joint, *(_Alone(layout, field) for field in fields)]
    aucs = np.empty((len(models), labels.shape[1], permutations + 1))
    first = 0
    for rows in _permuted(layout, permutations, stream):
        part = slice(first, first + len(rows))
        for truth in range(labels.shape[1]):
            found = labels[:, truth][rows]
            for number, model in enumerate(models):
                aucs[number, truth, part] = model.aucs(found)
        first += len(rows)
    p = _adjusted(aucs.reshape(-1, permutations + 1)).reshape(aucs.shape[:2])
    return [
        [
            _with_limits(
                layout, model.scores(labels[:, truth]), truths[truth], float(p[number, truth])
            )
            for truth in range(labels.shape[1])
        ]
        for number, model in enumerate(models)
    ]


def _permuted(layout: Layout, permutations: int, stream: np.random.Generator) -> Iterator[Ints]:
    """Yield, some at a time, whose truth each case gets; the first time its own."""
    left = permutations + 1
    own = np.arange(len(layout.rows))[None, :]
    while left:
        many = min(left, AT_ONCE)
        rows = np.repeat(own, many, axis=0)
        for first, patients, size in layout.exchanges:
            order = np.tile(np.arange(patients), (many, 1))
            order = stream.permuted(order, axis=1)
            moved = first + order[:, :, None] * size + np.arange(size)
            rows[:, first : first + patients * size] = moved.reshape(many, -1)
        if left == permutations + 1:
            rows[0] = own
        yield rows
        left -= many


def _adjusted(aucs: Floats) -> Floats:
    """Return the max-T adjusted p of each row's first column, (hypotheses, 1 + permutations).

    Standardised by all columns alike, the observed one among them, so that none is special.
    """
    spread = aucs.std(axis=1, keepdims=True)
    away = np.where(spread > 1e-12, aucs - aucs.mean(axis=1, keepdims=True), 0.0)
    standard = away / np.maximum(spread, 1e-12)
    greatest = standard.max(axis=0)
    p: Floats = (greatest >= standard[:, :1] - 1e-9).mean(axis=1)
    return p


class _Alone:
    """One field: a level's score is its shrunken mean truth in the other folds."""

    def __init__(self, layout: Layout, field: Codes) -> None:
        self._folds = layout.folds
        self._code = field.code
        hot = field.one_hot()
        self._hot = [hot[fold] for fold in layout.folds]
        self._cases = np.stack([one.sum(axis=0) for one in self._hot]).astype(np.float64)

    def aucs(self, labels: Singles) -> Floats:
        """Return the AUC for every row of labels (permutations, cases)."""
        ones = self._ones(labels)
        scores = self._of_levels(ones)
        won = np.zeros(len(labels))
        pairs = np.zeros(len(labels))
        for number in range(len(self._folds)):
            score, positive = scores[number], ones[number]
            negative = self._cases[number] - positive
            beats = (score[:, :, None] > score[:, None, :]) + 0.5 * (
                score[:, :, None] == score[:, None, :]
            )
            won += np.einsum("bi,bij,bj->b", positive, beats, negative)
            pairs += positive.sum(axis=1) * negative.sum(axis=1)
        return np.asarray(np.where(pairs > 0, won / np.maximum(pairs, 1.0), 0.5))

    def scores(self, labels: Singles) -> Floats:
        """Return each case's score for one row of labels (cases,)."""
        of_levels = self._of_levels(self._ones(labels[None, :]))[:, 0]
        parts = [
            level[self._code[fold]] for level, fold in zip(of_levels, self._folds, strict=True)
        ]
        return np.concatenate(parts)

    def _ones(self, labels: Singles) -> Floats:
        """Return folds × permutations × levels of positives."""
        return np.stack(
            [labels[:, fold] @ hot for fold, hot in zip(self._folds, self._hot, strict=True)]
        ).astype(np.float64)

    def _of_levels(self, ones: Floats) -> Floats:
        positives = ones.sum(axis=0) - ones
        cases = (self._cases.sum(axis=0) - self._cases)[:, None, :]
        mean = positives.sum(axis=2, keepdims=True) / cases.sum(axis=2, keepdims=True)
        scores: Floats = np.round((positives - mean * cases) / (cases + RIDGE), 9)
        return scores


class _Joint:
    """All fields: ridge regression of the truth on their levels, centred on the fitted folds."""

    def __init__(self, layout: Layout, fields: Sequence[Codes]) -> None:
        self._folds = layout.folds
        hot = np.concatenate([field.columns() for field in fields], axis=1)
        self._hot = [hot[fold] for fold in layout.folds]
        products = [one.T.astype(np.float64) @ one for one in self._hot]
        totals = [one.sum(axis=0, dtype=np.float64) for one in self._hot]
        self._mean, self._inverse = [], []
        for product, total, left_out in zip(products, totals, self._hot, strict=True):
            cases = len(hot) - len(left_out)
            mean = (np.sum(totals, axis=0) - total) / cases
            fitted = np.sum(products, axis=0) - product - cases * np.outer(mean, mean)
            self._mean.append((mean * cases).astype(np.float32)[:, None])
            self._inverse.append(
                np.linalg.inv(fitted + RIDGE * np.eye(len(fitted))).astype(np.float32)
            )

    def aucs(self, labels: Singles) -> Floats:
        """Return the AUC for every row of labels (permutations, cases)."""
        won = np.zeros(len(labels))
        pairs = np.zeros(len(labels))
        for fold, scores in zip(self._folds, self._scores(labels), strict=True):
            ones = labels[:, fold].T
            positive = ones.sum(axis=0, dtype=np.float64)
            negative = len(ones) - positive
            ranks = stats.rankdata(scores, axis=0)
            won += (ranks * ones).sum(axis=0) - positive * (positive + 1) / 2
            pairs += positive * negative
        return np.asarray(np.where(pairs > 0, won / np.maximum(pairs, 1.0), 0.5))

    def scores(self, labels: Singles) -> Floats:
        """Return each case's score for one row of labels (cases,)."""
        return np.concatenate([part[:, 0] for part in self._scores(labels[None, :])])

    def _scores(self, labels: Singles) -> list[Floats]:
        """Return cases × permutations for each fold."""
        products = [
            hot.T @ labels[:, fold].T for fold, hot in zip(self._folds, self._hot, strict=True)
        ]
        positives = labels.sum(axis=1)
        scores = []
        for number, fold in enumerate(self._folds):
            cases = labels.shape[1] - (fold.stop - fold.start)
            rate = (positives - labels[:, fold].sum(axis=1)) / cases
            moments = np.sum(products, axis=0) - products[number] - self._mean[number] * rate
            weights = self._inverse[number] @ moments
            # Equal cases must tie: the last bits of a product depend on where a row lies.
            scores.append(np.round((self._hot[number] @ weights).astype(np.float64), 5))
        return scores


def _with_limits(layout: Layout, scores: Floats, positive: Bools, p: float) -> Tested:
    """Return the AUC over pairs of one fold with 95 % limits clustered by patient, fits held fixed.

    The variance is that of the patients' summed placements (Obuchowski, Biometrics 1997;53:567), on
    the logit; at 0 and 1, where there is none, Newcombe's method 5 by patients.
    """
    patient = np.unique(layout.patient, return_inverse=True)[1]
    won, rivals = np.zeros(len(scores)), np.zeros(len(scores))
    for fold in layout.folds:
        won[fold], rivals[fold] = _placed(scores[fold], positive[fold])
    pairs = float(rivals[positive].sum())
    if not pairs:
        return Tested(auc=0.5, lower=0.0, upper=1.0, p=p)
    auc = float(won[positive].sum() / pairs)
    parts = np.bincount(patient, weights=(won - auc * rivals) / pairs)
    variance = float(np.sum(parts**2)) * len(parts) / (len(parts) - 1)
    if 0 < auc < 1 and variance > 0:
        lower, upper = logit_limits(auc, variance)
    else:
        sizes = [len(np.unique(patient[kind])) for kind in (positive, ~positive)]
        lower, upper = newcombe_method5(auc, *sizes)
    return Tested(auc=auc, lower=lower, upper=upper, p=p)


def _placed(score: Floats, positive: Bools) -> tuple[Floats, Floats]:
    """Return how many of the other class a case is on the right side of, and how many there are."""
    won, rivals = np.zeros(len(score)), np.zeros(len(score))
    for kind, sign in ((positive, 1.0), (~positive, -1.0)):
        among_all, among_own = stats.rankdata(sign * score), stats.rankdata(sign * score[kind])
        won[kind] = among_all[kind] - among_own
        rivals[kind] = (~kind).sum()
    return won, rivals
