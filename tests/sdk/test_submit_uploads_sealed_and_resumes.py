import hashlib
import io
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from fastapi import Response

from proctor_sdk.cli import main
from proctor_sdk.encrypt import read_header, unseal, unwrap
from proctor_sdk.upload import SMALLEST_PART, part_size

from .conftest import Platform, refusal


def submit(folder: Path) -> int:
    return main(["submit", "--study", "stu_1", "--manifest", str(folder / "proctor.toml")])


def opened(platform: Platform, entry: str) -> bytes:
    stream = io.BytesIO(platform.sealed(entry))
    header = read_header(stream)
    return b"".join(unseal(stream, unwrap(header, platform.private_key), header))


def records(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "cache").rglob("ent_*.json"))


def test_the_platform_alone_can_open_what_arrives(
    platform: Platform, model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert submit(model_folder) == 0
    assert capsys.readouterr().out == "ent_1\n"
    archive = (model_folder / "image.tar").read_bytes()
    assert opened(platform, "ent_1") == archive
    assert archive[:4096] not in platform.sealed("ent_1")
    assert platform.entries["ent_1"]["closed"]


def test_the_entry_is_opened_with_manifest_digest_and_sizes(
    platform: Platform, model_folder: Path
) -> None:
    submit(model_folder)
    entry = platform.entries["ent_1"]
    assert entry["manifest"] == (model_folder / "proctor.toml").read_text()
    assert entry["image"]["config_digest"].startswith("sha256:")
    assert entry["image"]["sealed_size"] == len(platform.sealed("ent_1"))


def test_nothing_is_kept_after_the_upload(
    platform: Platform, model_folder: Path, tmp_path: Path
) -> None:
    submit(model_folder)
    assert platform.entries["ent_1"]["closed"]
    assert records(tmp_path) == []


def _stop(_entry: str, number: int) -> Response | None:
    return Response(status_code=409) if number == 2 else None


def test_after_a_stop_only_what_is_missing_is_sent(
    platform: Platform, model_folder: Path, tmp_path: Path
) -> None:
    platform.before_put = _stop
    assert submit(model_folder) == 1
    (record,) = records(tmp_path)
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    platform.before_put = lambda _entry, _number: None
    platform.seen.clear()
    assert submit(model_folder) == 0
    assert platform.puts() == ["/store/entry/ent_1/2", "/store/entry/ent_1/3"]
    assert opened(platform, "ent_1") == (model_folder / "image.tar").read_bytes()


def test_after_the_process_was_killed_the_same_entry_goes_on(
    platform: Platform, model_folder: Path
) -> None:
    hanging, release = threading.Event(), threading.Event()

    def hang(_entry: str, number: int) -> Response | None:
        if number == 2 and not release.is_set():
            hanging.set()
        return (
            refusal(503, "later", "Later.") if hanging.is_set() and not release.is_set() else None
        )

    platform.before_put = hang
    command = [sys.executable, "-c", "import sys; from proctor_sdk.cli import main; main()"]
    process = subprocess.Popen(
        [*command, "submit", "--study", "stu_1", "--manifest", str(model_folder / "proctor.toml")],
        env=dict(os.environ),
    )
    assert hanging.wait(30)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    release.set()
    platform.seen.clear()
    assert submit(model_folder) == 0
    assert list(platform.entries) == ["ent_1"]
    assert "/store/entry/ent_1/1" not in platform.puts()
    assert opened(platform, "ent_1") == (model_folder / "image.tar").read_bytes()


def test_a_part_that_the_store_lost_is_sent_again(platform: Platform, model_folder: Path) -> None:
    platform.before_put = _stop
    submit(model_folder)
    platform.before_put = lambda _entry, _number: None
    platform.parts["ent_1"].clear()
    platform.seen.clear()
    assert submit(model_folder) == 0
    assert len(platform.puts()) == 3


def test_an_upload_that_died_with_the_store_begins_again(
    platform: Platform, model_folder: Path
) -> None:
    lost = iter([False, True, True])

    def lose(entry: str, _number: int) -> Response | None:
        if next(lost, False):
            platform.parts[entry].clear()
            return Response("<Code>NoSuchUpload</Code>", 404)
        return None

    platform.before_put = lose
    assert submit(model_folder) == 0
    assert opened(platform, "ent_1") == (model_folder / "image.tar").read_bytes()


def test_a_store_that_fails_for_a_moment_is_tried_again(
    platform: Platform, model_folder: Path
) -> None:
    failures = iter([True])
    platform.before_put = lambda _e, _n: Response(status_code=500) if next(failures, None) else None
    assert submit(model_folder) == 0


def test_bytes_that_arrive_altered_are_told(
    platform: Platform,
    model_folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("proctor_sdk.object_put._FIRST_PAUSE_S", 0.001)
    platform.before_put = lambda _entry, _number: Response("<Code>BadDigest</Code>", 400)
    assert submit(model_folder) == 1
    assert "another digest" in capsys.readouterr().err


def test_another_archive_is_another_entry_under_another_key(
    platform: Platform, model_folder: Path, tmp_path: Path
) -> None:
    platform.before_put = _stop
    submit(model_folder)
    with (model_folder / "image.tar").open("ab") as archive:
        archive.write(bytes(10240))
    platform.before_put = lambda _entry, _number: None
    assert submit(model_folder) == 0
    assert list(platform.entries) == ["ent_1", "ent_2"]
    assert platform.sealed("ent_2")[:100] != platform.parts["ent_1"][1][:100]


def test_an_entry_that_is_over_is_not_gone_on_with(platform: Platform, model_folder: Path) -> None:
    platform.before_put = _stop
    submit(model_folder)
    platform.before_put = lambda _entry, _number: None
    platform.entries["ent_1"]["closed"] = True
    assert submit(model_folder) == 0
    assert list(platform.entries) == ["ent_1", "ent_2"]


def test_a_damaged_record_of_an_upload_is_passed_over(
    platform: Platform, model_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "cache/proctor/uploads"
    folder.mkdir(parents=True)
    (folder / "ent_0.json").write_text('{"cut')
    assert submit(model_folder) == 0
    assert platform.entries["ent_1"]["closed"]


def test_a_manifest_the_platform_refuses_is_told_at_its_line(
    platform: Platform, model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    problem = {"line": None, "field": "inputs.kind", "what": "is not granted", "cure": "Ask."}
    platform.answers["POST /api/v1/entries"] = [
        refusal(422, "invalid", "The manifest does not fit.", problems=[problem])
    ]
    assert submit(model_folder) == 1
    text = (model_folder / "proctor.toml").read_text()
    line = text[: text.index('kind = "table"')].count("\n") + 1
    assert f"proctor.toml:{line}: inputs.kind: is not granted" in capsys.readouterr().err


def test_waiting_follows_the_entry_to_its_end(
    platform: Platform, model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def settle() -> None:
        while not platform.entries.get("ent_1", {}).get("closed"):
            time.sleep(0.02)
        platform.entries["ent_1"] |= {"state": "failed", "reason_code": "TIME_LIMIT"}

    thread = threading.Thread(target=settle)
    thread.start()
    path = str(model_folder / "proctor.toml")
    assert main(["submit", "--study", "stu_1", "--manifest", path, "--wait"]) == 1
    thread.join()
    assert "TIME_LIMIT" in capsys.readouterr().out


@pytest.mark.parametrize("size", [1, SMALLEST_PART, 2**40, 4 * 2**40])
def test_there_are_never_more_parts_than_s3_takes(size: int) -> None:
    assert -(-size // part_size(size)) <= 10_000
    assert part_size(size) % 2**20 == 0


def test_the_hash_of_each_part_is_sent_at_the_close(platform: Platform, model_folder: Path) -> None:
    submit(model_folder)
    (close,) = [body for _, path, body in platform.seen if path.endswith("/ent_1/close")]
    parts = {part["number"]: part["sha256"] for part in close["parts"]}
    stored = platform.parts["ent_1"]
    assert parts == {n: hashlib.sha256(body).hexdigest() for n, body in stored.items()}
