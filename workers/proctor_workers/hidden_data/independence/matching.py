"""Which patients of a cohort are among a vendor's training images; holds no line of theirs."""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from proctor_sdk.fingerprints.collect import FORM, PATIENT
from proctor_sdk.fingerprints.pixels import DETAILS, FREQUENCIES
from proctor_workers.hidden_data.independence.near import LookingAlike

ENOUGH_ALIKE = 0.5  # of a case's pictures: single slices of two people look alike
LONGEST_LINE = 1 << 20
MOST_LINES = 20_000_000
MOST_LOOKS = 20_000_000
_WAITING = 200_000  # looks that are compared together
_LOOK = (len(FREQUENCIES) + len(DETAILS)) // 4  # hex digits


class FingerprintsInvalidError(Exception):
    """A vendor's file is not what `proctor fingerprint` writes; says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """How many patients of the cohort were met, each count within the one after it.

    `identical`: a file with the same bytes, or the same pixels. `alike`: that, or a case most of
    whose pictures look the same. `any_way`: that, or the identifier. `images` and `named` count
    what the vendor sent. `complete`: no picture was left uncompared.
    """

    identical: int
    alike: int
    any_way: int
    patients: int
    images: int
    named: int
    complete: bool


def overlap(
    fingerprints: pa.Table,
    patients: Collection[str],
    lines: Iterable[bytes],
    pseudonym: Callable[[str], str] | None,
) -> Overlap:
    """Compare a vendor's lines with a cohort's fingerprints.

    Args:
        fingerprints: the cohort's table, one row a file.
        patients: everybody in the cohort, also those whose cases have no files.
        lines: what the vendor sent, line by line, as of `proctor_sdk.fingerprints.collect`.
        pseudonym: makes of an original identifier the patient's name in the table; None where
            another key made those names, so that identifiers cannot be compared.

    Raises:
        FingerprintsInvalidError: a line is not of this form.
    """
    known = _Known(fingerprints, patients)
    images = named = 0
    looks = 0
    waiting: list[str] = []
    for line in _read(lines):
        if PATIENT in line:
            named += 1
            if pseudonym is not None:
                known.meet_patient(pseudonym(str(line[PATIENT]).strip()))
            continue
        images += 1
        known.meet_digests(str(line["source"]), str(line["pixels"]))
        waiting += line["looks"]
        looks += len(line["looks"])
        if looks > MOST_LOOKS:
            raise FingerprintsInvalidError(f"There are more than {MOST_LOOKS} pictures.")
        if len(waiting) > _WAITING:
            known.looks.meet(waiting)
            waiting = []
    known.looks.meet(waiting)
    return known.counted(images, named)


class _Known:
    """The cohort's side: what is looked up, and what was met."""

    def __init__(self, table: pa.Table, patients: Collection[str]) -> None:
        self._case = table["case"].to_pylist()
        self._patient = table["patient"].to_pylist()
        self._files: dict[str, list[int]] = defaultdict(list)
        looks: list[str] = []
        self._look_row: list[int] = []
        columns = ("source_sha256", "decoded_pixel_sha256", "perceptual_hash", "detail_hash")
        rows = zip(*(table[name].to_pylist() for name in columns), strict=True)
        for row, (source, pixels, look, detail) in enumerate(rows):
            if source:
                self._files[source].append(row)
            if look:
                self._look_row.append(row)
                looks.append(look + detail)
                # Pixels of one value have no look: an empty slice is no sign of a copy.
                self._files[pixels].append(row)
        self._everybody = frozenset(patients)
        self._identical: set[str] = set()
        self._named: set[str] = set()
        self.looks = LookingAlike(looks)

    def meet_digests(self, *digests: str) -> None:
        for digest in digests:
            if digest in self._files:
                self._identical.update(self._patient[row] for row in self._files[digest])

    def meet_patient(self, name: str) -> None:
        if name in self._everybody:
            self._named.add(name)

    def counted(self, images: int, named: int) -> Overlap:
        alike = self._identical | self._alike()
        return Overlap(
            identical=len(self._identical),
            alike=len(alike),
            any_way=len(alike | self._named),
            patients=len(self._everybody),
            images=images,
            named=named,
            complete=self.looks.complete,
        )

    def _alike(self) -> set[str]:
        pictures: dict[str, list[bool]] = defaultdict(list)
        patient = {}
        for row, met in zip(self._look_row, self.looks.met.tolist(), strict=True):
            pictures[self._case[row]].append(met)
            patient[self._case[row]] = self._patient[row]
        return {
            patient[case] for case, met in pictures.items() if sum(met) >= ENOUGH_ALIKE * len(met)
        }


def _read(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, start=1):
        found = _parsed(line) if number <= MOST_LINES else None
        if number == 1 and found == FORM:
            continue
        if number == 1 or found is None or not _is_of_the_form(found):
            raise FingerprintsInvalidError(
                f"Line {number} is not of the form that `proctor fingerprint` writes."
            )
        yield found


def _parsed(line: bytes) -> dict[str, Any] | None:
    if len(line) > LONGEST_LINE:
        return None
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _is_of_the_form(found: Mapping[str, Any]) -> bool:
    if set(found) == {PATIENT}:
        return isinstance(found[PATIENT], str)
    if set(found) != {"source", "pixels", "looks"} or not isinstance(found["looks"], list):
        return False
    digests = (found["source"], found["pixels"])
    return all(not one or _is_hex(one, 64) for one in digests) and all(
        _is_hex(look, _LOOK) for look in found["looks"]
    )


def _is_hex(word: object, length: int) -> bool:
    return (
        isinstance(word, str)
        and len(word) == length
        and all(letter in "0123456789abcdef" for letter in word)
    )
