"""Resolves an edition into plain text and pictures, once for all formats; renderers only set it.

Every number comes from a result that the edition proves; a citation of any other prints "withheld".
"""

from collections.abc import Mapping, Sequence
from typing import Any

from proctor_backend.domain.errors import TamperedError
from proctor_backend.reporting import figures, numbers, words
from proctor_backend.reporting.annex import SLOTS
from proctor_backend.reporting.words import query_rows
from proctor_sdk.evidence_files import NOT_RECOMPUTABLE
from proctor_sdk.report import Show

Document = Mapping[str, Any]

TONES = {
    "criterion met": "good",
    "criterion not met": "bad",
    "inconclusive": "open",
    "difference shown": "bad",
    "difference below margin": "open",
    "no relevant difference shown": "good",
}
DEMONSTRATION = "DEMONSTRATION"
# The measurement's own sum of several primary endpoints, by the declared multiplicity.
OBJECTIVE = "primary_objective"
EDITION_NAMES = {
    "full": "Full edition",
    "submission": "Submission edition",
    "public": "Public edition",
}
CENTRED = frozenset(
    {"estimate", "interval", "difference", "n", "patients", "cases", "p", "adjusted p"}
)
FLAG_MARKS = "abcdefghijklmnopqrstuvwxyz"


def lay_out(edition_document: Document) -> dict[str, Any]:
    """Return the document that every renderer sets: front matter, sections, pictures."""
    page = _Page(edition_document)
    sections = [page.section(one, i) for i, one in enumerate(edition_document["sections"], start=1)]
    if edition_document.get("withdrawn"):
        sections[0]["blocks"].insert(0, {"type": "paragraph", "text": NOT_RECOMPUTABLE})
    annex = edition_document.get("annex") or {}
    return {
        "title": edition_document["title"],
        "study": edition_document["study"],
        "report": edition_document["report"],
        "edition": EDITION_NAMES[edition_document["edition"]],
        "created_at": edition_document["created_at"],
        "date": edition_document["created_at"][:10],
        "body_digest": edition_document["body_digest"],
        "results_root": edition_document["results_root"],
        "demonstration": DEMONSTRATION if edition_document["demonstration"] else "",
        "device": {name: annex.get(name, "") for name in ("vendor", "model_name", "model_version")},
        "sections": sections,
        "figures": page.figures,
    }


