"""Headers of canonical files: what options and grants let through, and how it is rewritten."""

from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from tests.data.deidentify_files import KEYS, NAME, image, nested

from proctor_workers.hidden_data.deidentify.headers import GRANTABLE, cleaner_of, kept_headers
from proctor_workers.hidden_data.deidentify.items import kept_items
from proctor_workers.hidden_data.deidentify.private import private_element
from proctor_workers.hidden_data.deidentify.profile import BurnedIn, Deidentification, Option
from proctor_workers.hidden_data.deidentify.uids import CaseUids
from proctor_workers.hidden_data.pseudonyms import Pseudonyms

TWO_STUDIES = {"StudyDate": "20200310", "StudyTime": "101500", "SeriesTime": "102000"}
SUV = (
    "Units", "DecayCorrection", "CorrectedImage", "PatientWeight", "SeriesTime", "AcquisitionTime",
    "RadiopharmaceuticalInformationSequence",
)  # fmt: skip


def kept(ds: Dataset, **settings: Any) -> Dataset:
    return kept_headers(ds, Deidentification(**settings), KEYS)[0]


def options(*chosen: Option) -> dict[str, Any]:
    return {"options": frozenset(chosen)}


def test_a_number_that_is_none_is_dropped_not_refused() -> None:
    ds = image()
    ds.add_new("SliceThickness", "DS", "1.5")
    ds["SliceThickness"]._value = "thick"
    assert "SliceThickness" not in kept(ds)


@pytest.mark.parametrize(
    ("age", "shown"), [("089Y", "089Y"), ("090Y", "090Y"), ("104Y", "090Y"), ("012M", "012M")]
)
def test_ages_above_89_are_pooled(age: str, shown: str) -> None:
    assert kept(image(PatientAge=age), headers=("PatientAge",)).PatientAge == shown


def test_an_age_that_a_file_lacks_is_told_from_its_dates() -> None:
    ds = image(PatientBirthDate="19600401", StudyDate="20200331")
    assert kept(ds, headers=("PatientAge",)).PatientAge == "059Y"


def test_patient_characteristics_are_kept_by_their_option() -> None:
    ds = image(PatientSex="F", PatientSize="1.7", PatientWeight="70", EthnicGroup="Hispanic",
               SmokingStatus="NO", PregnancyStatus=1)  # fmt: skip
    found = kept(ds, **options(Option.RETAIN_PATIENT_CHARACTERISTICS))
    assert (found.PatientSex, float(found.PatientSize), found.EthnicGroup) == ("F", 1.7, "Hispanic")
    assert (found.SmokingStatus, found.PregnancyStatus) == ("NO", 1)


def test_a_device_named_after_its_patient_is_not_kept() -> None:
    ds = image(PatientName="Doe^Jane", StationName="CT DOE", Manufacturer="Acme")
    found = kept(ds, **options(Option.RETAIN_DEVICE_IDENTITY))
    assert "StationName" not in found
    assert found.Manufacturer == "Acme"


def test_words_of_a_description_stay_and_names_in_it_go() -> None:
    ds = image(
        PatientName="Brown^Mary", ReferringPhysicianName="Osler^W",
        StudyDescription="CT chest W/O contrast BROWN, Dr. Osler 3 March 2020, Xanthippe",
    )  # fmt: skip
    text = kept(ds, **options(Option.CLEAN_DESCRIPTORS)).StudyDescription.lower()
    assert "ct chest w/o contrast" in text
    assert not any(word in text for word in ("brown", "osler", "march", "2020", "xanthippe"))


def test_a_description_of_nothing_but_a_name_is_dropped() -> None:
    ds = image(SeriesDescription="Xanthippe")
    assert "SeriesDescription" not in kept(ds, **options(Option.CLEAN_DESCRIPTORS))


def test_dates_move_together_and_intervals_stay() -> None:
    first = kept(image(**TWO_STUDIES), **options(Option.RETAIN_LONGITUDINAL))
    later = kept(image(**TWO_STUDIES | {"StudyDate": "20200420"}),
                 **options(Option.RETAIN_LONGITUDINAL))  # fmt: skip
    days = [pydicom.valuerep.DA(ds.StudyDate) for ds in (first, later)]
    assert (days[1] - days[0]).days == 41
    assert days[0] != pydicom.valuerep.DA("20200310")


def test_time_of_day_is_told_on_a_clock_that_starts_at_noon() -> None:
    found = kept(image(**TWO_STUDIES), **options(Option.RETAIN_LONGITUDINAL))
    assert (found.StudyTime, found.SeriesTime) == ("120000", "120500")


