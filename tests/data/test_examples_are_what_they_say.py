"""The examples: what the generator plants is there, and the patients' split is nobody's choice."""

import csv
import hashlib
import math
import runpy
import statistics
import sys
from collections import Counter
from pathlib import Path

import pytest
from generate import SEPARATION, SITES, plan, write_cohort

from proctor_backend.services.protocols import check_protocol
from proctor_sdk.manifest import load_manifest

EXAMPLES = Path(__file__).resolve().parents[2] / "sdk" / "examples"
DROPPED = {"hospdead", "slos", "charges", "totcst", "totmcst", "avtisst", "sfdm2", "dnr", "dnrday",
           "surv2m", "surv6m", "prg2m", "prg6m", "sps", "aps", "adlp", "adls", "adlsc", "death",
           "d.time"}  # fmt: skip


@pytest.mark.parametrize("example", ["support2", "phantom"])
def test_manifest_and_protocol_are_valid_and_fit_each_other(example: str) -> None:
    manifest = load_manifest(EXAMPLES / example / "proctor.toml").as_dict()
    text = (EXAMPLES / example / "protocol.yaml").read_text()

    assert check_protocol(text) == []
    assert manifest["operating_points"][0]["id"] == "main"
    assert all(name in text for name in manifest["inputs"]["attributes"])


def test_phantoms_are_half_of_each_sex_and_half_positive() -> None:
    phantoms = plan(per_sex=600, seed=3)

    assert Counter((p.subject.sex, p.positive) for p in phantoms) == {
        ("M", True): 300, ("M", False): 300, ("F", True): 300, ("F", False): 300,
    }  # fmt: skip
    assert {p.subject.site for p in phantoms} == set(SITES)


@pytest.mark.parametrize("sex", ["M", "F"])
def test_planted_separation_is_the_one_announced(sex: str) -> None:
    scores = {
        positive: [
            p.score for p in plan(5000, 9) if p.subject.sex == sex and p.positive is positive
        ]
        for positive in (True, False)
    }

    found = statistics.fmean(scores[True]) - statistics.fmean(scores[False])
    assert found == pytest.approx(SEPARATION[sex], abs=4 * math.sqrt(2 / 2500))


def test_ethnic_groups_do_not_differ_by_construction() -> None:
    gaps: dict[str, list[float]] = {}
    for phantom in plan(5000, 9):
        centred = phantom.score - SEPARATION[phantom.subject.sex] * phantom.positive
        gaps.setdefault(phantom.subject.ethnic_group, []).append(centred)

    assert all(abs(statistics.fmean(values)) < 0.06 for values in gaps.values())


def test_model_finds_the_planted_score_in_the_written_file(tmp_path: Path) -> None:
    sys.path.insert(0, str(EXAMPLES / "phantom" / "model"))
    try:
        score = runpy.run_path(str(EXAMPLES / "phantom" / "model" / "model.py"))["score"]
    finally:
        sys.path.pop(0)
    phantoms = [p for p in plan(14, 4) if p.syntax == "1.2.840.10008.1.2.1"]
    write_cohort(tmp_path, phantoms, processes=1)

    for phantom in phantoms:
        expected = 1 / (1 + math.exp(1 - phantom.score))
        assert score(tmp_path / phantom.path) == pytest.approx(expected, abs=0.01)


def test_same_seed_writes_the_same_files(tmp_path: Path) -> None:
    for run in ("a", "b"):
        write_cohort(tmp_path / run, plan(7, 8), processes=1)

    files = sorted((tmp_path / "a").rglob("*.dcm"))
    assert len(files) == 14
    for file in files:
        again = tmp_path / "b" / file.relative_to(tmp_path / "a")
        assert (
            hashlib.sha256(file.read_bytes()).digest()
            == hashlib.sha256(again.read_bytes()).digest()
        )


@pytest.fixture(scope="module")
def support2(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, str]]]:
    folder = tmp_path_factory.mktemp("support2")
    sys.path.insert(0, str(EXAMPLES / "support2"))
    try:
        write_cohorts = runpy.run_path(str(EXAMPLES / "support2" / "make_cohorts.py"))[
            "write_cohorts"
        ]
    finally:
        sys.path.pop(0)
    tables = {}
    for part, path in write_cohorts(folder).items():
        with path.open(newline="") as source:
            tables[part] = list(csv.DictReader(source))
    return tables


def test_hidden_patients_are_in_no_public_part(support2: dict[str, list[dict[str, str]]]) -> None:
    hidden, public = ({row["patient"] for row in support2[p]} for p in ("hidden", "conformance"))

    assert not hidden & public
    assert (len(hidden), len(public)) == (5447, 81)


def test_nothing_known_only_afterwards_is_an_input(
    support2: dict[str, list[dict[str, str]]],
) -> None:
    inputs = {
        name.removeprefix("input.") for name in support2["hidden"][0] if name.startswith("input.")
    }

    assert not inputs & DROPPED
    assert "age" in inputs


def test_outcome_is_the_published_one(support2: dict[str, list[dict[str, str]]]) -> None:
    sys.path.insert(0, str(EXAMPLES / "support2"))
    try:
        patients = runpy.run_path(str(EXAMPLES / "support2" / "patients.py"))["patients"]()
    finally:
        sys.path.pop(0)

    # The published count is 3,170 of 9,104; the one patient without a prediction died too.
    assert len(patients) == 9105
    assert sum(int(patient["died_61d"]) for patient in patients) == 3171
