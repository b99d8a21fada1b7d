"""Small levels of a quantity that is a formula of sums are tested by permutation too."""

import numpy as np
import pytest

from proctor_workers.metrics.binary import METRICS
from proctor_workers.metrics.metric import Plan, divide
from proctor_workers.metrics.sample import Design, Sample
from proctor_workers.statistics.draws import Stream
from proctor_workers.statistics.permutation import (
    membership,
    permutation_of_sums_p,
    permutation_p,
)
from proctor_workers.subgroups.equality import equality_test

PLAN = Plan(design=Design(kind="consecutive", weighted=False))


@pytest.mark.parametrize("rows", [1, 2])
def test_share_as_a_formula_has_the_p_value_of_the_share(rows: int) -> None:
    rng = np.random.default_rng(rows)
    patient = np.repeat(np.arange(60), rows)
    level = np.repeat(rng.random(60) < 0.3, rows)
    hit = rng.random(len(patient)) < 0.6 - 0.3 * level
    member = membership(
        np.column_stack([level, ~level]), patient, np.zeros(len(patient), dtype=bool)
    )
    scale = 1 / member.level.sum(axis=0).astype(float)
    given = {"scale": scale, "draws": 199, "stream": Stream(3, "test")}
    plain = permutation_p(
        member, hit.astype(float), np.zeros(len(hit), dtype=bool), kind="mean", **given
    )
    columns = np.column_stack([hit, np.ones(len(hit))]).astype(float)
    summed = permutation_of_sums_p(
        member, columns, formula=lambda sums: divide(sums[..., 0], sums[..., 1]), **given
    )
    assert summed == plain


def test_small_level_of_a_formula_is_permuted_and_a_large_one_is_not() -> None:
    rng = np.random.default_rng(1)
    n = 400
    positive = rng.random(n) < 0.5
    score = rng.normal(size=n) + 1.5 * positive
    sample = Sample(
        patient=np.arange(n), weight=np.ones(n), stratum=np.zeros(n, dtype=np.int64),
        columns={"positive": positive, "score": score, "call": score > 0.75},
    )  # fmt: skip
    found = {}
    for size in (30, 200):
        level = np.arange(n) < size
        levels = [("a", level), ("b", ~level)]
        found[size] = equality_test(METRICS["f1"], sample, levels, PLAN).method
    assert found[30].startswith("permutation by patient")
    assert found[200].startswith("joint Wald")
