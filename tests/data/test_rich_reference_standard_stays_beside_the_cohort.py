"""A reference standard of masks, boxes or readers: kept by name, never where a runner looks."""

import io
import json
import struct
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.data.partner_upload import Partner

from proctor_sdk.runtime import runs_of
from proctor_workers.hidden_data.case_files import Refusal, SourceFile
from proctor_workers.hidden_data.reference_objects import reference_outputs
from proctor_workers.hidden_data.reference_objects.json_outputs import checked_outputs

LABELS = {"1": "tumour", "2": "oedema"}


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format="PNG")
    return out.getvalue()


def outputs_of(content: bytes) -> str | Refusal:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "truth"
        path.write_bytes(content)
        file = SourceFile(name="truth", path=path)
        return reference_outputs(file, labels=LABELS, grid=None)[0]


def png_of(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds no pixels."""
    content = png(np.zeros((1, 1), dtype=np.uint8))
    head = b"IHDR" + struct.pack(">II", width, height) + content[24:29]
    return content[:12] + head + struct.pack(">I", zlib.crc32(head)) + content[33:]


def test_nested_cells_and_broken_text_of_a_parquet_are_named(partner: Partner) -> None:
    table = pa.table({"patient": ["p1"], "reference_value": ["1"], "rater.a": [[1, 2]]})
    broken = pa.array([b"\xff"]).cast(pa.binary()).view(pa.string())
    for content in (table, pa.table({"patient": ["p1"], "reference_value": broken})):
        out = io.BytesIO()
        pq.write_table(content, out)
        report = partner.ingest(out.getvalue(), table_format="parquet")
        assert report.root or report.problems


def reference_of(partner: Partner) -> dict[str, dict]:
    content = partner.stored("reference")["reference.parquet"]
    rows = pq.read_table(io.BytesIO(content)).to_pylist()
    return {row["reference_value"] or row["attr.name"]: row for row in rows}


def test_label_map_becomes_named_runs_and_is_not_staged(partner: Partner) -> None:
    truth = np.zeros((4, 5), dtype=np.uint8)
    truth[1, 1:4], truth[3, 0] = 1, 2
    image = np.full((4, 5), 7, dtype=np.uint8)
    table = b"patient,files,reference_file,attr.name\np1,a.png,a-truth.png,one\n"

    report = partner.ingest(
        table,
        {"a.png": png(image), "a-truth.png": png(truth)},
        description={"reference_labels": LABELS},
    )

    assert report.problems == ()
    kept = json.loads(reference_of(partner)["one"]["reference_outputs"])
    labels = {"tumour": [6, 3], "oedema": [15, 1]}
    assert kept == {"mask": {"size": [4, 5], "labels": labels}}
    hidden = partner.stored()
    assert sum(not key.endswith("cases.jsonl") for key in hidden) == 1
    assert all(b"tumour" not in content for content in hidden.values())


def test_readers_and_devices_are_kept_with_their_kind(partner: Partner) -> None:
    table = (
        b"patient,reference_value,attr.name,rater.anna,rater.predicate\n"
        b'p1,1,one,1,"{""scores"": {""died"": 0.25}}"\n'
        b"p2,0,two,,\n"
    )

    report = partner.ingest(table, description={"raters": {"predicate": "device"}})

    assert report.problems == ()
    rows = reference_of(partner)
    assert json.loads(rows["1"]["raters"]) == {
        "anna": {"kind": "reader", "outputs": {"category": "1"}},
        "predicate": {"kind": "device", "outputs": {"scores": {"died": 0.25}}},
    }
    assert rows["0"]["raters"] is None


def test_changed_mask_is_another_cohort(partner: Partner) -> None:
    def root(start: int) -> str:
        truth = json.dumps({"mask": {"size": [4, 4], "labels": {"tumour": [start, 2]}}})
        cell = truth.replace('"', '""')
        table = f'patient,reference_outputs\np1,"{cell}"\n'.encode()
        return partner.ingest(table).root

    assert root(1) != root(2)


@pytest.mark.parametrize(
    ("table", "column", "what"),
    [
        ("patient,case\np1,a\n", "reference_value", "no reference standard"),
        ('patient,reference_outputs\np1,"{""boxes"": 3}"\n', "reference_outputs", "no list"),
        ('patient,reference_outputs\np1,"{""horoscope"": 3}"\n', "reference_outputs", "tag"),
        ("patient,reference_outputs\np1,[]\n", "reference_outputs", "no JSON object"),
        ('patient,reference_value,rater.a\np1,1,"{""value"": 1}"\n', "rater.a", "quantities"),
        ("patient,reference_file\np1,../x\n", "reference_file", "outside the upload"),
        ("patient,reference_file\np1,x.png\n", "reference_file", "not there"),
        ("patient,reference_value,rater.<b>\np1,1,1\n", "rater.<b>", "rater's name"),
        ('patient,reference_value,"rater.a\nb"\np1,1,1\n', "'rater.a\\nb'", "not printable"),
        ("patient,reference_value," + "x" * 200_000 + "\np1,1,1\n", "", "cannot be read"),
    ],
)
def test_bad_reference_is_named_at_its_cell(
    partner: Partner, table: str, column: str, what: str
) -> None:
    report = partner.ingest(table.encode())

    said = [problem["what"] for problem in report.problems if problem["column"] == column]
    assert any(what in text for text in said), report.problems


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"not json", "neither strict JSON"),
        (b"\x89PNG\r\n\x1a\nbroken", "cannot be read"),
        (png(np.zeros((3, 3, 3), dtype=np.uint8)), "colours"),
        (png(np.full((3, 3), 9, dtype=np.uint8)), "value 9"),
        (b'{"mask":{"size":[2,2],"labels":{"a":[3,2]}}}', "beyond its size"),
        (b'{"event":{"time":-1,"observed":true}}', "event"),
        (b'{"value":{"a":9007199254740993}}', "no double"),
        (b'{"value":{"a":1e31}}', "not a finite number"),
        (b'{"category":"\\ud800"}', "half a Unicode"),
        (png_of(20_000, 10_000), "larger than"),
        (png(np.tile(np.array([0, 1], dtype=np.uint8), (2048, 1200))), "speckled"),
        (png(np.arange(400, dtype=np.uint16).reshape(20, 20)), "more than 255"),
    ],
)
def test_bad_reference_file_is_refused_with_its_reason(content: bytes, what: str) -> None:
    found = outputs_of(content)

    assert isinstance(found, Refusal)
    assert what in found.what


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_taken_or_refused_never_raised(content: bytes) -> None:
    assert isinstance(outputs_of(content), Refusal | str)
    assert isinstance(checked_outputs(content), Refusal | str)


@given(st.lists(st.integers(0, 2), min_size=1, max_size=60))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_runs_of_a_label_map_are_those_of_the_vendors_helper(values: list[int]) -> None:
    pixels = np.array([values], dtype=np.uint8)
    found = json.loads(str(outputs_of(png(pixels))))

    for value, name in LABELS.items():
        expected = runs_of(pixels.ravel() == int(value))
        assert found["mask"]["labels"].get(name, []) == expected
