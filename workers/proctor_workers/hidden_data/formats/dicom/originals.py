"""Opens a DICOM file: its headers parsed once, its pixels found but not read.

Takes Part 10 files, files without the preamble, and bare data sets of any of the three uncompressed
encodings (PS3.10 7.1, PS3.5 7). What is broken is refused here, whatever the bytes are.
"""

import hashlib
import io
import logging
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    AllTransferSyntaxes,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from proctor_workers.hidden_data.case_files import SourceFile, UnreadableFileError
from proctor_workers.hidden_data.formats.dicom.quick_headers import (
    LARGEST_HEADER,
    LONG_VRS,
    MOST_ELEMENTS,
    PIXEL_KEYWORDS,
    PREAMBLE,
    START,
    UNDEFINED,
    VRS,
    quick_header,
)

# Its warnings repeat what headers say: a log is no place for a patient's name.
logging.getLogger("pydicom").setLevel(logging.CRITICAL)

LARGEST_FILE = LARGEST_INFLATED = (1 << 31) + LARGEST_HEADER  # bytes
# What broken files make pydicom and the decoders behind it raise; nothing here is ours.
BROKEN = (
    InvalidDicomError, BytesLengthException, ArithmeticError, AttributeError, EOFError,
    LookupError, MemoryError, NotImplementedError, RecursionError, RuntimeError, TypeError,
    ValueError, struct.error, zlib.error,
)  # fmt: skip
_META_BYTES = 1 << 13
_FIRST_GROUPS = frozenset({0x0002, 0x0008})
_EARLY_GROUPS = _FIRST_GROUPS | {0x0010, 0x0018, 0x0020, 0x0028}
_LONGEST_FIRST = 1 << 16  # of a bare data set's first elements, by which it is recognised


def is_dicom(head: bytes, _name: str) -> bool:
    """Say whether the first bytes are those of a DICOM file or of a bare data set."""
    if head[PREAMBLE:START] == b"DICM":
        return True
    return any(_starts_data_set(head, order) for order in "<>")


def _starts_data_set(head: bytes, order: str) -> bool:
    """Say whether it begins with two elements in order, of groups that stand early."""
    at, last = 0, (0, -1)
    for number in range(2):
        if len(head) < at + 12:
            return number > 0
        group, element = struct.unpack_from(f"{order}HH", head, at)
        if group not in (_FIRST_GROUPS if number == 0 else _EARLY_GROUPS):
            return False
        if (group, element) <= last or element > 0x2FFF:
            return False
        last = group, element
        vr = head[at + 4 : at + 6]
        if vr in LONG_VRS:
            at, length = at + 12, struct.unpack_from(f"{order}I", head, at + 8)[0]
        elif vr in VRS:
            at, length = at + 8, struct.unpack_from(f"{order}H", head, at + 6)[0]
        else:
            at, length = at + 8, struct.unpack_from(f"{order}I", head, at + 4)[0]
        if length > _LONGEST_FIRST or length % 2:
            return False
        at += length
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelElement:
    """Where a file's pixels stand: `keyword` is empty where it has none.

    `start` counts from the first byte of the file, inflated if it was deflated.
    """

    keyword: str = ""
    vr: str = ""
    start: int = 0
    length: int = 0  # of an encapsulated element: to the end of the file
    encapsulated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """An opened file: `header` holds everything that stands before the pixels."""

    file: SourceFile
    header: Dataset
    syntax: UID  # as the file has it; found out where it does not say
    element: PixelElement
    held: bytes | None = None  # the file's bytes, where the case is small

    @property
    def name(self) -> str:
        """Return the file's name in the table of cases."""
        return self.file.name

    def content(self) -> tuple[bytes, memoryview]:
        """Return the file's bytes, and those of its pixels."""
        content = self.held or _content_of(self.file)
        plain, _ = _plain(content)
        end = self.element.start + self.element.length
        return content, memoryview(plain)[self.element.start : end]


@contextmanager
def blamed(name: str) -> Iterator[None]:
    """Name the file in whatever refusal is raised, and refuse it for whatever its bytes cause."""
    try:
        yield
    except UnreadableFileError as exc:
        exc.file = exc.file or name
        raise
    except (*BROKEN, OSError) as exc:
        if isinstance(exc, OSError) and exc.errno is not None:
            raise  # the disk's, not pydicom's of bytes that end too early
        raise UnreadableFileError("is a damaged DICOM file", "Export it again.", file=name) from exc


