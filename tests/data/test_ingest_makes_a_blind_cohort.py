"""What lies in the hidden bucket after an ingest: the same pixels, no identity, one root."""

import hashlib
import io
import json
import re
from collections.abc import Iterator

import numpy as np
import pyarrow.parquet as pq
import pydicom
import pytest
from generate import plan, table_row
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pydicom.uid import ExplicitVRLittleEndian
from radiograph import radiograph
from tests.data.partner_upload import Partner, new_partner
from write_dicom import SYNTAXES, dicom_bytes

from proctor_backend.local import LocalStack
from proctor_sdk.fingerprints.pixels import pixel_digest
from proctor_workers.hidden_data.ingest.plan_file import settings_of
from proctor_workers.hidden_data.ingest.report import IngestReport

PHANTOMS = plan(per_sex=7, seed=5)  # each of the seven syntaxes twice
IMAGES = {
    p.path: radiograph(np.random.default_rng(p.seed), p.subject.sex, p.score) for p in PHANTOMS
}
FILES = {
    p.path: dicom_bytes(IMAGES[p.path], p.subject, p.syntax, inverted=p.inverted) for p in PHANTOMS
}
ROWS = [table_row(p) for p in PHANTOMS]
TABLE = "\n".join([",".join(ROWS[0]), *(",".join(row.values()) for row in ROWS), ""]).encode()