class _Page:
    """One edition's lookup of results, figures and the vendor's text."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._results = {e["result"]["id"]: e["result"] for e in document["results"]}
        self._withheld = {entry["id"] for entry in document["withheld"]}
        self._texts = (document.get("annex") or {}).get("texts") or {}
        self._titles = {
            section["id"]: (i, section["title"])
            for i, section in enumerate(document["sections"], start=1)
        }
        self.figures = figures.draw(document)

    def section(self, section: Document, number: int) -> dict[str, Any]:
        blocks = [self._block(block) for block in section["blocks"]]
        return {
            "id": section["id"],
            "number": number,
            "title": section["title"],
            "client": section["id"].startswith("client-"),
            "blocks": [block for block in blocks if block is not None],
        }

    def _block(  # noqa: PLR0911 - one return per kind of block
        self, block: Document
    ) -> dict[str, Any] | None:
        match block["type"]:
            case "paragraph":
                text = "".join(self._cell(part)["text"] for part in block["parts"])
                return {"type": "paragraph", "text": text}
            case "table":
                return self._table(block)
            case "facts":
                rows = [[name, self._cell(fact)] for name, fact in block["rows"]]
                return {"type": "facts", "rows": rows}
            case "figure":
                return self._figure(block["id"])
            case "verdict":
                return self._verdict(block["refs"], one_suffices=block["one_suffices"])
            case "request":
                return self._request(block)
            case "agreement":
                return self._agreement()
            case "queries":
                return self._queries()
            case "approvals":
                return {"type": "approvals", "rows": [_approval(row) for row in self._approvals()]}
            case _:
                return dict(block)

    def _agreement(self) -> dict[str, Any]:
        told = self._document.get("agreement") or {}
        rows = [[name.capitalize(), {"kind": "text", "text": text}] for name, text in told.items()]
        return {"type": "facts", "rows": rows}

    def _queries(self) -> dict[str, Any]:
        asked = self._document.get("queries") or {}
        rows = [[name, {"kind": "text", "text": text}] for name, text in query_rows(asked)]
        return {"type": "facts", "rows": rows}

    def _approvals(self) -> Sequence[Document]:
        rows: Sequence[Document] = self._document.get("approvals") or ()
        return rows

    def _figure(self, name: str) -> dict[str, Any] | None:
        # A figure whose rows are all withheld is not drawn in this edition.
        if name not in self.figures:
            return None
        return {"type": "figure", "id": name, "caption": self.figures[name]["title"]}

    def _request(self, block: Document) -> dict[str, Any]:
        text = self._texts.get(block["slot"]) if block["slot"] else None
        if text:
            return {
                "type": "supplied",
                "of": block["of"],
                "what": SLOTS[block["slot"]],
                "text": text,
            }
        return {"type": "request", "text": f"To be supplied by the {block['of']}: {block['what']}."}

    def _verdict(self, refs: Sequence[str], *, one_suffices: bool) -> dict[str, Any]:
        shown_refs = [ref for ref in refs if ref in self._results]
        rows = [self._results[ref] for ref in shown_refs]
        found = [str(row.get("conclusion") or "inconclusive") for row in rows]
        shown = [
            {
                name: numbers.write(row, Show(name))
                for name in ("label", "estimate", "interval", "criterion")
            }
            | {
                "level": numbers.write(row, Show.LEVEL),
                "conclusion": text,
                "tone": TONES.get(text, "open"),
            }
            for row, text in zip(rows, found, strict=True)
        ]
        objective = self._results.get(OBJECTIVE, {}).get("conclusion")
        headline = str(objective or _headline(found, one_suffices=one_suffices))
        return {
            "type": "verdict",
            "rows": shown,
            "headline": headline,
            "tone": TONES.get(headline, "open"),
            "sentence": _sentence(len(rows), headline),
        }

    def _table(self, block: Document) -> dict[str, Any]:
        notes: dict[str, str] = {}
        rows = [self._row(row, notes if block.get("flagged") else None) for row in block["rows"]]
        columns = list(block["columns"])
        return {
            "type": "table",
            "columns": columns,
            "centred": [name.lower() in CENTRED or name.startswith("With") for name in columns],
            "widths": block.get("widths") or [1] * len(columns),
            "rows": rows,
            "caption": block["caption"],
            "notes": [{"mark": mark, "text": text} for text, mark in notes.items()],
        }

    def _row(self, row: Sequence[Document], notes: dict[str, str] | None) -> list[dict[str, str]]:
        cells = [self._cell(part) for part in row]
        if notes is None:
            return cells
        for part, cell in zip(row, cells, strict=True):
            result = self._results.get(part.get("ref", ""))
            if part.get("show") == Show.ESTIMATE and result is not None:
                for reason in numbers.reliability_flags(result):
                    cell["mark"] = cell.get("mark", "") + notes.setdefault(
                        reason, _mark(len(notes))
                    )
        return cells

    def _cell(self, part: Document) -> dict[str, str]:
        match part["type"]:
            case "text":
                return {"kind": "text", "text": part["text"]}
            case "code":
                return {"kind": "code", "text": part["text"]}
            case "section_ref":
                number, title = self._titles[part["id"]]
                return {"kind": "section", "id": part["id"], "text": f"Section {number}, {title}"}
            case "expected" if part["ref"] in self._results:
                return {"kind": "number", "text": numbers.expected(self._results[part["ref"]])}
        return self._number(part["ref"], Show(part.get("show", Show.ESTIMATE)))

    def _number(self, ref: str, show: Show) -> dict[str, str]:
        result = self._results.get(ref)
        if result is None:
            if ref not in self._withheld:
                raise TamperedError("A section cites a result that this report does not hold.")
            return {"kind": "withheld", "text": numbers.WITHHELD}
        text = numbers.write(result, show)
        if show is Show.CONCLUSION and text in TONES:
            return {"kind": "conclusion", "text": text, "tone": TONES[text]}
        return {"kind": "number", "text": text}


def _headline(found: Sequence[str], *, one_suffices: bool) -> str:
    if not found:
        return "no criterion"
    if one_suffices and "criterion met" in found:
        return "criterion met"
    for worst in ("criterion not met", "inconclusive"):
        if worst in found:
            return worst
    return "criterion met"


def _sentence(count: int, headline: str) -> str:
    if count == 0:
        return "The protocol names no primary endpoint with a criterion."
    if count == 1:
        return "One primary endpoint, judged by the bound of its interval."
    ends = {
        "criterion met": "The primary endpoints meet their criteria as the protocol requires.",
        "criterion not met": "At least one primary endpoint does not meet its criterion.",
        "inconclusive": "At least one primary endpoint stays inconclusive.",
    }
    return ends[headline]


def _approval(row: Document) -> dict[str, str]:
    role = str(row.get("role", ""))
    return {
        "name": str(row.get("person_name") or row.get("person") or ""),
        "role": words.ROLES.get(role, role),
        "meaning": str(row.get("meaning", "")),
        "at": str(row.get("at", "")),
    }


def _mark(count: int) -> str:
    return FLAG_MARKS[count % len(FLAG_MARKS)]
