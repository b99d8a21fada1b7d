"""Every finding that ingest can make is in the catalogue, with its severity, and on its page."""

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import proctor_workers.hidden_data
from proctor_workers.hidden_data.findings import Severity
from proctor_workers.hidden_data.quality.catalogue import CATALOGUE, FAMILIES

CODE = Path(proctor_workers.hidden_data.__file__).parent
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "quality-report.md"
FAMILY = re.compile(r"[a-z]+\.[a-z_]+")
SEVERITY = re.compile(r"\bSeverity\.(ERROR|WARNING|NOTE)\b")
# Modules whose codes are put together from a prefix and a word.
PREFIXED = {"formats/series.py": "geometry.", "formats/volumes/reading.py": "volume."}


def severities_of(node: ast.AST) -> set[Severity]:
    return {Severity[name] for name in SEVERITY.findall(ast.unparse(node))}


def words(node: ast.AST, prefix: str) -> Iterator[str]:
    """Yield the codes that stand in an expression."""
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            text = prefix + one.value if prefix and "." not in one.value else one.value
            if FAMILY.fullmatch(text):
                yield text


def _is_table(node: ast.Dict) -> bool:
    """Say whether a dictionary gives each code its sentences."""
    return all(isinstance(value, ast.Tuple) for value in node.values)


def told(path: Path) -> Iterator[tuple[str, set[Severity]]]:
    """Yield the codes in a module's findings, and the severities that stand beside them.

    A code is the keyword `code` of a call, or the first of the arguments of a call, or of a tuple,
    that holds a severity too; or a key of a table in a module that puts its codes together.
    """
    prefix = PREFIXED.get(str(path.relative_to(CODE)), "")
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            keywords = {one.arg: one.value for one in node.keywords}
            parts = [*node.args, *keywords.values()]
            first = keywords.get("code") or (node.args[0] if node.args else None)
            named = "code" in keywords
        elif prefix and isinstance(node, ast.Dict) and _is_table(node):
            yield from (
                (code, set())
                for key in node.keys
                if isinstance(key, ast.Constant)
                for code in words(key, prefix)
            )
            continue
        elif isinstance(node, ast.Tuple):
            parts, named = list(node.elts), False
            first = parts[0] if parts else None
        else:
            continue
        grave = {one for part in parts if part is not first for one in severities_of(part)}
        named = named or any(isinstance(part, ast.Name) and part.id == "severity" for part in parts)
        if first is not None and (named or grave) and isinstance(first, ast.Constant | ast.IfExp):
            for code in words(first, prefix if grave else ""):
                yield code, grave


MODULES = sorted(CODE.rglob("*.py"))
TOLD = [(path, code, grave) for path in MODULES for code, grave in told(path)]


def test_codes_are_found_in_the_code() -> None:
    codes = {code for _, code, _ in TOLD}

    assert {"duplicate.patients", "leak.artefact", "geometry.gap", "attribute.missing"} <= codes


@pytest.mark.parametrize(
    ("path", "code", "grave"), TOLD, ids=[f"{path.stem}:{code}" for path, code, _ in TOLD]
)
def test_a_finding_is_in_the_catalogue_with_its_severity(
    path: Path, code: str, grave: set[Severity]
) -> None:
    assert code in CATALOGUE, f"{path.name}: describe {code} in quality/catalogue_of_*.py"
    assert grave <= set(CATALOGUE[code].severities), f"{path.name}: {code} may be {grave} too"


def test_every_entry_is_of_a_family_and_has_its_severities_in_order() -> None:
    order = list(Severity)
    for code, entry in CATALOGUE.items():
        assert code.partition(".")[0] in FAMILIES, code
        assert list(entry.severities) == sorted(entry.severities, key=order.index), code


@pytest.mark.parametrize("code", CATALOGUE)
def test_a_finding_of_the_catalogue_is_made_somewhere(code: str) -> None:
    family, _, word = code.partition(".")
    said = "\n".join(
        path.read_text("utf-8") for path in MODULES if not path.name.startswith("catalogue_of")
    )

    composed = f'code=f"{family}.{{' in said and f'"{word}"' in said
    assert f'"{code}"' in said or composed, f"nothing makes {code}: take it out of the catalogue"


def tables() -> str:
    parts = []
    for family, title in FAMILIES.items():
        rows = [
            f"| `{code}` | {', '.join(entry.severities)} | **{entry.title}.** {entry.meaning} "
            f"| {entry.cure} |"
            for code, entry in CATALOGUE.items()
            if code.partition(".")[0] == family
        ]
        head = "| finding | severity | what it means | cure |"
        parts.append("\n".join([f"## {title}\n", head, "|---|---|---|---|", *rows, ""]))
    return "\n".join(parts)


def test_the_page_of_findings_is_what_the_catalogue_says() -> None:
    introduction, _, _ = PAGE.read_text("utf-8").partition("\n## ")
    written = f"{introduction}\n{tables()}"
    if os.environ.get("PROCTOR_WRITE_DOCS"):
        PAGE.write_text(written, encoding="utf-8")
    assert PAGE.read_text("utf-8") == written, f"Run PROCTOR_WRITE_DOCS=1 pytest {__file__}."
