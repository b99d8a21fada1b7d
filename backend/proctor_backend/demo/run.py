"""`proctor-admin demo`: prepares, starts the stack if it does not run, and shows two studies."""

import argparse
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from proctor_backend.demo.material import (
    make_bundle,
    make_data,
    make_image,
    materials,
)
from proctor_backend.demo.people import People
from proctor_backend.demo.show import Show
from proctor_backend.demo.study import StudyRun
from proctor_backend.domain.errors import PlatformError, StateConflictError
from proctor_backend.local import commands
from proctor_backend.local.layout import Home, read_json, write_json
from proctor_backend.local.stack import stop_other
from proctor_backend.local.state import running
from proctor_sdk.errors import ProctorSdkError

SETTINGS = {"PROCTOR_DEMONSTRATION": "true"}
ADMIN = "admin@proctor.localhost"


def main(given: argparse.Namespace) -> int:
    """Take two studies through everything.

    1. data, model and images are made while the stack comes up
    2. organisations and persons are made, or signed in again
    3. each study runs from its cohort to its verified report
    4. the conclusions, the PDFs and the dashboard's address are printed
    """
    home = commands.home_of(given)
    home.make()
    try:
        return _demonstrate(home, keep=given.keep)
    except ProctorSdkError as exc:  # raised by the client that every role uses
        raise PlatformError(str(exc), cure=exc.cure) from exc


def _demonstrate(home: Home, *, keep: bool) -> int:
    show = Show()
    studies = materials(home.root / "demo")
    with _stack(home, show, keep=keep) as url:
        with show.step("everybody", "prepares: data, a trained model, two images"):  # 1
            with ThreadPoolExecutor() as pool:
                list(pool.map(make_data, studies))
            for material in studies:
                make_image(material)
            bundle = make_bundle(home.root / "demo")
        with show.step("study office", "makes organisations, persons and roles"):  # 2
            people = People(url, home)
        outcomes, pdfs = [], []
        for material in studies:  # 3
            plugin = bundle if material.name == "support2" else None
            results, rendered = StudyRun(material, people, show, plugin).run()
            outcomes.append((material.title, results))
            pdfs += rendered
        for title, results in outcomes:  # 4
            show.conclusions(title, results)
        show.closing(url=url, pdfs=pdfs, people=people.credentials)
    return 0


@contextmanager
def _stack(home: Home, show: Show, *, keep: bool) -> Iterator[str]:
    """Give the address of a running stack; one that we started ends with us unless kept."""
    was_running = running(home) is not None
    if was_running:
        _check_demonstration(home)
    else:
        if home.settings.exists():
            _check_demonstration(home)
        with show.step("operator", "proctor-admin up"):
            write_json(home.settings, read_json(home.settings) | SETTINGS)
            commands.up(
                argparse.Namespace(
                    home=home.root, detach=True, demonstration=True, admin_email=ADMIN
                )
            )
    try:
        yield _api_url(home)
    except BaseException:
        if not was_running:
            stop_other(home)
        raise
    if was_running or keep:
        show.console.print("The stack runs on; `proctor-admin down` ends it.")
        return
    if sys.stdin.isatty():
        show.console.print("Sign in and look around; Ctrl-C ends the stack.")
        with suppress(KeyboardInterrupt):
            signal.pause()
    stop_other(home)
    show.console.print("The stack has ended; `proctor-admin up` shows the dashboard again.")


def _check_demonstration(home: Home) -> None:
    settings = read_json(home.settings)
    if any(settings.get(name) != value for name, value in SETTINGS.items()):
        raise StateConflictError(
            f"The stack in {home.root} is not a demonstration.",
            cure=f"Use another folder: `proctor-admin --home {Path.home() / 'proctor-demo'} demo`.",
        )


def _api_url(home: Home) -> str:
    found = running(home)
    children = found["children"] if found else []
    port = next(child["port"] for child in children if child["name"] == "api")
    return f"http://127.0.0.1:{port}"
