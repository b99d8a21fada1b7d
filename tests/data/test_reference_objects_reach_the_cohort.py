"""Real pictures with a DICOM annotation as their truth: read, kept beside the cohort, reported."""

import io
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from tests.data.annotations import pixels_of, segmentation, series
from tests.data.partner_upload import Partner

SLICES = series()


def test_a_segmentation_of_a_ct_series_becomes_its_mask(partner: Partner, tmp_path: Path) -> None:
    liver = np.random.default_rng(4).random((5, 16, 16)) < 0.3
    made = segmentation(SLICES, {"Liver": liver.astype(np.uint8)})
    files = {f"ct/{n}.dcm": dicom(one) for n, one in enumerate(SLICES)} | {"seg.dcm": dicom(made)}
    pictures = ";".join(sorted((name for name in files if name != "seg.dcm"), reverse=True))
    table = f"patient,case,files,reference_file\np1,one,{pictures},seg.dcm\n".encode()

    ingested = partner.ingested(table, files, description={"reference_labels": {"liver": "organ"}})

    codes = {one["code"] for one in ingested.report.findings}
    assert not codes & {"reference.geometry", "reference.label", "reference.not_named"}
    content = partner.stored("reference")["reference.parquet"]
    (row,) = pq.read_table(io.BytesIO(content)).to_pylist()
    outputs = json.loads(row["reference_outputs"])
    assert outputs["mask"]["size"] == [5, 16, 16]
    assert (pixels_of(outputs, "organ") == liver).all()
    assert json.loads(ingested.quality_json)["counts"]["files"] == 5
    assert "Reference standard" in ingested.quality_html


def dicom(dataset: object) -> bytes:
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue()
