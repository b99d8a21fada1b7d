"""What the checks look at of a case: small copies, so that a cohort is walked through once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from proctor_workers.hidden_data.blocks import StoredFile
from proctor_workers.hidden_data.case_files import Fact
from proctor_workers.hidden_data.ingested import IngestedCase
from proctor_workers.hidden_data.quality.facts import FACTS

_PLACE = {name: place for place, name in enumerate(FACTS)}
_DIGEST = 32  # hex digits that are compared: 128 bits


@dataclass(frozen=True, slots=True)
class SeenFile:
    """A file's digests, empty where it has none, and its perceptual hashes or None."""

    source: bytes
    pixels: bytes
    instance: bytes
    look: int | None
    detail: int | None

    @classmethod
    def of(cls, file: StoredFile) -> "SeenFile":
        """Return the digests of a file.

        A picture of one value has no perceptual hash; it is like every other one, so that its
        pixels are no sign of a copy.
        """
        look = int(file.perceptual_hash, 16) if file.perceptual_hash else None
        flat = look is None and file.role == "image"
        return cls(
            source=bytes.fromhex(file.source_sha256[:_DIGEST]),
            pixels=b"" if flat else bytes.fromhex(file.decoded_pixel_sha256[:_DIGEST]),
            instance=bytes.fromhex(file.original_uid[:_DIGEST]),
            look=look,
            detail=int(file.detail_hash, 16) if file.detail_hash else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenCase:
    """One case under the partner's own names."""

    name: str
    patient: str
    imaging_study: str
    site: str
    value: str
    status: str
    method: str
    attributes: Mapping[str, str]
    raters: Mapping[str, str]
    devices: frozenset[str]
    files: tuple[SeenFile, ...]
    facts: tuple[Fact | None, ...]

    def fact(self, name: str) -> Fact | None:
        """Return a fact of the acquisition, None if it is not told."""
        return self.facts[_PLACE[name]]

    def number(self, name: str) -> float | None:
        """Return a fact that is a number, else None."""
        value = self.facts[_PLACE[name]]
        return None if value is None or isinstance(value, str) else float(value)

    def word(self, name: str) -> str:
        """Return a fact as a word, empty if it is not told."""
        value = self.facts[_PLACE[name]]
        return "" if value is None else str(value)


class Shared:
    """Keeps one copy of facts that many cases have in common."""

    def __init__(self) -> None:
        self._values: dict[Fact, Fact] = {}
        self._facts: dict[tuple[Fact | None, ...], tuple[Fact | None, ...]] = {}

    def facts(self, facts: Mapping[str, Fact]) -> tuple[Fact | None, ...]:
        """Return the known facts in the order of `FACTS`."""
        found = tuple(
            None if (value := facts.get(name)) is None else self._values.setdefault(value, value)
            for name in FACTS
        )
        return self._facts.setdefault(found, found)


def seen(one: IngestedCase, shared: Shared) -> SeenCase:
    """Return what the checks need of a case."""
    row = one.case.row
    return SeenCase(
        name=row.case,
        patient=row.patient,
        imaging_study=row.imaging_study,
        site=row.site,
        value=row.reference_value or "",
        status=row.reference_status,
        method=row.reference_method,
        attributes=row.attributes,
        raters=row.raters,
        devices=frozenset(name for name, kind in one.case.rater_kinds.items() if kind == "device"),
        files=tuple(SeenFile.of(file) for file in one.case.files),
        facts=shared.facts(one.facts),
    )


def attribute_names(cases: Sequence[SeenCase]) -> list[str]:
    """Return the attributes that occur, sorted."""
    return sorted({name for one in cases for name in one.attributes})
