"""The assessment of a cohort names what is wrong with it, and nothing that is right."""

from datetime import date
from typing import Any

import pytest
from tests.data.quality_cases import case, file, found, severities

from proctor_workers.hidden_data.findings import Severity
from proctor_workers.hidden_data.quality.assessment import assess

ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE
LOOK = 0x0123_4567_89AB_CDEF


def look(*bits: int) -> str:
    """A perceptual hash that differs from LOOK in these bits."""
    return f"{LOOK ^ sum(1 << bit for bit in bits):016x}"


def cohort(number: int = 40, **columns: Any) -> list[Any]:
    """A cohort without a flaw: two classes, two sexes; `columns` are attributes by position."""
    return [
        case(
            f"c{n}",
            value=str(n % 2),
            attributes={"sex": "FM"[n // 2 % 2], "age": str(30 + n)}
            | {name: values[n % len(values)] for name, values in columns.items()},
        )
        for n in range(number)
    ]


def test_a_cohort_without_a_flaw_has_no_error_and_no_warning() -> None:
    report = assess(cohort(80), labels=())

    assert severities(report.findings) <= {NOTE}
    assert report.as_dict()["verdict"] == "Can be published"
    assert report.counts["patients"] == 80


@pytest.mark.parametrize(
    ("patient", "code", "severity"),
    [("P2", "duplicate.patients", ERROR), ("P1", "duplicate.cases", WARNING)],
)
@pytest.mark.parametrize("digest", ["source_sha256", "decoded_pixel_sha256"])
def test_one_picture_in_two_cases_is_found_by_either_digest(
    patient: str, code: str, severity: Severity, digest: str
) -> None:
    first = file("a")
    second = file("b", **{digest: getattr(first, digest)})
    cases = [case("one", patient="P1", files=[first]), case("two", patient=patient, files=[second])]

    (finding,) = found(cases)[code]

    assert finding.severity is severity
    assert (finding.case, finding.values["other"]) == ("two", "one")


def test_empty_pictures_are_no_copies_of_each_other() -> None:
    pixels = file("flat").decoded_pixel_sha256
    cases = [case(name, files=[file(name, look="", decoded_pixel_sha256=pixels)]) for name in "abc"]

    assert not [code for code in found(cases) if code.startswith("duplicate")]


def test_another_version_of_an_instance_is_found() -> None:
    uid = file("a").original_uid
    cases = [case("one", files=[file("a")]), case("two", files=[file("b", original_uid=uid)])]

    assert severities(found(cases)["duplicate.instance"]) == {ERROR}


@pytest.mark.parametrize(
    ("patient", "code", "severity"),
    [("P2", "duplicate.near_patients", WARNING), ("P1", "duplicate.near_cases", NOTE)],
)
@pytest.mark.parametrize("bits", [(), (0,), (3, 9, 17, 40, 55, 63)])
def test_pictures_that_look_alike_are_found(
    patient: str, code: str, severity: Severity, bits: tuple[int, ...]
) -> None:
    cases = [
        case("one", patient="P1", files=[file("a", look=look())]),
        case("two", patient=patient, files=[file("b", look=look(*bits))]),
    ]

    assert severities(found(cases)[code]) == {severity}


def test_pictures_seven_bits_apart_do_not_look_alike() -> None:
    cases = [
        case("one", files=[file("a", look=look())]),
        case("two", files=[file("b", look=look(0, 8, 16, 24, 32, 40, 48))]),
    ]

    assert not [code for code in found(cases) if code.startswith("duplicate")]


@pytest.mark.parametrize(("changed", "alike"), [((), True), ((10, 20, 30), True), ((30,), False)])
def test_long_series_look_alike_if_their_quartiles_do(
    changed: tuple[int, ...],
    alike: bool,  # noqa: FBT001
) -> None:
    def stack(name: str, far: tuple[int, ...]) -> list[Any]:
        return [
            file(f"{name}{n}", look=f"{(n * 0x9E37_79B9_7F4A_7C15) & ((1 << 64) - 1) ^ bits:016x}")
            for n in range(40)
            for bits in [0b111 if len(far) == 3 and n in far else (1 << 30) - 1 if n in far else 0]
        ]

    cases = [case("one", files=stack("a", ())), case("two", files=stack("b", changed))]

    assert ("duplicate.near_patients" in found(cases)) is alike


def test_a_study_of_two_patients_is_found() -> None:
    cases = [case(name, imaging_study="S1") for name in ("one", "two")]

    assert severities(found(cases)["patient.study_shared"]) == {WARNING}


def test_two_patients_with_the_same_rare_attributes_are_found() -> None:
    cases = cohort(60, weight=[f"{50 + n * 0.7:.1f}" for n in range(60)],
                   height=[f"{150 + n * 0.6:.1f}" for n in range(60)])  # fmt: skip
    twin = dict(cases[7].case.row.attributes)
    cases.append(case("twin", attributes=twin))

    (finding,) = found(cases)["patient.listed_twice"]

    assert (finding.case, finding.values["other"]) == ("twin", "c7")


def test_common_attributes_do_not_make_two_patients_one() -> None:
    cases = cohort(200, smoker=["yes", "no", "no"], race=["a", "b", "c", "d", "e"])

    assert "patient.listed_twice" not in found(cases)


@pytest.mark.parametrize(
    ("values", "code", "severity"),
    [
        (["a", "b", "", ""], "attribute.missing", WARNING),
        (["a", "b"] * 10 + [""], "attribute.missing", NOTE),
        ([""], "attribute.empty", WARNING),
        (["white", "White", "black"], "attribute.spelling", WARNING),
        (["yes", "no", "n/a"], "attribute.placeholder", WARNING),
        (["61.5", "70", "82", "999"], "attribute.placeholder", WARNING),
        ([f"{60 + n}" for n in range(39)] + ["heavy"], "attribute.not_a_number", WARNING),
        ([f"{60 + n}" for n in range(39)] + ["7200"], "attribute.outlier", NOTE),
        ([f"word{n}" for n in range(40)], "attribute.nearly_unique", WARNING),
    ],
)
def test_an_attribute_with_a_flaw_is_named(values: Any, code: str, severity: Severity) -> None:
    findings = found(cohort(40, weight=values))[code]

    assert severities(findings) == {severity}
    assert {finding.column for finding in findings} == {"attr.weight"}


def test_a_number_among_others_is_no_placeholder() -> None:
    assert "attribute.placeholder" not in found(cohort(60, weight=[str(60 + n) for n in range(60)]))


def test_a_sex_outside_the_code_set_is_named() -> None:
    cases = [*cohort(40), case("odd", attributes={"sex": "X1"})]

    assert [finding.case for finding in found(cases)["attribute.code"]] == ["odd"]


def test_values_that_are_missing_with_the_truth_are_named() -> None:
    cases = [
        case(f"c{n}", value=str(n % 2), attributes={"race": "" if n % 2 and n < 80 else "a"})
        for n in range(100)
    ]

    assert severities(found(cases)["attribute.missing_by_class"]) == {WARNING}


@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [("scan_date", "2031-01-02", True), ("scan_date", "20260601", False),
     ("birth_year", "2031", True), ("weight", "2031", False)],
)  # fmt: skip
def test_a_date_in_the_future_is_named(name: str, value: str, wrong: bool) -> None:  # noqa: FBT001
    cases = [case("one", attributes={name: value}), case("two", attributes={name: "1999"})]

    assert ("attribute.future" in found(cases, today=date(2026, 11, 21))) is wrong


def test_a_patient_of_two_sexes_is_named() -> None:
    cases = [case("one", patient="P", attributes={"sex": "F", "age": "50"}),
             case("two", patient="P", attributes={"sex": "M", "age": "51"})]  # fmt: skip

    (finding,) = found(cases)["attribute.inconsistent"]

    assert (finding.case, finding.column) == ("two", "attr.sex")


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"row_spacing": 0.0}, "acquisition.implausible"),
        ({"slices": 50_000.0}, "acquisition.implausible"),
        ({"row_spacing": 4.0}, "acquisition.unlike_others"),
        ({"modality": "MR"}, "acquisition.rare"),
    ],
)
def test_an_acquisition_with_a_flaw_is_named(facts: Any, code: str) -> None:
    cases = [case(f"c{n}", facts={"row_spacing": 0.7}) for n in range(120)]
    cases.append(case("odd", facts={"row_spacing": 0.7} | facts))

    assert [finding.case for finding in found(cases)[code]] == ["odd"]


