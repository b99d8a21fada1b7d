"""Keeps what a device needs to read the pixels, by an allow-list that reaches into sequences.

Lookup tables, calibrations, frame geometry and frame order are numbers, codes and UIDs. Everything
else is decided by `deidentify.headers`, and nothing outside the list below is looked at.
"""

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.pixels.processing import _expand_segmented_lut
from pydicom.uid import UID
from pydicom.valuerep import format_number_as_ds

from proctor_workers.hidden_data.case_files import UnreadableFileError
from proctor_workers.hidden_data.deidentify.coded import kept_codes

# Shapes of a tree: an element that is kept, or a sequence and what is kept of its items.
Tree = Mapping[str, "Tree | None"]
UidReplaced = Callable[[str, str], str]


def _leaves(*keywords: str) -> dict[str, None]:
    return dict.fromkeys(keywords)


_CODE = _leaves("CodeValue", "CodingSchemeDesignator", "CodeMeaning")
_LUT = _leaves("LUTDescriptor", "LUTData")
_MODALITY_LUT = _leaves("LUTDescriptor", "ModalityLUTType", "LUTData")
_REAL_WORLD: Tree = {
    **_leaves(
        "RealWorldValueFirstValueMapped", "RealWorldValueLastValueMapped",
        "DoubleFloatRealWorldValueFirstValueMapped", "DoubleFloatRealWorldValueLastValueMapped",
        "RealWorldValueIntercept", "RealWorldValueSlope", "RealWorldValueLUTData",
    ),
    "MeasurementUnitsCodeSequence": _CODE,
}  # fmt: skip
# PS3.3 C.7.6.16.2, C.7.6.16.1: where the frames lie, what their values mean, and their order.
_FRAME_GROUPS: Tree = {
    "PixelMeasuresSequence": _leaves("PixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    "PlanePositionSequence": _leaves("ImagePositionPatient"),
    "PlaneOrientationSequence": _leaves("ImageOrientationPatient"),
    "PixelValueTransformationSequence": _leaves(
        "RescaleIntercept", "RescaleSlope", "RescaleType"
    ),
    "FrameVOILUTSequence": _leaves("WindowCenter", "WindowWidth", "VOILUTFunction"),
    "RealWorldValueMappingSequence": _REAL_WORLD,
    "FrameContentSequence": _leaves(
        "DimensionIndexValues", "InStackPositionNumber", "TemporalPositionIndex",
        "FrameAcquisitionNumber",
    ),
}  # fmt: skip
KEPT: Tree = {
    "ModalityLUTSequence": _MODALITY_LUT,
    "VOILUTSequence": _LUT,
    "RealWorldValueMappingSequence": _REAL_WORLD,
    "SharedFunctionalGroupsSequence": _FRAME_GROUPS,
    "PerFrameFunctionalGroupsSequence": _FRAME_GROUPS,
    "DimensionOrganizationSequence": _leaves("DimensionOrganizationUID"),
    "DimensionIndexSequence": _leaves(
        "DimensionIndexPointer", "FunctionalGroupPointer", "DimensionOrganizationUID"
    ),
    # Ultrasound regions, PS3.3 C.8.5.5: the only scale that an ultrasound image has.
    "SequenceOfUltrasoundRegions": _leaves(
        "RegionSpatialFormat", "RegionDataType", "RegionFlags", "RegionLocationMinX0",
        "RegionLocationMinY0", "RegionLocationMaxX1", "RegionLocationMaxY1", "ReferencePixelX0",
        "ReferencePixelY0", "PhysicalUnitsXDirection", "PhysicalUnitsYDirection",
        "ReferencePixelPhysicalValueX", "ReferencePixelPhysicalValueY", "PhysicalDeltaX",
        "PhysicalDeltaY",
    ),
    # Frames in time, and the planes and units of a dose.
    **_leaves(
        "FrameIncrementPointer", "FrameTime", "FrameTimeVector", "CineRate",
        "RecommendedDisplayFrameRate", "GridFrameOffsetVector", "DoseGridScaling", "DoseUnits",
        "DoseType", "FloatPixelPaddingValue", "DoubleFloatPixelPaddingValue",
        "TemporalPositionIndex", "ColorSpace",
    ),
}  # fmt: skip
_COLOURS = ("Red", "Green", "Blue")
_WHOLE = frozenset({"IS", "US", "SS", "UL", "SL", "UV", "SV"})
# The only words that are kept: those that PS3.3 defines, and no others in their place.
_RESCALED = frozenset({"OD", "HU", "US", "MGML", "Z_EFF", "ED", "EDW", "HU_MOD", "PCT"})
_TERMS = {
    "RescaleType": _RESCALED,
    "ModalityLUTType": _RESCALED,
    "VOILUTFunction": frozenset({"LINEAR", "LINEAR_EXACT", "SIGMOID"}),
    "DoseUnits": frozenset({"GY", "RELATIVE"}),
    "DoseType": frozenset({"PHYSICAL", "EFFECTIVE", "ERROR"}),
    "ColorSpace": frozenset({"SRGB", "ADOBERGB", "ROMMRGB"}),
}


def keep_technical(kept: Dataset, source: Dataset, replaced: UidReplaced) -> None:
    """Add to `kept` what the list has, its UIDs replaced.

    Raises:
        UnreadableFileError: a table is broken, without which the pixels mean nothing.
    """
    keeper = _Keeper(replaced, big_endian=source.original_encoding[1] is False)
    keeper.keep(kept, source, KEPT)
    # A palette colours the picture, or is a supplemental one (PS3.3 C.7.6.19).
    if "RedPaletteColorLookupTableDescriptor" in source:
        keeper.keep_palette(kept, source)
    elif source.get("PhotometricInterpretation") == "PALETTE COLOR":
        raise _broken_table()


class _Keeper:
    """Copies what a tree lists, each value checked and rewritten."""

    def __init__(self, replaced: UidReplaced, *, big_endian: bool) -> None:
        self._replaced, self._big_endian = replaced, big_endian

    def keep(self, kept: Dataset, source: Dataset, tree: Tree) -> None:
        for keyword, below in tree.items():
            if keyword not in source:
                continue
            element = source[keyword]
            if below is not None:
                found = element.value or ()
                coded = below is _CODE  # kept in the dictionary's words, never in the file's
                items = kept_codes(found) if coded else [self._item(one, below) for one in found]
                if any(len(item) for item in items):
                    setattr(kept, keyword, items)
            elif (value := self._value(keyword, element, source)) is not None:
                kept.add_new(element.tag, _vr(keyword, element), value)

    def keep_palette(self, kept: Dataset, source: Dataset) -> None:
        """Keep the three tables (PS3.3 C.7.9), segmented ones written out in full."""
        for colour in _COLOURS:
            name = f"{colour}PaletteColorLookupTable"
            entries, first, bits = _descriptor(source.get(f"{name}Descriptor"))
            table = self._palette(source, colour, bits)
            size = 2 * entries if len(table) >= 2 * entries else entries
            if len(table) < size:
                raise _broken_table()
            setattr(kept, f"{name}Descriptor", [entries % (1 << 16), first, bits])
            kept[f"{name}Descriptor"].VR = "SS" if first < 0 else "US"
            setattr(kept, f"{name}Data", table[:size] + bytes(size % 2))

    def _item(self, source: Dataset, tree: Tree) -> Dataset:
        item = Dataset()
        self.keep(item, source, tree)
        return item

    def _value(self, keyword: str, element: DataElement, source: Dataset) -> Any:
        """Return what may be kept of an element; None where that is nothing."""
        if keyword == "LUTData":
            return self._table(element.value, source)
        values = [element.value] if element.VM == 1 else list(element.value or ())
        cleaned = [self._one(keyword, value) for value in values]
        if not cleaned or any(value is None for value in cleaned):
            return None
        return cleaned if len(cleaned) > 1 else cleaned[0]

    def _one(self, keyword: str, value: Any) -> Any:
        vr = dictionary_VR(keyword)
        if value is None or value == "":
            return None
        if vr == "UI":
            return self._replaced(keyword, str(value)) if UID(str(value)).is_valid else None
        if keyword in _TERMS:
            unknown = "US" if _TERMS[keyword] is _RESCALED else None  # US: not specified
            return str(value) if str(value) in _TERMS[keyword] else unknown
        if vr == "AT" or vr in _WHOLE or " or " in vr:
            return int(value)
        number = float(value)
        if not math.isfinite(number):
            return None
        return format_number_as_ds(number) if vr == "DS" else number

    def _table(self, value: Any, source: Dataset) -> Any:
        """Return a table that has exactly the entries its descriptor announces."""
        entries, _, _ = _descriptor(source.get("LUTDescriptor"))
        if isinstance(value, bytes):
            if len(value) < entries * 2:
                raise _broken_table()
            return self._little_endian(value[: entries * 2])
        values = list(value) if isinstance(value, Sequence) else [value]
        if len(values) < entries:
            raise _broken_table()
        return [int(entry) for entry in values[:entries]]

    def _palette(self, source: Dataset, colour: str, bits: int) -> bytes:
        whole = source.get(f"{colour}PaletteColorLookupTableData")
        if whole:
            return self._little_endian(whole)
        segments = source.get(f"Segmented{colour}PaletteColorLookupTableData")
        if not segments or bits not in {8, 16}:
            raise _broken_table()
        kind = "H" if bits == 16 else "B"
        form = f"{'>' if self._big_endian else '<'}{len(segments) * 8 // bits}{kind}"
        values = _expand_segmented_lut(struct.unpack_from(form, segments), form)
        return struct.pack(f"<{len(values)}{kind}", *values)

    def _little_endian(self, table: bytes) -> bytes:
        """Return a table of 16-bit words as little-endian bytes (PS3.5 7.3)."""
        if not self._big_endian or len(table) % 2:
            return table
        return np.frombuffer(table, ">u2").astype("<u2").tobytes()


def _vr(keyword: str, element: DataElement) -> str:
    known = dictionary_VR(keyword)
    return str(element.VR) if " or " in known else known


def _descriptor(value: Any) -> tuple[int, int, int]:
    """Return entries, first mapped value and bits (PS3.3 C.11.1.1); 0 entries mean 65,536."""
    numbers = [int(one) for one in value] if isinstance(value, Sequence) else []
    if len(numbers) != 3:
        raise _broken_table()
    return (numbers[0] & 0xFFFF) or 1 << 16, numbers[1], numbers[2]


def _broken_table() -> UnreadableFileError:
    return UnreadableFileError("has a broken lookup table", "Export it again.")
