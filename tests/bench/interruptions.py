"""How many cases run twice after a runner is killed, and after its host is lost."""

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.bench.record import Row
from tests.bench.stage import EntryRun, Stage, build_image, staged

from proctor_workers.runner.host import Host
from proctor_workers.runner.spool import SEND_EVERY_S

CASES = 600
PAUSE_S = 0.04
WINDOW = 1
LOOK_EVERY_S = 0.005


def rows() -> list[Row]:
    """Kill a runner twice, on one stack."""
    with staged(quiet=True) as stage:
        archive, _ = build_image(stage.folder / "slow", pause_s=PAUSE_S)
        study = stage.study(CASES)
        killed = Interruption(stage, study, archive)
        return [killed.killed(), killed.lost()]


class Interruption:
    """One study whose runner is killed half way."""

    def __init__(self, stage: Stage, study: str, archive: Path) -> None:
        self._stage, self._study, self._archive = stage, study, archive
        self._work = stage.stack.settings("runner").work_dir

    def killed(self) -> Row:
        """Kill -9 at half; the host keeps its files."""
        repeated, _ = self._interrupted(lambda: None)
        return Row(
            id="runner_killed",
            what=f"cases repeated after kill -9 at half of {CASES}; one run",
            unit="cases",
            ours=repeated,
            goal=f"≤ {WINDOW} (one window)",
            met=repeated <= WINDOW,
        )

    def lost(self) -> Row:
        """Kill -9 at half and lose every file of the runner."""
        repeated, rate = self._interrupted(self._forget_host)
        allowed = SEND_EVERY_S * rate + WINDOW
        return Row(
            id="lost_host",
            what=f"cases repeated after the host was lost at half of {CASES}, at {rate:.0f} cases "
            "a second; one run",
            unit="cases",
            ours=repeated,
            goal=f"≤ {allowed:.0f} ({SEND_EVERY_S:g} s of cases and one window)",
            met=repeated <= allowed,
        )

    def _interrupted(self, after: Callable[[], None]) -> tuple[int, float]:
        """Return (cases repeated, cases a second before the kill)."""
        stage = self._stage
        entry = stage.lab.submit(self._study, self._archive)
        shard = self._hidden_shard(entry)
        spool = self._work / "spool" / shard["evaluation"] / self._attempt(shard)
        begun = time.monotonic()
        while _lines(spool / f"{shard['_id']}.jsonl") < CASES // 2:
            time.sleep(LOOK_EVERY_S)
        rate = CASES / 2 / (time.monotonic() - begun)
        stage.stack.kill("runner")
        given = sum(_lines(path) for path in self._work.glob("jobs/*/*/input/cases.jsonl"))
        after()
        stage.lab.settle(entry, timeout_s=300)
        return given + self._answered(stage.recorded(entry), shard["_id"]) - CASES, rate

    def _hidden_shard(self, entry: str) -> dict[str, Any]:
        records = self._stage.stack.admin_records()
        try:
            while True:
                for shard in records.find("shards", {"entry": entry, "cases": CASES}):
                    return shard
                time.sleep(LOOK_EVERY_S)
        finally:
            records.db.client.close()

    def _attempt(self, shard: Mapping[str, Any]) -> str:
        records = self._stage.stack.admin_records()
        try:
            return str(records.get("evaluations", shard["evaluation"])["attempt"])
        finally:
            records.db.client.close()

    def _answered(self, run: EntryRun, shard: str) -> int:
        found = next(one for one in run.shards if one["_id"] == shard)
        return int(found["summary"]["answered"])

    def _forget_host(self) -> None:
        """Remove containers, images, jobs and spool, as they are gone with a host."""
        host = Host(self._work)
        host.sweep()
        host.images.clear()
        shutil.rmtree(self._work / "spool")


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0
