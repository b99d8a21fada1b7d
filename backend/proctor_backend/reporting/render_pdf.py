"""Sets the laid-out report as PDF with typst; the same layout gives the same bytes anywhere."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import typst

from proctor_backend.domain.errors import PlatformError

TEMPLATE = Path(__file__).parent / "templates" / "report.typ"


def font_folder() -> str:
    """Return the folder of DejaVu Sans as matplotlib's wheel brings it; typst brings the others."""
    return str(Path(mpl.get_data_path()) / "fonts" / "ttf")


def render_pdf(layout: Mapping[str, Any]) -> bytes:
    """Return the PDF.

    Only fonts from wheels are used and the date is the report's, so nothing of the machine goes in.
    """
    pictures = {
        name: {"svg": figure["svg"], "width": min(float(figure["inches"][0]), 6.4)}
        for name, figure in layout["figures"].items()
    }
    document = {name: part for name, part in layout.items() if name != "figures"}
    compiler = typst.Compiler(
        str(TEMPLATE),
        root=str(TEMPLATE.parent),
        font_paths=[font_folder()],
        ignore_system_fonts=True,
        sys_inputs={"document": json.dumps(document | {"pictures": pictures})},
    )
    pdf = compiler.compile(format="pdf", pdf_standards=["a-2b"])
    if not isinstance(pdf, bytes):
        raise PlatformError("The typesetter made no single PDF of this report.")
    return pdf
