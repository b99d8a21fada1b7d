"""A plan is right as a whole or refused with the line, the field and the cure of each mistake."""

from pathlib import Path

import pytest

from proctor_backend.domain.errors import InvalidInputError
from proctor_workers.hidden_data.deidentify.profile import BurnedIn, Option
from proctor_workers.hidden_data.ingest.plan_file import read_plan, settings_of
from proctor_workers.hidden_data.ingest.plan_reference import reference_page

WHOLE = """\
plan: 1
name: Emergency radiographs 2024
cases: cases.csv
sources:
  - folder: images
out: prepared
deidentify:
  options: [retain_patient_characteristics]
  headers: [KVP]
  burned_in: quarantine
canonical: {volumes: nifti}
reference_labels: {"1": tumour}
overrides:
  - finding: leak.artefact:padding_value
    reason: The scanner of one site pads with zeros; both classes come from it.
"""


def plan(folder: Path, text: str) -> Path:
    path = folder / "plan.yaml"
    path.write_text(text, "utf-8")
    return path


def test_places_are_relative_to_the_plan_and_settings_are_taken(tmp_path: Path) -> None:
    (tmp_path / "images" / "p1").mkdir(parents=True)
    (tmp_path / "images" / "p1" / "1.dcm").write_bytes(b"x")

    found = read_plan(plan(tmp_path, WHOLE))

    assert found.table == tmp_path / "cases.csv"
    assert found.out == tmp_path / "prepared"
    assert set(found.source.stamps()) == {"p1/1.dcm"}
    chosen = found.plan.deidentification
    assert chosen.options == {Option.RETAIN_PATIENT_CHARACTERISTICS}
    assert chosen.burned_in is BurnedIn.QUARANTINE
    assert found.plan.form.volumes == "nifti"
    assert found.plan.overrides[0].finding == "leak.artefact:padding_value"


@pytest.mark.parametrize(
    ("line", "wrong", "told"),
    [
        ("  burned_in: quarantine", "  burned_in: quarantin", "Did you mean 'quarantine'?"),
        ("  headers: [KVP]", "  headers: [PatientName]", "PatientName cannot be granted."),
        ("  headers: [KVP]", "  private_tags: ['0018,10 ACME']", "This names no private element."),
        ("  - folder: images", "  - prefix: images", "A source is a folder or a bucket."),
        ("name: Emergency radiographs 2024", "nam: x", "Did you mean 'name'?"),
        ("out: prepared", "out: *prepared", "Aliases"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_its_cure(
    tmp_path: Path, line: str, wrong: str, told: str
) -> None:
    text = WHOLE.replace(line, wrong)
    number = next(n for n, one in enumerate(text.splitlines(), 1) if one == wrong)

    with pytest.raises(InvalidInputError) as refused:
        read_plan(plan(tmp_path, text))

    assert told in refused.value.message
    assert f"plan.yaml:{number}:" in refused.value.message


def test_two_sources_with_one_name_are_refused(tmp_path: Path) -> None:
    for folder in ("images", "more"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.dcm").write_bytes(b"x")
    text = WHOLE.replace("  - folder: images", "  - folder: images\n  - folder: more")

    with pytest.raises(InvalidInputError, match=r"1\.dcm"):
        read_plan(plan(tmp_path, text)).source.stamps()


def test_links_out_of_a_folder_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "secret.dcm").write_bytes(b"x")
    (tmp_path / "images" / "link.dcm").symlink_to(tmp_path / "secret.dcm")

    assert dict(read_plan(plan(tmp_path, WHOLE)).source.stamps()) == {}


def test_description_of_an_upload_settles_the_same_things() -> None:
    settled, problems = settings_of({"deidentify": {"faces": "remove"}, "scanner": "any text"})
    _, wrong = settings_of({"raters": {"x": "robot"}})

    assert str(settled.deidentification.faces) == "remove"
    assert problems == []
    assert [problem.field for problem in wrong] == ["raters.x"]


def test_reference_page_equals_the_schema() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "reference" / "ingest-plan.md"
    cure = "python -m proctor_workers.hidden_data.ingest.plan_reference"
    assert page.read_text("utf-8") == reference_page(), f"run: {cure} > {page}"