def opened(file: SourceFile, *, hold: bool = False) -> Original:
    """Parse a file's headers; `hold` keeps its bytes in memory, so that they are read once.

    Raises:
        UnreadableFileError: it is damaged, too large, or no DICOM file.
    """
    with blamed(file.name):
        stored = _content_of(file)
        content, deflated = _plain(stored)
        header, end = quick_header(content) or _header(content)
        if not header:
            raise UnreadableFileError("is a DICOM file without content", "Export it again.")
        implicit, little = header.original_encoding
        element = _pixel_element(content, end, implicit=implicit, little=little)
        syntax = DeflatedExplicitVRLittleEndian if deflated else _syntax(header, element)
        held = stored if hold else None
        return Original(file=file, header=header, syntax=syntax, element=element, held=held)


def _header(content: bytes) -> tuple[Dataset, int]:
    """Return everything before the pixels, and where that ends, by pydicom's own reader."""
    stream, count = io.BytesIO(content), 0

    def at_pixels(tag: BaseTag, _vr: str | None, _length: int) -> bool:
        nonlocal count
        count += 1
        if count > MOST_ELEMENTS or stream.tell() > LARGEST_HEADER:
            raise UnreadableFileError("has more headers than an image has", "Leave it out.")
        return tag in PIXEL_KEYWORDS

    with disable_value_validation():
        return read_partial(stream, stop_when=at_pixels, force=True), stream.tell()


def sha256_of(content: bytes) -> str:
    """Return the digest of an original's bytes."""
    return hashlib.sha256(content).hexdigest()


def _content_of(file: SourceFile) -> bytes:
    try:
        if file.path.stat().st_size > LARGEST_FILE:
            raise UnreadableFileError("is larger than 2.1 GiB", "Split it.")
        return file.path.read_bytes()
    except OSError as exc:
        raise UnreadableFileError("cannot be opened", "Look at its rights.") from exc


def _syntax(header: Dataset, element: PixelElement) -> UID:
    """Return the transfer syntax; one that is missing, or not true of the pixels, is found out."""
    named = str(header.file_meta.get("TransferSyntaxUID") or "") if header.file_meta else ""
    if named and not element.keyword:
        return UID(named)
    if named and UID(named) not in AllTransferSyntaxes:
        raise UnreadableFileError(
            "is coded in a way that is not read (an unknown transfer syntax)",
            "Export it as explicit VR little endian.",
        )
    if named and element.encapsulated == UID(named).is_compressed:
        return UID(named)
    if element.encapsulated:
        raise UnreadableFileError(
            "has compressed pixels and does not say how", "Export it again, uncompressed."
        )
    implicit, little = header.original_encoding
    if not little:
        return ExplicitVRBigEndian
    return ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian


def _pixel_element(content: bytes, at: int, *, implicit: bool, little: bool) -> PixelElement:
    """Return where the pixels stand; `at` is the first byte that was not parsed."""
    order = "<" if little else ">"
    if len(content) < at + 8:
        return PixelElement()
    group, number = struct.unpack_from(f"{order}HH", content, at)
    keyword = PIXEL_KEYWORDS.get(group << 16 | number)
    if keyword is None:
        return PixelElement()
    vr = content[at + 4 : at + 6]
    if implicit or vr not in VRS:
        vr, start = b"OW", at + 8
        (length,) = struct.unpack_from(f"{order}I", content, at + 4)
    elif vr in LONG_VRS:
        start = at + 12
        (length,) = struct.unpack_from(f"{order}I", content, at + 8)
    else:
        start = at + 8
        (length,) = struct.unpack_from(f"{order}H", content, at + 6)
    encapsulated = length == UNDEFINED
    left = max(len(content) - start, 0)
    return PixelElement(
        keyword=keyword,
        vr=vr.decode("ascii"),
        start=start,
        length=left if encapsulated else min(length, left),
        encapsulated=encapsulated,
    )


def _plain(content: bytes) -> tuple[bytes, bool]:
    """Return the bytes as they would be undeflated, and whether they were deflated (PS3.5 A.5)."""
    deflated = DeflatedExplicitVRLittleEndian.encode()
    end = _meta_end(content) if content.find(deflated, 0, _META_BYTES) >= 0 else 0
    if not end or deflated not in content[:end]:
        return content, False
    inflater = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    inflated = inflater.decompress(content[end:], LARGEST_INFLATED)
    if inflater.unconsumed_tail:
        raise UnreadableFileError("is too large once inflated", "Split it.")
    meta = content[:end].replace(deflated, ExplicitVRLittleEndian.encode().ljust(22, b"\0"))
    return meta + inflated, True


def _meta_end(content: bytes) -> int:
    """Return where the file meta information ends: explicit VR little endian, group 0002."""
    at = START if content[PREAMBLE:START] == b"DICM" else 0
    while len(content) >= at + 12 and content[at : at + 2] == b"\x02\x00":
        if content[at + 4 : at + 6] in LONG_VRS:
            at += 12 + int(struct.unpack_from("<I", content, at + 8)[0])
        else:
            at += 8 + int(struct.unpack_from("<H", content, at + 6)[0])
    return at if at <= len(content) else 0
