"""Permutation of group membership between patients of like composition: a test for small levels."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from proctor_workers.statistics.arrays import Bools, Floats, Ints, Words, compiled
from proctor_workers.statistics.draws import Stream, below, stratum_layout


@dataclass(frozen=True, slots=True)
class Membership:
    """Which rows belong to which level, with rows ordered by (patient, status).

    `first_row` and `rows` are per patient; `kind` groups patients that may exchange membership.
    """

    level: Bools  # (rows, levels)
    patient: Ints
    first_row: Ints
    kind: Ints
    constant: bool


def membership(level: Bools, patient: Ints, positive: Bools) -> Membership:
    """Describe who may change places with whom under the hypothesis of no difference.

    Patients exchange membership only with patients of the same reference status. Where the level
    varies within a patient (a scanner), only patients with equally many rows of each status do.
    Rows must come ordered by patient, negatives before positives.
    """
    patients = int(patient.max()) + 1 if len(patient) else 0
    rows = np.bincount(patient, minlength=patients)
    first_row = np.concatenate(([0], np.cumsum(rows)[:-1])).astype(np.int64)
    constant = bool(np.all(level == level[first_row[patient]]))
    positives = np.bincount(patient, weights=positive, minlength=patients).astype(np.int64)
    negatives = rows - positives
    kind = np.column_stack([positives, negatives])
    if constant:
        kind = (kind > 0).astype(np.int64)
    _, code = np.unique(kind, axis=0, return_inverse=True)
    return Membership(level, patient, first_row, code.ravel().astype(np.int64), constant)


def _held(level: Bools) -> tuple[Ints, Ints]:
    """Return the levels that each row is in: row r's are held[begin[r] : begin[r + 1]]."""
    row, held = np.nonzero(level)
    begin = np.concatenate(([0], np.cumsum(np.bincount(row, minlength=len(level)))))
    return begin.astype(np.int64), held.astype(np.int64)


def permutation_p(
    member: Membership,
    score: Floats,
    positive: Bools,
    *,
    kind: str,
    scale: Floats,
    draws: int,
    stream: Stream,
) -> float:
    """Monte-Carlo p value (1 + count) / (1 + draws) of the spread of a quantity over levels.

    `kind` is "mean" (of `score` over the rows) or "auc"; the statistic is the sum over levels of
    (value - pooled)^2 / scale, with `scale` fixed beforehand from the levels' sizes.
    """
    by_score = np.argsort(score, kind="stable").astype(np.int64)
    order, bounds = stratum_layout(member.kind)
    row_in_patient = np.arange(len(score)) - member.first_row[member.patient]
    offset = np.zeros_like(row_in_patient) if member.constant else row_in_patient
    fixed = (score, positive, by_score, *_held(member.level), scale, kind == "auc")
    identity = np.arange(len(member.first_row), dtype=np.int64)
    observed = _spread(*fixed, member.first_row[identity[member.patient]] + offset)
    extreme = 0
    for _, words in stream.batches(draws, len(order)):
        extreme += _count_extreme(
            *fixed, member.patient, member.first_row, offset, order, bounds, words, observed
        )
    return (1 + extreme) / (1 + draws)


@compiled
def _count_extreme(  # noqa: PLR0913, PLR0917 - compiled loops take positions
    score: Floats,
    positive: Bools,
    by_score: Ints,
    begin: Ints,
    held: Ints,
    scale: Floats,
    is_auc: bool,  # noqa: FBT001 - compiled loops take positions
    patient: Ints,
    first_row: Ints,
    offset: Ints,
    order: Ints,
    bounds: Ints,
    words: Words,
    observed: float,
) -> int:
    extreme = 0
    source = np.empty(len(score), dtype=np.int64)
    for repeat in range(words.shape[0]):
        _exchange(patient, first_row, offset, order, bounds, words[repeat], source)
        value = _spread(score, positive, by_score, begin, held, scale, is_auc, source)
        if value >= observed * (1 - 1e-12):
            extreme += 1
    return extreme


@compiled
def _exchange(
    patient: Ints,
    first_row: Ints,
    offset: Ints,
    order: Ints,
    bounds: Ints,
    words: Words,
    source: Ints,
) -> None:
    """Say for every row whose membership it takes, after one exchange within the kinds."""
    shuffled = order.copy()
    donor = np.empty(len(order), dtype=np.int64)
    for part in range(len(bounds) - 1):
        start, stop = bounds[part], bounds[part + 1]
        for position in range(stop - 1, start, -1):
            other = start + below(words, position, position - start + 1)
            shuffled[position], shuffled[other] = shuffled[other], shuffled[position]
    for position in range(len(order)):
        donor[order[position]] = shuffled[position]
    for row in range(len(source)):
        source[row] = first_row[donor[patient[row]]] + offset[row]