@pytest.fixture(scope="module")
def ingested(servers: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Partner:
    return new_partner(servers, tmp_path_factory.mktemp("work"))


@pytest.fixture(scope="module")
def report(ingested: Partner) -> IngestReport:
    report = ingested.ingest(TABLE, FILES)
    assert report.problems == ()
    return report


def canonical(partner: Partner) -> Iterator[pydicom.Dataset]:
    for key, content in partner.stored().items():
        if not key.endswith("cases.jsonl"):
            yield pydicom.dcmread(io.BytesIO(content))


def test_the_seven_syntaxes_are_all_there() -> None:
    found = {
        str(pydicom.dcmread(io.BytesIO(c)).file_meta.TransferSyntaxUID) for c in FILES.values()
    }

    assert found == {str(syntax) for syntax in SYNTAXES}


def test_pixels_are_exactly_the_partners_in_every_syntax(
    ingested: Partner, report: IngestReport
) -> None:
    given = {
        pydicom.dcmread(io.BytesIO(c)).pixel_array.astype("<u2").tobytes() for c in FILES.values()
    }
    kept = {dataset.pixel_array.astype("<u2").tobytes() for dataset in canonical(ingested)}

    assert kept == given
    assert len(kept) == report.cases == len(PHANTOMS)


def test_canonical_files_are_uncompressed_with_an_empty_preamble(
    ingested: Partner, report: IngestReport
) -> None:
    for dataset in canonical(ingested):
        assert dataset.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
        assert dataset.preamble == bytes(128)


def test_monochrome1_stays_what_it_is(ingested: Partner, report: IngestReport) -> None:
    kept = sorted(dataset.PhotometricInterpretation for dataset in canonical(ingested))

    assert kept == sorted(f"MONOCHROME{1 if p.inverted else 2}" for p in PHANTOMS)


def test_no_planted_identifier_is_left_in_any_hidden_byte(
    ingested: Partner, report: IngestReport
) -> None:
    everything = b"".join(ingested.stored().values())

    for planted in (rb"PHANTOM", rb"PERSON", rb"MRN", rb"ACC\d", rb"REFERRER", rb"Northgate",
                    rb"Harbour", rb"Midland", rb"ROOM", rb"Acme", rb"Bolt", rb"SN\d", rb"secret",
                    rb"20260309", rb"0704", rb"101500", rb"\d{3}Y", rb"1\.2\.826"):  # fmt: skip
        assert not re.search(planted, everything), planted


def test_no_private_or_unlisted_header_is_left(ingested: Partner, report: IngestReport) -> None:
    for dataset in canonical(ingested):
        assert not [element for element in dataset if element.tag.is_private]
        for keyword in (
            "PatientSex",
            "PatientAge",
            "EthnicGroup",
            "InstitutionName",
            "Manufacturer",
        ):
            assert keyword not in dataset


def test_uids_are_ordinals_within_the_case(ingested: Partner, report: IngestReport) -> None:
    uids = {str(dataset.SOPInstanceUID) for dataset in canonical(ingested)}

    assert uids == {"2.25.3"}  # after the study and the series


def test_granted_headers_stay_with_ages_over_89_pooled(partner: Partner) -> None:
    partner.ingest(
        TABLE, FILES, description={"deidentify": {"headers": ["PatientSex", "PatientAge"]}}
    )

    ages = sorted(str(dataset.PatientAge) for dataset in canonical(partner))
    assert ages == sorted(f"{min(p.subject.age, 90):03d}Y" for p in PHANTOMS)


def test_header_that_identifies_cannot_be_granted() -> None:
    _, problems = settings_of({"deidentify": {"headers": ["PatientName"]}})

    assert problems[0].what == "PatientName cannot be granted."


def test_same_upload_gives_the_same_root_and_the_same_objects(
    ingested: Partner, report: IngestReport
) -> None:
    before = ingested.stored()

    assert ingested.ingest(TABLE, FILES) == report
    assert ingested.stored() == before


def test_another_reference_value_gives_another_root(partner: Partner) -> None:
    table = b"patient,reference_value\np1,1\n"

    assert partner.ingest(table).root != partner.ingest(table.replace(b"1\n", b"0\n")).root


def test_another_cohort_key_gives_other_names(partner: Partner) -> None:
    table = b"patient,reference_value\np1,1\n"
    partner.ingest(table)
    names = set(re.findall(rb"cas_\w+", partner.stored()["00000/cases.jsonl"]))
    partner.key = b"another key of thirty-two bytes."
    partner.ingest(table)

    assert not names & set(re.findall(rb"cas_\w+", partner.stored()["00000/cases.jsonl"]))


def test_staged_lines_name_existing_objects_and_nothing_of_the_reference(
    ingested: Partner, report: IngestReport
) -> None:
    stored = ingested.stored()
    for line in stored["00000/cases.jsonl"].splitlines():
        case = json.loads(line)
        assert set(case) == {"case", "files", "inputs"}
        for file in case["files"]:
            content = stored[f"00000/{file['sha256'][:2]}/{file['sha256']}"]
            assert hashlib.sha256(content).hexdigest() == file["sha256"]
            assert len(content) == file["size"]


def test_order_of_cases_tells_nothing_of_the_table(ingested: Partner, report: IngestReport) -> None:
    reference = pq.read_table(io.BytesIO(ingested.stored("reference")["reference.parquet"]))
    value = dict(
        zip(reference["case"].to_pylist(), reference["reference_value"].to_pylist(), strict=True)
    )
    lines = ingested.stored()["00000/cases.jsonl"].splitlines()

    staged = [value[json.loads(line)["case"]] for line in lines]
    assert staged != [row["reference_value"] for row in ROWS]


def test_reference_standard_lies_in_its_own_bucket_with_every_attribute(
    ingested: Partner, report: IngestReport
) -> None:
    stored = ingested.stored("reference")
    reference = pq.read_table(io.BytesIO(stored["reference.parquet"]))

    assert reference.num_rows == len(PHANTOMS)
    assert {"attr.sex", "attr.age", "attr.ethnic_group", "attr.scanner"} <= set(
        reference.column_names
    )
    assert max(float(age) for age in reference["attr.age"].to_pylist()) <= 90
    assert hashlib.sha256(stored["reference.parquet"]).hexdigest() == report.reference_sha256


def test_decoded_pixel_digests_and_origins_are_kept_apart(
    ingested: Partner, report: IngestReport
) -> None:
    files = pq.read_table(io.BytesIO(ingested.stored("reference")["files.parquet"])).to_pylist()

    digests = {pixel_digest(d.pixel_array) for d in canonical(ingested)}
    assert {file["decoded_pixel_sha256"] for file in files} == digests
    assert all(len(file["original_uid_hmac"]) == 64 for file in files)


def test_high_bits_in_which_a_mark_may_hide_are_cleared(partner: Partner) -> None:
    phantom = PHANTOMS[0]
    dataset = pydicom.dcmread(io.BytesIO(FILES[phantom.path]))
    clean = dataset.pixel_array
    dataset.PixelData = (clean | 0x8000).astype("<u2").tobytes()
    marked = io.BytesIO()
    pydicom.dcmwrite(marked, dataset)

    table = f"patient,reference_value,files\np,1,{phantom.path}\n".encode()
    partner.ingest(table, {phantom.path: marked.getvalue()})

    (kept,) = canonical(partner)
    assert np.array_equal(kept.pixel_array, clean)


def test_png_keeps_its_pixels_and_loses_its_texts(partner: Partner) -> None:
    image = Image.fromarray(np.arange(64 * 48, dtype=np.uint8).reshape(48, 64))
    text, out = PngInfo(), io.BytesIO()
    text.add_text("Comment", "Jane Doe")
    image.save(out, "PNG", pnginfo=text)

    partner.ingest(b"patient,reference_value,files\np,1,a.png\n", {"a.png": out.getvalue()})

    (content,) = (c for key, c in partner.stored().items() if not key.endswith(".jsonl"))
    assert b"Jane" not in content
    assert Image.open(io.BytesIO(content)).tobytes() == image.tobytes()


def test_public_cohort_lies_in_the_public_bucket(partner: Partner) -> None:
    partner.ingest(b"patient,reference_value\np,1\n", visibility="public")

    assert set(partner.stored("public")) == {"00000/cases.jsonl"}
    assert partner.stored() == {}


def test_large_cohort_is_cut_into_blocks_of_a_thousand(partner: Partner) -> None:
    rows = "".join(f"p{n},{n % 2}\n" for n in range(2500))

    report = partner.ingest(b"patient,reference_value\n" + rows.encode())

    assert [block["cases"] for block in report.blocks] == [1000, 1000, 500]
    assert report.patients == 2500
