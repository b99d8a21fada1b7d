"""Closed vocabularies: words that DICOM defines, so that no other word can stand in their place."""

import re
from collections.abc import Iterable
from functools import lru_cache

from pydicom.dataset import Dataset
from pydicom.sr._concepts_dict import concepts
from pydicom.sr._snomed_dict import mapping

from proctor_workers.hidden_data.deidentify.readable import text_of

# Of PS3.3, under the attribute's own name; a term of two words is written with a hyphen here.
DEFINED_TERMS: dict[str, frozenset[str]] = {
    keyword: frozenset(term.replace("-", " ") for term in terms.split())
    for keyword, terms in {
        "Modality": (
            "ANN AR ASMT AU BDUS BI BMD CFM CR CT CTPROTOCOL DG DMS DOC DX ECG EEG EMG EOG EPS ES "
            "FID GM HC HD IO IOL IVOCT IVUS KER KO LEN LS M3D MG MR NM OAM OCT OP OPM OPT OPTBSV "
            "OPTENF OPV OSS OT PA PLAN POS PR PT PX REG RESP RF RG RTDOSE RTIMAGE RTINTENT RTPLAN "
            "RTRAD RTRECORD RTSEGANN RTSTRUCT RWV SEG SM SMR SR SRF STAIN TEXTUREMAP TG US VA XA "
            "XAPROTOCOL XC CD CF CP CS DD DF DM DS EC FA FS LP MA MS OPR ST VF"
        ),
        "ImageType": "ORIGINAL DERIVED MIXED PRIMARY SECONDARY",
        "PresentationIntentType": "FOR-PRESENTATION FOR-PROCESSING",
        "Laterality": "R L U B",
        "ImageLaterality": "R L U B",
        "FrameLaterality": "R L U B",
        "PatientSex": "M F O",
        "PatientSexNeutered": "ALTERED UNALTERED",
        "SmokingStatus": "YES NO UNKNOWN",
        "PatientPosition": (
            "HFP HFS HFDR HFDL FFDR FFDL FFP FFS LFP LFS RFP RFS AFDR AFDL PFDR PFDL SITTING"
        ),
        "VOILUTFunction": "LINEAR LINEAR_EXACT SIGMOID",
        "PresentationLUTShape": "IDENTITY INVERSE",
        "PixelIntensityRelationship": "LIN LOG DISP",
        "PixelSpacingCalibrationType": "GEOMETRY FIDUCIAL",
        "LossyImageCompression": "00 01",
        "BurnedInAnnotation": "YES NO",
        "DecayCorrection": "NONE START ADMIN",
        "Units": (
            "CNTS NONE CM2 CM2ML PCNT CPS BQML MGMINML UMOLMINML MLMING MLG 1CM UMOLML PROPCNTS "
            "PROPCPS MLMINML MLML GML STDDEV"
        ),
        "SUVType": "BSA BW LBM LBMJAMES128 LBMJANMA IBW",
        "CountsSource": "EMISSION TRANSMISSION",
        "CorrectedImage": (
            "DECY ATTN SCAT DTIM MOTN PMOT CLN RAN RADL DCAL NORM UNIF COR NCO FLAT TAIL"
        ),
        "MRAcquisitionType": "1D 2D 3D",
        "ScanningSequence": "SE IR GR EP RM",
        "SequenceVariant": "SK MTC SS TRSS SP MP OSP NONE",
    }.items()
}
# What may follow the first two values of Image Type; the rest is the manufacturer's own wording.
IMAGE_FLAVOURS = frozenset({
    "AXIAL", "LOCALIZER", "VOLUME", "LABEL", "OVERVIEW", "THUMBNAIL", "NONE", "RESAMPLED", "MPR",
    "MIP", "PROJECTION IMAGE", "REFORMATTED", "M", "P", "R", "I", "",
})  # fmt: skip
_UNIT = re.compile(r"(?!.*\d{4})[A-Za-z0-9.*^/{}\[\]()%'-]{1,16}")
_LETTERS = re.compile(r"[A-Za-z]+")
_WORD = re.compile(r"\b[a-z]{2,}\b")


def kept_codes(sequence: Iterable[Dataset]) -> list[Dataset]:
    """Return those items of a code sequence whose code is published, in its published words.

    The meaning is the dictionary's, never the file's, which could say anything (PS3.16, SNOMED CT).
    A unit that combines published ones (UCUM) is its own meaning.
    """
    kept = []
    for item in sequence:
        scheme, code = text_of(item, "CodingSchemeDesignator"), text_of(item, "CodeValue")
        if scheme in {"SRT", "SNM3", "99SDM"}:
            scheme, code = "SCT", mapping["SRT"].get(code, "")
        meaning = _meanings().get((scheme, code)) or (code if _is_unit(scheme, code) else "")
        if meaning:
            kept.append(code_item(code, scheme, meaning[:64]))
    return kept


def code_item(code: str, scheme: str, meaning: str) -> Dataset:
    """Return one item of a code sequence (PS3.3 8.1)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code, scheme, meaning
    return item


def _is_unit(scheme: str, code: str) -> bool:
    """Tell whether a code is a unit made of the letters of published units, and of numbers."""
    return (
        scheme == "UCUM"
        and bool(_UNIT.fullmatch(code))
        and _parts_of_units().issuperset(_LETTERS.findall(code))
    )


@lru_cache(maxsize=1)
def _parts_of_units() -> frozenset[str]:
    units = (code for scheme, code in _meanings() if scheme == "UCUM")
    return frozenset(part for code in units for part in _LETTERS.findall(code))


@lru_cache(maxsize=1)
def _meanings() -> dict[tuple[str, str], str]:
    return {
        (scheme, code): str(meaning)
        for scheme, of_scheme in concepts.items()
        for of_keyword in of_scheme.values()
        for code, (meaning, _) in of_keyword.items()
        if len(code) <= 16  # a longer one would stand in Long Code Value
    }


@lru_cache(maxsize=1)
def published_words() -> frozenset[str]:
    """Return the words of SNOMED CT's meanings that are written in lower case, so no names."""
    return frozenset(
        word
        for (scheme, _), text in _meanings().items()
        if scheme == "SCT"
        for word in _WORD.findall(text)
    )
