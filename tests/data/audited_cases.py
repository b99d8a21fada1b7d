"""Cases as the ingest hands them to the leak audit, with traces as a test plants them."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from proctor_workers.hidden_data.blocks import Case, StoredFile
from proctor_workers.hidden_data.ingested import IngestedCase
from proctor_workers.hidden_data.rows import Row

PIXEL_BYTES = 2 * 64 * 64
HEADER_BYTES = 1200

Planted = Callable[[int, np.random.Generator], Mapping[str, Any]]


def audited_case(
    number: int,
    *,
    patient: int | None = None,
    reference: str | None = "0",
    artefacts: Mapping[str, Any] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> IngestedCase:
    """Return one case of one picture, alike in everything that is not asked for."""
    who = number if patient is None else patient
    row = Row(
        number=number,
        case=f"case-{number:05d}",
        patient=f"patient-{who:05d}",
        site="1",
        imaging_study="",
        reference_value=reference,
        reference_status="verified" if reference is not None else "missing",
        reference_method="",
        reference_outputs=None,
        reference_file=None,
        raters={},
        sampling_stratum="",
        sampling_weight=1.0,
        partition="confirmatory",
        files=(f"images/{number:05d}.dcm",),
        series=(),
        attributes={},
        inputs={},
    )
    file = StoredFile(
        name="0.dcm",
        role="image",
        sha256="0" * 64,
        size=PIXEL_BYTES + HEADER_BYTES,
        decoded_pixel_sha256="",
        perceptual_hash="",
        original_uid="",
        source_sha256="",
    )
    case = Case(
        id="cas_" + _name(f"case {number}"),
        patient="pat_" + _name(f"patient {who}"),
        imaging_study="img_" + _name(f"study {number}"),
        row=row,
        files=(file,),
    )
    seen = {"rows": 64.0, "columns": 64.0, "modality": "CT", **(facts or {})}
    return IngestedCase(case=case, artefacts=artefacts or {}, facts=seen)


def with_file(case: IngestedCase, **changed: Any) -> IngestedCase:
    """Return the case with its canonical file changed."""
    files = tuple(replace(file, **changed) for file in case.case.files)
    return replace(case, case=replace(case.case, files=files))


def cohort(patients: int, *, seed: int = 1, planted: Planted | None = None) -> list[IngestedCase]:
    """Return a cohort of one case a patient, 2 in 5 with the disease, and noise for traces.

    `planted` says, for a case with or without the disease, which artefacts it has besides.
    """
    draw = np.random.Generator(np.random.Philox(seed))
    cases = []
    for number in range(patients):
        sick = int(number % 5 < 2)
        noise = {
            "jpeg_blockiness": float(draw.normal(1, 0.05)),
            "padding_value": ["", "0", "-2000"][draw.integers(3)],
            "value_step": float(draw.choice([1, 16])),
        }
        artefacts = noise | dict(planted(sick, draw) if planted else {})
        cases.append(audited_case(number, reference=str(sick), artefacts=artefacts))
    return cases


def _name(text: str) -> str:
    return (
        base64.b32encode(hashlib.sha256(text.encode()).digest()[:16]).decode().rstrip("=").lower()
    )
