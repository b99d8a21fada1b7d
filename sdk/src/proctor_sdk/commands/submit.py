"""`proctor submit`: manifest, digest, entry, sealed upload, close; the rest is the platform's."""

import argparse
import time
from typing import Any

from proctor_sdk import upload
from proctor_sdk.client import ApiClient, ApiError
from proctor_sdk.commands.connection import byte_progress, connect, placed, read_text
from proctor_sdk.commands.status import print_entry
from proctor_sdk.encrypt import decode_key, seal_size
from proctor_sdk.errors import ProctorSdkError
from proctor_sdk.image import read_image
from proctor_sdk.manifest import Manifest, parse_manifest
from proctor_sdk.toml_lines import key_lines

POLL_S = 2.0
_SETTLED = frozenset({"decided", "released", "failed", "cancelled"})
_LOST_ENTRY = (404, 409, 410)


def run(arguments: argparse.Namespace) -> int:
    """Enter the model version and print the id of the entry."""
    text = read_text(arguments.manifest)
    manifest = parse_manifest(text, source=str(arguments.manifest))
    path = arguments.manifest.parent / manifest.image.archive
    image = read_image(path)
    with connect() as client, byte_progress() as progress:
        hashing = progress.add_task("reading", total=path.stat().st_size)
        archive = upload.describe_archive(path, lambda n: progress.advance(hashing, n))
        try:
            current = _resumed(client, arguments.study, manifest, archive) or _opened(
                client, arguments.study, text, manifest, archive, image.config_digest
            )
        except ApiError as error:
            raise placed(error, arguments.manifest, key_lines(text)) from error
        sending = progress.add_task("sending", total=current.sealed_size)
        upload.send(client, current, path, lambda done: progress.update(sending, completed=done))
    print(current.entry)
    return _follow(current.entry) if arguments.wait else 0


def _resumed(
    client: ApiClient, study: str, manifest: Manifest, archive: upload.Archive
) -> upload.Upload | None:
    """Return the interrupted upload of the same thing, if the platform still waits for it."""
    found = upload.find_unfinished(
        url=client.url, study=study, manifest_digest=manifest.digest, archive=archive
    )
    if found is None:
        return None
    try:
        client.get(f"/entries/{found.entry}/parts")
    except ApiError as error:
        if error.status not in _LOST_ENTRY:
            raise
        upload.forget(found)
        return None
    return found


def _opened(
    client: ApiClient,
    study: str,
    text: str,
    manifest: Manifest,
    archive: upload.Archive,
    config_digest: str,
) -> upload.Upload:
    sealed_size = seal_size(archive.size)
    image = {
        "config_digest": config_digest,
        "sealed_size": sealed_size,
        "part_size": upload.part_size(sealed_size),
    }
    public_key = platform_key(client.get("/platform"))
    answer = client.post("/entries", {"study": study, "manifest": text, "image": image})
    return upload.begin(
        url=client.url,
        entry=str(answer["entry"]),
        study=study,
        manifest_digest=manifest.digest,
        archive=archive,
        size_of_part=int(answer["upload"]["part_size"]),
        public_key=public_key,
    )


def platform_key(platform: dict[str, Any]) -> bytes:
    """Return the key that images are sealed to.

    Raises:
        ProctorSdkError: the platform shows none.
    """
    key = platform.get("encryption_public_key")
    if not isinstance(key, str):
        raise ProctorSdkError(
            "platform_key_missing",
            "The platform shows no key to seal the image to.",
            cure="Tell the operator: `proctor-admin doctor`.",
        )
    return decode_key(key)


def _follow(entry: str) -> int:
    """Print each state as it is shown, until nothing more is to come."""
    shown = ""
    with connect() as client:
        while shown not in _SETTLED:
            view = client.get(f"/entries/{entry}")
            if view["state"] != shown:
                shown = view["state"]
                print_entry(view)
            if shown not in _SETTLED:
                time.sleep(POLL_S)
    return int(shown in {"failed", "cancelled"})
