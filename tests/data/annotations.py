"""A real CT series of five slices, and annotations of it as other programs export them."""

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from proctor_workers.hidden_data.case_files import Grid, Refusal, SourceFile
from proctor_workers.hidden_data.findings import Finding
from proctor_workers.hidden_data.reference_objects import reference_outputs

TEST_FILES = Path(pydicom.__file__).parent / "data" / "test_files"
SERIES = TEST_FILES / "dicomdirtests" / "98892001" / "CT5N"
RTSTRUCT = "1.2.840.10008.5.1.4.1.1.481.3"
MANUAL = hd.seg.SegmentAlgorithmTypeValues.MANUAL
CHEST_CAD = "1.2.840.10008.5.1.4.1.1.88.65"
MAKER = {
    "series_instance_uid": generate_uid(),
    "series_number": 9,
    "sop_instance_uid": generate_uid(),
    "instance_number": 1,
    "manufacturer": "maker",
}


def series() -> list[Dataset]:
    """Five axial slices of 16 × 16 pixels, 2.5 mm apart, from the feet up."""
    found = [pydicom.dcmread(path) for path in SERIES.iterdir()]
    return sorted(found, key=lambda one: float(one.ImagePositionPatient[2]))


def grid_of(slices: Sequence[Dataset], **changes: Any) -> Grid:
    """The grid of slices that are axial and evenly apart."""
    first, last = slices[0], slices[-1]
    down, across = map(float, first.PixelSpacing)
    position = np.array(first.ImagePositionPatient, dtype=float)
    through = (np.array(last.ImagePositionPatient, dtype=float) - position) / (len(slices) - 1)
    affine = np.eye(4)
    affine[:3] = np.column_stack([through, [0, down, 0], [across, 0, 0], position])
    return Grid(
        **{
            "size": (len(slices), first.Rows, first.Columns),
            "spacing": (float(np.linalg.norm(through)), down, across),
            "affine": tuple(map(tuple, affine.tolist())),
            "frame_of_reference": str(first.FrameOfReferenceUID),
            "instances": tuple(str(one.SOPInstanceUID) for one in slices),
        }
        | changes
    )


def segmentation(
    slices: Sequence[Dataset], masks: Mapping[str, np.ndarray], kind: str = "BINARY", **options: Any
) -> Dataset:
    """A segmentation by highdicom: one segment for each mask (slices, rows, columns)."""
    segments = [
        hd.seg.SegmentDescription(
            number,
            label,
            codes.SCT.Organ,
            codes.SCT.Liver,
            hd.seg.SegmentAlgorithmTypeValues.MANUAL,
        )
        for number, label in enumerate(masks, start=1)
    ]
    pixels = np.stack(list(masks.values()), axis=-1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return hd.seg.Segmentation(
            list(slices),
            pixels,
            hd.seg.SegmentationTypeValues[kind],
            segments,
            manufacturer_model_name="model",
            software_versions="1",
            device_serial_number="1",
            **MAKER,
            **options,
        )


def structure_set(
    structures: Mapping[str, Sequence[Any]], *, frame: str = "", kind: str = "CLOSED_PLANAR"
) -> Dataset:
    """A structure set of contours, each a list of (x, y, z) in mm."""
    made = blank(RTSTRUCT)
    made.StructureSetROISequence, made.ROIContourSequence = [], []
    for number, (name, contours) in enumerate(structures.items(), start=1):
        roi, drawn = Dataset(), Dataset()
        roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID = number, name, frame
        drawn.ReferencedROINumber, drawn.ContourSequence = number, []
        for points in contours:
            contour = Dataset()
            contour.ContourGeometricType = kind
            contour.NumberOfContourPoints = len(points)
            contour.ContourData = [f"{value:.6f}" for point in points for value in point]
            drawn.ContourSequence.append(contour)
        made.StructureSetROISequence.append(roi)
        made.ROIContourSequence.append(drawn)
    return made


def blank(sop_class: str) -> FileDataset:
    """A DICOM object of a class, without content."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, generate_uid()
    made = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    made.SOPClassUID, made.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    return made


def measurement_report(slices: Sequence[Dataset], groups: Sequence[Any], **content: Any) -> Dataset:
    """A measurement report (TID 1500) by highdicom."""
    observer = hd.sr.ObserverContext(
        observer_type=codes.DCM.Person,
        observer_identifying_attributes=hd.sr.PersonObserverIdentifyingAttributes(name="A^B"),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = hd.sr.MeasurementReport(
            observation_context=hd.sr.ObservationContext(observer_person_context=observer),
            procedure_reported=codes.LN.CTUnspecifiedBodyRegion,
            imaging_measurements=list(groups),
            title=codes.DCM.ImagingMeasurementReport,
            **content,
        )
        return hd.sr.Comprehensive3DSR(evidence=list(slices), content=report[0], **MAKER)


def planar_group(region: Any, finding: Code | None = None, **content: Any) -> Any:
    """A group of measurements of one region in one slice (TID 1410)."""
    return hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid=generate_uid(), identifier="one"),
        referenced_region=region,
        finding_type=finding,
        **content,
    )


def region(kind: str, points: Any, slice_: Dataset) -> Any:
    """A region drawn on a slice, in columns and rows."""
    return hd.sr.ImageRegion(
        graphic_type=hd.sr.GraphicTypeValues[kind],
        graphic_data=np.array(points, dtype=float),
        source_image=hd.sr.SourceImageForRegion.from_source_image(slice_),
    )


def item(kind: str, concept: tuple[str, str], **content: Any) -> Dataset:
    """A content item of a report that no library writes."""
    made = Dataset()
    made.ValueType, made.RelationshipType = kind, "CONTAINS"
    made.ConceptNameCodeSequence = [coded(*concept)]
    for keyword, value in content.items():
        setattr(made, keyword, value)
    return made


def coded(value: str, meaning: str) -> Dataset:
    made = Dataset()
    made.CodeValue, made.CodingSchemeDesignator, made.CodeMeaning = value, "DCM", meaning
    return made


def read(
    made: Dataset | bytes | Path,
    folder: Path,
    grid: Grid | None,
    labels: Mapping[str, str] | None = None,
    name: str = "truth",
) -> tuple[Any, dict[str, Finding]]:
    """The outputs of a reference object (a refusal as it is), and its findings by code."""
    path = folder / name
    if isinstance(made, Path):
        path = made
    elif isinstance(made, bytes):
        path.write_bytes(made)
    else:
        made.save_as(path, enforce_file_format=True)
    source = SourceFile(name=name, path=path)
    outputs, findings = reference_outputs(source, labels=labels or {}, grid=grid)
    kept = outputs if isinstance(outputs, Refusal) else json.loads(outputs)
    return kept, {finding.code: finding for finding in findings}


def pixels_of(outputs: Mapping[str, Any], name: str) -> np.ndarray:
    """The pixels of a structure, from its runs."""
    mask = outputs["mask"]
    flat = np.zeros(int(np.prod(mask["size"])), dtype=bool)
    runs = mask["labels"][name]
    for start, length in zip(runs[::2], runs[1::2], strict=True):
        flat[start : start + length] = True
    return flat.reshape(mask["size"])