def permutation_of_sums_p(
    member: Membership,
    columns: Floats,
    *,
    formula: Callable[[Floats], Floats],
    scale: Floats,
    draws: int,
    stream: Stream,
) -> float:
    """Monte-Carlo p value of the spread over levels of a formula (..., k) -> (...) of sums.

    `columns` (rows, k) are added up in each level; statistic and p value are `permutation_p`'s.
    Levels in which the formula is undefined do not count.
    """
    order, bounds = stratum_layout(member.kind)
    within = np.arange(len(columns)) - member.first_row[member.patient]
    offset = np.zeros_like(within) if member.constant else within
    own = member.first_row[member.patient] + offset
    levels = member.level.shape[1]
    begin, held = _held(member.level)
    alone = np.zeros((1, levels, columns.shape[1]))
    _level_sums(columns, begin, held, own, alone[0])
    observed = _spread_of(formula(alone), scale)[0]
    extreme = 0
    for _, words in stream.batches(draws, len(order)):
        sums = np.zeros((len(words), levels, columns.shape[1]))
        _exchanged_sums(
            columns,
            begin,
            held,
            member.patient,
            member.first_row,
            offset,
            order,
            bounds,
            words,
            sums,
        )
        found = _spread_of(formula(sums), scale)
        extreme += int(np.sum(found >= observed * (1 - 1e-12)))
    return (1 + extreme) / (1 + draws)  # fmt: skip


def _spread_of(values: Floats, scale: Floats) -> Floats:
    """Return the weighted sum of squares about the weighted mean (..., levels) -> (...)."""
    weight = np.where(np.isfinite(values), 1 / scale, 0.0)
    given = np.where(np.isfinite(values), values, 0.0)
    mean = np.sum(weight * given, axis=-1) / np.maximum(np.sum(weight, axis=-1), 1e-300)
    spread: Floats = np.sum(weight * (given - mean[..., None]) ** 2, axis=-1)
    return spread


@compiled
def _exchanged_sums(  # noqa: PLR0913, PLR0917 - compiled loops take positions
    columns: Floats,
    begin: Ints,
    held: Ints,
    patient: Ints,
    first_row: Ints,
    offset: Ints,
    order: Ints,
    bounds: Ints,
    words: Words,
    sums: Floats,
) -> None:
    source = np.empty(len(columns), dtype=np.int64)
    for repeat in range(words.shape[0]):
        _exchange(patient, first_row, offset, order, bounds, words[repeat], source)
        _level_sums(columns, begin, held, source, sums[repeat])


@compiled
def _level_sums(columns: Floats, begin: Ints, held: Ints, source: Ints, sums: Floats) -> None:
    for row in range(len(columns)):
        for place in range(begin[source[row]], begin[source[row] + 1]):
            for column in range(columns.shape[1]):
                sums[held[place], column] += columns[row, column]


@compiled
def _spread(
    score: Floats,
    positive: Bools,
    by_score: Ints,
    begin: Ints,
    held: Ints,
    scale: Floats,
    is_auc: bool,  # noqa: FBT001 - compiled loops take positions
    source: Ints,
) -> float:
    values = np.empty(len(scale))
    if is_auc:
        _level_aucs(score, positive, by_score, begin, held, source, values)
    else:
        _level_means(score, begin, held, source, values)
    weight = 0.0
    pooled = 0.0
    for group in range(len(scale)):
        if np.isfinite(values[group]):
            weight += 1 / scale[group]
            pooled += values[group] / scale[group]
    spread = 0.0
    for group in range(len(scale)):
        if np.isfinite(values[group]):
            spread += (values[group] - pooled / weight) ** 2 / scale[group]
    return spread


@compiled
def _level_means(score: Floats, begin: Ints, held: Ints, source: Ints, values: Floats) -> None:
    totals, rows = np.zeros(len(values)), np.zeros(len(values))
    for row in range(len(score)):
        for place in range(begin[source[row]], begin[source[row] + 1]):
            totals[held[place]] += score[row]
            rows[held[place]] += 1
    for group in range(len(values)):
        values[group] = totals[group] / rows[group] if rows[group] else np.nan


@compiled
def _level_aucs(  # noqa: C901 - one pass over the groups of equal scores
    score: Floats,
    positive: Bools,
    by_score: Ints,
    begin: Ints,
    held: Ints,
    source: Ints,
    values: Floats,
) -> None:
    """Every level's AUC in one pass from the lowest score up."""
    levels = len(values)
    below_it, tied = np.zeros(levels), np.zeros(levels)
    wins, positives = np.zeros(levels), np.zeros(levels)
    stop = 0
    while stop < len(by_score):
        first = stop
        while stop < len(by_score) and score[by_score[stop]] == score[by_score[first]]:
            row = by_score[stop]
            if not positive[row]:
                for place in range(begin[source[row]], begin[source[row] + 1]):
                    tied[held[place]] += 1
            stop += 1
        for row in by_score[first:stop]:
            if positive[row]:
                for place in range(begin[source[row]], begin[source[row] + 1]):
                    group = held[place]
                    wins[group] += below_it[group] + tied[group] / 2
                    positives[group] += 1
        for row in by_score[first:stop]:
            if not positive[row]:
                for place in range(begin[source[row]], begin[source[row] + 1]):
                    below_it[held[place]] += 1
                    tied[held[place]] -= 1
    for group in range(levels):
        pairs = positives[group] * below_it[group]
        values[group] = wins[group] / pairs if pairs else np.nan