def test_an_acquisition_after_midnight_falls_on_the_same_shifted_day_as_its_interval_says() -> None:
    ds = image(StudyDate="20200310", StudyTime="235000", AcquisitionDate="20200311",
               AcquisitionTime="001000")  # fmt: skip
    found = kept(ds, **options(Option.RETAIN_LONGITUDINAL))
    assert found.AcquisitionDate == found.StudyDate
    assert found.AcquisitionTime == "122000"


def test_a_patients_files_share_the_shift_and_anothers_do_not() -> None:
    other = Pseudonyms(bytes(32), "coh").patient_keys("P002")
    profile = Deidentification(options=frozenset({Option.RETAIN_LONGITUDINAL}))
    dates = {kept_headers(image(**TWO_STUDIES), profile, keys)[0].StudyDate
             for keys in (KEYS, KEYS, other)}  # fmt: skip
    assert len(dates) == 2


def test_no_date_is_kept_without_its_option() -> None:
    found = kept(image(**TWO_STUDIES, AcquisitionDateTime="20200310101500.5+0100"))
    assert found.StudyDate == ""
    assert "AcquisitionDateTime" not in found
    assert found.LongitudinalTemporalInformationModified == "REMOVED"


def pet() -> Dataset:
    dose = Dataset()
    dose.RadiopharmaceuticalStartTime, dose.RadionuclideTotalDose = "091500.00", "370000000"
    dose.RadionuclideHalfLife, dose.Radiopharmaceutical = "6586.2", f"FDG {NAME}"
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "C-111A1", "SRT", NAME
    dose.RadionuclideCodeSequence = Sequence([code])
    return image(
        PatientName=NAME, PatientWeight="71.5", Units="BQML", DecayCorrection="START",
        CorrectedImage=["DECY", "ATTN"], StudyTime="090000", SeriesTime="101500",
        AcquisitionTime="101730", RadiopharmaceuticalInformationSequence=Sequence([dose]),
    )  # fmt: skip


def seconds(time: str) -> float:
    return int(time[:2]) * 3600 + int(time[2:4]) * 60 + float(time[4:])


def test_a_standardised_uptake_value_can_be_computed_from_what_is_granted() -> None:
    found = kept(pet(), headers=SUV)
    (dose,) = found.RadiopharmaceuticalInformationSequence
    waited = seconds(found.SeriesTime) - seconds(dose.RadiopharmaceuticalStartTime)
    assert waited == 3600
    decayed = float(dose.RadionuclideTotalDose) * 2 ** (-waited / float(dose.RadionuclideHalfLife))
    assert decayed / float(found.PatientWeight) == pytest.approx(3543.3e3, rel=1e-3)
    assert found.SeriesTime == "131500"
    assert found.StudyTime == ""


def test_a_code_is_kept_in_its_published_words_only() -> None:
    (dose,) = kept(pet(), headers=SUV).RadiopharmaceuticalInformationSequence
    (code,) = dose.RadionuclideCodeSequence
    assert (code.CodeValue, code.CodingSchemeDesignator) == ("77004003", "SCT")
    assert NAME not in code.CodeMeaning
    assert "Radiopharmaceutical" not in dose


def test_sequences_keep_what_is_allowed_and_nothing_deeper() -> None:
    item = Dataset()
    item.PixelMeasuresSequence = nested()
    item.PixelMeasuresSequence[0].PixelSpacing = [0.5, 0.5]
    item.PatientName = NAME
    (found,) = kept_items([item], {"PixelMeasuresSequence": {"PixelSpacing": None}})
    assert [e.keyword for e in found.PixelMeasuresSequence[0]] == ["PixelSpacing"]
    assert NAME not in str(found)


def test_dates_in_sequences_need_the_files_own_clock() -> None:
    item = Dataset()
    item.FrameAcquisitionDateTime = "20200310102000"
    allowed = {"FrameAcquisitionDateTime": None}
    assert len(kept_items([item], allowed)[0]) == 0
    (found,) = kept_items([item], allowed, cleaner_of(image(**TWO_STUDIES), KEYS))
    assert found.FrameAcquisitionDateTime.endswith("120500")


def private() -> Dataset:
    ds = image(PatientName="Doe^Jane")
    block = ds.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    block.add_new(0x0C, "IS", "1000")
    block.add_new(0x0D, "CS", "DOE")
    block.add_new(0x0E, "LO", "free words")
    block.add_new(0x0F, "OB", b"anything")
    other = ds.private_block(0x0019, "SOMEBODY ELSE", create=True)
    other.add_new(0x0C, "IS", "7")
    return ds


