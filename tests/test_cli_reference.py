"""The reference page of the three commands is what their parsers say."""

import argparse
import os
from pathlib import Path

from proctor_backend.cli import build_parser as admin_parser
from proctor_sdk.cli import build_parser as sdk_parser
from proctor_workers.cli import build_parser as worker_parser

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "cli.md"
INTRODUCTION = """\
# Commands

Three commands, by who types them. Each tells the same with `--help`. An exit status of 0 means that
what was asked is done or true; 1 that it is not, and the last lines say why and what to do; 2 that
the command was mistyped or could not begin. This page is made from the parsers by
`PROCTOR_WRITE_DOCS=1 pytest tests/test_cli_reference.py`; a test keeps it equal.
"""
AUDIENCE = {
    "proctor": "For vendors, data partners, statisticians and everybody who is given a report "
    "(`pip install 'proctor-sdk[cli]'`). Passwords are asked for, or read with `--password-stdin`.",
    "proctor-admin": "For the operator of a machine. Everything that concerns studies goes through "
    "the API instead.",
    "proctor-worker": "For statisticians, next to the evidence.",
}


def test_the_page_of_commands_is_what_the_parsers_say():
    written = page()
    if os.environ.get("PROCTOR_WRITE_DOCS"):
        PAGE.write_text(written, encoding="utf-8")
    assert PAGE.read_text("utf-8") == written, (
        "Run `PROCTOR_WRITE_DOCS=1 pytest tests/test_cli_reference.py`."
    )


def page():
    parts = [INTRODUCTION]
    for parser in (sdk_parser(), admin_parser(), worker_parser()):
        parts.append(f"## {parser.prog}\n\n{AUDIENCE[parser.prog]}\n")
        parts += [_table(parser)] if _rows(parser) else []
        parts += [_section(command) for command in leaves(parser)]
    return "\n".join(parts)


def leaves(parser):
    """Yield every command that can be typed: those without verbs of their own."""
    verbs = subcommands(parser)
    if not verbs:
        yield parser
    for verb in verbs.values():
        yield from leaves(verb)


def subcommands(parser):
    found = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return found[0].choices if found else {}


def _section(parser):
    text = f"### {parser.prog}\n\n{_sentence(parser.description)}\n"
    return f"{text}\n{_table(parser)}" if _rows(parser) else text


def _table(parser):
    rows = "\n".join(_rows(parser))
    return f"| argument | default | meaning |\n|---|---|---|\n{rows}\n"


def _rows(parser):
    shown = [a for a in parser._actions if not isinstance(a, argparse._SubParsersAction)]
    return [_row(action) for action in shown if action.dest != "help"]


def _row(action):
    spelt = ", ".join(f"`{option}`" for option in action.option_strings)
    if not action.option_strings:
        spelt = f"`{action.metavar or action.dest.upper()}`"
    elif action.nargs != 0 and not action.choices:
        spelt += f" `{action.metavar or action.dest.upper()}`"
    if action.choices:
        spelt += " " + " or ".join(f"`{choice}`" for choice in action.choices)
    return f"| {spelt} | {_default(action)} | {_sentence(action.help)} |"


def _default(action):
    if action.required:
        return "required"
    return "" if action.default in {None, False} else f"`{action.default}`"


def _sentence(text):
    text = (text or "").strip().rstrip(".").replace("|", "\\|")
    return f"{text[0].upper()}{text[1:]}." if text else ""
