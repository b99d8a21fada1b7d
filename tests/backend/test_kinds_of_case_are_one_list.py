"""Manifest, protocol and cohort speak of the same kinds of case."""

import json
from pathlib import Path

import proctor_backend.domain
from proctor_backend.domain.cohort import FORMS_OF_KIND, kinds_that_fit
from proctor_backend.domain.entry import manifest_problems
from proctor_sdk.manifest_schema import SCHEMA, Key, Table

PROTOCOL = {"task": "binary_classification", "endpoints": [], "input_profile": {"kind": "volume"}}


def entered(kind: str) -> list[str]:
    manifest = {"task": {"kind": "binary_classification"}, "inputs": {"kind": kind}}
    return [problem["field"] for problem in manifest_problems(manifest, PROTOCOL)]


def test_manifest_protocol_and_cohort_name_the_same_kinds() -> None:
    inputs = SCHEMA.keys["inputs"]
    assert isinstance(inputs, Table)
    kind = inputs.keys["kind"]
    assert isinstance(kind, Key)
    schema = json.loads(
        Path(proctor_backend.domain.__file__).with_name("protocol.schema.json").read_text()
    )
    of_protocol = schema["properties"]["input_profile"]["properties"]["kind"]["enum"]
    assert list(kind.choices) == of_protocol == list(FORMS_OF_KIND)


def test_a_manifest_of_the_protocols_kind_may_enter() -> None:
    assert entered("volume") == []


def test_a_manifest_of_another_kind_may_not_enter() -> None:
    assert entered("image") == ["inputs.kind"]


def test_dicom_files_can_be_slides_too() -> None:
    assert kinds_that_fit(["dcm"]) == ["dicom", "slide"]


def test_a_cohort_without_files_is_a_table() -> None:
    assert kinds_that_fit([]) == ["table"]
