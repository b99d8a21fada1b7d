"""The quality report as page, JSON and text: the verdict first, nothing foreign in it."""

import json
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from tests.data.quality_cases import case, file

from proctor_workers.hidden_data.findings import Finding, Severity
from proctor_workers.hidden_data.leak_audit.audit import audit
from proctor_workers.hidden_data.plan import Override
from proctor_workers.hidden_data.quality.assessment import assess
from proctor_workers.hidden_data.quality.report import QualityReport
from proctor_workers.hidden_data.quality.report_html import render_html, render_text
from proctor_workers.hidden_data.quality.summary import summary

HOSTILE = "<script>alert('x')</script>\"&"
LOST = Finding(
    code="geometry.missing_slice", severity=Severity.ERROR, case="c1", file="c1/7.dcm",
    message="belongs to a series that lacks 2 slices between others", cure="Export it again.",
)  # fmt: skip


def report(*findings: Finding, **options: Any) -> QualityReport:
    cases = [case(f"c{n}", value=str(n % 2), attributes={"sex": "FM"[n % 2]}) for n in range(8)]
    return assess([*cases, case("c8", findings=findings)], labels=(), **options)


class Page(HTMLParser):
    """Collects the tags, and what would fetch something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        values = {name: value or "" for name, value in attrs}
        self.fetched += [v for k, v in values.items() if k in {"src", "href"} and v[:1] != "#"]
        assert not any(name.startswith("on") for name in values)


def test_an_error_holds_the_cohort_back_until_it_is_accepted() -> None:
    held = report(LOST)
    accepted = replace(held, overrides=(Override(finding=LOST.code, reason="Lost at the scanner"),))

    assert held.as_dict()["verdict"] == "Held back by 1 finding"
    assert held.as_dict()["held_back_by"] == [LOST.code]
    assert accepted.as_dict()["verdict"] == "Can be published"
    for text in (render_html(accepted), render_text(accepted)):
        assert "Lost at the scanner" in text


def test_an_override_of_another_column_does_not_count() -> None:
    column = replace(LOST, code="text.identifier", column="attr.note")
    held = replace(report(column), overrides=(Override(finding="text.identifier", reason="no"),))

    assert held.as_dict()["held_back_by"] == ["text.identifier:attr.note"]
    assert held.as_dict()["unused_overrides"] == ["text.identifier"]
    assert "overrides nothing" in render_text(held)


@pytest.mark.parametrize(("findings", "verdict"), [((LOST,), "Held back"), ((), "Can be")])
def test_the_verdict_comes_first(findings: Any, verdict: str) -> None:
    made = report(*findings)

    assert render_text(made).splitlines()[0].startswith(verdict.upper())
    page = render_html(made)
    assert page.index(verdict, page.index("<body>")) < page.index("<h2")


def test_hostile_words_stay_words() -> None:
    cases = [
        case(HOSTILE, site=HOSTILE, value=HOSTILE, attributes={"sex": HOSTILE},
             facts={"manufacturer": HOSTILE}, files=[file("same")],
             findings=[replace(LOST, message=HOSTILE, column=HOSTILE, file=HOSTILE)])
        for _ in range(2)
    ]  # fmt: skip
    made = assess([*cases, case("b", files=[file("same")])], labels=("a",))

    page = Page(render_html(made))

    assert "script" not in page.tags
    assert page.fetched == []


def test_the_json_is_the_same_whatever_the_order_of_keys_and_has_every_part() -> None:
    leaks = audit([], seed=1)
    made = replace(report(LOST), leaks=leaks, root="ab" * 32)

    document = json.loads(json.dumps(made.as_dict()))

    assert set(document) == {
        "schema", "verdict", "publishable", "held_back_by", "root", "counts", "kinds", "findings",
        "unused_overrides", "leak_audit", "tables", "deidentification",
    }  # fmt: skip
    assert {"key", "severity", "title", "count", "message", "cure", "places"} <= set(
        document["findings"][0]
    )
    names = {table["name"] for table in document["tables"]}
    assert {
        "reference",
        "completeness",
        "counts.modality",
        "counts.site",
        "balance.attr.sex",
    } <= names


def test_cases_left_out_are_listed_with_their_reasons() -> None:
    refused = [
        Finding(code="file.unreadable", severity=Severity.ERROR, case=f"x{n}", file=f"{n}.dcm",
                message="is a damaged DICOM file", cure="Export it again.")
        for n in range(3)
    ]  # fmt: skip

    made = report(others=refused)

    (table,) = [table for table in made.tables if table.name == "left_out"]
    assert made.counts["left_out"] == 3
    assert table.rows == (
        ("A file cannot be taken", "The file is a damaged DICOM file.", "Export it again.", 3),
    )


def test_a_summary_has_a_line_for_each_kind_the_gravest_first() -> None:
    note = replace(LOST, code="geometry.gap", severity=Severity.NOTE)
    other = replace(LOST, case="c2", message="belongs to a series that lacks 9 slices")

    entries = summary([note, note, LOST, *[other] * 9])

    assert [(one["key"], one["count"]) for one in entries] == [
        ("geometry.missing_slice", 10), ("geometry.gap", 2)
    ]  # fmt: skip
    places = entries[0]["places"]
    assert len(places) == 5
    assert places[0] == {"case": "c1", "file": "c1/7.dcm"}
    assert places[1]["message"] == "The file belongs to a series that lacks 9 slices."


def test_a_cohort_without_cases_has_a_report() -> None:
    made = assess([], labels=())

    assert "Can be published" in render_html(made)
    assert render_text(made)


def test_memory_and_time_do_not_grow_with_the_square_of_the_cohort() -> None:
    import time

    def seconds(number: int) -> float:
        cases = [case(f"c{n}", value=str(n % 2), attributes={"age": str(n % 70)})
                 for n in range(number)]  # fmt: skip
        before = time.process_time()
        assess(cases, labels=())
        return time.process_time() - before

    seconds(100)
    assert seconds(4000) < 10 * max(seconds(1000), 0.05)
