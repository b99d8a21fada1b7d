"""The command `proctor`: its arguments; the work of a command lies in a module of its own."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from proctor_sdk.errors import ProctorSdkError
from proctor_sdk.outputs import TASKS

INTERRUPTED = 130
_EXTRAS = {"fingerprint": "cli,fingerprints"}  # what a command needs beside the base


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return 0, or 1 after printing what is wrong and its cure."""
    arguments = build_parser().parse_args(argv)
    try:
        status = load_command(arguments.command).run(arguments)
    except ProctorSdkError as error:
        print(f"proctor: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("proctor: stopped.", file=sys.stderr)
        return INTERRUPTED
    return int(status or 0)


def load_command(name: str) -> ModuleType:
    """Import a command's module: the only late import, so that --help does not wait for httpx."""
    try:
        return importlib.import_module(f"proctor_sdk.commands.{name}")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("proctor_sdk"):
            raise
        raise ProctorSdkError(
            "extra_missing",
            f"This command needs the package {error.name}.",
            cure=f"Run `pip install 'proctor-sdk[{_EXTRAS.get(name, 'cli')}]'`.",
        ) from error


def build_parser() -> argparse.ArgumentParser:
    """Every command and its arguments."""
    parser = argparse.ArgumentParser(
        prog="proctor", description="Blind, independent validation of medical AI."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _vendor_commands(commands)
    _everybody_commands(commands)
    _study_commands(_group(commands, "study", "write, lock, amend and show studies"))
    _cohort_commands(_group(commands, "cohort", "add cohorts and set their terms"))
    return parser


_Commands = argparse._SubParsersAction  # noqa: SLF001 - argparse gives the type no public name


def _add(
    commands: "_Commands[argparse.ArgumentParser]", name: str, text: str, module: str = ""
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    command.set_defaults(command=module or name, verb=name)
    return command


def _group(
    commands: "_Commands[argparse.ArgumentParser]", name: str, text: str
) -> "_Commands[argparse.ArgumentParser]":
    group = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    return group.add_subparsers(metavar="VERB", required=True)


def _manifest(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--manifest", type=Path, default=Path("proctor.toml"), help="default: proctor.toml"
    )


def _password(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--password-stdin", action="store_true", help="read the password from standard input"
    )


def _vendor_commands(commands: "_Commands[argparse.ArgumentParser]") -> None:
    init = _add(commands, "init", "write a manifest, an example model and a Containerfile")
    init.add_argument("folder", type=Path, nargs="?", default=Path())
    init.add_argument("--task", choices=TASKS, default="binary_classification", help="kind of task")

    check = _add(commands, "check", "check the manifest and run the image on public cases")
    _manifest(check)
    check.add_argument(
        "--cases", type=Path, help="folder with cases.jsonl and files/; without it nothing is run"
    )
    check.add_argument("--engine", choices=("auto", "podman", "docker"), default="auto")

    submit = _add(commands, "submit", "enter a model version for a study")
    submit.add_argument("--study", required=True, help="id of the locked study")
    _manifest(submit)
    submit.add_argument("--wait", action="store_true", help="follow the entry until it is decided")

    fingerprint = _add(commands, "fingerprint", "let training images be compared with a cohort")
    fingerprint.add_argument(
        "folder", type=Path, nargs="?", help="folder of the images; without it, send --out again"
    )
    fingerprint.add_argument("--patients", type=Path, help="CSV table with a column patient")
    fingerprint.add_argument(
        "--out",
        type=Path,
        default=Path("fingerprints.jsonl"),
        help="file of the digests, for you to read; default: fingerprints.jsonl",
    )
    fingerprint.add_argument("--study", help="seal the file for this study's data and send it")

    status = _add(commands, "status", "show entries and their states")
    status.add_argument("entry", nargs="?", help="id of an entry; without it, all of them")
    status.add_argument("--logs", action="store_true", help="log of the run on public cases")
    status.add_argument("--json", action="store_true", help="print the platform's answer")


def _everybody_commands(commands: "_Commands[argparse.ArgumentParser]") -> None:
    report = _add(commands, "report", "fetch an edition of a released report")
    report.add_argument("report", metavar="ENTRY_OR_REPORT")
    report.add_argument("--edition", choices=("full", "submission", "public"), default="submission")
    report.add_argument("-o", "--output", type=Path, required=True, help="file to write, .zip")

    verify = _add(commands, "verify", "check a report's package offline")
    verify.add_argument("package", type=Path, metavar="PACKAGE.zip")
    verify.add_argument("--trust", type=Path, required=True, help="file with the keys you trust")

    login = _add(commands, "login", "make an API token and keep it")
    login.add_argument("url", help="address of the platform")
    login.add_argument("--email", help="asked for when left out")
    login.add_argument("--days", type=int, default=30, help="days until the token expires")
    login.add_argument("--token-stdin", action="store_true", help="keep a token you have already")
    _password(login)

    _password(_add(commands, "password", "choose an own password"))


def _study_commands(verbs: "_Commands[argparse.ArgumentParser]") -> None:
    draft = _add(verbs, "draft", "send a protocol as a new draft, or replace a draft's", "study")
    draft.add_argument("protocol", type=Path, metavar="PROTOCOL.yaml")
    draft.add_argument("--study", help="id of the draft to replace")
    draft.add_argument("--cohort", help="id of the hidden cohort; with --study, another version")
    draft.add_argument("--conformance", help="id of the public conformance cohort")
    draft.add_argument("--vendor-org", help="id of the vendor; the study office alone may name it")
    draft.add_argument("--partner-org", help="id of the data partner; default: the cohort's owner")

    for verb, text in (
        ("lock", "sign as statistician; the third signature locks"),
        ("sign", "sign a study for one party"),
    ):
        sign = _add(verbs, verb, text, "study")
        sign.add_argument("study")
        sign.add_argument("--meaning", default="I agree to this protocol.")
        _password(sign)
        if verb == "sign":
            sign.add_argument(
                "--role",
                required=True,
                choices=("statistician", "vendor_regulatory", "data_partner"),
            )

    amend = _add(verbs, "amend", "change a locked protocol before any case is staged", "study")
    amend.add_argument("study")
    amend.add_argument("protocol", type=Path, metavar="PROTOCOL.yaml")
    amend.add_argument("--reason", required=True)
    amend.add_argument("--cohort", help="go over to this version of the hidden cohort")

    show = _add(verbs, "show", "show a study, or all of them", "study")
    show.add_argument("study", nargs="?")
    show.add_argument("--json", action="store_true", help="print the platform's answer")

    plan = _add(verbs, "plan", "say what a cohort's size promises for a protocol", "plan")
    plan.add_argument("protocol", type=Path, nargs="?", metavar="PROTOCOL.yaml")
    plan.add_argument("--cohort", help="id of the cohort to plan on")
    plan.add_argument(
        "--counts",
        help="sizes instead of a cohort: cases=600,patients=500,positives=300,sex:F=280",
    )
    plan.add_argument("--study", help="id of a study, for its own protocol and cohort")
    plan.add_argument("--json", action="store_true", help="print the platform's answer")

    deviation = _add(verbs, "deviation", "record what was done otherwise than planned", "study")
    deviation.add_argument("study")
    deviation.add_argument("--severity", choices=("minor", "major"), required=True)
    deviation.add_argument("--text", required=True)

    vendor = _add(verbs, "vendor", "name the vendor of a draft, as study office", "study")
    vendor.add_argument("study")
    vendor.add_argument("organisation")

    plugin = _add(verbs, "plugin", "pin a report plugin's bundle to a draft", "study")
    plugin.add_argument("study")
    plugin.add_argument("bundle", type=Path, metavar="BUNDLE.zip")


def _cohort_commands(verbs: "_Commands[argparse.ArgumentParser]") -> None:
    add = _add(verbs, "add", "send a table of cases and its files", "cohort")
    add.add_argument("table", type=Path, metavar="TABLE", help="CSV or Parquet")
    add.add_argument("--files", type=Path, help="folder of the files; default: the table's")
    add.add_argument("--name", required=True)
    add.add_argument("--public", action="store_true", help="a conformance set, not hidden")
    add.add_argument("--description", type=Path, help="YAML, JSON or TOML file")
    add.add_argument("--cohort", help="go on with a cohort that was not closed")

    version = _add(verbs, "version", "send a further version of a READY cohort", "cohort")
    version.add_argument("of", metavar="COHORT", help="the newest READY version")
    version.add_argument("table", type=Path, nargs="?", metavar="TABLE", help="CSV or Parquet")
    version.add_argument("--files", type=Path, help="folder of the files; default: the table's")
    version.add_argument("--without", nargs="+", metavar="CASE", help="leave out; no table then")
    version.add_argument("--description", type=Path, help="YAML, JSON or TOML file")
    version.add_argument("--cohort", help="go on with a version that was not closed")

    show = _add(verbs, "show", "show a cohort, or all of them", "cohort")
    show.add_argument("cohort", nargs="?")
    show.add_argument("--json", action="store_true", help="print the platform's answer")

    terms = _add(verbs, "terms", "set the terms of a cohort", "cohort")
    terms.add_argument("cohort")
    terms.add_argument("terms", type=Path, metavar="TERMS", help="YAML, JSON or TOML file")
    _cohort_keeping_commands(verbs)


def _cohort_keeping_commands(verbs: "_Commands[argparse.ArgumentParser]") -> None:
    def keeping(name: str, text: str, noun: str = "cohort") -> argparse.ArgumentParser:
        command = _add(verbs, name, text, "cohort_keeping")
        if noun:
            command.add_argument(noun)
        return command

    quality = keeping("quality", "read the quality report of an own cohort")
    quality.add_argument("-o", "--out", type=Path, help="file to write, .html or .json")

    override = keeping("override", "accept a finding that holds a cohort back")
    override.add_argument("finding", help="its key, as `proctor cohort show` prints it")
    override.add_argument("--reason", required=True, help="the report prints it")
    _password(override)

    compare = keeping("compare", "say what changed between two versions of a cohort")
    compare.add_argument("other", help="another version of it")
    compare.add_argument("--json", action="store_true", help="print the platform's answer")

    for name, text in (
        ("withdraw", "take a cohort back"),
        ("withdraw-patient", "have a patient erased; asks for the original id or the pseudonym"),
    ):
        withdraw = keeping(name, text)
        withdraw.add_argument("--reason", required=True)
        _password(withdraw)

    withdrawals = keeping("withdrawals", "show how far withdrawals of patients have come")
    withdrawals.add_argument("--json", action="store_true", help="print the platform's answer")

    queries = keeping("queries", "list questions on the reference standard", noun="")
    queries.add_argument("--json", action="store_true", help="print the platform's answer")

    answer = keeping("answer", "answer a question on a reference value", noun="query")
    answer.add_argument("answer", choices=("stands", "will-change"))
    answer.add_argument("--text", default="", help="why")
