"""How a cohort is cut, for running or for comparing, never changes what is found of it."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_cohort import MANIFEST, made_cohort, protocol

from proctor_sdk.canonical import canonical_bytes
from proctor_workers.measurement import measure
from proctor_workers.metrics.binary import METRICS
from proctor_workers.metrics.sample import Design, Sample

DESIGN = Design(kind="consecutive", weighted=False)


@pytest.mark.parametrize("shards", [2, 7])
def test_predictions_of_other_shards_in_another_order_give_the_same_bytes(shards: int) -> None:
    observations, reference = made_cohort(280, rows_per_patient=2)
    place = observations.column_names.index("order")
    order = np.array([-1 if one is None else one for one in observations["order"].to_pylist()])
    recut = (order % shards) * 1000 + order // shards
    cut = observations.set_column(place, "order", pa.array(recut, observations["order"].type))
    first, second = (measure(protocol(), MANIFEST, one, reference) for one in (observations, cut))
    assert canonical_bytes(first.as_dict()) == canonical_bytes(second.as_dict())


@given(st.integers(20, 90), st.integers(0, 10_000), st.sampled_from(["sensitivity", "ppv", "f1"]))
@settings(max_examples=40, deadline=None)
def test_a_group_and_its_complement_make_the_whole(n: int, seed: int, name: str) -> None:
    rng = np.random.default_rng(seed)
    score = rng.random(n)
    whole = Sample(
        patient=np.arange(n) // 2,
        weight=np.ones(n),
        stratum=np.zeros(n, dtype=np.int64),
        columns={"positive": rng.random(n) < 0.5, "score": score, "call": score > 0.4},
    )
    metric, group = METRICS[name], rng.random(n) < 0.3
    parts = [metric.columns(whole.take(rows)).sum(axis=0) for rows in (group, ~group)]
    merged = float(metric.apply(np.sum(parts, axis=0), DESIGN))
    assert merged == pytest.approx(metric.point(whole, DESIGN), nan_ok=True, abs=1e-12)
