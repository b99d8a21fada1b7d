"""Slices are put in order by where they lie, and whatever is wrong with that is told."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from tests.data.dicom_cases import (
    AXIAL,
    CT,
    ENHANCED_CT,
    codes,
    ct_slice,
    dicom,
    gradient,
    image,
    read,
    written,
)

from proctor_workers.hidden_data.findings import Severity
from proctor_workers.hidden_data.formats.series import Arrangement, Slice, arranged

SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)


def slices(heights: Sequence[float], **changes: Any) -> list[Slice]:
    return [one(n, (0.0, 0.0, z), **changes) for n, z in enumerate(heights)]


def one(number: int, position: tuple[float, ...] | None, **changes: Any) -> Slice:
    plain = Slice(
        uid=f"1.2.{number}",
        file=f"{number}.dcm",
        series="1.1",
        number=number,
        size=(4, 5),
        position=position,
        orientation=AXIAL,
        spacing=(0.5, 0.75),
        thickness=2.0,
    )
    return replace(plain, **changes)


def found(result: Arrangement) -> dict[str, Severity]:
    return {one.code.removeprefix("geometry."): one.severity for one in result.findings}


def test_slices_in_any_order_are_sorted_by_place() -> None:
    shuffled = slices([2.0 * n for n in range(20)])
    shuffled = [shuffled[7 * n % 20] for n in range(20)]

    result = arranged(shuffled)

    assert [shuffled[place].number for place in result.order] == list(range(20))
    assert result.findings == ()


def test_affine_maps_indices_to_the_patient() -> None:
    result = arranged([one(n, (-10.0, -20.0, 30.0 + 2.5 * n)) for n in range(4)])

    assert result.grid is not None
    assert result.grid.size == (4, 4, 5)
    assert result.grid.spacing == (2.5, 0.5, 0.75)
    place = np.array(result.grid.affine) @ [3, 2, 1, 1]  # slice 3, row 2, column 1
    assert place.tolist() == [-10 + 0.75, -20 + 1.0, 30 + 7.5, 1]
    assert result.grid.instances == tuple(f"1.2.{n}" for n in range(4))


@pytest.mark.parametrize(
    ("orientation", "plane"),
    [
        (AXIAL, "axial"),
        (CORONAL, "coronal"),
        (SAGITTAL, "sagittal"),
        ((0.8, 0.6, 0.0, 0.0, 0.0, -1.0), "oblique"),
    ],
)
def test_plane_is_named(orientation: tuple[float, ...], plane: str) -> None:
    assert arranged([one(1, (0.0, 0.0, 0.0), orientation=orientation)]).orientation == plane


def test_missing_slice_is_an_error_with_its_count() -> None:
    result = arranged(slices([0, 2, 4, 10, 12, 14]))

    (finding,) = result.findings
    assert (finding.code, finding.severity) == ("geometry.missing_slice", Severity.ERROR)
    assert finding.values == {"count": 2}
    assert result.grid is not None
    assert result.grid.affine is None


def test_gap_that_is_no_multiple_is_told() -> None:
    assert found(arranged(slices([0, 2, 4, 9.2, 11.2, 13.2]))) == {"gap": Severity.WARNING}


def test_slices_far_apart_for_their_thickness_are_noted() -> None:
    assert found(arranged(slices([0, 10, 20], thickness=1.0))) == {"gap": Severity.NOTE}


def test_uneven_distances_are_told_and_make_no_volume() -> None:
    result = arranged(slices([0, 2.0, 4.3, 6.0, 8.0]))

    assert found(result) == {"uneven_spacing": Severity.WARNING}
    assert result.grid is not None
    assert result.grid.affine is None


def test_positions_rounded_in_the_file_are_even() -> None:
    result = arranged(slices([round(0.625 * n, 1) for n in range(40)], thickness=0.6))

    assert result.findings == ()
    assert result.grid is not None
    assert result.grid.affine is not None


def test_instance_given_twice_is_an_error() -> None:
    doubled = slices([0, 2, 4])

    assert found(arranged([*doubled, doubled[1]]))["duplicate_slice"] is Severity.ERROR


def test_two_slices_at_one_place_are_an_error() -> None:
    assert found(arranged(slices([0, 2, 2, 4, 6]))) == {"duplicate_slice": Severity.ERROR}


def test_slices_of_several_times_are_no_duplicates() -> None:
    times = [
        one(10 * time + n, (0.0, 0.0, 2.0 * n), phase=(float(time),))
        for time in range(3)
        for n in range(4)
    ]

    result = arranged(times)

    assert found(result) == {"repeated_positions": Severity.NOTE}
    assert [times[place].number for place in result.order][:4] == [0, 10, 20, 1]


def test_time_that_lacks_a_slice_is_told() -> None:
    times = [
        one(10 * time + n, (0.0, 0.0, 2.0 * n), phase=(float(time),))
        for time in range(3)
        for n in range(4)
    ]

    assert found(arranged(times[:-1])) == {"missing_slice": Severity.ERROR}


def test_tilted_gantry_is_told_and_kept_as_shear() -> None:
    tilt = math.tan(math.radians(15))

    result = arranged([one(n, (0.0, 2.0 * n * tilt, 2.0 * n)) for n in range(5)])

    (finding,) = result.findings
    assert finding.code == "geometry.tilted_gantry"
    assert finding.values["degrees"] == pytest.approx(15)
    assert result.grid is not None
    assert np.array(result.grid.affine)[:3, 0].tolist() == pytest.approx([0, 2 * tilt, 2])


def test_localiser_of_another_direction_makes_no_volume() -> None:
    result = arranged([*slices([0, 2, 4]), one(9, (0.0, 0.0, 0.0), orientation=CORONAL)])

    assert found(result)["mixed_orientation"] is Severity.WARNING
    assert result.grid is not None
    assert result.grid.affine is None


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("mixed_size", {"size": (8, 8)}),
        ("mixed_spacing", {"spacing": (1.0, 1.0)}),
        ("mixed_frame_of_reference", {"frame_of_reference": "1.9"}),
        ("position_missing", {"position": None}),
    ],
)
def test_mixture_in_one_series_is_told(code: str, change: dict[str, Any]) -> None:
    odd = replace(one(9, (0.0, 0.0, 6.0)), **change)

    result = arranged([*slices([0, 2, 4]), odd])

    assert found(result)[code] is Severity.WARNING
    assert result.grid is None or result.grid.affine is None


def test_several_series_are_kept_together_each_in_order() -> None:
    first, second = slices([4, 2, 0]), slices([2, 0], series="1.2", spacing=(1.0, 1.0))

    result = arranged([*first, *second])

    assert result.order == (2, 1, 0, 4, 3)
    assert found(result) == {"several_series": Severity.NOTE}
    assert result.grid is None


@pytest.mark.parametrize(
    ("spacing", "severity"),
    [((0.0, 0.0), Severity.ERROR), ((-1.0, 1.0), Severity.ERROR), ((25.0, 25.0), Severity.WARNING)],
)
def test_implausible_spacing_is_told(spacing: tuple[float, float], severity: Severity) -> None:
    result = arranged([one(1, (0.0, 0.0, 0.0), spacing=spacing)])

    assert found(result) == {"implausible_spacing": severity}


@pytest.mark.parametrize(
    "orientation",
    [(0.0,) * 6, (1.0, 0.0, 0.0, 1.0, 0.0, 0.0), (2.0, 0.0, 0.0, 0.0, 2.0, 0.0), (1.0,),
     (math.inf,) * 6],
)  # fmt: skip
def test_directions_that_are_none_make_no_affine(orientation: tuple[float, ...]) -> None:
    result = arranged([one(n, (0.0, 0.0, float(n)), orientation=orientation) for n in range(3)])

    assert result.grid is not None
    assert result.grid.affine is None


def test_case_of_files_is_written_in_order_of_place(tmp_path: Path) -> None:
    heights = {5: 0.0, 3: 2.0, 9: 4.0}
    content = read(tmp_path, *(ct_slice(n, z) for n, z in sorted(heights.items())))

    assert [file.original_uid for file in content.files] == [f"1.2.3.3.{n}" for n in heights]
    assert [kept.InstanceNumber for kept in written(content)] == [1, 2, 3]
    assert content.grid is not None
    assert content.grid.instances == tuple(f"1.2.3.3.{n}" for n in heights)


def enhanced(heights: Sequence[float]) -> bytes:
    values = np.stack([gradient() + n for n in range(len(heights))])
    frames = []
    for number, z in enumerate(heights):
        place, content, frame = Dataset(), Dataset(), Dataset()
        place.ImagePositionPatient = [0, 0, z]
        content.DimensionIndexValues, content.FrameComments = [1, number + 1], "JANE DOE"
        content.FrameReferenceDateTime = "20260309101500"
        frame.PlanePositionSequence, frame.FrameContentSequence = [place], [content]
        frames.append(frame)
    plane, measures, window, shared = Dataset(), Dataset(), Dataset(), Dataset()
    plane.ImageOrientationPatient = list(AXIAL)
    measures.PixelSpacing, measures.SliceThickness = [0.5, 0.75], 2
    window.RescaleSlope, window.RescaleIntercept, window.RescaleType = 2, -1000, "HU"
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [plane], [measures]
    shared.PixelValueTransformationSequence = [window]
    shared.FrameAnatomySequence = [Dataset()]
    return dicom(
        image(
            values, SOPClassUID=ENHANCED_CT, Modality="CT", NumberOfFrames=len(heights),
            PerFrameFunctionalGroupsSequence=frames, SharedFunctionalGroupsSequence=[shared],
        )
    )  # fmt: skip


def test_enhanced_image_keeps_geometry_and_scale_of_its_frames_and_nothing_else(
    tmp_path: Path,
) -> None:
    content = read(tmp_path, enhanced([0, 2, 4]))

    (kept,) = written(content)
    shared = kept.SharedFunctionalGroupsSequence[0]
    assert {element.keyword for element in shared} == {
        "PlaneOrientationSequence", "PixelMeasuresSequence", "PixelValueTransformationSequence",
    }  # fmt: skip
    frame = kept.PerFrameFunctionalGroupsSequence[2]
    assert frame.PlanePositionSequence[0].ImagePositionPatient == [0, 0, 4]
    assert [element.keyword for element in frame.FrameContentSequence[0]] == [
        "DimensionIndexValues"
    ]
    assert content.grid is not None
    assert content.grid.size == (3, 24, 20)
    assert content.grid.spacing == (2.0, 0.5, 0.75)


def test_frames_are_kept_as_they_stand_and_the_grid_says_where(tmp_path: Path) -> None:
    content = read(tmp_path, enhanced([4, 2, 0]))

    assert content.grid is not None
    assert np.array(content.grid.affine)[:3, 0].tolist() == [0, 0, -2]
    assert np.array_equal(written(content)[0].pixel_array[1], gradient() + 1)


def test_frames_out_of_order_make_no_affine(tmp_path: Path) -> None:
    content = read(tmp_path, enhanced([0, 4, 2]))

    assert content.grid is not None
    assert content.grid.affine is None


def test_planes_of_a_dose_lie_where_its_offsets_say(tmp_path: Path) -> None:
    values = np.stack([gradient() + n for n in range(3)])
    dose = image(
        values, SOPClassUID="1.2.840.10008.5.1.4.1.1.481.2", Modality="RTDOSE",
        ImagePositionPatient=[0, 0, 10], ImageOrientationPatient=list(AXIAL),
        PixelSpacing=[2, 2], GridFrameOffsetVector=[0, 3, 6], DoseGridScaling="0.001",
    )  # fmt: skip

    content = read(tmp_path, dicom(dose))

    assert content.grid is not None
    assert content.grid.spacing == (3.0, 2.0, 2.0)
    assert written(content)[0].DoseGridScaling == 0.001


def test_pictures_without_a_place_make_no_noise(tmp_path: Path) -> None:
    assert codes(read(tmp_path, dicom(image()), dicom(image(SOPInstanceUID="1.2.9")))) == set()


def test_unplaced_ct_has_no_finding_of_geometry(tmp_path: Path) -> None:
    assert codes(read(tmp_path, dicom(image(SOPClassUID=CT)))) == set()
