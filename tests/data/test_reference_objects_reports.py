"""Structured reports become boxes, points, categories and values."""

from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from tests.data.annotations import (
    CHEST_CAD,
    TEST_FILES,
    blank,
    coded,
    grid_of,
    item,
    measurement_report,
    planar_group,
    read,
    region,
    series,
)

from proctor_workers.hidden_data.case_files import Grid, Refusal
from proctor_workers.hidden_data.findings import Severity

SLICES = series()
GRID = grid_of(SLICES)
FLAT = Grid(size=(16, 16), instances=(str(SLICES[0].SOPInstanceUID),))
NODULE = codes.SCT.Nodule
MALIGNANT, BENIGN = Code("21594007", "SCT", "Malignant"), Code("30807003", "SCT", "Benign")
LABELS = {"malignant": "1", "benign": "0"}


def report(*groups: Any, **content: Any) -> Dataset:
    return measurement_report(SLICES, groups, **content)


def evaluated(value: Code) -> Any:
    """A group that evaluates the case and draws nothing (TID 1501)."""
    return hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid=hd.UID(), identifier="all"),
        qualitative_evaluations=[
            hd.sr.QualitativeEvaluation(name=codes.DCM.LevelOfSignificance, value=value)
        ],
        finding_sites=[hd.sr.FindingSite(anatomic_location=codes.SCT.Lung)],
    )


@pytest.mark.parametrize(
    ("kind", "points", "box"),
    [
        ("POLYLINE", [(2, 3), (8, 3), (8, 9), (2, 3)], [2, 3, 8, 9]),
        ("CIRCLE", [(6, 7), (6, 10)], [3, 4, 9, 10]),
        ("ELLIPSE", [(2, 7), (10, 7), (6, 5), (6, 9)], [2, 5, 10, 9]),
        ("POLYLINE", [(2, 3), (8, 3)], [2, 2.5, 8, 3.5]),  # a diameter has no width
    ],
)
def test_a_region_of_a_measurement_group_becomes_a_box(
    tmp_path: Path, kind: str, points: Any, box: list[float]
) -> None:
    made = report(planar_group(region(kind, points, SLICES[3]), NODULE))

    outputs, findings = read(made, tmp_path, GRID)

    low, high = box[:2], box[2:]
    assert outputs == {"boxes": [{"box": [*low, 3, *high, 4], "category": "Nodule"}]}
    assert findings == {}


def test_a_turned_ellipse_is_enclosed_exactly(tmp_path: Path) -> None:
    long, short, angle = 5.0, 2.0, np.radians(30)
    centre = np.array([8.0, 8.0])
    axes = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    ends = [centre - long * axes[0], centre + long * axes[0],
            centre - short * axes[1], centre + short * axes[1]]  # fmt: skip
    around = np.linspace(0, 2 * np.pi, 20_000)[:, None]
    outline = centre + long * np.cos(around) * axes[0] + short * np.sin(around) * axes[1]

    outputs, _ = read(report(planar_group(region("ELLIPSE", ends, SLICES[0]))), tmp_path, GRID)

    expected = [*outline.min(axis=0), 0, *outline.max(axis=0), 1]
    assert outputs["boxes"][0]["box"] == pytest.approx(expected, abs=2e-3)


def test_regions_of_one_picture_are_flat(tmp_path: Path) -> None:
    made = report(planar_group(region("POLYLINE", [(2, 3), (8, 9)], SLICES[0]), NODULE))

    outputs, _ = read(made, tmp_path, FLAT, {"nodule": "lesion"})

    assert outputs == {"boxes": [{"box": [2, 3, 8, 9], "category": "lesion"}]}


def test_a_point_stays_a_point(tmp_path: Path) -> None:
    made = report(planar_group(region("POINT", [(4.5, 6.5)], SLICES[2]), NODULE))

    outputs, _ = read(made, tmp_path, GRID)

    assert outputs == {"points": [{"point": [4.5, 6.5, 2.5], "category": "Nodule"}]}


