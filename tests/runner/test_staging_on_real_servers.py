"""Control, runner and storage as they are: a cohort run twice, what lies on the disk."""

import contextlib
import hashlib
import io
import json
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.backend.exam import Exam, make_exam
from tests.conftest import QUICK, SERVERS

from proctor_backend.access import ACCESS
from proctor_backend.domain import evaluation
from proctor_backend.domain.audit import Event
from proctor_backend.domain.ids import new_id
from proctor_backend.domain.keys import cases_key, file_key, image_key, reference_key
from proctor_backend.domain.messages import Message, Task
from proctor_backend.local import LocalStack
from proctor_backend.objects import ObjectStore
from proctor_backend.records import Insert, Records
from proctor_sdk.encrypt import decode_key, seal
from proctor_sdk.image import read_image

pytestmark = pytest.mark.podman

BLOCKS, CASES_A_BLOCK = 2, 12
ATTRIBUTE, REFERENCE = "attribute-of-nobody-7391", "reference-value-5120"
PIXELS = b"pixels-2846"
MANIFEST = {
    "task": {"kind": "binary_classification", "positive": "died", "negative": "alive"},
    "operating_points": [{"id": "main", "threshold": 0.5, "comparator": ">="}],
    "inputs": {"kind": "image", "attributes": ["do"]},
    "resources": {"memory_mb": 96, "tmp_mb": 8, "cpus": 1},
}
PROTOCOL = {
    "input_profile": {"attributes": ["do"]},
    "limits": {"memory_mb": 96, "tmp_mb": 8, "cpus": 1, "output_mb": 4},
}


class Site:
    """A stack of servers, control and a runner, with one cohort of files."""

    def __init__(self, stack: LocalStack, archive: Path) -> None:
        self.stack, self.archive = stack, archive
        self.records: Records = stack.admin_records()
        self.store = ObjectStore.connect(stack.settings("ingest"))
        self.work = stack.settings("runner").work_dir
        self.cohort = self._cohort()
        self.mounts: list[str] = []  # of the container, once one was seen

    def _cohort(self) -> dict[str, Any]:
        cohort, blocks = new_id("coh"), []
        for number in range(BLOCKS):
            block, size, lines = f"{number:05d}", 0, []
            for case in range(CASES_A_BLOCK):
                content = PIXELS + os.urandom(50_000)
                sha256 = hashlib.sha256(content).hexdigest()
                self.store.put("hidden", file_key(cohort, block, sha256), content)
                file = {"name": "0.dcm", "role": "image", "sha256": sha256, "size": len(content)}
                size += len(content)
                lines.append(
                    {"case": f"cas_{number}_{case}", "files": [file], "inputs": {"do": "nap"}}
                )
            document = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
            self.store.put("hidden", cases_key(cohort, block), document)
            about = {"block": block, "cases": len(lines), "bytes": size + len(document)}
            blocks.append(about | {"sha256": hashlib.sha256(document).hexdigest()})
        truth = f"case,reference_value,attr.x\ncas_0_0,{REFERENCE},{ATTRIBUTE}\n".encode()
        self.store.put("reference", reference_key(cohort), truth)
        made = {
            "_id": cohort, "lineage": cohort, "org": new_id("org"), "visibility": "hidden",
            "state": "READY", "version": 1, "previous": None, "blocks": blocks, "root": "ef" * 32,
            "reference_sha256": "cd" * 32, "attributes": [ATTRIBUTE],
            "terms": {"allowed_tasks": ["binary_classification"], "max_evaluations": 9,
                      "expires_at": "2099-01-01", "agreement": "", "contact": ""},
        }  # fmt: skip
        self.records.commit(
            Insert("cohorts", made), event=Event(kind="test.made", chain="platform", actor="test")
        )
        return made

    def enter(self) -> Exam:
        """Begin another entry's hidden run on the cohort."""
        exam = make_exam(self.records, shards=BLOCKS, given=self.cohort)
        image = read_image(self.archive)
        public = decode_key(
            (self.stack.settings("control").keys_dir / "encryption.pub").read_text()
        )
        plain = self.archive.read_bytes()
        sealed = b"".join(seal(io.BytesIO(plain), len(plain), public))
        ObjectStore.connect(self.stack.settings("api")).put(
            "quarantine", image_key(exam.entry), sealed
        )
        about = {
            "config_digest": image.config_digest,
            "sealed_size": len(sealed),
            "sealed_sha256": "sha256:" + hashlib.sha256(sealed).hexdigest(),
        }
        db = self.records.db
        entry = db.entries.find_one({"_id": exam.entry}) or {}
        db.entries.update_one({"_id": exam.entry}, {"$set": {"image": about, "manifest": MANIFEST}})
        db.protocols.update_one({"study": entry["study"]}, {"$set": {"protocol": PROTOCOL}})
        self.records.wake(*(Message(Task.RUN_SHARD, shard) for shard in exam.shards))
        return exam

    def shards(self, exam: Exam) -> list[dict[str, Any]]:
        return self.records.find("shards", {"evaluation": exam.evaluation})

    def ended(self, exam: Exam) -> list[dict[str, Any]]:
        deadline = time.monotonic() + 60
        while {shard["state"] for shard in self.shards(exam)} != {"DONE"}:
            assert time.monotonic() < deadline, self.shards(exam)
            time.sleep(0.05)
        return self.shards(exam)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, unruly_archive: Path) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("staging")
    components = (*SERVERS, "control", "runner")
    patch = pytest.MonkeyPatch()
    patch.setattr(evaluation, "SHARD_CASES", CASES_A_BLOCK)  # a shard for each block
    with LocalStack(folder, components, settings=QUICK) as stack:
        made = Site(stack, unruly_archive)
        yield made
        made.records.db.client.close()
    patch.undo()


