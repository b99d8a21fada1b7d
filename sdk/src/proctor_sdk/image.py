"""Finds the one image in a docker-archive or oci-archive tar without extracting or running it."""

from __future__ import annotations

import re
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from proctor_sdk.canonical import CanonicalError, digest, strict_loads
from proctor_sdk.errors import ProctorSdkError

if TYPE_CHECKING:
    from pathlib import Path

MOST_MEMBERS = 100_000
LARGEST_DOCUMENT = 8 * 1024 * 1024
DEEPEST_INDEX = 3
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZ": "bzip2", b"\xfd7": "xz", b"\x28\xb5": "zstd"}
_SAVE = "Save it with `podman save --format oci-archive -o image.tar NAME` or `docker save`."


class ImageError(ProctorSdkError):
    """The archive does not hold exactly one readable image."""

    def __init__(self, message: str, cure: str = _SAVE) -> None:
        super().__init__("image_invalid", message, cure=cure)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedImage:
    """The image of an archive, by the digest of its config."""

    config_digest: str
    layout: Literal["docker-archive", "oci-archive"]
    architecture: str
    os: str
    user: str


def read_image(path: Path) -> ArchivedImage:
    """Look into an image archive; raises `ImageError` naming what is wrong."""
    try:
        with path.open("rb") as file:
            _refuse_compressed(file)
            with tarfile.open(fileobj=_Capped(file), mode="r:") as tar:  # type: ignore[call-overload]
                return _image(_Members(tar))
    except FileNotFoundError:
        raise ImageError(f"There is no image archive {path}.") from None
    except (tarfile.TarError, EOFError, OSError, OverflowError) as error:
        raise ImageError(f"{path.name} is not a readable tar archive.") from error


class _Capped:
    """A file that refuses reads which only a forged header asks for."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        if not 0 <= size <= LARGEST_DOCUMENT:
            raise ImageError("A header of the archive claims an absurd size.")
        return self._file.read(size)


class _Members:
    """The archive's files by name; nothing is extracted, no link is followed."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self._files: dict[str, tarfile.TarInfo] = {}
        for count, member in enumerate(tar):
            if count >= MOST_MEMBERS:
                raise ImageError(f"The archive holds more than {MOST_MEMBERS:,} members.")
            name = member.name.removeprefix("./")
            if name in self._files:
                raise ImageError(f"The archive holds {name[:100]!r} twice.")
            if member.isreg():
                self._files[name] = member

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def read(self, name: str) -> bytes:
        member = self._files.get(name)
        if member is None:
            raise ImageError(f"The archive names {name[:100]!r} but does not hold it as a file.")
        if member.size > LARGEST_DOCUMENT:
            raise ImageError(f"{name[:100]!r} is too large for what it should be.")
        stream = self._tar.extractfile(member)
        content = stream.read() if stream else b""
        if len(content) != member.size:
            raise ImageError("The archive ends too early.")
        return content

    def document(self, name: str) -> Any:
        return _parse(self.read(name), name)

    def blob(self, reference: Any) -> bytes:
        name = reference.get("digest") if isinstance(reference, dict) else None
        if not isinstance(name, str) or not _DIGEST.fullmatch(name):
            raise ImageError("A blob of the archive is not named by a sha256 digest.")
        content = self.read(f"blobs/sha256/{name.removeprefix('sha256:')}")
        if digest(content) != name:
            raise ImageError(f"The blob {name} has another digest: the archive is damaged.")
        return content


def _refuse_compressed(file: BinaryIO) -> None:
    start = file.read(2)
    file.seek(0)
    if kind := _COMPRESSED.get(start):
        raise ImageError(f"The archive is compressed with {kind}.", "Decompress it first.")


def _image(members: _Members) -> ArchivedImage:
    if "manifest.json" in members:
        return _described(_docker_config(members), "docker-archive")
    if "index.json" in members:
        return _described(_oci_config(members), "oci-archive")
    raise ImageError("The archive holds neither manifest.json nor index.json: no image.")


def _docker_config(members: _Members) -> bytes:
    images = members.document("manifest.json")
    image = _only(images, "manifest.json")
    name = image.get("Config") if isinstance(image, dict) else None
    if not isinstance(name, str):
        raise ImageError("manifest.json names no config.")
    return members.read(name)


def _oci_config(members: _Members) -> bytes:
    document = members.document("index.json")
    for _ in range(DEEPEST_INDEX):
        if not isinstance(document, dict):
            raise ImageError("A manifest of the archive is not a JSON object.")
        if "config" in document:
            return members.blob(document["config"])
        document = _parse(members.blob(_only(document.get("manifests"), "index.json")), "manifest")
    raise ImageError("The indexes of the archive are nested too deeply.")


def _only(images: Any, where: str) -> Any:
    if not isinstance(images, list) or not images:
        raise ImageError(f"{where} names no image.")
    if len(images) > 1:
        raise ImageError(f"{where} names {len(images)} images; there must be exactly one.")
    return images[0]


def _described(config: bytes, layout: Literal["docker-archive", "oci-archive"]) -> ArchivedImage:
    document = _parse(config, "the image's config")
    if not isinstance(document, dict) or "rootfs" not in document:
        raise ImageError("The image's config is not an image config.")
    settings = document.get("config")
    return ArchivedImage(
        config_digest=digest(config),
        layout=layout,
        architecture=str(document.get("architecture", "")),
        os=str(document.get("os", "")),
        user=str(settings.get("User") or "") if isinstance(settings, dict) else "",
    )


def _parse(content: bytes, name: str) -> Any:
    try:
        return strict_loads(content)
    except CanonicalError as error:
        raise ImageError(f"{name} is not JSON.") from error
