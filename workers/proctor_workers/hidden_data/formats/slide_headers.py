"""Decides which headers a DICOM whole slide keeps beside those of every image.

Sizes, tiling, scale, place on the slide and the optics' numbers; no specimen, container or barcode,
no acquisition time, no colour profile (its texts name the scanner).
"""

from pydicom.dataset import Dataset
from pydicom.uid import UID

from proctor_workers.hidden_data.case_files import ReadRequest, UnreadableFileError
from proctor_workers.hidden_data.deidentify.headers import cleaner_of, kept_headers
from proctor_workers.hidden_data.deidentify.items import Allowed, kept_items
from proctor_workers.hidden_data.deidentify.uids import CaseUids

MOST_PLACED = 100_000  # frames that say one by one where they lie
# PS3.3 C.8.12.4, C.8.12.5, C.8.12.6, C.8.12.8: what a reader of the pixels needs.
_PLACE: Allowed = dict.fromkeys((
    "ColumnPositionInTotalImagePixelMatrix", "RowPositionInTotalImagePixelMatrix",
    "XOffsetInSlideCoordinateSystem", "YOffsetInSlideCoordinateSystem",
    "ZOffsetInSlideCoordinateSystem",
))  # fmt: skip
_SLIDE: Allowed = {
    **dict.fromkeys((
        "TotalPixelMatrixColumns", "TotalPixelMatrixRows", "TotalPixelMatrixFocalPlanes",
        "NumberOfOpticalPaths", "ImagedVolumeWidth", "ImagedVolumeHeight", "ImagedVolumeDepth",
        "ImageOrientationSlide", "InConcatenationNumber", "InConcatenationTotalNumber",
        "ConcatenationFrameOffsetNumber", "PlanarConfiguration", "LossyImageCompressionRatio",
    )),
    "TotalPixelMatrixOriginSequence": dict.fromkeys((
        "XOffsetInSlideCoordinateSystem", "YOffsetInSlideCoordinateSystem",
    )),
    "SharedFunctionalGroupsSequence": {
        "PixelMeasuresSequence": dict.fromkeys(("PixelSpacing", "SliceThickness")),
    },
    "OpticalPathSequence": {
        "ObjectiveLensPower": None,
        "ObjectiveLensNumericalAperture": None,
        "IlluminationWaveLength": None,
        "IlluminationTypeCodeSequence": {},
        "IlluminationColorCodeSequence": {},
    },
}  # fmt: skip
_SPARSE: Allowed = {"PerFrameFunctionalGroupsSequence": {"PlanePositionSlideSequence": _PLACE}}
_CLOSED = {
    "DimensionOrganizationType": frozenset({"TILED_FULL", "TILED_SPARSE"}),
    "VolumetricProperties": frozenset({"VOLUME"}),
    "FocusMethod": frozenset({"AUTO", "MANUAL"}),
    "ExtendedDepthOfField": frozenset({"YES", "NO"}),
    "LossyImageCompressionMethod": frozenset({"ISO_10918_1", "ISO_15444_1", "ISO_15444_15"}),
}
_UIDS = ("ConcatenationUID", "SOPInstanceUIDOfConcatenationSource", "PyramidUID")
_LAYOUT = (
    "SamplesPerPixel", "PhotometricInterpretation", "NumberOfFrames", "Rows", "Columns",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
)  # fmt: skip


def slide_headers(
    source: Dataset, request: ReadRequest, uids: CaseUids
) -> tuple[Dataset, dict[str, int]]:
    """Return the headers of one instance without its pixels, and what was done, counted.

    Raises:
        UnreadableFileError: too many frames say one by one where they lie.
    """
    kept, actions = kept_headers(source, request.deidentification, request.keys)
    cleaner = cleaner_of(source, request.keys)
    is_sparse = source.get("DimensionOrganizationType") != "TILED_FULL"
    if is_sparse and len(source.get("PerFrameFunctionalGroupsSequence") or ()) > MOST_PLACED:
        raise UnreadableFileError(
            "places over 100,000 frames one by one", "Export it as TILED_FULL."
        )
    allowed = {**_SLIDE, **_SPARSE} if is_sparse else _SLIDE
    kept.update(kept_items([source], allowed, cleaner)[0])
    for position, path in enumerate(kept.get("OpticalPathSequence", ()), start=1):
        path.OpticalPathIdentifier = str(position)
    for keyword, terms in _CLOSED.items():
        if source.get(keyword) in terms:
            setattr(kept, keyword, source[keyword].value)
    for keyword in _LAYOUT:
        if keyword in source:
            setattr(kept, keyword, source[keyword].value)
    kept.SpecimenLabelInImage = "NO"
    kept.ImageType = _image_type(source)
    actions["uid.replaced"] += uids.replace(kept, source)
    for keyword in _UIDS:
        if UID(str(source.get(keyword) or "")).is_valid:
            setattr(kept, keyword, uids.replaced(keyword, str(source[keyword].value)))
    organization = Dataset()
    organization.DimensionOrganizationUID = uids.replaced("DimensionOrganizationUID", "dimension")
    kept.DimensionOrganizationSequence = [organization]
    return kept, dict(actions)


def _image_type(source: Dataset) -> list[str]:
    """Return the four values that readers of slides compare with (PS3.3 C.8.12.4.1.1)."""
    first, resampled = (str(source.ImageType[at]) for at in (0, 3))
    if resampled == "RESAMPLED":
        return ["DERIVED", "PRIMARY", "VOLUME", "RESAMPLED"]
    return [first if first == "ORIGINAL" else "DERIVED", "PRIMARY", "VOLUME", "NONE"]
