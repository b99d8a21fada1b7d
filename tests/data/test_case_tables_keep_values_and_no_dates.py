"""A case's tables keep every number and the intervals; no date, name or note of the file stays."""

import shutil
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from tests.data.slide_files import request

from proctor_workers.hidden_data.case_files import CaseContent, UnreadableFileError
from proctor_workers.hidden_data.deidentify.profile import Deidentification
from proctor_workers.hidden_data.formats.registry import read_case

NAME = "MUSTERMANN"
VITALS = """time,hr,temp,rhythm,paced
2021-03-04 08:00:00,80,36.6,SR,true
2021-03-04T08:05:30,81,36.70,AF,false
2021-03-04,,1e1,,
"""


def table(tmp_path: Path, text: str, name: str = "vitals.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def read(tmp_path: Path, *paths: Path, **changes: object) -> CaseContent:
    shutil.rmtree(tmp_path / "canonical", ignore_errors=True)
    return read_case(request(tmp_path, *paths, **changes))


def kept(tmp_path: Path, text: str, **changes: object) -> pa.Table:
    return pq.read_table(read(tmp_path, table(tmp_path, text), **changes).files[0].path)


def refused(tmp_path: Path, text: str) -> str:
    with pytest.raises(UnreadableFileError) as raised:
        read(tmp_path, table(tmp_path, text))
    assert raised.value.file == "vitals.csv"
    assert NAME not in raised.value.refusal.what + raised.value.refusal.cure
    return raised.value.refusal.what


def test_values_rows_and_columns_stay(tmp_path: Path) -> None:
    found = kept(tmp_path, VITALS).to_pydict()

    assert found == {
        "time": [28_800.0, 29_130.0, 0.0],
        "hr": [80, 81, None],
        "temp": [36.6, 36.7, 10.0],
        "rhythm": ["SR", "AF", None],
        "paced": [True, False, None],
    }


def test_times_count_from_the_first_of_all_tables(tmp_path: Path) -> None:
    one = table(tmp_path, "time,hr\n2021-03-04 08:00:00,80\n", "a.csv")
    other = table(tmp_path, "drawn,na\n2021-03-03 08:00:00,140\n2021-03-04 09:00:00,141\n", "b.csv")

    first, second = (pq.read_table(file.path) for file in read(tmp_path, one, other).files)

    assert first["time"].to_pylist() == [86_400.0]
    assert second["drawn"].to_pylist() == [0.0, 90_000.0]


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("timestamp", "1614844800", "1614844860"),
        ("timestamp", "1614844800000", "1614844860000"),
        ("chart_time", "1614844800.5", "1614844860.5"),
        ("when", "2021-03-04T08:00:00Z", "2021-03-04T10:01:00+02:00"),
        ("timestamp", "1614844800000000000", "1614844860000000000"),
        ("clock", "08:00", "08:01"),
        ("clock", "08:00:00.25", "08:01:00.25"),
    ],
)
def test_every_way_of_writing_a_time_becomes_an_interval(
    name: str, first: str, second: str, tmp_path: Path
) -> None:
    found = kept(tmp_path, f"{name},hr\n{first},80\n{second},81\n")

    assert found[name].to_pylist() == pytest.approx([0.0, 60.0])


def test_days_written_as_numbers_become_intervals(tmp_path: Path) -> None:
    found = kept(tmp_path, "date,hr\n20210304,80\n20210305,81\n")

    assert found["date"].to_pylist() == [0.0, 86_400.0]


def test_days_of_a_spreadsheet_and_years_become_intervals(tmp_path: Path) -> None:
    found = kept(tmp_path, "date,year,hr\n44259,2019,80\n44260.5,2021,81\n")

    assert found["date"].to_pylist() == [0.0, 129_600.0]
    assert found["year"].to_pylist() == [0, 2]


def test_a_long_number_in_every_row_is_an_error(tmp_path: Path) -> None:
    content = read(tmp_path, table(tmp_path, "code,x\n48151623,1\n48151623,2\n"))

    assert {finding.key for finding in content.findings} == {"table.constant_number:code"}


def test_no_date_is_left_in_any_form(tmp_path: Path) -> None:
    content = read(tmp_path, table(tmp_path, VITALS), tables="csv")

    assert content.files[0].name == "0.csv"
    assert "2021" not in content.files[0].path.read_text()
    assert content.actions["times_made_relative"] == 1


def test_csv_is_written_so_that_values_come_back(tmp_path: Path) -> None:
    values = np.random.default_rng(3).normal(size=50)
    text = "x,y\n" + "".join(f"{value!r},{n}\n" for n, value in enumerate(values.tolist()))

    path = read(tmp_path, table(tmp_path, text), tables="csv").files[0].path

    assert np.array_equal(pa_csv.read_csv(path)["x"].to_numpy(), values)


def test_codes_with_leading_zeros_stay_text(tmp_path: Path) -> None:
    assert kept(tmp_path, "code,x\n007,1\n010,2\n")["code"].to_pylist() == ["007", "010"]


def test_semicolons_and_decimal_commas_are_read(tmp_path: Path) -> None:
    found = kept(tmp_path, "hr;temp\n80;36,6\n81;36,75\n")

    assert found.to_pydict() == {"hr": [80, 81], "temp": [36.6, 36.75]}


def test_ages_above_89_become_90(tmp_path: Path) -> None:
    assert kept(tmp_path, "age,x\n95,1\n89,2\n")["age"].to_pylist() == [90, 89]


