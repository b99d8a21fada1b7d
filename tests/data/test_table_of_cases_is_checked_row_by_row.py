"""A partner learns of every wrong cell at once: row, column, what and cure; nothing is kept."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.data.partner_upload import Partner

HEADER = (
    "case,patient,site,reference_value,reference_status,sampling_weight,partition,files,attr.age\n"
)


def test_every_problem_is_named_with_row_and_column(partner: Partner) -> None:
    table = HEADER + (
        "a,p1,x,1,verified,1,confirmatory,,40\n"
        "a,p2,x,0,verified,1,confirmatory,,40\n"
        "c,,x,0,verified,1,confirmatory,,40\n"
        "d,p4,x,,verified,1,confirmatory,,40\n"
        "e,p5,x,1,certain,-2,later,../up.dcm,old\n"
    )

    report = partner.ingest(table.encode())

    places = {(problem["row"], problem["column"]) for problem in report.problems}
    assert places >= {
        (2, "case"),
        (3, "patient"),
        (4, "reference_value"),
        (5, "reference_status"),
        (5, "sampling_weight"),
        (5, "partition"),
        (5, "files"),
        (5, "attr.age"),
    }
    assert all(problem["what"] and problem["cure"] for problem in report.problems)
    assert report.root == ""
    assert partner.stored() == {}


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("patient,reference_value,colour\np,1,red\n", "colour"),
        ("patient,site\np,1\n", "reference_value"),
        ("patient,reference_value,patient\np,1,p\n", "patient"),
        ("patient,reference_value\n", ""),
        ("", ""),
    ],
)
def test_table_that_does_not_fit_is_refused_as_a_whole(
    partner: Partner, table: str, column: str
) -> None:
    report = partner.ingest(table.encode())

    assert (0, column) in {(problem["row"], problem["column"]) for problem in report.problems}


@pytest.mark.parametrize(
    ("column", "level"),
    [("attr.race", "rest"), ("attr.race", "white|all"), ("attr.race", "a-vs-b"), ("site", "all")],
)
def test_level_that_would_pass_for_a_comparison_is_refused(
    partner: Partner, column: str, level: str
) -> None:
    report = partner.ingest(f"patient,reference_value,{column}\np1,1,{level}\n".encode())

    assert {(one["row"], one["column"]) for one in report.problems} == {(1, column)}


def test_problems_do_not_repeat_what_a_cell_says(partner: Partner) -> None:
    table = "patient,reference_value,files\nJane Doe,1,Jane Doe.dcm\n"

    report = partner.ingest(table.encode())

    assert report.problems
    assert "Jane" not in str(report.problems)


def test_file_that_belongs_to_no_case_is_named(partner: Partner) -> None:
    report = partner.ingest(b"patient,reference_value\np,1\n", {"x.dcm": b"x"})

    assert report.problems[0]["what"] == "1 uploaded files belong to no case"


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xd8\xff\xe0 jpeg",
        b"\x1f\x8b\x08 gzip",
        b"hello",
        bytes(128) + b"DICM" + b"\1" * 50,
        b"\x89PNG\r\n\x1a\n broken",
        b"PK\x03\x04 archive",
    ],
)
def test_case_whose_file_cannot_be_read_is_left_out_and_named_by_its_row(
    partner: Partner, content: bytes
) -> None:
    table = b"patient,reference_value,files\np1,1,\np2,1,Jane Doe\n"

    report = partner.ingest(table, {"Jane Doe": content})

    (found,) = (one for one in report.findings if one["key"] == "file.unreadable")
    assert (found["severity"], found["count"]) == ("error", 1)
    assert found["message"]
    assert found["cure"]
    assert found["places"][0]["case"] == "row 2"
    assert report.left_out == {"file.unreadable": 1}
    assert report.cases == 1
    assert "Jane" not in str(report)


def test_cohort_of_which_nothing_can_be_read_is_refused_and_nothing_is_kept(
    partner: Partner,
) -> None:
    report = partner.ingest(b"patient,reference_value,files\np1,1,x\n", {"x": b"hello"})

    (problem,) = report.problems
    assert (problem["row"], problem["column"]) == (1, "files")
    assert partner.stored() == {}
    assert partner.stored("reference") == {}


def test_parquet_and_csv_make_the_same_cohort(partner: Partner) -> None:
    columns = {"patient": ["p1", "p2"], "reference_value": ["1", "0"], "input.x": [0.5, None]}
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)

    from_csv = partner.ingest(b"patient,reference_value,input.x\np1,1,0.5\np2,0,\n")

    assert from_csv.problems == ()
    assert partner.ingest(out.getvalue(), table_format="parquet").root == from_csv.root
