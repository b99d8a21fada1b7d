"""From a measurement to a report: the public face of context, sections, body, editions and seal.

Not of `render`: it loads typesetters, which the API must not carry.
"""

from proctor_backend.reporting.annex import SLOTS, check_texts, join_annex
from proctor_backend.reporting.body import assemble_body, new_salts
from proctor_backend.reporting.context import Context, build_context
from proctor_backend.reporting.disclosure import EDITIONS, Rule, Withheld, rule_for
from proctor_backend.reporting.editions import cut_edition, released_cells
from proctor_backend.reporting.material import DraftMaterial
from proctor_backend.reporting.plugin import check_sections, plugin_input
from proctor_backend.reporting.seal import build_package, build_statement
from proctor_backend.reporting.sections import core_sections

__all__ = [
    "EDITIONS",
    "SLOTS",
    "Context",
    "DraftMaterial",
    "Rule",
    "Withheld",
    "assemble_body",
    "build_context",
    "build_package",
    "build_statement",
    "check_sections",
    "check_texts",
    "core_sections",
    "cut_edition",
    "join_annex",
    "new_salts",
    "plugin_input",
    "released_cells",
    "rule_for",
]
