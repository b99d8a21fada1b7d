"""Where the CLI finds platform and token: environment first, then ~/.config/proctor/config.toml."""

from __future__ import annotations

import json
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

from proctor_sdk.errors import ProctorSdkError


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Which platform, and as whom."""

    url: str
    token: str


def config_path() -> Path:
    """The file that `proctor login` writes."""
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "proctor" / "config.toml"


def cache_dir() -> Path:
    """Where unfinished uploads are remembered."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "proctor"


def load_configuration() -> Configuration:
    """URL and token; raises when one is missing, naming the cure."""
    stored = _stored()
    url = os.environ.get("PROCTOR_URL") or stored.get("url")
    token = os.environ.get("PROCTOR_TOKEN") or stored.get("token")
    if not url or not token:
        missing = "URL" if not url else "token"
        raise ProctorSdkError(
            "not_configured",
            f"No {missing} of a platform is known.",
            cure="Run `proctor login URL`, or set PROCTOR_URL and PROCTOR_TOKEN.",
        )
    return Configuration(url=url, token=token)


def store_configuration(configuration: Configuration) -> Path:
    """Write the file, readable by its owner only."""
    # A JSON text is a TOML basic string for everything that is printable.
    text = f"url = {json.dumps(configuration.url)}\ntoken = {json.dumps(configuration.token)}\n"
    path = config_path()
    write_private(path, text.encode())
    return path


def write_private(path: Path, content: bytes) -> None:
    """Replace a file of ours at once, mode 0600 from its first byte."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    fresh.replace(path)


def _stored() -> dict[str, str]:
    path = config_path()
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProctorSdkError(
            "config_invalid", f"{path} is not TOML: {error}", cure="Run `proctor login URL` again."
        ) from error
    return {key: value for key, value in document.items() if isinstance(value, str)}
