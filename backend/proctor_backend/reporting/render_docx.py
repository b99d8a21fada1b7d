"""Sets the laid-out report as DOCX, for those who copy parts of it into their own documents."""

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import docx
from docx.document import Document as Word
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Inches, Mm, Pt, RGBColor

from proctor_backend.domain.ids import parse_utc

INK, ACCENT, SOFT = (
    RGBColor(0x1B, 0x27, 0x33),
    RGBColor(0x1F, 0x5F, 0x8B),
    RGBColor(0x5D, 0x6B, 0x79),
)
TONES = {
    "good": RGBColor(0x1D, 0x6B, 0x45),
    "bad": RGBColor(0x9B, 0x2C, 0x2C),
    "open": RGBColor(0x8A, 0x5A, 0x00),
}
# The earliest time a zip can hold: the moment of rendering must not change the bytes.
EPOCH = (1980, 1, 1, 0, 0, 0)
Block = Mapping[str, Any]


def render_docx(layout: Mapping[str, Any]) -> bytes:
    """Return the document; the same layout gives the same bytes."""
    word = docx.Document()
    _prepare(word, layout)
    _title(word, layout)
    setter = _Setter(word, layout)
    for section in layout["sections"]:
        word.add_heading(f"{section['number']}  {section['title']}", level=1)
        for block in section["blocks"]:
            setter.add(block)
    buffer = io.BytesIO()
    word.save(buffer)
    return _with_fixed_times(buffer.getvalue())


def _prepare(word: Word, layout: Mapping[str, Any]) -> None:
    moment = parse_utc(layout["created_at"]).replace(tzinfo=None, microsecond=0)
    core = word.core_properties
    core.title, core.author, core.last_modified_by = layout["title"], "Proctor", "Proctor"
    core.created = core.modified = moment
    page = word.sections[0]
    page.page_width, page.page_height = Mm(210), Mm(297)
    page.left_margin = page.right_margin = Mm(22)
    normal = word.styles["Normal"]
    normal.font.name, normal.font.size, normal.font.color.rgb = "Cambria", Pt(10), INK
    for level, size in ((1, 14), (2, 11)):
        style = word.styles[f"Heading {level}"]
        style.font.size, style.font.color.rgb = Pt(size), ACCENT
    mark = [layout["demonstration"]] if layout["demonstration"] else []
    head = page.header.paragraphs[0]
    head.text = "    ".join([layout["edition"], *mark, layout["report"]])
    foot = page.footer.paragraphs[0]
    foot.text = "    ".join([layout["body_digest"], *mark, "Page "])
    _page_field(foot)
    for paragraph in (head, foot):
        for run in paragraph.runs:
            run.font.size, run.font.color.rgb = Pt(7), SOFT


def _page_field(paragraph: Any) -> None:
    run = paragraph.add_run()
    for kind, text in (("begin", ""), ("", "PAGE"), ("end", "")):
        element = OxmlElement("w:fldChar" if kind else "w:instrText")
        if kind:
            element.set(qn("w:fldCharType"), kind)
        else:
            element.text = text
        run._r.append(element)  # noqa: SLF001 - python-docx has no field of its own


def _title(word: Word, layout: Mapping[str, Any]) -> None:
    device = layout["device"]
    word.add_heading(layout["title"], level=0)
    names = [f"{device['model_name']} {device['model_version']}, {device['vendor']}"]
    shown = names if device["model_name"] else []
    word.add_paragraph(" | ".join([*shown, layout["edition"], layout["date"]]))
    if layout["demonstration"]:
        mark = layout["demonstration"]
        text = f"{mark}: nothing in this document is a statement about a real device."
        _run(word.add_paragraph(), text, bold=True, colour=TONES["bad"])


