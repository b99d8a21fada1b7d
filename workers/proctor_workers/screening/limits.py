"""How much of a vendor's archive is read before it is refused."""

from dataclasses import dataclass

GIB = 1024**3
MIB = 1024**2


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreeningLimits:
    """Caps on what screening reads; each is met by ordinary images with room to spare."""

    archive_bytes: int = 40 * GIB  # the tar as it arrives
    unpacked_bytes: int = 80 * GIB  # every layer after decompression, together
    archive_entries: int = 4096  # layers, configs and legacy metadata
    layer_entries: int = 2_000_000  # files of all layers together
    layers: int = 256  # overlay mounts stop far below
    depth: int = 64  # folders in one path
    name_bytes: int = 4096  # PATH_MAX
    extended_header_bytes: int = MIB  # pax and GNU long-name records
    document_bytes: int = 4 * MIB  # one JSON document
    documents_bytes: int = 32 * MIB  # all JSON documents held in memory
