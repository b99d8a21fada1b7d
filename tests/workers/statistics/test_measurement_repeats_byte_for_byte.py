import json
from pathlib import Path

import numpy as np
import pytest
from made_cohort import MANIFEST, made_cohort, protocol

from proctor_backend.domain.errors import TamperedError
from proctor_sdk.canonical import canonical_bytes, digest
from proctor_workers.cli import main
from proctor_workers.evidence import write_evidence
from proctor_workers.measurement import measure
from proctor_workers.recompute import recompute


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evidence")
    observations, reference = made_cohort(300)
    measurement = measure(protocol(), MANIFEST, observations, reference)
    write_evidence(
        folder,
        protocol=protocol(),
        manifest=MANIFEST,
        observations=observations,
        reference=reference,
        measurement=measurement,
    )
    return folder


@pytest.mark.parametrize("rows_per_patient", [1, 3])
def test_rows_in_any_order_give_the_same_bytes(rows_per_patient: int) -> None:
    observations, reference = made_cohort(300, rows_per_patient=rows_per_patient)
    rng = np.random.default_rng(1)
    shuffled = (
        observations.take(rng.permutation(observations.num_rows)),
        reference.take(rng.permutation(reference.num_rows)),
    )
    first = measure(protocol(), MANIFEST, observations, reference)
    second = measure(protocol(), MANIFEST, *shuffled)
    assert canonical_bytes(first.as_dict()) == canonical_bytes(second.as_dict())


def test_recomputation_equals_the_recorded_results(
    kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["recompute", str(kept)]) == 0
    assert "equal, byte for byte" in capsys.readouterr().out


def test_recomputation_refuses_an_altered_file(kept: Path, tmp_path: Path) -> None:
    for file in kept.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    results = tmp_path / "results.json"
    results.write_bytes(results.read_bytes().replace(b'"n":300', b'"n":301', 1))
    with pytest.raises(TamperedError, match="results"):
        recompute(tmp_path)


def test_recomputation_tells_the_largest_numeric_difference(kept: Path, tmp_path: Path) -> None:
    for file in kept.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    results = json.loads((tmp_path / "results.json").read_bytes())
    auroc = next(one for one in results["results"] if one["id"] == "auroc")
    auroc["estimate"] += 5e-10
    changed = canonical_bytes(results)
    (tmp_path / "results.json").write_bytes(changed)
    evidence = json.loads((tmp_path / "evidence.json").read_bytes())
    evidence["digests"]["results"] = digest(changed)
    (tmp_path / "evidence.json").write_bytes(canonical_bytes(evidence))
    report = recompute(tmp_path)
    assert not report.identical
    assert report.agrees
    assert report.where == "/results/auroc/estimate"
