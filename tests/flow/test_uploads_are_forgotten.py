"""An upload names patients: it is gone after ingest, and no later version needs it."""

from pathlib import Path

import numpy as np
from PIL import Image
from tests.flow.lab import Lab, wait

from proctor_backend.domain.keys import upload_prefix
from proctor_backend.objects import ObjectStore


def test_a_further_version_keeps_the_files_of_rows_that_name_none(lab: Lab, tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    cases = []
    for number in range(6):
        pixels = draw.integers(0, 255, (24, 20), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        cases.append(
            {
                "case": f"c{number}",
                "patient": f"p{number}",
                "reference_value": number % 2,
                "files": f"{number}.png",
            }
        )
    first = lab.cohort(cases, files=tmp_path)
    store = ObjectStore.connect(lab.stack.settings("ingest"))

    assert list(store.list("quarantine", upload_prefix(first))) == []

    cases = [one | {"files": "", "reference_value": 1} for one in cases[:3]] + [
        one | {"files": ""} for one in cases[3:]
    ]
    words = ("cohort", "version", first, str(lab.table(cases)))
    second = lab["data_partner"].cli(*words).stdout.split()[-1]
    ended = {"READY", "HELD", "REJECTED"}
    view = wait(lambda: lab["data_partner"].get(f"/cohorts/{second}"), ended)

    found = lab["data_partner"].get(f"/cohorts/{second}/compare?with={first}")
    assert view["state"] == "READY", view
    assert found["counts"]["files"] == 0
    assert found["counts"]["reference"] == 2
