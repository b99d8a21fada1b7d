"""The canonical form of a case's files, and the refusal that names why a file has none."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CanonicalFile:
    """One file as it is staged, for ever."""

    name: str
    role: str
    content: bytes
    sha256: str
    decoded_pixel_sha256: str
    original_uid: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file of the partner's that cannot be taken; the row is told where this is read."""

    what: str
    cure: str


class UnreadableFileError(Exception):
    """Carries a refusal out of a decoder."""

    def __init__(self, what: str, cure: str) -> None:
        super().__init__(what)
        self.refusal = Refusal(what, cure)
