"""What every process does when it starts: read settings, log, open what its credentials open."""

import logging
from pathlib import Path

from proctor_backend.domain.errors import PlatformError
from proctor_backend.records import Records
from proctor_backend.settings import Settings, load_settings
from proctor_sdk.encrypt import decode_key


def start() -> Settings:
    """Return the settings, with logging set up."""
    settings = load_settings()
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    return settings


def open_records(settings: Settings) -> Records:
    """Open the database of a component."""
    return Records.connect(settings.mongo_url, settings.mongo_db)


def read_key(settings: Settings, name: str) -> bytes:
    """Return a raw key of this component's key folder.

    Raises:
        PlatformError: the key file is missing.
    """
    path = Path(settings.keys_dir) / name
    try:
        return decode_key(path.read_text(encoding="ascii"))
    except OSError as error:
        raise PlatformError(
            f"The key file {name} is missing.", cure="Run `proctor-admin keys list`."
        ) from error