def test_private_elements_go_unless_named() -> None:
    found, actions = kept_headers(private(), Deidentification(), KEYS)
    assert not any(element.tag.is_private for element in found)
    assert actions["private.removed"] == 5


def test_a_named_private_element_keeps_a_number_and_its_creator() -> None:
    found = kept(private(), private_tags=("0019,0C SIEMENS MR HEADER",))
    assert found.private_block(0x0019, "SIEMENS MR HEADER")[0x0C].value == 1000
    assert len([element for element in found if element.tag.is_private]) == 2


@pytest.mark.parametrize("element", ["0D", "0E", "0F"])
def test_a_named_private_element_with_a_name_words_or_bytes_goes(element: str) -> None:
    found = kept(private(), private_tags=(f"0019,{element} SIEMENS MR HEADER",))
    assert not any(one.tag.is_private for one in found)


@pytest.mark.parametrize("named", ["0018,0C X", "0019,0C", "19,0C X", "0019,100C X"])
def test_a_private_tag_is_written_with_an_odd_group_and_a_creator(named: str) -> None:
    with pytest.raises(ValueError, match="GGGG,EE CREATOR"):
        private_element(named)


def test_structured_content_keeps_measurements_and_drops_persons() -> None:
    number, person, text = Dataset(), Dataset(), Dataset()
    number.ValueType, number.RelationshipType = "NUM", "CONTAINS"
    measured = Dataset()
    measured.NumericValue = "12.5"
    number.MeasuredValueSequence = Sequence([measured])
    person.ValueType, person.PersonName = "PNAME", NAME
    text.ValueType, text.TextValue = "TEXT", f"nodule seen by Dr. {NAME.title()}"
    ds = image(ContentSequence=Sequence([number, person, text]))
    found = kept(ds, **options(Option.CLEAN_STRUCTURED_CONTENT)).ContentSequence
    assert [item.ValueType for item in found] == ["NUM", "TEXT"]
    assert found[0].MeasuredValueSequence[0].NumericValue == 12.5
    assert found[1].TextValue == "nodule ***"


def test_drawings_are_kept_without_their_words() -> None:
    drawn, words = Dataset(), Dataset()
    drawn.GraphicType, drawn.GraphicData, drawn.NumberOfGraphicPoints = "POINT", [1.0, 2.0], 1
    words.UnformattedTextValue = NAME
    annotation = Dataset()
    annotation.GraphicObjectSequence = Sequence([drawn])
    annotation.TextObjectSequence = Sequence([words])
    ds = image(GraphicAnnotationSequence=Sequence([annotation]))
    (found,) = kept(ds, **options(Option.CLEAN_GRAPHICS)).GraphicAnnotationSequence
    assert list(found.GraphicObjectSequence[0].GraphicData) == [1.0, 2.0]
    assert "TextObjectSequence" not in found


def test_a_file_says_of_itself_how_it_was_made_safe() -> None:
    found = kept(image(), burned_in=BurnedIn.QUARANTINE, **options(Option.CLEAN_DESCRIPTORS))
    assert found.PatientIdentityRemoved == "YES"
    codes = [item.CodeValue for item in found.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113101", "113105"]
    assert found.BurnedInAnnotation == "NO"


def test_what_was_done_is_counted() -> None:
    ds = image(("PatientName", "StudyDate", "InstitutionName"))
    _, actions = kept_headers(ds, Deidentification(), KEYS)
    assert actions["header.removed"] == 3


def test_uids_are_ordinals_unless_studies_of_a_patient_are_to_relate() -> None:
    plain = CaseUids(Deidentification(), KEYS)
    assert [plain.replaced("SOPInstanceUID", u) for u in ("1.2", "1.3", "1.2")] == [
        "2.25.1", "2.25.2", "2.25.1",
    ]  # fmt: skip
    profile = Deidentification(options=frozenset({Option.RETAIN_LONGITUDINAL}))
    study = [CaseUids(profile, KEYS).replaced("StudyInstanceUID", "1.2") for _ in range(2)]
    assert study[0] == study[1] == KEYS.replaced_uid("1.2")


def test_everything_grantable_is_an_attribute_of_the_standard() -> None:
    assert all(pydicom.datadict.tag_for_keyword(keyword) for keyword in GRANTABLE)


def test_warnings_of_foreign_bytes_do_not_escape() -> None:
    ds = image()
    ds.add_new("ImageComments", "LT", "x")
    ds["ImageComments"]._value = b"\xff\xfe\xfd"
    ds.SpecificCharacterSet = "ISO_IR 9999"
    kept(ds, **options(Option.CLEAN_DESCRIPTORS))
