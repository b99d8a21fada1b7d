"""A vendor's command, the API and the ingest worker: a comparison from end to end."""

import numpy as np
from PIL import Image
from tests.flow.lab import Lab, rows, wait


def test_a_vendors_training_images_are_compared_and_forgotten(lab: Lab, public_cohort) -> None:
    study = lab.study(lab.cohort(rows(40)), public_cohort)
    folder = lab.folder / "training"
    folder.mkdir()
    draw = np.random.default_rng(1)
    for number in range(3):
        pixels = draw.integers(0, 255, (64, 64), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    patients = lab.folder / "patients.csv"
    patients.write_text("patient\n" + "".join(f"p{number}\n" for number in range(25)))
    vendor, partner = lab["vendor_developer"], lab["data_partner"]
    path = f"/studies/{study}/fingerprints"

    done = vendor.cli(
        "fingerprint", str(folder), "--patients", str(patients),
        "--out", str(lab.folder / "made.jsonl"), "--study", study,
    )  # fmt: skip
    comparison = done.stdout.split()[-1]
    seen = wait(lambda: vendor.get(path)["comparisons"][0], {"COMPARED", "REFUSED"})
    [known] = partner.get(path)["comparisons"]

    assert seen.keys() == {"id", "state", "created_at"}
    assert (seen["id"], seen["state"]) == (comparison, "COMPARED")
    assert known["told"] == {"any_way": 25, "alike": None, "identical": None}
    left = lab.stack.home.buckets / "quarantine" / "comparisons"
    assert not [file for file in left.rglob("*") if file.is_file()]
