"""Contrasts of a factor come from one set of draws, and from nobody's name."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from made_cohort import MANIFEST, endpoint, made_cohort, protocol

from proctor_backend.domain.result import Measurement
from proctor_workers.measurement import measure
from proctor_workers.metrics.binary import METRICS
from proctor_workers.metrics.cells import f1, four_cells
from proctor_workers.metrics.metric import Plan
from proctor_workers.metrics.sample import Design, Sample
from proctor_workers.statistics.bootstrap import Drawn, Resampling
from proctor_workers.statistics.draws import Stream
from proctor_workers.subgroups.contrast import contrast, draw_together

PLAN = Plan(
    design=Design(kind="consecutive", weighted=False),
    method="bootstrap_bca",
    resamples=300,
    stream="/group",
)


def made(rows_a_patient: int = 2) -> Sample:
    rng = np.random.default_rng(6)
    positive = rng.random(400) < 0.4
    score = rng.normal(positive)
    return Sample(
        patient=np.arange(400) // rows_a_patient,
        weight=np.ones(400),
        stratum=np.zeros(400, dtype=np.int64),
        columns={"positive": positive, "score": score, "call": score > 0.5},
    )


def contrasted(name: str, *, together: bool) -> list[Any]:
    sample, metric = made(), METRICS[name]
    plan = replace(PLAN, drawn=Drawn())
    levels = [sample.patient % 3 == code for code in range(3)]
    own = [metric.estimate(sample.take(rows), plan) for rows in levels]
    rest = [metric.estimate(sample.take(~rows), plan) for rows in levels]
    if together:
        draw_together(metric, sample, [(rows, ~rows) for rows in levels], own, plan)
    return [
        contrast(metric, sample, rows, ~rows, pair=(first, second), plan=plan)
        for rows, first, second in zip(levels, own, rest, strict=True)
    ]


@pytest.mark.parametrize("name", ["f1", "sensitivity", "auprc", "auroc"])
def test_contrasts_drawn_together_equal_those_drawn_alone(name: str) -> None:
    together = contrasted(name, together=True)
    assert together == contrasted(name, together=False)
    assert all("bootstrap" in one.method and one.lower < one.upper for one in together)


def test_a_contrasts_replicates_are_both_sides_of_the_same_draws() -> None:
    """Equal to the formula of sums over the drawn rows, by NumPy."""
    sample = made(1)
    level = sample.patient % 3 == 0
    draws = Resampling(300, sample.stratum, Stream(0, "/group"))
    counts = np.concatenate([times.T for _, times in draws.times()])[:300]
    cells = four_cells(sample)
    gaps = f1(counts @ (cells * level[:, None])) - f1(counts @ (cells * ~level[:, None]))
    metric = METRICS["f1"]
    pair = (
        metric.estimate(sample.take(level), PLAN),
        metric.estimate(sample.take(~level), PLAN),
    )
    found = contrast(metric, sample, level, ~level, pair=pair, plan=PLAN)
    assert found.lower is not None
    assert found.upper is not None
    # BCa limits are order statistics of the replicates, or lie between two of them.
    ordered = np.sort(gaps)
    for limit in (found.lower, found.upper):
        place = int(np.searchsorted(ordered, limit))
        assert ordered[max(place - 1, 0)] - 1e-12 <= limit <= ordered[min(place, 299)] + 1e-12
    assert np.mean((gaps >= found.lower) & (gaps <= found.upper)) == pytest.approx(0.95, abs=0.03)


def renamed(reference: pa.Table, names: dict[str, str]) -> pa.Table:
    place = reference.column_names.index("attr.sex")
    column = [names[name] for name in reference["attr.sex"].to_pylist()]
    return reference.set_column(place, "attr.sex", pa.array(column))


def test_renaming_groups_changes_no_number() -> None:
    document = protocol(resamples=120)
    names = ("auroc", "f1", "auprc", "sensitivity")
    document["endpoints"] = [endpoint("auroc", role="primary")] + [
        endpoint(name, point=None if name == "auprc" else "main") for name in names[1:]
    ]
    document["subgroups"] = [{"attribute": "sex", "endpoints": list(names), "family": "bias"}]
    observations, reference = made_cohort(240, rows_per_patient=2)
    first = measure(document, MANIFEST, observations, reference)
    swapped = measure(
        document, MANIFEST, observations, renamed(reference, {"F": "zebra", "M": "ant"})
    )
    assert numbers(first, {"F": "F", "M": "M"}) == numbers(swapped, {"zebra": "F", "ant": "M"})


def numbers(found: Measurement, old: dict[str, str]) -> dict[tuple[str, str], Any]:
    return {
        (one.quantity, old[one.group["level"]]): (one.estimate, one.interval, one.n)
        for one in found.results
        if one.interval is not None
        and one.group is not None
        and one.group["level"] in old
        and "versus" not in one.group
    }
