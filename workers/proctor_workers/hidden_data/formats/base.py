"""What a format offers to the registry."""

from collections.abc import Callable
from dataclasses import dataclass

from proctor_workers.hidden_data.case_files import CaseContent, ReadRequest

HEAD_BYTES = 4096  # of a file, by which it is recognised


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One family of files.

    `recognises(head, name)` sees the first `HEAD_BYTES` and the name in the table of cases; bytes
    decide, and the name only where bytes cannot (CSV, `.hea`). `read` turns all files of one case
    into their canonical form.

    Raises (read): UnreadableFileError, QuarantineError; nothing else, whatever the bytes are.
    """

    name: str
    recognises: Callable[[bytes, str], bool]
    read: Callable[[ReadRequest], CaseContent]
