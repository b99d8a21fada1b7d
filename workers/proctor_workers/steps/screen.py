"""Stop 5: look at a vendor's image before anything of it runs."""

from pathlib import Path
from typing import Any

from proctor_backend.domain.evaluation import Failure
from proctor_backend.domain.keys import image_key
from proctor_backend.services.evaluate import fail_entry, record_screened
from proctor_sdk.encrypt import decode_key
from proctor_workers.screening.errors import ImageRefusedError
from proctor_workers.screening.screen import screen_sealed
from proctor_workers.tools import Tools


def screen_entry(tools: Tools, entry: dict[str, Any]) -> None:
    """Screen an entry's sealed image; it goes on to conformance or fails with a reason code."""
    records, store, settings = tools.records, tools.store, tools.settings
    private_key = decode_key(Path(settings.keys_dir, "encryption.key").read_text("ascii"))
    image = entry["image"]
    try:
        with store.open("quarantine", image_key(entry["_id"])) as stream:
            report = screen_sealed(
                stream,
                private_key=private_key,
                sealed_sha256=image["sealed_sha256"],
                declared_config_digest=image["config_digest"],
            )
    except ImageRefusedError as error:
        fail_entry(
            records,
            entry,
            Failure(kind="vendor", code=error.reason, detail=error.message),
            actor="worker:screen",
        )
        return
    record_screened(records, entry["_id"], report.as_dict())
