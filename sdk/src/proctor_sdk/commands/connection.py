"""What commands share: the client of the configured platform, passwords, documents, tables."""

import datetime as dt
import getpass
import json
import sys
import tomllib
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from proctor_sdk.client import ApiClient
from proctor_sdk.configuration import load_configuration
from proctor_sdk.errors import Problem, ProctorSdkError


def connect() -> ApiClient:
    """Return a client of the configured platform."""
    configuration = load_configuration()
    return ApiClient(configuration.url, configuration.token)


def ask_password(*, from_stdin: bool, prompt: str = "Password: ") -> str:
    """Return what is typed unseen, from the terminal or the next line of standard input."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    return getpass.getpass(prompt)


def byte_progress() -> Progress:
    """Return a progress bar in bytes, on standard error and only where someone watches."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    return Progress(
        *columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal
    )


def read_text(path: Path) -> str:
    """Return a text file of the user's.

    Raises:
        ProctorSdkError: it is not there or not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProctorSdkError(
            "file_unreadable", f"{path} cannot be read: {error}", cure="Check path and encoding."
        ) from error


def read_document(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML, JSON or TOML file.

    Raises:
        ProctorSdkError: it is none of them, or no mapping.
    """
    text = read_text(path)
    try:
        if path.suffix == ".json":
            document = json.loads(text)
        elif path.suffix == ".toml":
            document = tomllib.loads(text)
        else:
            document = YAML(typ="safe", pure=True).load(text)
    except (ValueError, YAMLError) as error:
        raise ProctorSdkError("file_invalid", f"{path} cannot be parsed: {error}") from error
    if not isinstance(document, dict):
        raise ProctorSdkError(
            "file_invalid", f"{path} is not a mapping.", cure="Write `name: value` lines."
        )
    return dict(_plain(document))


def _plain(value: Any) -> Any:
    """Return a document with dates as texts: YAML and TOML read 2027-12-31 as a date."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, dt.date) else value


def placed(error: ProctorSdkError, source: Path, lines: dict[str, int] | None = None) -> Any:
    """Return the same error with its problems placed in the user's file."""
    problems = [
        Problem(
            source=str(source),
            line=problem.line or (lines or {}).get(problem.field),
            field=problem.field,
            what=problem.what,
            cure=problem.cure,
        )
        for problem in error.problems
    ]
    return ProctorSdkError(error.code, error.message, cure=error.cure, problems=problems)


def print_json(document: Any) -> None:
    """Print the platform's answer for a program to read."""
    print(json.dumps(document, indent=2, ensure_ascii=False))


def print_fields(document: dict[str, Any], names: tuple[str, ...]) -> None:
    """Print `name  value` lines, leaving out what has no value."""
    width = max(len(name) for name in names)
    for name in names:
        value = document.get(name)
        if value not in (None, "", [], {}):
            text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value
            print(f"{name.replace('_', ' '):<{width}}  {text}")


def print_rows(documents: list[dict[str, Any]], names: tuple[str, ...]) -> None:
    """Print one line for each document, in aligned columns."""
    rows = [[str(document.get(name) or "") for name in names] for document in documents]
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(len(names))]
    for row in rows:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
