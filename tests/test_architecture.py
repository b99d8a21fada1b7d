"""The rules of the layout, kept by a machine; the cure stands in the message."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(
    path for folder in ("backend", "workers", "sdk/src") for path in (ROOT / folder).rglob("*.py")
)
LONGEST_FILE = 450
WORKPLACE = re.compile(
    r"/work/|/tmp/plan|\bsubagent|\bhelper-\d|\b(DESIGN|ATTACKS)\b|STATISTICS\.md"
)


def test_imports_point_the_way_the_layout_says():
    checked = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_is_short_enough_to_have_one_name(path):
    lines = path.read_text("utf-8").count("\n")
    assert lines <= LONGEST_FILE, "Find the second noun in it and give that a file of its own."


def test_the_project_speaks_of_itself_alone():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    texts = [ROOT / name for name in listed.stdout.splitlines() if not name.startswith("tests/")]
    found = [
        str(path.relative_to(ROOT))
        for path in texts
        if path.suffix in {".py", ".md", ".toml", ".yml", ".yaml", ".sh", ""}
        and path.is_file()
        and WORKPLACE.search(path.read_text("utf-8", errors="replace"))
    ]
    assert not found, "These name the place where they were written; name the project's own things."
