"""`proctor-admin`: the machine's side only; everything else goes through the HTTP API."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from proctor_backend.domain.errors import ProctorError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = build_parser().parse_args(arguments)
    try:
        return int(_load(given.module, given.function)(given) or 0)
    except ProctorError as error:
        sys.stderr.write(f"proctor-admin: {error.message}\n")
        if error.cure:
            sys.stderr.write(f"  what to do: {error.cure}\n")
        return 1


def _load(module: str, function: str) -> Any:
    """Import a command's module now that it is called: the only late import."""
    return getattr(importlib.import_module(module), function)


def build_parser() -> argparse.ArgumentParser:
    """Every command and its arguments."""
    parser = argparse.ArgumentParser(prog="proctor-admin", description=__doc__)
    parser.add_argument(
        "--home", type=Path, help="folder of the stack (default: $PROCTOR_HOME or ~/.proctor)"
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    add = _Adder(commands)
    up = add("up", "start the stack; Ctrl-C ends it", "local.commands:up")
    up.add_argument("--detach", action="store_true", help="return when everything answers")
    up.add_argument(
        "--demonstration", action="store_true", help="mark every page and report DEMONSTRATION"
    )
    up.add_argument("--admin-email", default="admin@proctor.localhost", help="of the first person")
    add("down", "end the stack", "local.commands:down")
    add("status", "show what runs", "local.commands:status")
    add("doctor", "name what this machine lacks", "machine_commands:doctor")
    demo = add("demo", "take two studies through everything", "demo.run:main")
    demo.add_argument("--keep", action="store_true", help="leave the stack running afterwards")
    saved = add("backup", "keep records, objects and keys in one file", "machine_commands:backup")
    saved.add_argument("file", type=Path)
    back = add("restore", "bring a backup back into an empty home", "machine_commands:restore")
    back.add_argument("file", type=Path)
    add("migrate", "take the schema steps that are missing", "machine_commands:migrate")
    keys = add("keys", "list, export or rotate keys", "machine_commands:keys")
    keys.add_argument("action", choices=("list", "export", "rotate"))
    keys.add_argument("--out", type=Path, default=Path("trust.json"), help="where export writes")
    audit = add("audit", "check the audit trail", "machine_commands:audit")
    audit.add_argument("action", choices=("verify",))
    audit.add_argument("--chain", help="only this entry's, study's or `platform` chain")
    return parser


class _Adder:
    """Adds a command with the place of its function."""

    def __init__(self, commands: Any) -> None:
        self._commands = commands

    def __call__(self, name: str, what: str, place: str) -> argparse.ArgumentParser:
        module, _, function = place.partition(":")
        command: argparse.ArgumentParser = self._commands.add_parser(
            name, help=what, description=what
        )
        command.set_defaults(module=f"proctor_backend.{module}", function=function)
        return command


if __name__ == "__main__":
    sys.exit(main())