@pytest.mark.parametrize(
    "text",
    [
        f"note,x\nseen by Dr. {NAME},1\n",
        "note,x\nsee P001,1\n",
        "note,x\ncall 555-123-4567,1\n",
        "note,x\nborn 04.03.1951,1\n",
        f"{NAME}^ERIKA,x\n1,2\n",
        "patient_id,x\n5,1\n",
        "dob,x\n1951-03-04,1\n",
        "last name,x\nabc,1\n",
        "mrn,x\n12,1\n",
        "operator,x\nMiller,1\n",
        "P001,x\n1,2\n",
    ],
)
def test_what_identifies_is_refused(text: str, tmp_path: Path) -> None:
    assert "column" in refused(tmp_path, text)


def test_columns_named_by_the_plan_are_cleaned(tmp_path: Path) -> None:
    plan = Deidentification(text_columns=("note",))
    text = f"note,x\nseen by Dr. {NAME} on 04.03.2021,1\nstable,2\n"

    content = read(tmp_path, table(tmp_path, text), deidentification=plan)

    notes = pq.read_table(content.files[0].path)["note"].to_pylist()
    assert NAME not in notes[0]
    assert "2021" not in notes[0]
    assert notes[1] == "stable"
    assert content.actions["texts_cleaned"] == 1


def test_free_text_is_an_error_that_a_partner_must_answer_for(tmp_path: Path) -> None:
    text = "note,x\nthe woman with the red hat from the third floor says she is well,1\n"

    content = read(tmp_path, table(tmp_path, text))

    assert {finding.key for finding in content.findings} == {"table.free_text:note"}


def parquet(tmp_path: Path, columns: dict[str, pa.Array], **metadata: str) -> Path:
    path = tmp_path / "t.parquet"
    fields = [pa.field(name, array.type, metadata={"by": NAME}) for name, array in columns.items()]
    schema = pa.schema(fields, metadata=metadata)
    pq.write_table(pa.table(list(columns.values()), schema=schema), path)
    return path


def test_parquet_keeps_types_and_no_metadata(tmp_path: Path) -> None:
    start = datetime(2021, 3, 4, 8, tzinfo=UTC)
    columns = {
        "when": pa.array([start, start + timedelta(seconds=1.5)], pa.timestamp("us", "UTC")),
        "day": pa.array([date(2021, 3, 4), date(2021, 3, 5)]),
        "clock": pa.array([time(8, 0), time(8, 30)]),
        "took": pa.array([timedelta(seconds=2), None]),
        "small": pa.array([1, 2], pa.int8()),
        "single": pa.array([0.1, 0.2], pa.float32()),
        "kind": pa.array(["a", "b"]).dictionary_encode(),
    }
    path = parquet(tmp_path, columns, author=NAME, pandas=f'{{"creator": "{NAME}"}}')
    assert NAME.encode() in path.read_bytes()

    file = read(tmp_path, path).files[0]

    found = pq.read_table(file.path)
    assert NAME.encode() not in file.path.read_bytes()
    assert found.schema.metadata is None
    assert found["when"].to_pylist() == [28_800.0, 28_801.5]
    assert found["day"].to_pylist() == [0.0, 86_400.0]
    assert found["clock"].to_pylist() == [0.0, 1800.0]
    assert found["took"].to_pylist() == [2.0, None]
    assert found.schema.field("small").type == pa.int8()
    assert found["single"].equals(pa.chunked_array([columns["single"]]))
    assert found["kind"].to_pylist() == ["a", "b"]


def test_nested_columns_are_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path, {"x": pa.array([[1], [2]])})

    with pytest.raises(UnreadableFileError, match="lists, records or bytes"):
        read(tmp_path, path)


def test_a_table_that_unpacks_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    rows = (1 << 26) + 1
    pq.write_table(pa.table({"x": pa.nulls(rows)}), path, row_group_size=rows)
    assert path.stat().st_size < 1 << 20

    with pytest.raises(UnreadableFileError, match="too large"):
        read(tmp_path, path)


def test_reading_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    path = table(tmp_path, VITALS)

    assert read(tmp_path, path).files[0].sha256 == read(tmp_path, path).files[0].sha256


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "a\rb,c\n1,2\n",
        "a,b\n",
        "a,a\n1,2\n",
        "a,b\n1\n",
        "a,b\n1,2,3\n",
        'a,b\n"1,2\n',
        ",\n1,2\n",
    ],
)
def test_broken_tables_are_refused(text: str, tmp_path: Path) -> None:
    refused(tmp_path, text)


def test_latin_1_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vitals.csv"
    path.write_bytes(b"h\xf6he,x\n1,2\n")

    with pytest.raises(UnreadableFileError, match="UTF-8"):
        read(tmp_path, path)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_flipped_bytes_give_a_table_or_a_refusal(kind: str, tmp_path: Path) -> None:
    path = table(tmp_path, VITALS)
    if kind == "parquet":
        path = parquet(tmp_path, {"x": pa.array(range(100)), "y": pa.array(["a"] * 100)})
    good, draw, outcomes = path.read_bytes(), np.random.default_rng(2), set()
    for _ in range(250):
        changed = bytearray(good)
        for at in draw.integers(4, len(good), 3):
            changed[at] = draw.integers(256)
        path.write_bytes(changed)
        try:
            outcomes.add(bool(read(tmp_path, path).files))
        except UnreadableFileError as exc:
            outcomes.add(exc.file == path.name)

    assert outcomes == {True}