def test_regions_of_several_slices_are_one_box(tmp_path: Path) -> None:
    regions = [region("POLYLINE", [(x, 3), (x + 4, 9)], SLICES[x]) for x in (1, 2, 3)]
    group = hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid=hd.UID(), identifier="one"),
        referenced_regions=regions,
        finding_type=NODULE,
    )

    outputs, _ = read(report(group), tmp_path, GRID)

    assert outputs["boxes"] == [{"box": [1, 3, 1, 7, 9, 4], "category": "Nodule"}]


def test_regions_in_millimetres_are_placed_by_the_pictures(tmp_path: Path) -> None:
    indices = np.array([[2, 3, 4], [2, 3, 9], [2, 8, 9], [2, 8, 4], [2, 3, 4]])  # pixel centres
    points = (np.array(GRID.affine) @ np.column_stack([indices, np.ones(5)]).T).T[:, :3]
    drawn = hd.sr.ImageRegion3D(
        graphic_type=hd.sr.GraphicTypeValues3D.POLYGON,
        graphic_data=points,
        frame_of_reference_uid=GRID.frame_of_reference,
    )

    outputs, findings = read(report(planar_group(drawn, NODULE)), tmp_path, GRID)

    assert findings == {}
    assert outputs["boxes"][0]["box"] == pytest.approx([4.5, 3.5, 2, 9.5, 8.5, 3], abs=2e-3)


def test_measured_numbers_become_values_if_they_stand_once(tmp_path: Path) -> None:
    def measured(name: Any, value: float) -> Any:
        return hd.sr.Measurement(name=name, value=value, unit=codes.UCUM.Millimeter)

    groups = [
        planar_group(region("POINT", [(4, 6)], SLICES[2]), NODULE,
                     measurements=[measured(codes.SCT.Diameter, 7.5), *more])
        for more in ([measured(codes.SCT.Width, 2.25)], [])
    ]  # fmt: skip

    outputs, findings = read(report(*groups), tmp_path, GRID)

    assert outputs["value"] == {"Width": 2.25}
    assert findings["reference.ambiguous"].severity is Severity.WARNING


def test_an_evaluation_of_the_whole_report_is_the_category(tmp_path: Path) -> None:
    outputs, findings = read(report(evaluated(MALIGNANT)), tmp_path, GRID, LABELS)

    assert outputs == {"category": "1"}
    assert findings == {}


def test_evaluations_that_contradict_each_other_are_not_taken(tmp_path: Path) -> None:
    region_ = planar_group(region("POINT", [(4, 6)], SLICES[2]))
    made = report(region_, evaluated(MALIGNANT), evaluated(BENIGN))

    outputs, findings = read(made, tmp_path, GRID, LABELS)

    assert "category" not in outputs
    assert findings["reference.ambiguous"].severity is Severity.WARNING


def test_findings_that_the_plan_does_not_name_are_left_out(tmp_path: Path) -> None:
    made = report(planar_group(region("POINT", [(4, 6)], SLICES[2]), NODULE))

    outputs, findings = read(made, tmp_path, GRID, {"mass": "mass"})

    assert outputs == {"boxes": []}
    assert findings["reference.not_named"].severity is Severity.ERROR


def test_regions_of_other_pictures_are_told_and_left_out(tmp_path: Path) -> None:
    made = report(planar_group(region("POINT", [(4, 6)], SLICES[4]), NODULE))

    outputs, findings = read(made, tmp_path, grid_of(SLICES[:3]))

    assert outputs == {"boxes": []}
    assert findings["reference.outside"].severity is Severity.WARNING