def test_a_level_of_one_class_is_named() -> None:
    cases = [case(f"c{n}", value="0" if n % 3 == 0 else str(n % 2), site="ABC"[n % 3])
             for n in range(60)]  # fmt: skip

    (finding,) = found(cases)["balance.one_class"]

    assert finding.column == "site"
    assert "A" in finding.message


def test_a_cohort_of_one_class_is_named() -> None:
    findings = found([case("one"), case("two")])["balance.one_class"]

    assert [finding.column for finding in findings] == [""]


def test_readers_who_disagree_are_named() -> None:
    cases = [case(f"c{n}", value=str(n % 2), raters={"anna": str(n % 2), "ben": str(n // 2 % 2)})
             for n in range(40)]  # fmt: skip

    columns = {finding.column for finding in found(cases)["readers.low_agreement"]}

    assert columns == {"anna and ben", "ben and reference standard"}


def test_kappa_is_that_of_the_published_table() -> None:
    # Fleiss, Statistical Methods for Rates and Proportions, 2nd ed., table 13.1: kappa 0.68
    counts = {("1", "1"): 75, ("1", "2"): 1, ("1", "3"): 4, ("2", "1"): 5, ("2", "2"): 4,
              ("2", "3"): 1, ("3", "3"): 10}  # fmt: skip
    pairs = [pair for pair, number in counts.items() for _ in range(number)]
    cases = [case(f"c{n}", value=None, raters={"a": one, "b": other})
             for n, (one, other) in enumerate(pairs)]  # fmt: skip

    (table,) = [t for t in assess(cases, labels=()).tables if t.name == "agreement"]

    assert table.rows == (("a and b", 100, pytest.approx(0.89), pytest.approx(0.676, abs=0.001)),)
