"""A partner's machine may send anything: what is taken names no place, no person and no truth."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.data.cohort_versions import FILES, rows
from tests.data.partner_upload import Partner

from proctor_backend.domain.errors import DataError
from proctor_sdk.canonical import sha256_hex
from proctor_workers.hidden_data.ingest.adopt import adopt, index_of
from proctor_workers.hidden_data.ingest.destinations import BucketDestination, FolderDestination
from proctor_workers.hidden_data.ingest.outline import Ingest, ingest_cohort
from proctor_workers.hidden_data.ingest.plan_file import settings_of
from proctor_workers.hidden_data.ingest.prepared import PreparedIndex, write_index
from proctor_workers.hidden_data.ingest.report import Ingested
from proctor_workers.hidden_data.ingest.sources import FolderSource, QuarantineSource
from proctor_workers.hidden_data.pseudonyms import Pseudonyms

Forge = Callable[[Any], object]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ingested]:
    folder = tmp_path_factory.mktemp("home")
    (folder / "images").mkdir()
    for name, content in FILES.items():
        (folder / "images" / name).write_bytes(content)
    table = rows()
    with (folder / "cases.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    job = Ingest(
        plan=settings_of({"deidentify": {"burned_in": "keep"}})[0],
        table=folder / "cases.csv",
        table_format="csv",
        source=FolderSource(folder / "images"),
        destination=FolderDestination(folder / "cohort"),
        pseudonyms=Pseudonyms(b"k" * 32, "prepared"),
        folder=folder / "private",
        at_home=True,
        processes=1,
    )
    return folder / "cohort", ingest_cohort(job)


@pytest.fixture
def take(partner: Partner, made: tuple[Path, Ingested]) -> Callable[..., Any]:
    """Send a prepared cohort in which some parts or the index were changed, and adopt it."""
    folder, ingested = made
    index = json.loads(write_index(folder, ingested).as_bytes())

    def sent(*, parts: dict[str, Callable[[bytes], bytes]] | None = None, forge: Forge = id) -> Any:
        index["parts"] = []
        for path in sorted(one for one in folder.rglob("*") if one.is_file()):
            name = path.relative_to(folder).as_posix()
            changed = next((c for part, c in (parts or {}).items() if name.startswith(part)), bytes)
            found = partner.upload(changed(path.read_bytes()))
            if name != "index.json":
                index["parts"].append([name, found["sha256"], found["size"]])
        forge(index)
        destination = BucketDestination(partner.settings, partner.cohort, partner.cohort, "hidden")
        prepared = PreparedIndex.from_dict(index)
        return adopt(partner.settings, partner.cohort, prepared, destination, partner.work_dir)

    return sent


def test_what_nobody_changed_is_taken(
    take: Callable[..., Any], made: tuple[Path, Ingested]
) -> None:
    assert take().root == made[1].report.root


@pytest.mark.parametrize(
    "part",
    [
        ["blocks/...jsonl", "a" * 64, 1],
        ["blocks/other/00000.jsonl", "a" * 64, 1],
        ["reference/../../x.parquet", "a" * 64, 1],
        ["blocks/00000.jsonl", "../../etc/passwd", 1],
    ],
)
def test_part_that_leads_elsewhere_is_refused(part: list[Any]) -> None:
    with pytest.raises(DataError):
        PreparedIndex.from_dict({"prepared": 1, "report": {}, "parts": [part]})


FORGED = {
    "findings that are no list": ("findings", 5),
    "a finding without severity": ("findings", [{"key": "x"}]),
    "an override that is no text": ("overrides", [{"finding": "x", "reason": {"a": 1}}]),
    "an override in another's name": ("overrides", [{"finding": "x", "reason": "", "at": ""}]),
    "forms that no file has": ("forms", ["<script>"]),
    "headers that are no text": ("headers", [{}]),
    "counts that are none": ("deidentified", {"x": "many"}),
    "less than nothing left out": ("left_out", {"file.unreadable": -3}),
}


@pytest.mark.parametrize(("field", "value"), FORGED.values(), ids=FORGED)
def test_report_of_another_shape_is_refused(
    take: Callable[..., Any], field: str, value: object
) -> None:
    with pytest.raises(DataError, match="report is malformed"):
        take(forge=lambda index: index["report"].update({field: value}))


def test_file_that_is_another_than_its_list_says_is_refused(take: Callable[..., Any]) -> None:
    with pytest.raises(DataError, match="another than its list says"):
        take(parts={"files/": lambda content: content[:-1] + b"?"})


def test_file_whose_name_could_tell_the_truth_is_refused(take: Callable[..., Any]) -> None:
    with pytest.raises(DataError, match="named by number"):
        take(parts={"blocks/": lambda text: text.replace(b'"0.png"', b'"cancer.png"')})


@pytest.mark.parametrize("column", ["case", "patient", "imaging_study"])
def test_name_that_is_no_pseudonym_is_refused(
    take: Callable[..., Any], tmp_path: Path, column: str
) -> None:
    def named(content: bytes) -> bytes:
        table = pq.read_table(pa.BufferReader(content))
        told = [f"Jane Doe {number}" for number in range(table.num_rows)]
        place = table.column_names.index(column)
        pq.write_table(table.set_column(place, column, pa.array(told)), tmp_path / "forged")
        return (tmp_path / "forged").read_bytes()

    with pytest.raises(DataError, match=r"no pseudonym|no list has"):
        take(parts={"reference/reference": named})


def test_reference_standard_without_its_columns_is_refused(
    take: Callable[..., Any], tmp_path: Path
) -> None:
    def cut(content: bytes) -> bytes:
        table = pq.read_table(pa.BufferReader(content)).select(["reference_value"])
        pq.write_table(table, tmp_path / "cut")
        return (tmp_path / "cut").read_bytes()

    with pytest.raises(DataError, match="malformed"):
        take(parts={"reference/reference": cut})


@pytest.mark.parametrize("content", [b'{"report": NaN}', b"[" * 100_000, b'{"a":1,"a":2}'])
def test_index_that_is_no_strict_json_is_refused(content: bytes) -> None:
    with pytest.raises(DataError):
        index_of(content)


def test_what_an_earlier_plan_made_is_not_sent(made: tuple[Path, Ingested]) -> None:
    folder, ingested = made
    content = b"pixels that burned-in text was not blanked in"
    old = folder / "files" / sha256_hex(content)[:2] / sha256_hex(content)
    old.parent.mkdir(exist_ok=True)
    for path in (old, old.with_suffix(".4711"), folder / "blocks" / "00099.jsonl"):
        path.write_bytes(content)

    sent = {part.path for part in write_index(folder, ingested).parts}

    assert sha256_hex(content) not in " ".join(sent)
    assert "blocks/00099.jsonl" not in sent
    assert not old.exists()


def test_names_that_differ_by_folder_stay_apart(partner: Partner, tmp_path: Path) -> None:
    long = "x" * 250 + "/image.dcm"
    contents = {"a/b.dcm": b"one", "a__b.dcm": b"two", f"1/{long}": b"three", f"2/{long}": b"four"}
    digests = {name: partner.upload(content)["sha256"] for name, content in contents.items()}
    source = QuarantineSource(partner.settings, partner.cohort, digests)

    paths = {name: source.fetch(name, tmp_path) for name in contents}

    assert {name: path.read_bytes() for name, path in paths.items()} == contents
