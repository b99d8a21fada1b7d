"""`proctor check`: manifest and archive, then the image on public cases in the runner's sandbox."""

import argparse
import sys

from proctor_sdk.check import run_check
from proctor_sdk.image import read_image
from proctor_sdk.manifest import load_manifest


def run(arguments: argparse.Namespace) -> int:
    """Print what was found; 1 where the platform would refuse or fail the image."""
    manifest = load_manifest(arguments.manifest)
    print(f"ok  {arguments.manifest}: {manifest.model.name} {manifest.model.version}")
    archive = arguments.manifest.parent / manifest.image.archive
    image = read_image(archive)
    print(f"ok  {archive}: {image.layout}, {image.os}/{image.architecture}, {image.config_digest}")
    if arguments.cases is None:
        print("not run: give the study's public cases with --cases FOLDER")
        return 0
    report = run_check(manifest, archive, arguments.cases, arguments.engine, _progress)
    print("\n".join(report.lines()))
    if report.log:
        print(report.log, file=sys.stderr)
    return 0 if report.ok else 1


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done}/{total} cases", end="\n" if done == total else "", file=sys.stderr)
