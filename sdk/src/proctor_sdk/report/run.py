"""Runs a plugin bundle: `python -m proctor_sdk.report.run BUNDLE_DIR`, contexts in, sections out.

Standard input holds `{"api": 1, "contexts": [...]}`, one context per edition, the least disclosing
first; standard output gets `[{"edition": ..., "sections": [...]}, ...]`. Every edition has an
interpreter of its own, so that what an edition does not disclose is not in the plugin's memory.
What came out is checked by the platform, not here.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proctor_sdk.errors import ProctorSdkError
from proctor_sdk.report.context import API_VERSION, ReportContext

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OUTPUT_LIMIT = 1_000_000
EDITION_SECONDS = 30


class BundleError(ProctorSdkError):
    """The bundle is not one, or its plugin failed."""

    def __init__(self, message: str, cure: str = "") -> None:
        super().__init__("bundle_invalid", message, cure=cure)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bundle in the folder that is named; exit status 1 and a sentence when it fails."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    one_edition = "--one-edition" in given
    folders = [word for word in given if not word.startswith("--")]
    try:
        if len(folders) != 1:
            raise BundleError("Give one folder: the unpacked bundle.")
        document = json.load(sys.stdin)
        answer = one(Path(folders[0]), document) if one_edition else every(folders[0], document)
        written = json.dumps(answer)
        if len(written) > OUTPUT_LIMIT:
            raise BundleError("The sections are larger than a million characters.")
    except (ProctorSdkError, ValueError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - the reason is for whoever tests a bundle
        return 1
    sys.stdout.write(written)
    return 0


def every(folder: str, document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Run the plugin once per context, each time in a fresh interpreter."""
    if document.get("api") != API_VERSION:
        raise BundleError(f"The input has version {document.get('api')!r}, not {API_VERSION}.")
    return [
        {"edition": context["edition"], "sections": _in_own_interpreter(folder, context)}
        for context in document["contexts"]
    ]


def one(folder: Path, document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Load the plugin and ask it for the sections of one edition."""
    description = read_bundle(folder)
    for wheel in sorted((folder / "wheels").glob("*.whl")):
        sys.path.insert(0, str(wheel))
    module, _, name = description["entry"].partition(":")
    # What a plugin prints must not mix with what it answers.
    with contextlib.redirect_stdout(sys.stderr):
        try:
            sections = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise BundleError(f"The entry {description['entry']!r} cannot be loaded.") from error
        return [section.as_dict() for section in sections(ReportContext.from_dict(document))]


def read_bundle(folder: Path) -> dict[str, Any]:
    """Read `bundle.json`; raises `BundleError` when a field is missing or of another version."""
    try:
        description = json.loads((folder / "bundle.json").read_text("utf-8"))
        entry, api = description["entry"], description["api"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(
            "bundle.json is missing or has no `entry` and `api`.",
            "Build the bundle with the example's build_bundle.py.",
        ) from error
    if api != API_VERSION or ":" not in str(entry):
        raise BundleError(f"The bundle needs api = {API_VERSION} and entry = 'module:function'.")
    return dict(description)


def _in_own_interpreter(folder: str, context: Mapping[str, Any]) -> Any:
    done = subprocess.run(  # the interpreter that runs this very module
        [sys.executable, "-m", "proctor_sdk.report.run", folder, "--one-edition"],
        input=json.dumps(context),
        capture_output=True,
        text=True,
        timeout=EDITION_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise BundleError(f"The plugin failed for edition {context['edition']!r}: {reason[0]}")
    return json.loads(done.stdout)


if __name__ == "__main__":
    raise SystemExit(main())
