"""The journal of an ingest: a line for each finished case, so that a second try goes on from there.

It is what keeps memory flat: results lie here, and are read again for blocks, tables and reports.
The journal names original files and cases, so it never leaves the machine it is written on.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

from proctor_workers.hidden_data.ingest.case_work import CaseDone


class Journal:
    """Finished cases by key; the key says what the case was made of."""

    def __init__(self, path: Path) -> None:
        """Read what an earlier try left; a line that it could not finish is cut off."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._places: dict[str, int] = {}
        self._file = path.open("a+b")
        self._file.seek(0)
        end = 0
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            self._places[line[:64].decode("ascii")] = end
            end += len(line)
        self._file.truncate(end)

    def __contains__(self, key: str) -> bool:
        """Tell whether a case with this key is finished."""
        return key in self._places

    def add(self, key: str, done: CaseDone) -> None:
        """Write one line; it is on its way to the disk when this returns."""
        place = self._file.seek(0, 2)
        document = json.dumps(done.as_dict(), ensure_ascii=False, separators=(",", ":"))
        self._file.write(f"{key} {document}\n".encode())
        self._file.flush()
        self._places[key] = place

    def read(self, key: str, number: int) -> CaseDone:
        """Return a finished case."""
        self._file.seek(self._places[key])
        line = self._file.readline()
        return CaseDone.from_dict(number, json.loads(line[65:]))

    def forget(self, key: str) -> None:
        """Let a case be done again."""
        del self._places[key]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def work_key(*parts: Any) -> str:
    """Return the digest of all that a case is made of."""
    text = json.dumps(parts, ensure_ascii=False, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return sorted(value) if isinstance(value, (set, frozenset)) else str(value)


class ReadAgain(Sequence[Any]):
    """A sequence whose members are made anew each time they are looked at."""

    def __init__(self, length: int, member: Callable[[int], Any]) -> None:
        self._length, self._member = length, member

    def __len__(self) -> int:
        """Return how many there are."""
        return self._length

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        """Make one member, or a shorter sequence."""
        if isinstance(index, slice):
            chosen = range(self._length)[index]
            return ReadAgain(len(chosen), lambda place: self._member(chosen[place]))
        if not -self._length <= index < self._length:
            raise IndexError(index)
        return self._member(index % self._length)

    def __iter__(self) -> Iterator[Any]:
        """Make one after the other."""
        return map(self._member, range(self._length))
