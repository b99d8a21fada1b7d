"""`proctor study plan`: interval widths and power that a cohort's size promises."""

import argparse
from typing import Any

from proctor_sdk.client import ApiClient, ApiError
from proctor_sdk.commands.connection import (
    connect,
    placed,
    print_json,
    print_rows,
    read_text,
)
from proctor_sdk.errors import ProctorSdkError

_PLAIN = ("cases", "patients", "positives")
_REFERENCE = "reference"
_SHOWN = ("endpoint", "group", "n", "planned", "width", "goal", "power", "needed", "remark")
_COARSE = ("endpoint", "group", "width")


def run(arguments: argparse.Namespace) -> int:
    """Plan a protocol on a cohort or on counts, or a study as it stands."""
    with connect() as client:
        answer = _asked(client, arguments)
    if arguments.json:
        print_json(answer)
        return 0
    names = _SHOWN if answer["exact"] else _COARSE
    head = {name: name for name in names}
    print_rows([head, *(_row(one) for one in answer["outlooks"])], names)
    if not answer["exact"]:
        print("widths are rounded to 0.05; the exact plan is for statistician and partner")
    return 0


def _asked(client: ApiClient, arguments: argparse.Namespace) -> dict[str, Any]:
    given = [arguments.study, arguments.cohort, arguments.counts]
    if sum(one is not None for one in given) != 1 or bool(arguments.study) == bool(
        arguments.protocol
    ):
        raise ProctorSdkError(
            "plan_unclear",
            "A plan is of one protocol on one cohort, or of a study.",
            cure="Give PROTOCOL.yaml with --cohort or --counts, or --study alone.",
        )
    if arguments.study:
        found: dict[str, Any] = client.get(f"/studies/{arguments.study}/plan")
        return found
    request: dict[str, Any] = {"protocol": read_text(arguments.protocol)}
    if arguments.cohort:
        request["cohort"] = arguments.cohort
    else:
        request["counts"] = counts_of(arguments.counts)
    try:
        answer: dict[str, Any] = client.post("/protocols/plan", request)
    except ApiError as error:
        raise placed(error, arguments.protocol) from error
    return answer


def counts_of(text: str) -> dict[str, Any]:
    """Read `cases=600,patients=500,positives=300,sex:F=280,reference:nodule=40`.

    Raises:
        ProctorSdkError: a part is not written so, or cases are missing.
    """
    counts: dict[str, Any] = {"values": {}, "levels": {}}
    for part in text.split(","):
        name, _, number = part.strip().rpartition("=")
        attribute, _, level = name.partition(":")
        if not number.isdecimal() or not (level or name in _PLAIN):
            raise _unreadable(f"'{part.strip()}' is no count.")
        if not level:
            counts[name] = int(number)
        elif attribute == _REFERENCE:
            counts["values"][level] = int(number)
        else:
            counts["levels"].setdefault(attribute, {})[level] = int(number)
    if "cases" not in counts:
        raise _unreadable("The number of cases is missing.")
    return counts


def _unreadable(what: str) -> ProctorSdkError:
    return ProctorSdkError(
        "counts_invalid", what, cure="Write cases=600,patients=500,positives=300,sex:F=280."
    )


def _row(one: dict[str, Any]) -> dict[str, Any]:
    row = {name: one.get(name) for name in ("endpoint", "group", "n", "goal")}
    row |= {"planned": one.get("assumed"), "needed": one.get("required_n")}
    for name in ("width", "power"):
        row[name] = None if one.get(name) is None else f"{one[name]:.3f}"
    return row | {"remark": one.get("reason")}
