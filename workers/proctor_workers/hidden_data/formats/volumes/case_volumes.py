"""Tells a case's headers from its data files, and decodes each header with what it asks for."""

import hashlib
from collections.abc import Sequence
from pathlib import PurePosixPath

from proctor_workers.hidden_data.case_files import SourceFile, UnreadableFileError
from proctor_workers.hidden_data.formats.base import HEAD_BYTES
from proctor_workers.hidden_data.formats.volumes.metaimage import is_metaimage, read_metaimage
from proctor_workers.hidden_data.formats.volumes.nifti import is_nifti, read_nifti
from proctor_workers.hidden_data.formats.volumes.nrrd import MAGIC as NRRD
from proctor_workers.hidden_data.formats.volumes.nrrd import read_nrrd
from proctor_workers.hidden_data.formats.volumes.payload import GZIP, content_of, first_bytes
from proctor_workers.hidden_data.formats.volumes.volume import Volume

_HEAD = 544  # of NIfTI-2, the longest header that is looked for in compressed bytes


def is_header(head: bytes, name: str) -> bool:
    """Say whether a file's first bytes begin a volume: a header, or header and data in one."""
    if head[:2] == GZIP:
        try:
            return is_nifti(first_bytes(head, _HEAD), name)
        except UnreadableFileError:
            return False
    return head.startswith(NRRD) or is_nifti(head, name) or is_metaimage(head)


class CaseFiles:
    """The files of one case by name; remembers which data files a header asked for."""

    def __init__(self, files: Sequence[SourceFile]) -> None:
        self._files = {file.name.lower(): file for file in files}
        self._contents: dict[str, bytes] = {}
        self._used: set[str] = set()
        self.headers = [file for file in files if self._header(file)]
        self._data = [file for file in files if file not in self.headers]
        if not self.headers:
            raise UnreadableFileError(
                "is no volume that is read, or is one whose header is not listed",
                "List .hdr with .img, .mhd or .nhdr with its data; export PAR/REC as DICOM.",
                file=files[0].name,
            )

    def volume(self, file: SourceFile) -> tuple[Volume, str]:
        """Return the volume of a header and the digest of the header's file.

        Raises:
            UnreadableFileError: it is damaged, incomplete, or of a kind that is not taken.
        """
        content = content_of(file.path)
        return self._decoded(file, content), hashlib.sha256(content).hexdigest()

    def check_all_used(self) -> None:
        """Pass if every data file belongs to a header.

        Raises:
            UnreadableFileError: one does not.
        """
        for file in self._data:
            if file.name.lower() not in self._used:
                raise UnreadableFileError(
                    "is named by no header of its case", "Take it out, or add its header.",
                    file=file.name,
                )  # fmt: skip

    def _header(self, file: SourceFile) -> bool:
        try:
            with file.path.open("rb") as opened:
                return is_header(opened.read(HEAD_BYTES), file.name)
        except OSError:
            return False

    def _decoded(self, file: SourceFile, content: bytes) -> Volume:
        if content.startswith(NRRD):
            return read_nrrd(content, lambda name: self._beside(file, [PurePosixPath(name).name]))
        if is_metaimage(content[:HEAD_BYTES]):
            return read_metaimage(
                content, lambda name: self._beside(file, [PurePosixPath(name).name])
            )
        stem = PurePosixPath(file.name.lower().removesuffix(".gz")).stem
        return read_nifti(content, lambda: self._beside(file, [f"{stem}.img", f"{stem}.img.gz"]))

    def _beside(self, header: SourceFile, names: Sequence[str]) -> bytes:
        """Return the file of one of these names that lies beside a header, and in its case."""
        folder = PurePosixPath(header.name.lower()).parent
        for name in names:
            key = str(folder / name.lower())
            if key in self._files and self._files[key] is not header:
                self._used.add(key)
                return content_of(self._files[key].path)
        raise UnreadableFileError(
            "is a header whose data file is not listed beside it",
            "List the data file in the same case.",
        )
