"""Facts of the acquisition that go with the truth: primary results within their levels."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "statistics"))
import numpy as np
import pyarrow as pa
import pytest
from made_cohort import MANIFEST, made_cohort, protocol

from proctor_backend.domain.result import Measurement, Result
from proctor_workers.evidence import write_evidence
from proctor_workers.measurement import measure
from proctor_workers.recompute import recompute


def cohort() -> tuple[pa.Table, pa.Table]:
    observations, reference = made_cohort(300)
    rng = np.random.default_rng(4)
    slices = [str(n) for n in rng.integers(20, 80, len(reference))]
    makers = ["Maker A" if n % 3 else "Maker B" for n in range(len(reference))]
    reference = reference.append_column("acq.slices", pa.array(slices))
    return observations, reference.append_column("acq.manufacturer", pa.array(makers))


def measured(*confounders: str) -> Measurement:
    return measure(protocol(subgroups=[]), MANIFEST, *cohort(), confounders=confounders)


def within(found: Measurement, factor: str) -> list[Result]:
    return [one for one in found.results if (one.group or {}).get("factor") == factor]


def test_a_confounder_brings_the_primary_endpoint_within_each_level() -> None:
    rows = within(measured("manufacturer"), "acq.manufacturer")

    assert {one.group["level"] for one in rows if one.group} == {"Maker A", "Maker B"}
    assert {one.quantity for one in rows} == {"auroc"}
    assert sum(one.n for one in rows) == next(
        one.n for one in measured().results if one.id == "auroc"
    )
    assert all(one.interval is not None for one in rows)
    assert all(any("exploratory" in flag for flag in one.flags) for one in rows)


def test_a_number_is_cut_into_fifths() -> None:
    assert len(within(measured("slices"), "acq.slices")) == 5


def test_the_ids_do_not_tell_the_levels() -> None:
    ids = [one.id for one in within(measured("manufacturer"), "acq.manufacturer")]

    assert ids == ["auroc.acq.manufacturer.1", "auroc.acq.manufacturer.2"]


def test_without_confounders_the_acquisition_is_not_mentioned() -> None:
    found = measured()

    assert not [one for one in found.results if "acq." in one.id]
    assert not [row for row in found.baseline if row["attribute"].startswith("acq.")]


@pytest.mark.parametrize("name", ["site", "canonical_bytes"])
def test_what_the_cohort_keeps_no_level_of_has_no_strata(name: str) -> None:
    assert measured(name).as_dict() == measured().as_dict()


def test_the_strata_are_recomputed_from_the_evidence(tmp_path: Path) -> None:
    observations, reference = cohort()
    plan = protocol(subgroups=[])
    found = measure(plan, MANIFEST, observations, reference, confounders=["slices"])
    write_evidence(
        tmp_path,
        protocol=plan,
        manifest=MANIFEST,
        observations=observations,
        reference=reference,
        measurement=found,
        confounders=["slices"],
    )

    assert recompute(tmp_path).identical
