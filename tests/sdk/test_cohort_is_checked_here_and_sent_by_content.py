import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from proctor_sdk import cohort_upload
from proctor_sdk.cli import main
from proctor_sdk.cohort_table import CohortError, read_table

from .conftest import Platform

HEADER = "case,patient,site,reference_value,reference_status,files,attr.sex,input.age\n"


def write(folder: Path, rows: str, header: str = HEADER) -> Path:
    (folder / "table.csv").write_text(header + rows)
    return folder / "table.csv"


def told(folder: Path, rows: str, header: str = HEADER) -> str:
    with pytest.raises(CohortError) as caught:
        read_table(write(folder, rows, header), folder)
    assert all(problem.cure for problem in caught.value.problems)
    return str(caught.value)


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    folder = tmp_path / "cohort"
    (folder / "images").mkdir(parents=True)
    (folder / "images/a.dcm").write_bytes(b"first")
    (folder / "images/b.dcm").write_bytes(b"second")
    write(
        folder,
        "c1,p1,s1,1,verified,images/a.dcm; images/b.dcm,F,70\nc2,p2,s1,,missing,,M,50\n",
    )
    return folder


def add(folder: Path, *more: str) -> int:
    return main(["cohort", "add", str(folder / "table.csv"), "--name", "Cohort", *more])


def test_table_and_files_arrive_by_their_content(
    platform: Platform, cohort: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert add(cohort) == 0
    assert capsys.readouterr().out == "coh_1\n"
    contents = [b"first", b"second", (cohort / "table.csv").read_bytes()]
    assert platform.cohort_files == {hashlib.sha256(c).hexdigest(): c for c in contents}


def test_the_close_names_the_table_and_every_file(platform: Platform, cohort: Path) -> None:
    add(cohort)
    table = (cohort / "table.csv").read_bytes()
    assert platform.closed_cohort == {
        "table": {
            "sha256": hashlib.sha256(table).hexdigest(),
            "size": len(table),
            "format": "csv",
        },
        "files": [
            {"path": "images/a.dcm", "sha256": hashlib.sha256(b"first").hexdigest(), "size": 5},
            {"path": "images/b.dcm", "sha256": hashlib.sha256(b"second").hexdigest(), "size": 6},
        ],
    }


def test_a_second_try_sends_only_what_is_missing(platform: Platform, cohort: Path) -> None:
    platform.cohort_files[hashlib.sha256(b"first").hexdigest()] = b"first"
    add(cohort, "--cohort", "coh_1")
    assert f"/store/cohort/{hashlib.sha256(b'first').hexdigest()}" not in platform.puts()
    assert len(platform.puts()) == 2


def test_a_long_list_of_files_is_sent_as_an_object(
    platform: Platform, cohort: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cohort_upload, "MOST_FILES_INLINE", 1)
    add(cohort)
    sha256 = platform.closed_cohort["index_sha256"]
    index = json.loads(platform.cohort_files[sha256])
    assert [file["path"] for file in index["files"]] == ["images/a.dcm", "images/b.dcm"]
    assert index["table"] == platform.closed_cohort["table"]
    assert "files" not in platform.closed_cohort


def test_the_description_and_visibility_are_sent(
    platform: Platform, cohort: Path, tmp_path: Path
) -> None:
    (tmp_path / "d.yaml").write_text("country: NL\nyears: 1989 to 1994\n")
    add(cohort, "--public", "--description", str(tmp_path / "d.yaml"))
    (request,) = [body for _, path, body in platform.seen if path == "/api/v1/cohorts"]
    assert request == {
        "name": "Cohort",
        "visibility": "public",
        "description": {"country": "NL", "years": "1989 to 1994"},
    }


@pytest.mark.parametrize("name", ["t.yaml", "t.json", "t.toml"])
def test_terms_are_read_from_yaml_json_or_toml(
    platform: Platform, tmp_path: Path, name: str
) -> None:
    texts = {"t.yaml": "min_cell: 11", "t.json": '{"min_cell": 11}', "t.toml": "min_cell = 11"}
    (tmp_path / name).write_text(texts[name])
    assert main(["cohort", "terms", "coh_1", str(tmp_path / name)]) == 0
    assert platform.seen[-1][2] == {"min_cell": 11}


def test_nothing_is_sent_when_the_table_is_wrong(
    platform: Platform, cohort: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(cohort, "c1,,s1,1,verified,,F,70\n")
    assert add(cohort) == 1
    assert "table.csv:2: patient: is empty" in capsys.readouterr().err
    assert platform.seen == []


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("c1,p1,s1,,verified,,F,1\n", "does not go with its status"),
        ("c1,p1,s1,1,missing,,F,1\n", "does not go with its status"),
        ("c1,p1,s1,1,verifed,,F,1\n", "not a known status"),
        ("c1,p1,s1,1,verified,../x,F,1\n", "outside the folder"),
        ("c1,p1,s1,1,verified,/etc/passwd,F,1\n", "outside the folder"),
        ("c1,p1,s1,1,verified,images/none.dcm,F,1\n", "not in the folder"),
        ("c1,p1,s1,1,verified,images/a.dcm;images/a.dcm,F,1\n", "named twice"),
        ("c1,p1,s1,1,verified,,F,1\nc1,p2,s1,1,verified,,F,1\n", "stands twice"),
        ("c1,p1,s1,1\n", "another number of cells"),
        ("c1,p1,s1,1,verified,,F,1,2\n", "another number of cells"),
        ("", "holds no case"),
    ],
)
def test_each_fault_of_a_row_is_told(cohort: Path, row: str, what: str) -> None:
    assert what in told(cohort, row)


def test_a_link_out_of_the_folder_is_not_followed(cohort: Path) -> None:
    (cohort / "images/link.dcm").symlink_to("/etc/hostname")
    assert "links outside" in told(cohort, "c1,p1,s1,1,verified,images/link.dcm,F,1\n")


def test_an_empty_file_is_told(cohort: Path) -> None:
    (cohort / "images/empty.dcm").touch()
    assert "is empty" in told(cohort, "c1,p1,s1,1,verified,images/empty.dcm,F,1\n")


def test_an_unknown_column_is_told_with_the_two_prefixes(cohort: Path) -> None:
    assert "attr." in told(cohort, "p1,1,x\n", "patient,reference_value,colour\n")


def test_a_missing_column_is_told(cohort: Path) -> None:
    assert "reference_value" in told(cohort, "p1\n", "patient\n")


@pytest.mark.parametrize(("name", "cell"), [("sampling_weight", "0"), ("partition", "test")])
def test_sampling_columns_are_checked(cohort: Path, name: str, cell: str) -> None:
    assert name in told(cohort, f"p1,1,{cell}\n", f"patient,reference_value,{name}\n")


def test_text_that_is_not_utf_8_is_told(cohort: Path) -> None:
    (cohort / "table.csv").write_bytes(b"patient,reference_value\n\xff\xfe,1\n")
    with pytest.raises(CohortError, match="UTF-8"):
        read_table(cohort / "table.csv", cohort)


def test_many_problems_are_counted_and_the_first_shown(cohort: Path) -> None:
    text = told(cohort, "c,,s,1,verified,,F,1\n" * 200)
    assert "399 problem(s)" in text
    assert text.count("cure:") == 50


def test_parquet_is_read_like_csv(cohort: Path) -> None:
    table = pa.table({"patient": ["p1", "p2"], "reference_value": ["1", None]})
    pq.write_table(table, cohort / "table.parquet")
    read = read_table(cohort / "table.parquet", cohort)
    assert (read.format, read.cases) == ("parquet", 2)
