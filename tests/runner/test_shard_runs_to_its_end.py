"""A shard through a lease: every case answered once, whatever is killed or away in between."""

import hashlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proctor_backend.settings import Settings
from proctor_sdk.sandbox.workspace import mounts_below
from proctor_workers.runner.host import Host
from proctor_workers.runner.run_shard import run_shard

from .conftest import TASK, BuiltImage
from .control_double import ControlDouble

pytestmark = pytest.mark.podman


@pytest.fixture
def control(unruly: BuiltImage) -> Iterator[ControlDouble]:
    double = ControlDouble(unruly, TASK)
    yield double
    double.close()


@pytest.fixture(scope="module")
def work_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("runner")
    yield folder
    Host(folder).images.clear()
    assert mounts_below(folder) == []


@pytest.fixture
def settings(control: ControlDouble, work_dir: Path) -> Settings:
    return Settings(control_url=control.url, runner_token="runner", work_dir=work_dir)


def table(count: int, **inputs: Any) -> list[dict[str, Any]]:
    return [{"case": f"cas_{n}", "files": [], "inputs": {"x": n} | inputs} for n in range(count)]


def test_every_case_is_answered_once(control: ControlDouble, settings: Settings) -> None:
    control.add_block("b1", table(30))
    run_shard(settings, "shd_1")
    assert control.ended["state"] == "DONE"
    assert len({line["case"] for line in control.answers()}) == len(control.answers()) == 30
    assert control.ended["summary"]["policy"]["network"] == "none"


def test_answers_come_in_the_order_of_hidden_names(
    control: ControlDouble, settings: Settings
) -> None:
    control.add_block("b1", table(30))
    run_shard(settings, "shd_1")
    names = [line["case"] for line in control.answers()]
    assert names == sorted(names)


def test_files_are_staged_under_the_case_name_and_removed(
    control: ControlDouble, settings: Settings
) -> None:
    content = b"pixels"
    digest = hashlib.sha256(content).hexdigest()
    control.objects[f"files/{digest}"] = content
    file = {"name": "0.dcm", "role": "image", "sha256": digest, "size": len(content)}
    control.add_block(
        "b1", [{"case": f"cas_{n}", "files": [file], "inputs": {}} for n in range(40)]
    )
    run_shard(settings, "shd_1")
    assert {line["outputs"]["scores"]["died"] for line in control.answers()} == {len(content)}


def test_altered_file_is_a_data_failure(control: ControlDouble, settings: Settings) -> None:
    control.objects["files/" + "0" * 64] = b"other"
    file = {"name": "0.dcm", "role": "image", "sha256": "0" * 64, "size": 5}
    control.add_block("b1", [{"case": "cas_1", "files": [file], "inputs": {}}])
    run_shard(settings, "shd_1")
    assert (control.ended["state"], control.ended["kind"]) == ("FAILED", "data")


def test_altered_block_is_a_data_failure(control: ControlDouble, settings: Settings) -> None:
    control.add_block("b1", table(3))
    control.objects["blocks/b1"] += b"\n"
    run_shard(settings, "shd_1")
    assert control.ended["kind"] == "data"


def test_only_granted_inputs_are_shown(control: ControlDouble, settings: Settings) -> None:
    control.add_block("b1", table(3, do="crash"))
    control.changes = {"inputs": ["x"]}
    run_shard(settings, "shd_1")
    assert control.ended["state"] == "DONE"


def test_vendor_failure_is_recorded_with_its_log(
    control: ControlDouble, settings: Settings
) -> None:
    control.add_block("b1", table(3, write="nan"))
    run_shard(settings, "shd_1")
    assert (control.ended["kind"], control.ended["reason_code"]) == ("vendor", "OUTPUT_INVALID")
    assert "ready" in control.ended["log"]


def test_log_of_a_hidden_run_is_not_kept(control: ControlDouble, settings: Settings) -> None:
    control.add_block("b1", table(3, write="nan"))
    control.changes = {"kind": "hidden"}
    run_shard(settings, "shd_1")
    assert control.ended["log"] is None


def test_control_that_goes_away_for_a_moment_costs_nothing(
    control: ControlDouble, settings: Settings
) -> None:
    control.add_block("b1", table(10))
    control.away = 3
    run_shard(settings, "shd_1")
    assert control.ended["state"] == "DONE"


def test_lost_lease_stops_the_container_and_records_nothing(
    control: ControlDouble, settings: Settings
) -> None:
    control.add_block("b1", table(10, do="hang"))
    control.lost = True
    begun = time.monotonic()
    run_shard(settings, "shd_1")
    assert control.ended is None
    assert time.monotonic() - begun < 4


def test_cancelled_entry_stops_the_container(control: ControlDouble, settings: Settings) -> None:
    control.add_block("b1", table(10, do="hang"))
    control.cancelled = True
    run_shard(settings, "shd_1")
    assert control.ended is None


def test_image_that_is_not_the_declared_one_is_refused(
    control: ControlDouble, settings: Settings
) -> None:
    control.add_block("b1", table(3))
    control._image["config_digest"] = "sha256:" + "0" * 64
    run_shard(settings, "shd_1")
    assert control.ended["reason_code"] == "IMAGE_INVALID"


def test_second_shard_of_an_image_does_not_load_it_again(
    control: ControlDouble, settings: Settings
) -> None:
    control.add_block("b1", table(3))
    run_shard(settings, "shd_1")
    control.ended = None
    control.parts.clear()
    run_shard(settings, "shd_1")
    assert control.ended["summary"]["image_load_seconds"] < 0.3


def test_runner_killed_half_way_repeats_at_most_one_window(
    control: ControlDouble, settings: Settings, work_dir: Path
) -> None:
    control.add_block("b1", table(200))
    control.changes = {"task": TASK | {"slow": 0.01}}
    program = (
        "import sys; from pathlib import Path; from proctor_backend.settings import Settings; "
        "from proctor_workers.runner.run_shard import run_shard; "
        "run_shard(Settings(control_url=sys.argv[1], runner_token='runner', "
        "work_dir=Path(sys.argv[2])), 'shd_1')"
    )
    process = subprocess.Popen([sys.executable, "-c", program, control.url, str(work_dir)])
    spool = work_dir / "spool" / "eva_1" / "att_1" / "shd_1.jsonl"
    deadline = time.monotonic() + 60
    while lines(spool) < 100 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    before = lines(spool)
    run_shard(settings, "shd_1")
    assert control.ended["state"] == "DONE"
    assert sorted(len({a["case"] for a in control.answers()}) for _ in "x") == [200]
    assert len(control.answers()) == 200
    assert before >= 100
    assert control.ended["summary"]["answered"] == 200 - before


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0
