"""Reads the key files that a component is given (access.py says which)."""

from pathlib import Path

from proctor_backend.domain.errors import PlatformError
from proctor_backend.settings import Settings
from proctor_sdk.encrypt import decode_key


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
            f"The key file {name} is missing.", cure="Operators: run `proctor-admin keys list`."
        ) from error
