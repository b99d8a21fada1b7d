"""Looks through one layer as it streams by: what it holds, and what its plain bytes hash to."""

from dataclasses import dataclass

from proctor_workers.screening.errors import ImageInvalidError, ImageRejectedError
from proctor_workers.screening.limits import ScreeningLimits
from proctor_workers.screening.streams import Budget, MeasuredReader, Readable, inflated
from proctor_workers.screening.tar import EntryKind, TarEntry, TarReader

# What debootstrap and every distribution's /dev hold; the runtime gives each container its own.
HARMLESS_DEVICES = frozenset({(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2)})


@dataclass(frozen=True, slots=True)
class Layer:
    """A blob that read as a layer: the digest of its plain tar, and its size."""

    diff_id: str
    plain_bytes: int


class LayerSurvey:
    """Reads layers against one budget for the whole image."""

    def __init__(self, limits: ScreeningLimits) -> None:
        self._limits = limits
        self._bytes = Budget(limits.unpacked_bytes, "unpacked bytes")
        self._entries = Budget(limits.layer_entries, "files")

    def read(self, blob: Readable) -> Layer:
        """Read a layer to its end.

        Raises:
            ImageInvalidError: this is no tar.
            ImageRejectedError: it holds what no image may hold, or too much of it.
        """
        before = self._bytes.spent
        plain = MeasuredReader(inflated(blob), self._bytes)
        for entry in TarReader(plain, self._limits):
            self._entries.spend(1)
            _check_layer_entry(entry, self._limits)
        plain.drain()
        return Layer(diff_id=f"sha256:{plain.hexdigest}", plain_bytes=self._bytes.spent - before)

    @property
    def unpacked_bytes(self) -> int:
        """Plain bytes of all layers read."""
        return self._bytes.spent

    @property
    def entries(self) -> int:
        """Files, folders and links of all layers read."""
        return self._entries.spent


def _check_layer_entry(entry: TarEntry, limits: ScreeningLimits) -> None:
    check_name(entry.name, limits)
    if entry.kind is EntryKind.HARDLINK:
        check_name(entry.link, limits)
    if entry.kind is EntryKind.BLOCK_DEVICE or (
        entry.kind is EntryKind.CHARACTER_DEVICE and entry.device not in HARMLESS_DEVICES
    ):
        raise ImageRejectedError(
            f"A layer holds a {entry.kind}.", cure="Build the image without device files."
        )


def check_name(name: str, limits: ScreeningLimits) -> None:
    """Pass a path that stays where it is unpacked.

    Raises:
        ImageInvalidError: the name is empty.
        ImageRejectedError: it climbs, or is too long or too deep.
    """
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if not name:
        raise ImageInvalidError("An entry has no name.", cure="Save the image again.")
    if ".." in parts:
        raise ImageRejectedError(
            "A path in the image climbs out of its folder.",
            cure="Write the archive with `docker save` or `podman save`.",
        )
    if len(name.encode("utf-8", "surrogateescape")) > limits.name_bytes:
        raise ImageRejectedError("A path in the image is too long.", cure="Shorten it.")
    if len(parts) > limits.depth:
        raise ImageRejectedError("A path in the image is too deep.", cure="Flatten the folders.")
