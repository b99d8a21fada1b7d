"""Keeps drawings over a picture, and drops every word of them (PS3.15 E.3.3)."""

import numpy as np
from pydicom.dataset import Dataset

from proctor_workers.hidden_data.deidentify.items import Allowed
from proctor_workers.hidden_data.deidentify.readable import UNREADABLE
from proctor_workers.hidden_data.deidentify.text import Known
from proctor_workers.hidden_data.deidentify.text_regions import text_regions

GRAPHICS: Allowed = {
    "GraphicLayer": None,
    "GraphicObjectSequence": {
        "GraphicAnnotationUnits": None,
        "GraphicDimensions": None,
        "NumberOfGraphicPoints": None,
        "GraphicData": None,
        "GraphicType": None,
        "GraphicFilled": None,
    },
}
_GROUPS = range(0x6000, 0x6020, 2)
_ELEMENTS = {  # all that a bitmap needs, none of its words (PS3.3 C.9.2)
    0x0010: "US", 0x0011: "US", 0x0040: "CS", 0x0050: "SS", 0x0100: "US", 0x0102: "US",
}  # fmt: skip
_DATA = 0x3000
_LARGEST = 1 << 26  # pixels


def kept_overlays(source: Dataset, kept: Dataset, known: Known) -> int:
    """Copy the overlays in which no text is drawn, and no name written; return how many."""
    return sum(_copied(source, kept, group, known) for group in _GROUPS)


def _copied(source: Dataset, kept: Dataset, group: int, known: Known) -> bool:
    try:
        bitmap = _bitmap(source, group)
        if bitmap is None or text_regions(bitmap):
            return False
        if known.names(source[group, _DATA].value.decode("latin-1")):
            return False
        values = {element: source[group, element].value for element in _ELEMENTS}
    except UNREADABLE:
        return False
    if values[0x0040] not in {"G", "R"}:
        return False
    for element, vr in _ELEMENTS.items():
        kept.add_new((group, element), vr, values[element])
    packed = np.packbits(bitmap.reshape(-1) > 0, bitorder="little").tobytes()
    kept.add_new((group, _DATA), "OW", packed + b"\0" * (len(packed) % 2))
    return True


def _bitmap(source: Dataset, group: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]] | None:
    """Return a single-frame overlay as 0 and 255; None where there is none of its own."""
    if (group, _DATA) not in source:
        return None
    rows, columns = int(source[group, 0x0010].value), int(source[group, 0x0011].value)
    if not 0 < rows * columns <= _LARGEST:
        return None
    bits = np.unpackbits(np.frombuffer(source[group, _DATA].value, np.uint8), bitorder="little")
    return np.multiply(bits[: rows * columns].reshape(rows, columns), 255, dtype=np.uint8)
