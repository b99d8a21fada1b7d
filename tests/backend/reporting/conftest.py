import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from material import VENDOR
from material import material as build_material

from proctor_backend.reporting import (
    EDITIONS,
    assemble_body,
    cut_edition,
    join_annex,
    new_salts,
)
from proctor_backend.reporting.render import render_edition

APPROVAL = {
    "person_name": "R. Viewer",
    "role": "reviewer",
    "meaning": "I reviewed these results and approve them",
    "at": "2026-11-21T08:20:00.000Z",
}


@pytest.fixture(scope="session")
def made() -> SimpleNamespace:
    material = build_material()
    salts = new_salts(material)
    body = assemble_body(material, salts=salts)
    model = {
        "vendor": VENDOR,
        "name": "MortaRisk",
        "version": "2.1",
        "description": '#panic("x") *a*',
    }
    annex = join_annex(model, {"limitations": "Not for <b>children</b> \u0001."})
    cut: dict[str, dict[str, Any]] = {
        edition: cut_edition(body, annex, salts, edition, approvals=[APPROVAL])
        for edition in EDITIONS
    }
    return SimpleNamespace(material=material, salts=salts, body=body, annex=annex, editions=cut)


@pytest.fixture(scope="session")
def rendered(made: SimpleNamespace) -> dict[str, dict[str, bytes]]:
    return {edition: render_edition(document) for edition, document in made.editions.items()}
