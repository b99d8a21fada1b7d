"""The command `proctor-worker`: what is done beside hidden data by hand."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from proctor_backend.domain.errors import ProctorError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it succeeded, 1 when what it checks does not hold, 2 on misuse."""
    chosen = build_parser().parse_args(arguments)
    try:
        return _recompute(chosen.path)
    except ProctorError as error:
        print(f"{error.message} {error.cure}".strip(), file=sys.stderr)
        return 2


def build_parser() -> argparse.ArgumentParser:
    """Every command and its arguments."""
    parser = argparse.ArgumentParser(prog="proctor-worker", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    what = "make the results again from evidence and compare them byte for byte"
    again = commands.add_parser("recompute", help=what, description=what)
    again.add_argument("path", type=Path, help="an evidence folder, or a zip of one")
    return parser


def _recompute(path: Path) -> int:
    from proctor_workers.recompute import recompute

    report = recompute(path)
    print(report.sentence())
    return 0 if report.agrees else 1


if __name__ == "__main__":
    sys.exit(main())
