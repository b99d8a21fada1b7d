"""`proctor password`: chooses an own password; tokens and sessions made with the old one end."""

import argparse
import getpass
import sys

from proctor_sdk.commands.connection import connect
from proctor_sdk.errors import ProctorSdkError


def run(arguments: argparse.Namespace) -> int:
    """Ask for the old password and twice for the new one, and change it."""
    old, new = _from_stdin() if arguments.password_stdin else _from_terminal()
    with connect() as client:
        client.put("/me/password", {"old": old, "new": new})
    print("The password is changed. Make a new token: `proctor login`.")
    return 0


def _from_stdin() -> tuple[str, str]:
    old, new = (sys.stdin.readline().rstrip("\n") for _ in range(2))
    if not new:
        raise ProctorSdkError(
            "password_missing",
            "Standard input has not two lines.",
            cure="Pipe the old, then the new.",
        )
    return old, new


def _from_terminal() -> tuple[str, str]:
    old = getpass.getpass("Present password: ")
    new = getpass.getpass("New password: ")
    if getpass.getpass("New password again: ") != new:
        raise ProctorSdkError(
            "passwords_differ", "The two new passwords differ.", cure="Type it twice alike."
        )
    return old, new
