"""The API of report plugins, version 1: what a client's section is made of and made from."""

from proctor_sdk.report.blocks import (
    FigureRef,
    Heading,
    Number,
    Paragraph,
    Section,
    Show,
    Table,
)
from proctor_sdk.report.context import API_VERSION, Bounds, ReportContext, ResultView

__all__ = [
    "API_VERSION",
    "Bounds",
    "FigureRef",
    "Heading",
    "Number",
    "Paragraph",
    "ReportContext",
    "ResultView",
    "Section",
    "Show",
    "Table",
]
