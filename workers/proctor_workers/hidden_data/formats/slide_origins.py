"""Tells whose scanner wrote a slide, what it says of size, and which kinds are refused by name."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from proctor_workers.hidden_data.case_files import Refusal
from proctor_workers.hidden_data.formats import tiff_directories as tiff
from proctor_workers.hidden_data.formats.tiff_directories import Directory
from proctor_workers.hidden_data.formats.tiff_pyramid import MICROMETRES_PER_CM, Resolution

MICROMETRES = (0.02, 50.0)  # a pixel of a slide: 400 × with oil to a thumbnail's
MAGNIFICATIONS = (0.1, 200.0)
_MICROMETRES_PER_UNIT = {2: 25_400.0, 3: float(MICROMETRES_PER_CM)}  # inch, centimetre
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,16}")
_CURE = "Export it as SVS, as DICOM whole slide, or as a tiled pyramid TIFF."
_MILLI = {"mm": 1e3, "nm": 1e-3, "cm": 1e4}


@dataclass(frozen=True, slots=True)
class Origin:
    """What a slide's first directory tells of its making; nothing of it but numbers is kept."""

    resolution: Resolution
    manufacturer: str = ""
    scanner: str = ""


def _philips(first: Directory) -> bool:
    return first.text(tiff.SOFTWARE).startswith("Philips")


def _hamamatsu(first: Directory) -> bool:
    return tiff.HAMAMATSU in first.tags


def _leica(first: Directory) -> bool:
    return "http://www.leica-microsystems.com/scn" in first.text(tiff.DESCRIPTION)


def _ventana(first: Directory) -> bool:
    return "iScan" in first.text(tiff.XMP) or "iScan" in first.text(tiff.DESCRIPTION)


# These keep what a reader must know (overlaps, areas, true sizes) in notes that cannot stay.
_REFUSED: Mapping[str, Callable[[Directory], bool]] = {
    "a Philips TIFF slide": _philips,
    "a Hamamatsu NDPI slide": _hamamatsu,
    "a Leica SCN slide": _leica,
    "a Ventana BIF slide": _ventana,
}
# Kinds that are no TIFF: by their first bytes, or by name where these say nothing.
_OTHER_BYTES = {b"ZISRAWFILE": "a Zeiss CZI slide", b"SQLite format 3\0": "a Sakura slide"}
_OTHER_NAMES = {
    ".mrxs": "a MIRAX slide",
    ".vms": "a Hamamatsu VMS slide",
    ".vmu": "a Hamamatsu VMU slide",
    ".vsi": "an Olympus VSI slide",
    ".isyntax": "a Philips iSyntax slide",
    ".svslide": "a Sakura slide",
    ".ets": "an Olympus slide's part",
}


def refused_kind(first: Directory) -> Refusal | None:
    """Return why a TIFF slide of this maker is not taken; None where it is."""
    name = next((name for name, fits in _REFUSED.items() if fits(first)), None)
    return Refusal(f"is {name}, which is not read", _CURE) if name else None


def other_kind(head: bytes, name: str) -> Refusal | None:
    """Return why a slide that is no TIFF is not taken; None where it is none."""
    found = next((said for magic, said in _OTHER_BYTES.items() if head.startswith(magic)), None)
    for ending, said in _OTHER_NAMES.items():
        if name.lower().endswith(ending):
            found = said
    return Refusal(f"is {found}, which is not read", _CURE) if found else None


def is_aperio(first: Directory) -> bool:
    """Say whether a slide is Aperio's by its own word."""
    return first.text(tiff.DESCRIPTION).startswith("Aperio")


def origin_of(first: Directory) -> Origin:
    """Return what the base level's directory tells."""
    text = first.text(tiff.DESCRIPTION)
    if is_aperio(first):
        said = _pairs(text)
        micrometres = _plausible(said.get("MPP", ""), *MICROMETRES)
        resolution = Resolution(
            column_micrometres=micrometres,
            row_micrometres=micrometres,
            magnification=_plausible(said.get("AppMag", ""), *MAGNIFICATIONS),
        )
        scanner = said.get("ScanScope ID", "")
        return Origin(resolution, "Aperio", scanner if _CODE.fullmatch(scanner) else "")
    if "<OME " in text:
        return Origin(_of_ome(text, first))
    return Origin(_of_tags(first))


def _pairs(description: str) -> dict[str, str]:
    """Return the `key = value` parts of an Aperio description."""
    parts = (part.partition("=") for part in description.split("|")[1:])
    return {key.strip(): value.strip() for key, _, value in parts}


def _of_ome(text: str, first: Directory) -> Resolution:
    """Return what OME-XML says of the first image's pixels; the schema's unit is µm."""
    by_tags = _of_tags(first)
    across, down = (
        _plausible(_attribute(text, f"PhysicalSize{axis}"), *MICROMETRES)
        * _MILLI.get(_attribute(text, f"PhysicalSize{axis}Unit"), 1.0)
        for axis in "XY"
    )
    return Resolution(
        column_micrometres=across or by_tags.column_micrometres,
        row_micrometres=down or by_tags.row_micrometres,
        magnification=_plausible(_attribute(text, "NominalMagnification"), *MAGNIFICATIONS),
    )


def _attribute(text: str, name: str) -> str:
    found = re.search(rf'\b{name}="([^"]{{1,32}})"', text)
    return found[1] if found else ""


def _of_tags(first: Directory) -> Resolution:
    unit = _MICROMETRES_PER_UNIT.get(first.number(tiff.RESOLUTION_UNIT, 2), 0.0)
    across, down = (
        _within(unit / density if density > 0 else 0.0, *MICROMETRES)
        for density in (first.ratio(tiff.X_RESOLUTION), first.ratio(tiff.Y_RESOLUTION))
    )
    return Resolution(column_micrometres=across, row_micrometres=down)


def _plausible(text: str, least: float, most: float) -> float:
    try:
        return _within(float(text), least, most)
    except ValueError:
        return 0.0


def _within(value: float, least: float, most: float) -> float:
    """Return a value in its range, else 0: what a program wrote for want of knowledge."""
    return value if least <= value <= most else 0.0
