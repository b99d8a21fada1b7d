"""What DICOM PS3.15 Annex E says of the attributes that a canonical file can hold.

Facts of PS3.15: table E.1-1 for the actions (as of 2021; later editions add rows, and what is not
listed here is removed anyway), E.3.1 to E.3.11 for the options, PS3.16 CID 7050 for the codes. Only
rows that an option lets us keep stand here: Annex E always allows removing more.
"""

from dataclasses import dataclass

from proctor_workers.hidden_data.deidentify.profile import (
    BurnedIn,
    Deidentification,
    Option,
    burned_in_policy,
)

_DATES = Option.RETAIN_LONGITUDINAL
_PATIENT = Option.RETAIN_PATIENT_CHARACTERISTICS
_DEVICE = Option.RETAIN_DEVICE_IDENTITY
_DESCRIPTORS = Option.CLEAN_DESCRIPTORS
_CONTENT = Option.CLEAN_STRUCTURED_CONTENT


@dataclass(frozen=True, slots=True)
class Attribute:
    """One row: the Basic Profile's action, and the option under which the attribute is kept.

    Actions: D a dummy, Z empty, X removed, C cleaned, K kept; `-` where the table has no row for
    it, so that the Basic Profile would leave it (we still remove it unless asked).
    """

    keyword: str
    basic: str
    option: Option
    action: str


# fmt: off
ATTRIBUTES = (
    Attribute("StudyDate", "Z", _DATES, "C"),
    Attribute("StudyTime", "Z", _DATES, "C"),
    Attribute("SeriesDate", "X/D", _DATES, "C"),
    Attribute("SeriesTime", "X/D", _DATES, "C"),
    Attribute("AcquisitionDate", "X/Z", _DATES, "C"),
    Attribute("AcquisitionTime", "X/Z", _DATES, "C"),
    Attribute("AcquisitionDateTime", "X/Z/D", _DATES, "C"),
    Attribute("ContentDate", "Z/D", _DATES, "C"),
    Attribute("ContentTime", "Z/D", _DATES, "C"),
    Attribute("StartAcquisitionDateTime", "X/D", _DATES, "C"),
    Attribute("EndAcquisitionDateTime", "X/D", _DATES, "C"),
    Attribute("PatientSex", "Z", _PATIENT, "K"),
    Attribute("PatientAge", "X", _PATIENT, "K"),
    Attribute("PatientSize", "X", _PATIENT, "K"),
    Attribute("PatientWeight", "X", _PATIENT, "K"),
    Attribute("PatientBodyMassIndex", "-", _PATIENT, "K"),
    Attribute("EthnicGroup", "X", _PATIENT, "K"),
    Attribute("SmokingStatus", "X", _PATIENT, "K"),
    Attribute("PregnancyStatus", "X", _PATIENT, "K"),
    Attribute("PatientSexNeutered", "X/Z", _PATIENT, "K"),
    Attribute("Manufacturer", "-", _DEVICE, "K"),
    Attribute("ManufacturerModelName", "-", _DEVICE, "K"),
    Attribute("SoftwareVersions", "-", _DEVICE, "K"),
    Attribute("StationName", "X/Z/D", _DEVICE, "K"),
    Attribute("DeviceSerialNumber", "X/Z/D", _DEVICE, "K"),
    Attribute("DetectorID", "X/D", _DEVICE, "K"),
    Attribute("PlateID", "X", _DEVICE, "K"),
    Attribute("CassetteID", "X", _DEVICE, "K"),
    Attribute("GantryID", "X", _DEVICE, "K"),
    Attribute("GeneratorID", "X", _DEVICE, "K"),
    Attribute("StudyDescription", "X", _DESCRIPTORS, "C"),
    Attribute("SeriesDescription", "X", _DESCRIPTORS, "C"),
    Attribute("ProtocolName", "X/D", _DESCRIPTORS, "C"),
    Attribute("AcquisitionProtocolDescription", "X", _DESCRIPTORS, "C"),
    Attribute("AcquisitionDeviceProcessingDescription", "X/D", _DESCRIPTORS, "C"),
    Attribute("DerivationDescription", "X", _DESCRIPTORS, "C"),
    Attribute("RequestedProcedureDescription", "X/Z", _DESCRIPTORS, "C"),
    Attribute("PerformedProcedureStepDescription", "X", _DESCRIPTORS, "C"),
    Attribute("ContrastBolusAgent", "Z/D", _DESCRIPTORS, "C"),
    Attribute("ImageComments", "X", _DESCRIPTORS, "C"),
    Attribute("ContentSequence", "D", _CONTENT, "C"),
    Attribute("AcquisitionContextSequence", "X/Z", _CONTENT, "C"),
    Attribute("GraphicAnnotationSequence", "D", Option.CLEAN_GRAPHICS, "C"),
)
# fmt: on

# PS3.16 CID 7050, scheme DCM.
BASIC_PROFILE = ("113100", "Basic Application Confidentiality Profile")
RETAIN_SAFE_PRIVATE = ("113111", "Retain Safe Private Option")
CLEAN_VISUAL_FEATURES = ("113102", "Clean Recognizable Visual Features Option")  # where it was done
CODES = {
    Option.CLEAN_PIXEL_DATA: ("113101", "Clean Pixel Data Option"),
    Option.CLEAN_GRAPHICS: ("113103", "Clean Graphics Option"),
    Option.CLEAN_STRUCTURED_CONTENT: ("113104", "Clean Structured Content Option"),
    Option.CLEAN_DESCRIPTORS: ("113105", "Clean Descriptors Option"),
    Option.RETAIN_LONGITUDINAL: (
        "113107",
        "Retain Longitudinal Temporal Information Modified Dates Option",
    ),
    Option.RETAIN_PATIENT_CHARACTERISTICS: ("113108", "Retain Patient Characteristics Option"),
    Option.RETAIN_DEVICE_IDENTITY: ("113109", "Retain Device Identity Option"),
}


def keywords_of(option: Option) -> tuple[str, ...]:
    """Return the attributes that an option lets a canonical file keep."""
    return tuple(row.keyword for row in ATTRIBUTES if row.option is option)


def method_codes(deidentification: Deidentification) -> tuple[tuple[str, str], ...]:
    """Return code and meaning of the profile and of each option that was applied, by code."""
    applied = [BASIC_PROFILE, *(CODES[option] for option in deidentification.options)]
    pixels = CODES[Option.CLEAN_PIXEL_DATA]
    if burned_in_policy(deidentification) is not BurnedIn.KEEP and pixels not in applied:
        applied.append(pixels)
    if deidentification.private_tags:
        applied.append(RETAIN_SAFE_PRIVATE)
    return tuple(sorted(applied))
