"""DICOM files with planted identifiers, and the request that reads them."""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from proctor_workers.hidden_data.case_files import CanonicalForm, ReadRequest, SourceFile
from proctor_workers.hidden_data.deidentify.profile import Deidentification
from proctor_workers.hidden_data.pseudonyms import PatientKeys, Pseudonyms

NAME = "ZQXNAME"  # stands nowhere in a file of ours
KEYS = Pseudonyms(bytes(32), "coh").patient_keys("P001")
_UID = "1.2.826.0.1.3680043.8.498.4711"
# A value of each VR that says the name, or is as telling as that VR can be.
_TELLING: dict[str, Any] = {
    "PN": f"{NAME}^JANE", "DA": "19570321", "TM": "031415", "DT": "19570321031415",
    "AS": "066Y", "UI": f"{_UID}.99", "DS": "47110815", "IS": "47110815", "AE": NAME, "CS": NAME,
    "SH": NAME, "LO": NAME, "ST": NAME, "LT": NAME, "UT": NAME, "UC": NAME, "UR": NAME,
    "OB": NAME.encode() + b" ", "OW": NAME.encode() + b" ", "UN": NAME.encode() + b" ",
    "US": 4711, "SS": 4711, "UL": 47110815, "SL": 47110815, "FD": 47110815.0, "FL": 4711.0,
    "AT": 0x00100010, "OF": bytes(4), "OD": bytes(8), "OL": bytes(4),
}  # fmt: skip


def telling_value(keyword: str) -> Any:
    """A value of the keyword's VR that identifies; a sequence holds the name at depth."""
    vr = dictionary_VR(keyword).split(" or ")[0]
    return nested() if vr == "SQ" else _TELLING[vr]


def nested(depth: int = 3) -> Sequence:
    item = Dataset()
    item.PatientName, item.PatientComments = f"{NAME}^DEEP", NAME
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = NAME, "99LOCAL", NAME
    block = item.private_block(0x0099, "ZQX CREATOR", create=True)
    block.add_new(0x01, "LO", NAME)
    if depth:
        item.ReferencedStudySequence = nested(depth - 1)
    return Sequence([item])


def image(keywords: Iterable[str] = (), **values: Any) -> Dataset:
    """A CT image of a plain ramp, with telling values under these keywords."""
    ds = Dataset()
    ds.SOPClassUID, ds.Modality = CTImageStorage, "CT"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = f"{_UID}.1", f"{_UID}.2"
    ds.SOPInstanceUID, ds.FrameOfReferenceUID = f"{_UID}.3", f"{_UID}.4"
    ds.Rows, ds.Columns, ds.SamplesPerPixel = 32, 48, 1
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.PhotometricInterpretation = "MONOCHROME2"
    pixels = (np.arange(32 * 48) % 4096).astype("<u2").reshape(32, 48)
    ds.PixelData = pixels.tobytes()
    ds["PixelData"].VR = "OW"
    own = {"PixelData", "FrameOfReferenceUID", *(e.keyword for e in ds)}
    for keyword in keywords:
        if keyword not in own:
            tag = tag_for_keyword(keyword)
            vr = dictionary_VR(keyword).split(" or ")[0]
            ds.add_new(tag, vr, telling_value(keyword))
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def written(ds: Dataset, path: Path, *, preamble: bytes = bytes(128)) -> Path:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta, ds.preamble = meta, preamble
    out = io.BytesIO()
    ds.save_as(out, implicit_vr=False, little_endian=True, enforce_file_format=True)
    path.write_bytes(out.getvalue())
    return path


def request(
    tmp_path: Path,
    *paths: Path,
    deidentification: Deidentification | None = None,
    keys: PatientKeys = KEYS,
    form: CanonicalForm | None = None,
) -> ReadRequest:
    folder = tmp_path / "canonical"
    folder.mkdir(exist_ok=True)
    return ReadRequest(
        files=tuple(SourceFile(name=path.name, path=path) for path in paths),
        keys=keys,
        deidentification=deidentification or Deidentification(),
        form=form or CanonicalForm(),
        folder=folder,
    )


def all_bytes(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())


def encodings(text: str) -> tuple[bytes, ...]:
    """The text as it may stand in a file: any case and encoding."""
    forms = {text, text.upper(), text.lower(), text.title()}
    return tuple({f.encode(c) for f in forms for c in ("utf-8", "utf-16-le", "utf-16-be")})


def stands_in(text: str, content: bytes) -> bool:
    return any(form in content for form in encodings(text))
