import io
import re
import time
from types import SimpleNamespace

import docx
import pytest
from material import VENDOR, measurement
from pypdf import PdfReader

from proctor_backend.reporting import EDITIONS
from proctor_backend.reporting.figures import draw
from proctor_backend.reporting.render import render_edition

Rendered = dict[str, dict[str, bytes]]
Pages = dict[str, list[str]]
BANNED = re.compile(r"validated|unbiased|FDA[- ]ready|no bias", re.IGNORECASE)


def pdf_text(data: bytes) -> list[str]:
    return [page.extract_text() for page in PdfReader(io.BytesIO(data)).pages]


@pytest.fixture(scope="module")
def pages(rendered: Rendered) -> dict[str, list[str]]:
    return {edition: pdf_text(formats["pdf"]) for edition, formats in rendered.items()}


@pytest.mark.parametrize("kind", ["json", "html", "pdf", "docx"])
def test_rendering_twice_gives_equal_bytes(
    made: SimpleNamespace, rendered: Rendered, kind: str
) -> None:
    assert render_edition(made.editions["public"])[kind] == rendered["public"][kind]


@pytest.mark.parametrize("edition", EDITIONS)
def test_every_pdf_page_is_marked_as_demonstration(pages: Pages, edition: str) -> None:
    assert all(page.count("DEMONSTRATION") >= 2 for page in pages[edition])


def test_first_page_gives_conclusion_estimate_interval_and_criterion(pages: Pages) -> None:
    first = pages["full"][0]
    for words in ("CRITERION MET", "0.817", "0.803 to 0.832", "lower limit ≥ 0.750"):
        assert words in first


def test_footer_names_the_body_that_was_signed(made: SimpleNamespace, pages: Pages) -> None:
    digest = made.editions["full"]["body_digest"]
    assert all(digest in page for page in pages["full"])


@pytest.mark.parametrize("kind", ["html", "pdf", "docx"])
def test_public_rendering_prints_withheld_and_no_number_of_the_group(
    rendered: Rendered, kind: str
) -> None:
    data = rendered["public"][kind]
    if kind == "pdf":
        text = "\n".join(pdf_text(data))
    elif kind == "html":
        text = re.sub(r"data:image[^\"]*", "", data.decode())
    else:
        tables = docx.Document(io.BytesIO(data)).tables
        text = "\n".join(cell.text for table in tables for row in table.rows for cell in row.cells)
    asian = next(r for r in measurement()["results"] if r["id"] == "auroc.race.asian")
    assert f"{asian['interval']['lower']:.3f} to" not in text
    assert "withheld" in text


def test_html_escapes_the_vendors_text(rendered: Rendered) -> None:
    page = rendered["full"]["html"].decode()
    assert VENDOR not in page
    assert "&lt;script&gt;alert(1)" in page


def test_html_needs_nothing_from_outside(rendered: Rendered) -> None:
    page = rendered["full"]["html"].decode()
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    assert "@import" not in page


def test_pdf_sets_the_vendors_markup_as_plain_text(pages: Pages) -> None:
    assert '#panic("x") *a*' in "\n".join(pages["full"]).replace("”", '"').replace("“", '"')


def test_docx_opens_and_holds_the_conclusion(rendered: Rendered) -> None:
    word = docx.Document(io.BytesIO(rendered["full"]["docx"]))
    assert "CRITERION MET" in [paragraph.text for paragraph in word.paragraphs]


@pytest.mark.parametrize("edition", EDITIONS)
def test_no_edition_says_more_than_a_criterion_was_met(pages: Pages, edition: str) -> None:
    assert not BANNED.search("\n".join(pages[edition]))


def test_missing_parts_are_asked_for_by_name(pages: Pages) -> None:
    text = " ".join("\n".join(pages["full"]).split())
    assert "To be supplied by the vendor: predetermined change control plan." in text
    assert "To be supplied by the data partner: ethics approval" in text


def test_limitations_name_what_the_record_shows(pages: Pages) -> None:
    text = " ".join("\n".join(pages["public"]).split())
    for words in (
        "Standalone evaluation",
        "Fewer than three sites",
        "Spectrum",
        "Internal validation",
    ):
        assert words in text


def test_an_edition_renders_within_seven_cpu_seconds(made: SimpleNamespace) -> None:
    # Three editions in four formats have twenty seconds.
    start = time.process_time()
    render_edition(made.editions["submission"])
    assert time.process_time() - start < 7


def test_names_with_dollar_signs_are_drawn_as_they_are() -> None:
    data = {"categories": ["a $\\frac{$ b", "c"], "cells": [[20, 3], [4, 50]], "n": 77}
    figure = {
        "id": "m",
        "kind": "confusion_matrix",
        "title": "",
        "data": data | {"rule": "exclude"},
    }
    assert "m" in draw({"results": [], "figures": [figure]})
