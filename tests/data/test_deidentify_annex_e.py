"""No attribute that the Basic Profile removes or replaces survives, unless its option is set."""

from pathlib import Path

import pydicom
import pytest
from pydicom.datadict import dictionary_VR
from tests.data.annex_e_table import REMOVED, REPLACED
from tests.data.deidentify_files import NAME, all_bytes, image, request, stands_in, written

from proctor_workers.hidden_data.deidentify.annex_e import ATTRIBUTES, CODES, keywords_of
from proctor_workers.hidden_data.deidentify.headers import EMPTY, GRANTABLE
from proctor_workers.hidden_data.deidentify.profile import Deidentification, Option
from proctor_workers.hidden_data.formats.registry import read_case

OURS = {"SOPClassUID", "DeidentificationMethodCodeSequence"}  # registered, and made by us
# Attributes of each VR that tell time, a person, an identity or free words, by their VR alone.
TELLING_VRS = ("DA", "TM", "DT", "PN", "UI", "LT", "ST", "UT", "UC", "UR", "AE")


def read_back(tmp_path: Path, deidentification: Deidentification) -> pydicom.Dataset:
    path = written(image((*REMOVED, *REPLACED), PatientID="47110815"), tmp_path / "planted.dcm")
    content = read_case(request(tmp_path, path, deidentification=deidentification))
    return pydicom.dcmread(content.files[0].path)


def test_nothing_that_the_basic_profile_removes_is_kept_by_default(tmp_path: Path) -> None:
    kept = read_back(tmp_path, Deidentification())
    told = [k for k in REMOVED if k in kept and not (k in EMPTY and not kept[k].value)]
    assert told == []


def test_uids_that_the_basic_profile_replaces_are_replaced(tmp_path: Path) -> None:
    kept = read_back(tmp_path, Deidentification())
    found = {k: str(kept[k].value) for k in REPLACED if k in kept}
    assert set(found) == {
        "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID",
    }  # fmt: skip
    assert all(uid.startswith("2.25.") for uid in found.values())


def test_no_value_of_a_telling_kind_is_kept_whatever_edition_lists_it(tmp_path: Path) -> None:
    every = [k for k in pydicom.datadict.keyword_dict if k and dictionary_VR(k) in TELLING_VRS]
    every = [k for k in every if pydicom.datadict.tag_for_keyword(k) > 0x00080000]
    path = written(image(every), tmp_path / "planted.dcm")
    content = read_case(request(tmp_path, path))
    kept = pydicom.dcmread(content.files[0].path)
    told = [
        e.keyword for e in kept
        if e.VR in TELLING_VRS and e.value and e.keyword not in OURS
        and not str(e.value).startswith("2.25.")
    ]  # fmt: skip
    assert told == []


@pytest.mark.parametrize("option", list(Option))
def test_an_option_keeps_its_own_attributes_and_no_other(tmp_path: Path, option: Option) -> None:
    kept = read_back(tmp_path, Deidentification(options=frozenset({option})))
    others = set(REMOVED) - set(keywords_of(option)) - set(EMPTY)
    assert {k for k in others if k in kept} == set()
    assert not stands_in(NAME, all_bytes(tmp_path / "canonical"))


def test_everything_that_can_be_granted_at_once_still_does_not_name_the_patient(
    tmp_path: Path,
) -> None:
    every = Deidentification(options=frozenset(Option), headers=GRANTABLE)
    read_back(tmp_path, every)
    content = all_bytes(tmp_path / "canonical")
    assert not stands_in(NAME, content)
    assert b"19570321" not in content
    assert b"47110815" not in content


def test_rows_of_the_table_are_attributes_that_the_profile_touches() -> None:
    listed = {row.keyword for row in ATTRIBUTES if row.basic != "-"}
    assert listed <= set(REMOVED)
    assert {row.keyword for row in ATTRIBUTES if row.basic == "-"}.isdisjoint(REMOVED)


def test_options_are_coded_as_in_context_group_7050() -> None:
    meanings = pydicom.sr.codedict.codes.cid7050
    published = {getattr(meanings, name).value for name in meanings.dir()}
    assert {code for code, _ in CODES.values()} <= published
