"""`proctor login`: makes a token with a password, or keeps a given one, for later commands."""

import argparse
import socket
import sys

from proctor_sdk.client import ApiClient
from proctor_sdk.commands.connection import ask_password
from proctor_sdk.configuration import Configuration, store_configuration
from proctor_sdk.errors import ProctorSdkError

SCOPES = ["read", "entries", "studies", "cohorts", "reports"]


def run(arguments: argparse.Namespace) -> int:
    """Store URL and token after the platform has accepted them."""
    token = _given_token() if arguments.token_stdin else _new_token(arguments)
    with ApiClient(arguments.url, token) as client:
        me = client.get("/me")
    path = store_configuration(Configuration(url=arguments.url, token=token))
    print(f"Signed in as {me.get('name') or me.get('email') or me.get('person')}.")
    print(f"URL and token are in {path}, readable by you alone.")
    return 0


def _given_token() -> str:
    token = sys.stdin.readline().strip()
    if not token:
        raise ProctorSdkError(
            "token_missing", "Standard input holds no token.", cure="Pipe the token in."
        )
    return token


def _new_token(arguments: argparse.Namespace) -> str:
    request = {
        "email": arguments.email or input("E-mail: ").strip(),
        "password": ask_password(from_stdin=arguments.password_stdin),
        "name": f"proctor on {socket.gethostname()}",
        "scopes": SCOPES,
        "days": arguments.days,
    }
    with ApiClient(arguments.url) as client:
        return str(client.post("/tokens", request)["token"])
