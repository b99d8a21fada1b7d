"""Compares a generated reference page with the file, or writes it when asked to."""

import os
from pathlib import Path

REFERENCE = Path(__file__).parents[2] / "docs/reference"
CURE = "run PROCTOR_WRITE_DOCS=1 pytest tests/backend and look at the change"


def assert_is_page(name: str, written: str) -> None:
    page = REFERENCE / name
    if os.environ.get("PROCTOR_WRITE_DOCS"):
        page.write_text(written, encoding="utf-8")
    assert page.read_text("utf-8") == written, CURE
