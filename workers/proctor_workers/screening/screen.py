"""Decides whether a vendor's image may be run; whether it behaves is conformance's question."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from proctor_sdk.encrypt import SealError, read_header, unseal, unwrap
from proctor_workers.screening.archive import Inventory, take_inventory
from proctor_workers.screening.errors import ImageInvalidError, ImageRejectedError
from proctor_workers.screening.layout import FoundImage, find_image
from proctor_workers.screening.limits import ScreeningLimits
from proctor_workers.screening.streams import (
    Budget,
    ChunkReader,
    MeasuredReader,
    Readable,
)

PLATFORM = ("linux", "amd64")
# Loaded into every process before its own code: the way into a host's GPU hooks (CVE-2025-23266).
REFUSED_VARIABLES = frozenset({"LD_PRELOAD", "LD_AUDIT"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreeningReport:
    """What screening saw of an image that passed."""

    layout: str
    config_digest: str
    archive_sha256: str
    archive_bytes: int
    unpacked_bytes: int
    files: int
    layers: tuple[str, ...]
    user: str
    entrypoint: tuple[str, ...]
    volumes: tuple[str, ...]
    labels: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Return the form that the entry's record keeps."""
        return asdict(self)


def screen_archive(
    stream: Readable,
    declared_config_digest: str,
    limits: ScreeningLimits | None = None,
) -> ScreeningReport:
    """Read an image archive to its end and judge it.

     1. every entry is measured as it passes; nothing is written and no link is followed
     2. exactly one image is found, the same by every description in the archive
     3. it is the declared one
     4. it is for this platform, and can be started

    Raises:
        ImageInvalidError: it cannot be read as an image, or is not the declared one.
        ImageRejectedError: it breaks a rule.
    """
    limits = limits or ScreeningLimits()
    inventory = take_inventory(stream, limits)  # 1
    image = find_image(inventory)  # 2
    _check_declared(image, declared_config_digest)  # 3
    _check_platform(image, limits)  # 4
    return _report(image, inventory)


def screen_sealed(
    stream: Readable,
    *,
    private_key: bytes,
    sealed_sha256: str,
    declared_config_digest: str,
    limits: ScreeningLimits | None = None,
) -> ScreeningReport:
    """Unseal an image as it streams, and screen it.

    Raises:
        ImageInvalidError: the sealed bytes are not those that were announced, or do not open.
        ImageRejectedError: the image breaks a rule.
    """
    limits = limits or ScreeningLimits()
    sealed = MeasuredReader(stream, Budget(2 * limits.archive_bytes, "sealed bytes"))
    try:
        header = read_header(sealed)
        plain = ChunkReader(unseal(sealed, unwrap(header, private_key), header))
        report = screen_archive(plain, declared_config_digest, limits)
    except SealError as exc:
        raise ImageInvalidError(
            "The sealed image cannot be opened.",
            cure="Submit it again; it must be sealed to the platform's present key.",
        ) from exc
    sealed.drain()
    if sealed.hexdigest != sealed_sha256:
        raise ImageInvalidError(
            "The sealed image differs from the digest announced for it.", cure="Submit it again."
        )
    return report


def _check_declared(image: FoundImage, declared: str) -> None:
    if image.config_digest != declared:
        raise ImageInvalidError(
            "The image's config digest is not the one declared for this entry.",
            cure="Submit the very archive that `proctor submit` read.",
        )


def _check_platform(image: FoundImage, limits: ScreeningLimits) -> None:
    found = (image.config.get("os"), image.config.get("architecture"))
    if found != PLATFORM:
        raise ImageRejectedError(
            "The image is not for linux/amd64.",
            cure="Build it with `--platform linux/amd64`.",
        )
    if len(image.layers) > limits.layers:
        raise ImageRejectedError(
            f"The image has more than {limits.layers} layers.", cure="Squash it."
        )
    settings = _settings(image)
    if not (_texts(settings.get("Entrypoint")) or _texts(settings.get("Cmd"))):
        raise ImageRejectedError(
            "The image has neither an entrypoint nor a command.",
            cure="Say in the image what to start, with ENTRYPOINT or CMD.",
        )
    variables = {text.partition("=")[0] for text in _texts(settings.get("Env"))}
    if refused := sorted(variables & REFUSED_VARIABLES):
        raise ImageRejectedError(
            f"The image sets {refused[0]} for every process.",
            cure="Set it in your own start script instead.",
        )


def _settings(image: FoundImage) -> Mapping[str, Any]:
    settings = image.config.get("config")
    return settings if isinstance(settings, dict) else {}


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, list) and all(isinstance(text, str) for text in value):
        return tuple(value)
    raise ImageInvalidError(
        "The image's config is malformed.", cure="Build and save the image again."
    )


def _report(image: FoundImage, inventory: Inventory) -> ScreeningReport:
    settings = _settings(image)
    labels, volumes = settings.get("Labels"), settings.get("Volumes")
    return ScreeningReport(
        layout=image.layout,
        config_digest=image.config_digest,
        archive_sha256=inventory.sha256,
        archive_bytes=inventory.archive_bytes,
        unpacked_bytes=inventory.unpacked_bytes,
        files=inventory.files,
        layers=tuple(layer.diff_id for layer in image.layers),
        user=str(settings.get("User") or ""),
        entrypoint=_texts(settings.get("Entrypoint")) + _texts(settings.get("Cmd")),
        volumes=tuple(sorted(volumes)) if isinstance(volumes, dict) else (),
        labels={str(k): str(v) for k, v in labels.items()} if isinstance(labels, dict) else {},
    )
