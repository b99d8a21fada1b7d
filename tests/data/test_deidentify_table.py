"""Columns of the table of cases that identify patients are found, and cleaned where a plan says."""

import json
import random
from typing import Any

import pytest
from tests.data.deidentify_files import KEYS

from proctor_sdk.canonical import canonical_bytes
from proctor_workers.hidden_data.deidentify.table_text import cleaned_row, scan_table
from proctor_workers.hidden_data.findings import Severity
from proctor_workers.hidden_data.rows import Row


def row(number: int, **cells: Any) -> Row:
    plain: dict[str, Any] = {
        "number": number, "case": f"case-{number:04d}", "patient": f"PAT{number:05d}", "site": "1",
        "imaging_study": f"study-{number:04d}", "reference_value": "positive",
        "reference_status": "verified", "reference_method": "biopsy", "reference_outputs": None,
        "reference_file": None, "raters": {}, "sampling_stratum": "", "sampling_weight": 1.0,
        "partition": "confirmatory", "files": (f"images/{number % 7}.dcm",), "series": (),
        "attributes": {}, "inputs": {},
    }  # fmt: skip
    return Row(**plain | cells)


def rows(count: int, **makers: Any) -> list[Row]:
    chance = random.Random(1)  # noqa: S311 -- test data
    return [
        row(n, **{name: make(n, chance) for name, make in makers.items()}) for n in range(count)
    ]


def columns(found: list[Row]) -> set[str]:
    return {one.column for one in scan_table(found)}


def test_a_table_of_clinical_values_has_no_findings() -> None:
    found = rows(
        60,
        attributes=lambda _n, c: {
            "sex": c.choice("FM"), "age": str(c.randint(18, 90)), "ethnic_group": "White",
            "smoker": "never", "histology": "adenocarcinoma", "bmi": f"{c.uniform(17, 40):.4f}",
        },
        inputs=lambda n, c: {"psa": c.uniform(0, 20), "platelets": 150_000 + 7 * n, "year": 2019},
        site=lambda _n, c: c.choice(["University Hospital", "Clinic North"]),
        raters=lambda _n, _c: {"reader1": '{"category":"malignant"}'},
    )  # fmt: skip
    assert scan_table(found) == ()


def test_a_measured_value_that_equals_a_number_of_a_patient_now_and_then_is_no_identifier() -> None:
    def numbered(every: int) -> list[Row]:
        return [
            row(
                n,
                patient=str(1000 + n),
                inputs={"wblc": float(1000 + n if n % every == 0 else n), "alb": 3.0 + n / 99991},
            )
            for n in range(100)
        ]

    assert scan_table(numbered(50)) == ()
    assert columns(numbered(2)) == {"input.wblc"}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("2020-03-14", "date"), ("jane.doe@example.org", "email"), ("(212) 555-0147", "phone"),
        ("756.9217.0769.85", "number"), ("Dr. Osler", "name"), ("MRN 471122", "record number"),
        ("http://pacs/1", "url"),
    ],
)  # fmt: skip
def test_one_telling_value_makes_its_column_an_error(values: str, said: str) -> None:
    found = [*rows(30), row(99, attributes={"note": values})]
    (finding,) = scan_table(found)
    assert finding.key == "text.identifier:attr.note"
    assert finding.severity is Severity.ERROR
    assert said in finding.message
    assert values not in str(finding.as_dict())


@pytest.mark.parametrize("own", ["patient", "case", "imaging_study"])
def test_a_column_that_repeats_the_patients_or_cases_name_is_found(own: str) -> None:
    plain = row(7)
    assert columns([row(7, inputs={"key": f"x_{getattr(plain, own).upper()}_y"})]) == {"input.key"}


def test_a_column_of_codes_that_differ_from_row_to_row_is_found() -> None:
    found = rows(40, attributes=lambda n, c: {"label": f"K{c.randint(1000, 9999)}-{n}"})
    assert columns(found) == {"attr.label"}


@pytest.mark.parametrize("form", ["-{:.4f}", "{:.4f}e-05", "-{:.4f}e+12"])
def test_measured_values_below_zero_or_with_an_exponent_are_no_codes(form: str) -> None:
    found = scan_table(rows(40, inputs=lambda n, _c: {"score": form.format(1.5 + n * 0.0137)}))
    assert not [one for one in found if "codes" in one.message]


def test_a_column_of_names_is_found() -> None:
    first, last = ("Ann", "Bob", "Cem", "Dee", "Eva", "Fay"), ("Ash", "Birk", "Cole", "Dorn")
    found = rows(24, attributes=lambda n, _c: {"who": f"{first[n % 6]} {last[n // 6]}"})
    assert columns(found) == {"attr.who"}


@pytest.mark.parametrize("name", ["birth_date", "patientName", "mrn", "zip_code", "e_mail", "PLZ"])
def test_a_column_is_found_by_a_name_that_says_so(name: str) -> None:
    assert columns([row(1, attributes={name: "x"})]) == {f"attr.{name}"}


def test_ages_above_89_are_found_wherever_they_stand() -> None:
    assert columns([row(1, inputs={"age_at_scan": 93})]) == {"input.age_at_scan"}
    assert columns([row(1, attributes={"age": "90"})]) == set()


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        ({"site": "jane@x.org"}, "site"),
        ({"reference_value": "2020-03-14"}, "reference_value"),
        ({"reference_method": "read by William Osler"}, "reference_method"),
        ({"sampling_stratum": "born 1957-03-21"}, "sampling_stratum"),
        ({"raters": {"r1": '{"text":"Mrs Smith has a nodule"}'}}, "rater.r1"),
        ({"reference_outputs": '{"text":"Mrs Smith has a nodule"}'}, "reference_outputs"),
    ],
)
def test_every_column_that_travels_on_is_scanned(cells: dict[str, Any], column: str) -> None:
    assert columns([row(1, **cells)]) == {column}


def test_file_names_that_tell_are_noted_and_do_not_hold_back() -> None:
    (finding,) = scan_table([row(1, files=("PAT00001_DOE^JANE.dcm",))])
    assert (finding.code, finding.severity) == ("text.file_name", Severity.NOTE)


def test_a_named_column_is_cleaned_and_then_has_no_finding() -> None:
    text = "P001, seen by Dr. Osler on 2020-03-14 for a cough"
    dirty = row(1, inputs={"history": text}, attributes={"note": text})
    clean = cleaned_row(dirty, ("input.history", "attr.note"), KEYS)
    assert clean.inputs["history"] == "***, *** on *** for a cough"
    assert scan_table([clean]) == ()


def test_a_column_that_is_not_named_is_left_as_it_is() -> None:
    dirty = row(1, attributes={"note": "Dr. Osler", "other": "Dr. Osler"})
    clean = cleaned_row(dirty, ("attr.note",), KEYS)
    assert clean.attributes == {"note": "***", "other": "Dr. Osler"}


def test_texts_inside_answers_are_cleaned_and_stay_canonical() -> None:
    answer = canonical_bytes({"text": "Mrs Smith has a nodule", "scores": {"a": 0.5}}).decode()
    clean = cleaned_row(row(1, reference_outputs=answer), ("reference_outputs",), KEYS)
    assert json.loads(str(clean.reference_outputs))["text"] == "*** has a nodule"
    assert canonical_bytes(json.loads(str(clean.reference_outputs))).decode() == (
        clean.reference_outputs
    )
