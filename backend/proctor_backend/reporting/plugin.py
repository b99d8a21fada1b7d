"""Checks what a client's plugin answered: blocks of the API, citations that exist, no typed number.

Running it is the sandbox's matter; where its sections stand, and how they look, is the platform's.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from proctor_backend.domain.errors import InvalidInputError
from proctor_backend.reporting.context import build_context
from proctor_backend.reporting.disclosure import EDITIONS
from proctor_backend.reporting.material import DraftMaterial
from proctor_sdk.report import API_VERSION, Show

OUTPUT_LIMIT = 1_000_000
TEXT_LIMIT = 4_000
TITLE_LIMIT = 120
BLOCK_LIMIT = 200
ROW_LIMIT = 500
COLUMN_LIMIT = 12
SECTION_LIMIT = 5
NEEDS = frozenset({"study", "cohort", "figures"})

_ID = re.compile(r"[a-z][a-z0-9-]{0,39}\Z")
# The names of standards carry digits and claim nothing.
_STANDARD = re.compile(
    r"\b(?:ISO|IEC|EN|AAMI|ANSI|IMDRF|MDCG|CFR|TR|STARD|CLAIM|TRIPOD)(?:[/ ][A-Z]+)* ?[\d.:-]*\d"
)
# Words that a report must not say of a device, whoever writes it.
BANNED = re.compile(r"\b(?:validated|unbiased|FDA[- ]ready|no bias|bias[- ]free)\b", re.IGNORECASE)


def plugin_input(material: DraftMaterial, needs: Sequence[str]) -> dict[str, Any]:
    """Return what the plugin's run reads: a context per edition, the least disclosing first."""
    unknown = sorted(set(needs) - NEEDS)
    if unknown:
        raise InvalidInputError(
            f"The bundle needs what no context offers: {', '.join(unknown)}.",
            cure=f"A bundle may need: {', '.join(sorted(NEEDS))}.",
        )
    contexts = [build_context(material, edition) for edition in reversed(EDITIONS)]
    return {"api": API_VERSION, "contexts": [one.as_plugin_context(needs) for one in contexts]}


def check_sections(
    answer: Sequence[Mapping[str, Any]], material: DraftMaterial
) -> dict[str, list[dict[str, Any]]]:
    """Return the plugin's sections per edition, each proven to be what the API allows.

    Raises:
        InvalidInputError: `problems` names every block that breaks a rule.
    """
    if len(json.dumps(answer)) > OUTPUT_LIMIT:
        raise InvalidInputError("The plugin's sections are larger than a million characters.")
    checked: dict[str, list[dict[str, Any]]] = {edition: [] for edition in EDITIONS}
    for part in answer:
        edition = part.get("edition")
        if edition not in checked:
            raise InvalidInputError("The plugin answered for an edition that does not exist.")
        context = build_context(material, edition)
        figures = frozenset(str(figure["id"]) for figure in context.figures)
        check = _Check(edition, frozenset(context.results), figures)
        checked[edition] = check.sections(part.get("sections"))
        if check.problems:
            raise InvalidInputError(
                "The plugin's sections break the rules of the report.",
                cure="Correct the plugin and pin the new bundle before the study is locked.",
                problems=check.problems,
            )
    return checked


