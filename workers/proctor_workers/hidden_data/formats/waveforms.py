"""Reads DICOM waveforms (ECG, haemodynamics, respiration …) as recordings of bare digital values.

Each multiplex group becomes a record of its own; annotations (measurements, diagnoses, free text)
and all headers are left behind. Source: PS3.3 C.10.9 (Waveform), PS3.16 CID 3001 (ECG leads).
"""

import hashlib
import math
import re
import warnings

import numpy as np
import pydicom
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset

from proctor_workers.hidden_data.case_files import (
    CanonicalFile,
    CaseContent,
    Fact,
    ReadRequest,
    SourceFile,
    UnreadableFileError,
)
from proctor_workers.hidden_data.formats.dicom.originals import blamed
from proctor_workers.hidden_data.formats.recordings import (
    LARGEST_RECORDING,
    Channel,
    Origin,
    Recording,
    Samples,
    artefacts,
    facts,
    findings,
    write_recording,
)

_VOICES = ("1.2.840.10008.5.1.4.1.1.9.4",)  # Basic Voice Audio, General Audio
_MODALITIES = frozenset({"ECG", "EEG", "EMG", "EOG", "HD", "EPS", "RESP", "BI", "POS"})
# PS3.5 A.2 and PS3.3 C.10.9.1.5: sample interpretations that are linear integers.
_TYPES = {"SB": "i1", "UB": "u1", "SS": "i2", "US": "u2", "SL": "i4", "UL": "u4"}
# SCP-ECG (EN 1064) numbers of leads, which MDC has too; CID 3001.
_LEADS = {
    1: "I", 2: "II", 3: "V1", 4: "V2", 5: "V3", 6: "V4", 7: "V5", 8: "V6", 9: "V7", 10: "V2R",
    11: "V3R", 12: "V4R", 13: "V5R", 14: "V6R", 15: "V7R", 16: "X", 17: "Y", 18: "Z", 61: "III",
    62: "aVR", 63: "aVL", 64: "aVF", 66: "V8", 67: "V9",
}  # fmt: skip
_LEAD_CODE = re.compile(r"(?:5\.6\.3-9-|2:)(\d{1,3})")
_MEANING = re.compile(r"\(.*?\)|\blead\b", re.IGNORECASE)


def read(request: ReadRequest) -> CaseContent:
    """Rewrite one case's DICOM waveforms as WFDB records, one for each multiplex group.

    Raises:
        UnreadableFileError: a file is damaged, holds no signal, or a voice.
    """
    files: list[CanonicalFile] = []
    recordings: list[tuple[SourceFile, Recording]] = []
    said: dict[str, Fact] = {}
    annotations = 0
    for file in request.files:
        with blamed(file.name):
            header = _opened(file)
            found = _recordings(header)
            said = said or _facts(header)
            annotations += len(header.get("WaveformAnnotationSequence") or ())
            origin = Origin(sha256=_sha256(file), uid=str(header.get("SOPInstanceUID") or ""))
            for recording in found:
                files += write_recording(request.folder, len(recordings), recording, origin)
                recordings.append((file, recording))
    signals = [recording for _, recording in recordings]
    return CaseContent(
        files=tuple(files),
        facts=facts(signals, "DICOM waveform") | said,
        artefacts=artefacts(signals),
        findings=tuple(one for file, signal in recordings for one in findings(signal, file.name)),
        actions={"annotations_dropped": annotations},
    )


def _opened(file: SourceFile) -> Dataset:
    if file.path.stat().st_size > 2 * LARGEST_RECORDING:
        raise UnreadableFileError("is too long", "Split the recording.")
    with warnings.catch_warnings(), disable_value_validation():
        warnings.simplefilter("ignore")
        header = pydicom.dcmread(file.path, force=True)
        header.walk(lambda _dataset, _element: None)  # parses every value, so that it fails here
    if str(header.get("SOPClassUID") or "").startswith(_VOICES):
        raise UnreadableFileError("is a recording of sound, perhaps a voice", "Leave it out.")
    return header


def _recordings(header: Dataset) -> list[Recording]:
    groups = header.get("WaveformSequence") or ()
    if not groups:
        raise UnreadableFileError("is a waveform object without signals", "Leave it out.")
    order = "<" if header.original_encoding[1] else ">"
    return [_recording(group, order) for group in groups]