def cad_report(*findings: Dataset) -> Dataset:
    """A chest CAD report; its image stands in a library that findings refer to."""
    made = blank(CHEST_CAD)
    image = item("IMAGE", ("111013", "Image"))
    reference = Dataset()
    reference.ReferencedSOPClassUID = SLICES[1].SOPClassUID
    reference.ReferencedSOPInstanceUID = SLICES[1].SOPInstanceUID
    image.ReferencedSOPSequence = [reference]
    library = item("CONTAINER", ("111028", "Image Library"), ContentSequence=[image])
    made.ValueType = "CONTAINER"
    made.ConceptNameCodeSequence = [coded("112000", "Chest CAD Report")]
    made.ContentSequence = [library, *findings]
    return made


def cad_finding(name: str, kind: str, points: list[float], **more: Any) -> Dataset:
    by_reference = Dataset()
    by_reference.RelationshipType = "SELECTED FROM"
    by_reference.ReferencedContentItemIdentifier = [1, 1, 1]
    drawn = item(
        "SCOORD", ("111041", "Outline"), GraphicType=kind, GraphicData=points,
        ContentSequence=[by_reference],
    )  # fmt: skip
    measured = Dataset()
    measured.NumericValue = more.get("certainty", 80)
    certainty = item("NUM", ("111012", "Certainty"), MeasuredValueSequence=[measured])
    shown = item("CODE", ("111056", "Rendering Intent"),
                 ConceptCodeSequence=[coded(more.get("intent", "111150"), "Intent")])  # fmt: skip
    return item(
        "CODE", ("111059", "Single Image Finding"), ConceptCodeSequence=[coded("112171", name)],
        ContentSequence=[shown, certainty, drawn],
    )  # fmt: skip


def test_findings_of_a_cad_report_are_boxes_with_their_certainty(tmp_path: Path) -> None:
    made = cad_report(
        cad_finding("Nodule", "POLYLINE", [2, 3, 8, 3, 8, 9]),
        cad_finding("Nodule", "POLYLINE", [1, 1, 4, 4], intent="111152"),  # not to be shown
        cad_finding("Nodule", "POINT", [5, 6], certainty=25),
    )

    outputs, findings = read(made, tmp_path, GRID)

    assert findings == {}
    assert outputs == {
        "boxes": [{"box": [2, 3, 1, 8, 9, 2], "category": "Nodule", "score": 0.8}],
        "points": [{"point": [5, 6, 1.5], "category": "Nodule", "score": 0.25}],
    }


def test_a_cad_report_without_findings_says_that_there_are_none(tmp_path: Path) -> None:
    outputs, findings = read(cad_report(), tmp_path, GRID)

    assert outputs == {"boxes": []}
    assert findings == {}


@pytest.mark.parametrize(
    "name", ["test-SR.dcm", "reportsi.dcm", "reportsi_with_empty_number_tags.dcm"]
)
def test_real_reports_of_text_are_refused(tmp_path: Path, name: str) -> None:
    refused, _ = read(TEST_FILES / name, tmp_path, GRID)

    assert isinstance(refused, Refusal)
    assert "report without regions" in refused.what


@pytest.mark.parametrize(
    ("sop_class", "what"),
    [
        ("1.2.840.10008.5.1.4.1.1.11.1", "presentation state"),
        ("1.2.840.10008.5.1.4.1.1.66.5", "surface segmentation"),
        ("1.2.840.10008.5.1.4.1.1.88.59", "key images"),
        ("1.2.840.10008.5.1.4.1.1.481.2", "dose"),
        ("1.2.840.10008.5.1.4.1.1.481.5", "plan"),
        ("1.2.840.10008.5.1.4.1.1.2", "CT Image"),
    ],
)
def test_other_objects_are_refused_by_name(tmp_path: Path, sop_class: str, what: str) -> None:
    refused, _ = read(blank(sop_class), tmp_path, GRID)

    assert isinstance(refused, Refusal)
    assert what in refused.what
    assert refused.cure


def test_annotations_of_a_case_without_one_grid_are_refused(tmp_path: Path) -> None:
    refused, _ = read(cad_report(), tmp_path, None)

    assert isinstance(refused, Refusal)
    assert "no one grid" in refused.what
