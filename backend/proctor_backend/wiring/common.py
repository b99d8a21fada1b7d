"""What every process does when it starts: read settings, log, open what its credentials open."""

import logging

from proctor_backend.records import Records
from proctor_backend.settings import Settings, load_settings


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