def _recording(group: Dataset, order: str) -> Recording:
    definitions = list(group.get("ChannelDefinitionSequence") or ())
    channels, count = int(group.NumberOfWaveformChannels), int(group.NumberOfWaveformSamples)
    kind = _TYPES.get(str(group.WaveformSampleInterpretation))
    if kind is None:
        raise UnreadableFileError("has samples that are not linear", "Export it as integers.")
    if not 0 < channels == len(definitions) or count < 1:
        raise UnreadableFileError("has channels that are not defined", "Export it again.")
    dtype = np.dtype(order + kind)
    if channels * count * 4 > LARGEST_RECORDING:
        raise UnreadableFileError("is too long once decoded", "Split the recording.")
    content = group.WaveformData
    if len(content) < channels * count * dtype.itemsize:
        raise UnreadableFileError("has fewer samples than it says", "Export it again.")
    values = np.frombuffer(content, dtype, channels * count).reshape(count, channels)
    return Recording(
        rate=float(group.SamplingFrequency),
        channels=tuple(_channel(definition) for definition in definitions),
        samples=_with_missing(values, _padding(group, dtype)),
    )


def _padding(group: Dataset, dtype: np.dtype[np.generic]) -> int | None:
    """Return the value that stands for a missing sample, if the group names one (C.10.9.1.7)."""
    value = group.get("WaveformPaddingValue")
    if isinstance(value, bytes) and len(value) >= dtype.itemsize:
        return int(np.frombuffer(value, dtype, 1)[0])
    return int(value) if isinstance(value, int) else None


def _with_missing(values: Samples, padding: int | None) -> Samples:
    """Return samples as int16, or int32 where these do not hold them and the sign for missing."""
    wide = values.astype(np.int64)
    narrow = bool(wide.min() > -32768 and wide.max() <= 32767)
    target = np.int16 if narrow or (padding == -32768 and wide.max() <= 32767) else np.int32
    limits = np.iinfo(target)
    missing = wide == padding if padding is not None else np.zeros(wide.shape, np.bool_)
    held = wide[~missing]
    if held.size and (held.min() <= limits.min or held.max() > limits.max):
        raise UnreadableFileError("has samples beyond 32 bits", "Export it with fewer bits.")
    return np.where(missing, limits.min, wide).astype(target)


def _channel(definition: Dataset) -> Channel:
    """Return a channel's scale: value × sensitivity × correction + baseline (C.10.9.1.4)."""
    step = _number(definition, "ChannelSensitivity", 1.0) * _number(
        definition, "ChannelSensitivityCorrectionFactor", 1.0
    )
    if not math.isfinite(step) or step == 0:
        raise UnreadableFileError("has a channel without scale", "Export it again.")
    units = definition.get("ChannelSensitivityUnitsSequence") or [Dataset()]
    return Channel(
        name=_name(definition),
        unit=str(units[0].get("CodeValue") or ""),
        gain=1 / step,
        baseline=-_number(definition, "ChannelBaseline", 0.0) / step,
    )


def _number(definition: Dataset, keyword: str, default: float) -> float:
    value = definition.get(keyword)
    return default if value is None or value == "" else float(value)


def _name(definition: Dataset) -> str:
    """Return a lead's name by its code, or what the file calls it."""
    sources = definition.get("ChannelSourceSequence") or [Dataset()]
    found = _LEAD_CODE.fullmatch(str(sources[0].get("CodeValue") or ""))
    if found and int(found[1]) in _LEADS:
        return _LEADS[int(found[1])]
    meaning = str(sources[0].get("CodeMeaning") or definition.get("ChannelLabel") or "")
    return _MEANING.sub("", meaning)


def _facts(header: Dataset) -> dict[str, Fact]:
    said: dict[str, Fact] = {
        name: str(header.get(keyword) or "")
        for name, keyword in (
            ("manufacturer", "Manufacturer"),
            ("model", "ManufacturerModelName"),
            ("scanner", "StationName"),
        )
    }
    if header.get("Modality") in _MODALITIES:
        said["modality"] = str(header.Modality)
    return {name: value for name, value in said.items() if value}


def _sha256(file: SourceFile) -> str:
    with file.path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
