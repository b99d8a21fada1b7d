"""Leaks in a whole ingest: from the files of a partner to what the cohort's record says."""

import io
from collections.abc import Callable

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image
from tests.data.partner_upload import Partner

from proctor_backend.domain.cohort import blocking
from proctor_workers.hidden_data.ingest.report import IngestReport

CASES = 44
Export = Callable[[NDArray[np.uint8], bool], bytes]


def picture(number: int) -> NDArray[np.uint8]:
    draw = np.random.Generator(np.random.Philox(number))
    rows, columns = np.mgrid[0:64, 0:64]
    waves = np.sin(rows / draw.uniform(6, 12)) + np.cos(columns / draw.uniform(6, 12))
    return np.clip(120 + 40 * waves + draw.normal(0, 4, (64, 64)), 0, 255).astype(np.uint8)


def png(pixels: NDArray[np.uint8]) -> bytes:
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "PNG")
    return held.getvalue()


def all_alike(pixels: NDArray[np.uint8], sick: bool) -> bytes:  # noqa: FBT001 - an export
    return png(pixels)


def sick_ones_were_jpegs(pixels: NDArray[np.uint8], sick: bool) -> bytes:  # noqa: FBT001
    if not sick:
        return png(pixels)
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "JPEG", quality=70)
    return png(np.asarray(Image.open(held)))


def sick_ones_are_larger(pixels: NDArray[np.uint8], sick: bool) -> bytes:  # noqa: FBT001
    return png(np.tile(pixels, (2, 1)) if sick else pixels)


def ingested(partner: Partner, export: Export) -> IngestReport:
    files = {f"{number}.png": export(picture(number), number % 2 == 1) for number in range(CASES)}
    rows = [f"c{n},p{n},{n % 2},{n}.png" for n in range(CASES)]
    table = "\n".join(["case,patient,reference_value,files", *rows, ""]).encode()
    return partner.ingest(table, files)


def keys(report: IngestReport) -> list[str]:
    return [str(one["key"]) for one in blocking(report.findings, ())]


def test_cases_exported_alike_are_not_held_back_and_leave_their_fingerprints(
    partner: Partner,
) -> None:
    report = ingested(partner, all_alike)

    assert not report.problems
    assert keys(report) == []
    assert list(report.confounders) == []
    table = pq.read_table(io.BytesIO(partner.stored("reference")["fingerprints.parquet"]))
    for column in ("source_sha256", "perceptual_hash", "detail_hash"):
        assert len(set(table[column].to_pylist())) == CASES


def test_a_class_that_was_once_jpeg_holds_the_cohort_back_by_name(partner: Partner) -> None:
    report = ingested(partner, sick_ones_were_jpegs)

    assert "leak.artefact:jpeg_blockiness" in keys(report)


def test_a_size_that_goes_with_the_truth_is_a_confounder_with_its_levels_kept(
    partner: Partner,
) -> None:
    report = ingested(partner, sick_ones_are_larger)

    assert "rows" in report.confounders
    table = pq.read_table(io.BytesIO(partner.stored("reference")["reference.parquet"]))
    assert set(table["acq.rows"].to_pylist()) == {"64", "128"}