class _Check:
    """Reads one edition's sections, keeps what is allowed and collects what is not."""

    def __init__(self, edition: str, refs: frozenset[str], figures: frozenset[str]) -> None:
        self.problems: list[dict[str, Any]] = []
        self._edition = edition
        self._refs = refs
        self._figures = figures

    def sections(self, value: Any) -> list[dict[str, Any]]:
        if not isinstance(value, list) or len(value) > SECTION_LIMIT:
            self._refuse("sections", f"is no list of at most {SECTION_LIMIT} sections")
            return []
        return [self._section(section, f"sections[{i}]") for i, section in enumerate(value)]

    def _section(self, section: Any, where: str) -> dict[str, Any]:
        if not self._is_object(section, {"id", "title", "blocks"}, where):
            return {}
        if not (isinstance(section["id"], str) and _ID.match(section["id"])):
            self._refuse(f"{where}.id", "is not lower case with hyphens")
        blocks = section["blocks"]
        if not isinstance(blocks, list) or len(blocks) > BLOCK_LIMIT:
            self._refuse(f"{where}.blocks", f"is no list of at most {BLOCK_LIMIT} blocks")
            blocks = []
        return {
            "id": f"client-{section['id']}",
            "title": self._text(section["title"], f"{where}.title", TITLE_LIMIT),
            "blocks": [self._block(b, f"{where}.blocks[{i}]") for i, b in enumerate(blocks)],
        }

    def _block(self, block: Any, where: str) -> dict[str, Any]:
        kind = block.get("type") if isinstance(block, dict) else None
        match kind:
            case "heading" if self._is_object(block, {"type", "text"}, where):
                text = self._text(block["text"], f"{where}.text", TITLE_LIMIT)
                return {"type": kind, "text": text}
            case "paragraph" if self._is_object(block, {"type", "parts"}, where):
                return {"type": kind, "parts": self._parts(block["parts"], where, BLOCK_LIMIT)}
            case "table" if self._is_object(block, {"type", "columns", "rows", "caption"}, where):
                return self._table(block, where)
            case "figure" if self._is_object(block, {"type", "id"}, where):
                if not isinstance(block["id"], str) or block["id"] not in self._figures:
                    self._refuse(f"{where}.id", "names no figure of this edition")
                return {"type": kind, "id": block["id"]}
            case "heading" | "paragraph" | "table" | "figure":
                return {}
        self._refuse(f"{where}.type", "is no paragraph, heading, table or figure")
        return {}

    def _table(self, block: dict[str, Any], where: str) -> dict[str, Any]:
        columns, rows = block["columns"], block["rows"]
        shaped = isinstance(columns, list) and isinstance(rows, list)
        if not shaped or not 0 < len(columns) <= COLUMN_LIMIT or len(rows) > ROW_LIMIT:
            self._refuse(where, f"has no {COLUMN_LIMIT} columns and {ROW_LIMIT} rows at most")
            return {}
        if any(not isinstance(row, list) or len(row) != len(columns) for row in rows):
            self._refuse(f"{where}.rows", "has a row of another length than the header")
            return {}
        return {
            "type": "table",
            "columns": [self._text(name, f"{where}.columns", TITLE_LIMIT) for name in columns],
            "rows": [
                self._parts(row, f"{where}.rows[{i}]", COLUMN_LIMIT) for i, row in enumerate(rows)
            ],
            "caption": self._text(block["caption"], f"{where}.caption", TEXT_LIMIT),
        }

    def _parts(self, parts: Any, where: str, limit: int) -> list[dict[str, Any]]:
        if not isinstance(parts, list) or len(parts) > limit:
            self._refuse(where, f"is no list of at most {limit} parts")
            return []
        return [self._part(part, f"{where}[{i}]") for i, part in enumerate(parts)]

    def _part(self, part: Any, where: str) -> dict[str, Any]:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "text" and self._is_object(part, {"type", "text"}, where):
            return {"type": kind, "text": self._text(part["text"], where, TEXT_LIMIT)}
        if kind == "number" and self._is_object(part, {"type", "ref", "show"}, where):
            if not isinstance(part["ref"], str) or part["ref"] not in self._refs:
                self._refuse(f"{where}.ref", "cites a result that does not exist")
            if not isinstance(part["show"], str) or part["show"] not in set(Show):
                self._refuse(f"{where}.show", "names no part of a result")
            return {"type": kind, "ref": part["ref"], "show": part["show"]}
        if kind not in {"text", "number"}:
            self._refuse(f"{where}.type", "is neither text nor number")
        return {}

    def _text(self, value: Any, where: str, limit: int) -> str:
        if not isinstance(value, str) or len(value) > limit:
            self._refuse(where, f"is no text of at most {limit} characters")
            return ""
        if any(character.isnumeric() for character in _STANDARD.sub("", value)):
            self._refuse(where, "has a number typed into it; cite the result instead")
        if BANNED.search(value):
            self._refuse(where, "says of a device what no report may say")
        return value

    def _is_object(self, value: Any, keys: set[str], where: str) -> bool:
        if isinstance(value, dict) and set(value) == keys:
            return True
        self._refuse(where, f"does not have exactly the fields {', '.join(sorted(keys))}")
        return False

    def _refuse(self, where: str, what: str) -> None:
        problem = {"field": f"{self._edition}: {where}", "what": what, "line": None, "cure": ""}
        self.problems.append(problem)
