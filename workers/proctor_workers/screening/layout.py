"""Finds the one image of an inventory, as docker-archive or as OCI layout describe it.

Docker from 25 on writes both descriptions into one archive; then both must name the same image,
because an engine may believe either.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proctor_sdk.canonical import CanonicalError, strict_loads
from proctor_workers.screening.archive import Blob, Inventory
from proctor_workers.screening.errors import ImageInvalidError, ImageRejectedError
from proctor_workers.screening.layers import Layer

_INDEX_TYPES = ("image.index.v1", "manifest.list.v2")
_ATTESTATION = "vnd.docker.reference.type"
_NESTING = 3


@dataclass(frozen=True, slots=True)
class FoundImage:
    """The image's config as it stands, its digest, and its layers in order."""

    layout: str
    config: Mapping[str, Any]
    config_digest: str
    layers: tuple[Layer, ...]


def find_image(inventory: Inventory) -> FoundImage:
    """Return the archive's only image.

    Raises:
        ImageInvalidError: there is none, or its parts do not fit together.
        ImageRejectedError: there is more than one.
    """
    found = [
        image for image in (_docker_image(inventory), _oci_image(inventory)) if image is not None
    ]
    if not found:
        raise ImageInvalidError(
            "The archive holds neither manifest.json nor index.json.",
            cure="Write it with `podman save` (docker-archive or oci-archive) or `docker save`.",
        )
    if len({(image.config_digest, image.layers) for image in found}) > 1:
        raise ImageRejectedError(
            "The archive describes one image to Docker and another to OCI tools.",
            cure="Save the image again and submit the archive unchanged.",
        )
    return found[0]


def _docker_image(inventory: Inventory) -> FoundImage | None:
    if (text := inventory.document("manifest.json")) is None:
        return None
    manifests = _list(_json(text, "manifest.json"), "manifest.json")
    _exactly_one(manifests)
    manifest = _mapping(manifests[0], "manifest.json")
    config = _blob(inventory, manifest.get("Config"), "the image's config")
    names = _list(manifest.get("Layers"), "manifest.json Layers")
    diff_ids = _diff_ids(_config(config))
    if len(names) != len(diff_ids):
        raise _unfit("The number of layers differs between manifest and config.")
    layers = tuple(
        _docker_layer(inventory, name, diff_id)
        for name, diff_id in zip(names, diff_ids, strict=True)
    )
    return FoundImage("docker-archive", _config(config), config.digest, layers)


def _docker_layer(inventory: Inventory, name: Any, diff_id: str) -> Layer:
    if name in inventory.links:  # old docker writes a repeated layer as a link: found by content
        for blob in inventory.blobs.values():
            if blob.layer is not None and blob.layer.diff_id == diff_id:
                return blob.layer
    return _layer(_blob(inventory, name, "a layer"), diff_id)


def _oci_image(inventory: Inventory) -> FoundImage | None:
    if (text := inventory.document("index.json")) is None:
        return None
    if inventory.document("oci-layout") is None:
        raise _unfit("There is an index.json, but no oci-layout.")
    manifest = _only_manifest(inventory, _mapping(_json(text, "index.json"), "index.json"), 0)
    config = _described(inventory, manifest.get("config"), "the image's config")
    descriptors = _list(manifest.get("layers"), "manifest layers")
    diff_ids = _diff_ids(_config(config))
    if len(descriptors) != len(diff_ids):
        raise _unfit("The number of layers differs between manifest and config.")
    layers = tuple(
        _layer(_described(inventory, descriptor, "a layer"), diff_id)
        for descriptor, diff_id in zip(descriptors, diff_ids, strict=True)
    )
    return FoundImage("oci-archive", _config(config), config.digest, layers)


def _only_manifest(inventory: Inventory, index: Mapping[str, Any], level: int) -> Mapping[str, Any]:
    if level == _NESTING:
        raise _unfit("The image's indexes are nested too deeply.")
    descriptors = [
        descriptor
        for entry in _list(index.get("manifests"), "index.json manifests")
        if not _is_attestation(descriptor := _mapping(entry, "index.json manifests"))
    ]
    _exactly_one(descriptors)
    media_type = str(descriptors[0].get("mediaType", ""))
    blob = _described(inventory, descriptors[0], "the image's manifest")
    document = _mapping(_json(blob.document or b"", "manifest"), "manifest")
    if any(kind in media_type for kind in _INDEX_TYPES) or "manifests" in document:
        return _only_manifest(inventory, document, level + 1)
    return document


def _is_attestation(descriptor: Mapping[str, Any]) -> bool:
    annotations = descriptor.get("annotations")
    return isinstance(annotations, dict) and _ATTESTATION in annotations


def _described(inventory: Inventory, descriptor: Any, what: str) -> Blob:
    fields = _mapping(descriptor, what)
    digest = fields.get("digest")
    if not isinstance(digest, str) or not digest.startswith("sha256:"):
        raise _unfit(f"The digest of {what} is not a SHA-256.")
    blob = _blob(inventory, "blobs/sha256/" + digest.removeprefix("sha256:"), what)
    if blob.digest != digest:
        raise _unfit(f"The bytes of {what} differ from its digest.")
    return blob


def _blob(inventory: Inventory, name: Any, what: str) -> Blob:
    blob = inventory.blobs.get(name) if isinstance(name, str) else None
    if blob is None:
        raise _unfit(f"The archive lacks {what}.")
    return blob


def _layer(blob: Blob, diff_id: str) -> Layer:
    if blob.layer is None:
        raise _unfit("A layer is not a tar.")
    if blob.layer.diff_id != diff_id:
        raise _unfit("The bytes of a layer differ from the digest in the image's config.")
    return blob.layer


def _config(blob: Blob) -> Mapping[str, Any]:
    return _mapping(_json(blob.document or b"", "the image's config"), "the image's config")


def _diff_ids(config: Mapping[str, Any]) -> list[str]:
    rootfs = _mapping(config.get("rootfs"), "rootfs")
    return [str(diff_id) for diff_id in _list(rootfs.get("diff_ids"), "diff_ids")]


def _exactly_one(images: Sequence[Any]) -> None:
    if not images:
        raise _unfit("The archive holds no image.")
    if len(images) > 1:
        raise ImageRejectedError(
            "The archive holds more than one image.",
            cure="Save exactly one image, for linux/amd64.",
        )


def _json(text: bytes, what: str) -> Any:
    try:
        return strict_loads(text)
    except CanonicalError as exc:
        raise _unfit(f"{what} is not valid JSON.") from exc


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _unfit(f"{what} is not a JSON object.")
    return value


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise _unfit(f"{what} is not a JSON list.")
    return value


def _unfit(sentence: str) -> ImageInvalidError:
    return ImageInvalidError(
        sentence, cure="Save the image again and submit the archive unchanged."
    )
