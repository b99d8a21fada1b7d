"""What a command reads from a file is sent as JSON: a date that YAML or TOML knows is a text."""

from pathlib import Path

import pytest

from proctor_sdk.commands.connection import read_document


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("terms.yaml", "expires_at: 2027-12-31\nof: [2026-01-01]\n"),
        ("terms.toml", "expires_at = 2027-12-31\nof = [2026-01-01]\n"),
    ],
)
def test_an_unquoted_date_is_its_text(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)

    found = read_document(tmp_path / name)

    assert found == {"expires_at": "2027-12-31", "of": ["2026-01-01"]}
