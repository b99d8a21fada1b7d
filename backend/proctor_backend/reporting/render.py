"""Renders one edition in every format, from one layout."""

from collections.abc import Mapping
from typing import Any

from proctor_backend.reporting.layout import lay_out
from proctor_backend.reporting.render_docx import render_docx
from proctor_backend.reporting.render_html import render_html
from proctor_backend.reporting.render_pdf import render_pdf
from proctor_sdk.canonical import canonical_bytes


def render_edition(edition_document: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the renderings by format: json, html, pdf, docx."""
    layout = lay_out(edition_document)
    return {
        "json": canonical_bytes(edition_document),
        "html": render_html(layout),
        "pdf": render_pdf(layout),
        "docx": render_docx(layout),
    }
