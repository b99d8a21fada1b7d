"""The names under which readers tell of an acquisition, and what is plausible of each."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FactMeaning:
    """What a fact means; numbers outside `low` to `high` are implausible."""

    meaning: str
    low: float | None = None
    high: float | None = None


_MM = "mm"
FACTS: Mapping[str, FactMeaning] = {
    "format": FactMeaning(meaning="format of the files, by its reader's name"),
    "modality": FactMeaning(meaning="DICOM modality, or the kind of a file that has none"),
    "manufacturer": FactMeaning(meaning="maker of the device"),
    "model": FactMeaning(meaning="maker's model name"),
    "scanner": FactMeaning(meaning="device or station, if known"),
    "transfer_syntax": FactMeaning(meaning="transfer syntax as the partner keeps it"),
    "photometric": FactMeaning(meaning="photometric interpretation of the original"),
    "bits_stored": FactMeaning(meaning="bits of a pixel", low=1, high=64),
    "rows": FactMeaning(meaning="rows of a picture", low=8, high=1 << 20),
    "columns": FactMeaning(meaning="columns of a picture", low=8, high=1 << 20),
    "slices": FactMeaning(meaning="slices of a volume or frames of a picture", low=1, high=20_000),
    "frames": FactMeaning(meaning="frames of a picture", low=1, high=20_000),
    "files": FactMeaning(meaning="files of the case", low=1, high=20_000),
    # From 0.1 µm (a whole slide at 100×) to 25 mm (a nuclear-medicine matrix of 64 × 64).
    "row_spacing": FactMeaning(meaning=f"between rows, {_MM}", low=1e-4, high=25),
    "column_spacing": FactMeaning(meaning=f"between columns, {_MM}", low=1e-4, high=25),
    "slice_spacing": FactMeaning(meaning=f"between slices, {_MM}", low=1e-3, high=50),
    "view": FactMeaning(meaning="view position"),
    "laterality": FactMeaning(meaning="side"),
    "body_part": FactMeaning(meaning="body part examined"),
    "orientation": FactMeaning(meaning="axial, coronal, sagittal or oblique"),
    # From one a minute (a temperature chart) to an ECG's high-resolution 100 kHz.
    "sampling_rate": FactMeaning(meaning="samples a second, Hz", low=1 / 60, high=1e5),
    "leads": FactMeaning(meaning="channels of a signal", low=1, high=1024),
    "samples": FactMeaning(meaning="samples of each channel", low=2, high=1e9),
    "magnification": FactMeaning(meaning="objective's magnification of a slide", low=1, high=150),
    "levels": FactMeaning(meaning="levels of a pyramid", low=1, high=32),
}
