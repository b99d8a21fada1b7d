"""The command `proctor-worker`: what is done beside hidden data by hand."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from proctor_backend.domain.errors import ProctorError
from proctor_sdk.errors import ProctorSdkError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it succeeded, 1 when what it checks does not hold, 2 on misuse."""
    chosen = build_parser().parse_args(arguments)
    try:
        return _COMMANDS[chosen.command](chosen)
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130
    except (ProctorError, ProctorSdkError) as error:
        print(f"{error.message} {error.cure}".strip(), file=sys.stderr)
        return 2


def build_parser() -> argparse.ArgumentParser:
    """Every command and its arguments."""
    parser = argparse.ArgumentParser(prog="proctor-worker", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    what = "make the results again from evidence and compare them byte for byte"
    again = commands.add_parser("recompute", help=what, description=what)
    again.add_argument("path", type=Path, help="an evidence folder, or a zip of one")
    what = "make a cohort where the data is: read, made safe, checked, ready to be sent"
    ingest = commands.add_parser("ingest", help=what, description=what)
    ingest.add_argument("plan", type=Path, help="the ingest plan, a YAML file")
    ingest.add_argument(
        "--dry-run", action="store_true", help="keep nothing; print the quality report"
    )
    ingest.add_argument(
        "--send", action="store_true", help="send the cohort to the platform of `proctor login`"
    )
    ingest.add_argument(
        "--version-of", metavar="COHORT", help="with --send: the cohort this is a new version of"
    )
    return parser


def _ingest(chosen: argparse.Namespace) -> int:
    from proctor_workers.commands import ingest

    return ingest.run(chosen)


def _recompute(chosen: argparse.Namespace) -> int:
    from proctor_workers.recompute import recompute

    report = recompute(chosen.path)
    print(report.sentence())
    return 0 if report.agrees else 1


_COMMANDS = {"ingest": _ingest, "recompute": _recompute}

if __name__ == "__main__":
    sys.exit(main())
