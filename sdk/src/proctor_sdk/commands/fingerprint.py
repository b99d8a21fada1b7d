"""`proctor fingerprint`: digests of training images, sealed so that only the data's worker reads.

What is compared, and what of it is told, is the platform's: a vendor hears that it was.
"""

import argparse
import hashlib
import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from proctor_sdk.commands.connection import connect
from proctor_sdk.encrypt import decode_key, seal
from proctor_sdk.errors import ProctorSdkError
from proctor_sdk.fingerprints.collect import collect
from proctor_sdk.object_put import ObjectPut


def run(arguments: argparse.Namespace) -> int:
    """Make the file of fingerprints, from a folder, and send it if a study is named."""
    made: Path = arguments.out
    if arguments.folder is not None:
        with _file_progress() as progress:
            task = progress.add_task("fingerprinting", total=None)
            found = collect(
                arguments.folder,
                made,
                patients=arguments.patients,
                advance=lambda done, total: progress.update(task, completed=done, total=total),
            )
        print(
            f"{found.files} files, {found.decoded} of them decoded as images, "
            f"{found.patients} patients: {made}"
        )
    elif not made.is_file():
        raise ProctorSdkError(
            "file_missing", f"{made} is not there.", cure="Name the folder of the images."
        )
    if arguments.study:
        print(_send(arguments.study, made))
    return 0


def _send(study: str, made: Path) -> str:
    with connect() as client, tempfile.TemporaryDirectory() as folder:
        opened = client.post(f"/studies/{study}/fingerprints", {})
        sealed = Path(folder) / "fingerprints.sealed"
        key = decode_key(str(opened["public_key"]))
        with made.open("rb") as source, sealed.open("wb") as target:
            target.writelines(seal(source, made.stat().st_size, key))
        with ObjectPut() as store:
            store.put(str(opened["url"]), sealed)
        with sealed.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        comparison = str(opened["id"])
        client.post(
            f"/studies/{study}/fingerprints/{comparison}/close",
            {"sealed_sha256": digest, "size": sealed.stat().st_size},
        )
    return comparison


def _file_progress() -> Progress:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)