@pytest.fixture(scope="module")
def found(site: Site) -> list[tuple[Path, bytes, int]]:
    """Every file below the runner's folder while cases are in front of the model."""
    exam = site.enter()
    deadline = time.monotonic() + 60
    while not list(site.work.glob("jobs/*/*/input/files/*/*")):
        assert time.monotonic() < deadline, site.shards(exam)
        time.sleep(0.01)
    site.mounts = mounts_of_containers()
    seen: list[tuple[Path, bytes, int]] = []
    for folder, _, names in os.walk(site.work):
        if "/engine/" in folder:  # the model's own image
            continue
        for name in names:
            path = Path(folder, name)
            try:
                seen.append((path.relative_to(site.work), path.read_bytes(), path.stat().st_mode))
            except FileNotFoundError:
                continue  # a case was answered meanwhile
    site.ended(exam)
    return seen


def mounts_of_containers() -> list[str]:
    """The mounts that processes with a folder /input see: id, parent, device, root, point, …"""
    seen: list[str] = []
    for path in Path("/proc").glob("[0-9]*/mountinfo"):
        with contextlib.suppress(OSError):
            lines = path.read_text().splitlines()
            if any(line.split()[4] == "/input" for line in lines):
                seen += lines
    return seen


def below(found: list[tuple[Path, bytes, int]], part: str) -> list[tuple[Path, bytes, int]]:
    return [one for one in found if one[0].parts[0] == part]


def test_walk_sees_what_is_staged_and_what_is_cached(
    found: list[tuple[Path, bytes, int]],
) -> None:
    for part in ("jobs", "cache"):
        assert any(content.startswith(PIXELS) for _, content, _ in below(found, part))


@pytest.mark.parametrize("secret", [ATTRIBUTE, REFERENCE])
def test_no_attribute_and_no_reference_value_is_on_the_runners_disk(
    found: list[tuple[Path, bytes, int]], secret: str
) -> None:
    assert [path for path, content, _ in found if secret.encode() in content] == []
    assert [path for path, _, _ in found if secret in str(path)] == []


def test_container_has_no_mount_of_the_cache(
    site: Site, found: list[tuple[Path, bytes, int]]
) -> None:
    assert any(mount.split()[4] == "/input" for mount in site.mounts)
    assert not [mount for mount in site.mounts if "/cache" in mount.split()[3]]


def test_cache_is_its_owners_alone(found: list[tuple[Path, bytes, int]]) -> None:
    assert {stat.S_IMODE(mode) for _, _, mode in below(found, "cache")} == {0o600}


def test_cached_names_are_digests_and_no_case(found: list[tuple[Path, bytes, int]]) -> None:
    names = {path.name for path, _, _ in below(found, "cache") if len(path.parts) == 3}
    assert all(len(name.removesuffix(".part")) == 64 for name in names)


def test_reference_lies_in_another_bucket_than_the_images(site: Site) -> None:
    hidden = list(site.store.list("hidden", ""))
    assert {Path(key).parts[0] for key in hidden} == {site.cohort["_id"]}
    assert not [key for key in hidden if "reference" in key or "attr" in key]
    assert list(site.store.list("reference", "")) == [reference_key(site.cohort["_id"])]
    for component in ("control", "runner"):
        assert "reference" not in ACCESS[component].buckets


def test_second_evaluation_of_a_cohort_moves_no_byte_of_it(
    site: Site, found: list[tuple[Path, bytes, int]]
) -> None:
    whole = sum(block["bytes"] for block in site.cohort["blocks"])
    first = site.records.find("shards", {"state": "DONE"})
    moved = ("bytes_fetched", "bytes_prefetched")
    assert sum(shard["summary"][name] for shard in first for name in moved) == whole
    exam = site.enter()
    second = [shard["summary"] for shard in site.ended(exam)]
    assert [summary[name] for summary in second for name in moved] == [0] * 4
    assert sum(summary["bytes_from_cache"] for summary in second) == whole


def test_control_knows_what_the_runners_host_holds(site: Site) -> None:
    sizes = {block["sha256"]: block["bytes"] for block in site.cohort["blocks"]}
    deadline = time.monotonic() + 15
    while not any(doc["held"] == sizes for doc in site.records.db.runners.find()):
        assert time.monotonic() < deadline, list(site.records.db.runners.find())
        time.sleep(0.1)


def test_container_hardly_waits_where_storage_keeps_up(site: Site) -> None:
    shards = site.records.find("shards", {"state": "DONE"})
    assert all(shard["summary"]["waiting_seconds"] < 0.3 for shard in shards), [
        shard["summary"] for shard in shards
    ]