class _Setter:
    """Adds one block after the other to a document."""

    def __init__(self, word: Word, layout: Mapping[str, Any]) -> None:
        self._word = word
        self._figures = layout["figures"]
        self._by_type: dict[str, Callable[[Block], None]] = {
            "paragraph": lambda block: self._paragraph(block["text"]),
            "heading": lambda block: self._heading(block["text"]),
            "items": self._items,
            "facts": lambda block: self._rows(block["rows"], header=None, bold_first=True),
            "table": self._table,
            "verdict": self._verdict,
            "figure": self._figure,
            "request": lambda block: self._paragraph(block["text"], italic=True),
            "supplied": self._supplied,
            "quotation": lambda block: self._paragraph(block["text"]),
            "approvals": self._approvals,
        }

    def add(self, block: Block) -> None:
        self._by_type[block["type"]](block)

    def _paragraph(self, text: str, *, italic: bool = False) -> None:
        _run(self._word.add_paragraph(), text, italic=italic)

    def _heading(self, text: str) -> None:
        self._word.add_heading(text, level=2)

    def _items(self, block: Block) -> None:
        for sentence in block["sentences"]:
            self._word.add_paragraph(sentence, style="List Bullet")

    def _verdict(self, block: Block) -> None:
        colour = TONES[block["tone"]]
        _run(
            self._word.add_paragraph(), block["headline"].upper(), bold=True, colour=colour, size=20
        )
        self._paragraph(block["sentence"])
        header = ("Endpoint", "Estimate", "Interval", "Criterion", "Conclusion")
        names = ("label", "estimate", "interval", "criterion", "conclusion")
        rows = [[{"text": row[name]} for name in names] for row in block["rows"]]
        self._rows(rows, header=header)

    def _table(self, block: Block) -> None:
        self._rows(block["rows"], header=block["columns"])
        notes = " ".join(f"({note['mark']}) {note['text']}." for note in block["notes"])
        if block["caption"] or notes:
            self._paragraph(f"{block['caption']} {notes}".strip(), italic=True)

    def _rows(
        self,
        rows: Sequence[Sequence[Any]],
        *,
        header: Sequence[str] | None,
        bold_first: bool = False,
    ) -> None:
        width = len(header) if header else 2
        table = self._word.add_table(
            rows=0, cols=width, style="Light List Accent 1" if header else None
        )
        if header:
            for cell, text in zip(table.add_row().cells, header, strict=True):
                _run(cell.paragraphs[0], text, bold=True, size=8)
        for row in rows:
            for place, (cell, part) in enumerate(zip(table.add_row().cells, row, strict=True)):
                text = part if isinstance(part, str) else part["text"]
                mark = "" if isinstance(part, str) or "mark" not in part else f" ({part['mark']})"
                _run(cell.paragraphs[0], text + mark, bold=bold_first and place == 0, size=8.5)
        self._word.add_paragraph()

    def _figure(self, block: Block) -> None:
        figure = self._figures[block["id"]]
        width = min(float(figure["inches"][0]), 6.3)
        self._word.add_picture(io.BytesIO(figure["png"]), width=Inches(width))
        self._word.paragraphs[-1].alignment = WD_ALIGN_PARAGRAPH.CENTER
        caption = self._word.add_paragraph()
        caption.alignment = WD_ALIGN_PARAGRAPH.CENTER
        _run(caption, block["caption"], italic=True, size=8.5)

    def _supplied(self, block: Block) -> None:
        self._paragraph(f"Text of the {block['of']}, not examined: {block['what']}", italic=True)
        self._paragraph(block["text"])

    def _approvals(self, block: Block) -> None:
        if not block["rows"]:
            self._paragraph("Not yet approved.", italic=True)
            return
        names = ("name", "role", "meaning", "at")
        rows = [[{"text": row[name]} for name in names] for row in block["rows"]]
        self._rows(rows, header=("Name", "Role", "Meaning of the signature", "Time (UTC)"))


def _run(
    paragraph: Any,
    text: str,
    *,
    bold: bool = False,
    italic: bool = False,
    size: float | None = None,
    colour: RGBColor | None = None,
) -> None:
    # XML cannot hold control characters; a vendor's text may.
    run = paragraph.add_run("".join(c for c in text if c in "\n\t" or ord(c) >= 32))
    run.bold, run.italic = bold, italic
    if size:
        run.font.size = Pt(size)
    if colour is not None:
        run.font.color.rgb = colour


def _with_fixed_times(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as source,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for entry in source.infolist():
            fixed = zipfile.ZipInfo(entry.filename, EPOCH)
            fixed.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(fixed, source.read(entry.filename))
    return buffer.getvalue()
