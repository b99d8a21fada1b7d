"""How fast a shard's files come from S3, beside what users would use instead."""

import contextlib
import hashlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import boto3
from botocore.client import Config
from tests.bench.record import PAIRS, Ratio, Row, median_interval

from proctor_backend.domain.keys import file_key
from proctor_backend.local import LocalStack
from proctor_backend.objects import ObjectStore
from proctor_sdk.sandbox.policy import SandboxPolicy
from proctor_sdk.sandbox.workspace import Workspace
from proctor_workers.runner.cache import Cache, now_ns
from proctor_workers.runner.contents import Contents
from proctor_workers.runner.fetch import THREADS
from proctor_workers.runner.transfer import Transfers, Wanted

FILES, SIZE = 2000, 500_000
LINEAGE, BLOCK = "coh_bench", "00000"
BOTO3_GOAL, S5CMD_GOAL = 2.5, 1 / 1.1
ROOM = 1 << 40


@dataclass(frozen=True, slots=True)
class Spent:
    """What one go cost: wall seconds, and CPU seconds of client and server together."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Site:
    """One S3 server with the files in it, and folders to bring them to."""

    stack: LocalStack
    folder: Path
    digests: tuple[str, ...]

    def timed(self, go: Callable[[Path], None]) -> Spent:
        """Do it into an empty folder on the disk."""
        target = self.folder / "target"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        os.sync()
        before, begun = self._cpu(), time.perf_counter()
        go(target)
        return Spent(time.perf_counter() - begun, self._cpu() - before)

    def _cpu(self) -> float:
        fields = Path(f"/proc/{self.stack.pids['s3']}/stat").read_text().rpartition(")")[2].split()
        server = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return server + sum(one.ru_utime + one.ru_stime for one in used)

    def named(self) -> Iterator[tuple[str, str]]:
        """Key and digest of each file."""
        return ((file_key(LINEAGE, BLOCK, sha256), sha256) for sha256 in self.digests)


def rows() -> list[Row]:
    """Bring a gigabyte in files of half a megabyte to this disk, in turn with the others."""
    with _site() as site:
        boto, s5cmd = _paired(site, _boto3), _paired(site, _s5cmd)
        return [_row_boto3(boto), _row_s5cmd(s5cmd), _row_warm(site)]


def _row_boto3(pairs: list[tuple[Spent, Spent]]) -> Row:
    ratio = _ratio([(ours.wall, theirs.wall) for ours, theirs in pairs])
    return Row(
        id="staging_boto3",
        what=f"S3 to disk, {FILES:,} files of 500 kB, server on the same cores: ours with "
        "addresses presigned, SHA-256 checked, into the cache; theirs download_file in a loop",
        unit="s",
        ours=ratio.ours,
        reference=ratio.reference,
        reference_name="boto3, sequential",
        ratio=ratio.ratio,
        interval=ratio.interval,
        goal=f"≥ {BOTO3_GOAL:g} x",
        met=ratio.interval[0] >= BOTO3_GOAL,
    )


def _row_s5cmd(pairs: list[tuple[Spent, Spent]]) -> Row:
    ratio = _ratio([(ours.cpu, theirs.cpu) for ours, theirs in pairs])
    wall = _ratio([(ours.wall, theirs.wall) for ours, theirs in pairs])
    low, high = wall.interval
    return Row(
        id="staging_s5cmd",
        what=f"the same in CPU seconds of client and server; theirs does not check; in wall time "
        f"{wall.ours:.1f} s and {wall.reference:.1f} s, {wall.ratio:.2f} x ({low:.2f} to "
        f"{high:.2f})",
        unit="s",
        ours=ratio.ours,
        reference=ratio.reference,
        reference_name="s5cmd",
        ratio=ratio.ratio,
        interval=ratio.interval,
        goal=f"≥ {S5CMD_GOAL:.2f} x (within 1.1 x)",
        met=ratio.interval[0] >= S5CMD_GOAL,
    )


def _row_warm(site: Site) -> Row:
    """Stage all files from a warm cache, as a second evaluation does, beside a plain copy."""
    kept = site.folder / "cache"
    _fetch(site, kept)
    moved: list[int] = []
    pairs = []
    for _ in range(PAIRS):
        ours = site.timed(lambda _: moved.append(_stage(site, kept)))
        pairs.append((ours.wall, site.timed(lambda to: _copy(site, kept, to)).wall))
    ratio = _ratio(pairs)
    return Row(
        id="staging_warm",
        what=f"a second evaluation: {FILES:,} files from the warm cache, checked, into memory; "
        f"{max(moved)} bytes from S3",
        unit="s",
        ours=ratio.ours,
        reference=ratio.reference,
        reference_name="cp of the same files to memory",
        ratio=ratio.ratio,
        interval=ratio.interval,
        goal="0 bytes from S3",
        met=max(moved) == 0,
    )


def _paired(site: Site, theirs: Callable[[Site, Path], None]) -> list[tuple[Spent, Spent]]:
    return [
        (site.timed(lambda to: _fetch(site, to)), site.timed(lambda to: theirs(site, to)))
        for _ in range(PAIRS)
    ]


def _ratio(pairs: list[tuple[float, float]]) -> Ratio:
    ratios = [theirs / ours for ours, theirs in pairs]
    return Ratio(
        median(ours for ours, _ in pairs),
        median(theirs for _, theirs in pairs),
        median(ratios),
        median_interval(ratios),
    )


def _contents(site: Site, folder: Path) -> tuple[Contents, Transfers, list[Wanted]]:
    store = ObjectStore.connect(site.stack.settings("control"))
    transfers = Transfers(_nothing)

    def wanted(key: str, sha256: str) -> Wanted:
        return Wanted(
            sha256=sha256, size=SIZE, address=lambda **_: store.presign_get("hidden", key)
        )

    contents = Contents(Cache(folder, ROOM), transfers, _nothing)
    return contents, transfers, [wanted(*pair) for pair in site.named()]


def _fetch(site: Site, folder: Path) -> None:
    contents, transfers, files = _contents(site, folder)
    since = now_ns()

    def fetch(one: Wanted) -> bool:
        return contents.prefetch(one, spare_ns=since, upcoming=False)

    with contextlib.closing(transfers), ThreadPoolExecutor(THREADS) as pool:
        if not all(pool.map(fetch, files)):
            raise RuntimeError("a file was not kept")


def _stage(site: Site, folder: Path) -> int:
    """Return the bytes that came from S3."""
    contents, transfers, files = _contents(site, folder)
    with (
        contextlib.closing(transfers),
        contextlib.closing(Workspace(site.folder / "job", SandboxPolicy())) as workspace,
        ThreadPoolExecutor(THREADS) as pool,
    ):
        staging = workspace.staging
        list(pool.map(lambda one: contents.stage(one, staging / one.sha256), files))
    return contents.moved.bytes_fetched


def _copy(site: Site, kept: Path, _: Path) -> None:
    with contextlib.closing(Workspace(site.folder / "job", SandboxPolicy())) as workspace:
        command = ["cp", "--recursive", "--reflink=never", str(kept), str(workspace.staging)]
        subprocess.run(command, check=True)


def _boto3(site: Site, folder: Path) -> None:
    client = _client(site)
    for key, sha256 in site.named():
        client.download_file("hidden", key, str(folder / sha256))


def _s5cmd(site: Site, folder: Path) -> None:
    settings = site.stack.settings("control")
    program = Path(sys.executable).with_name("s5cmd")
    env = os.environ | {
        "AWS_ACCESS_KEY_ID": settings.s3_access_key,
        "AWS_SECRET_ACCESS_KEY": settings.s3_secret_key,
        "AWS_REGION": settings.s3_region,
    }
    # Eight at once are faster here than its default of 256.
    words = ["--endpoint-url", settings.s3_endpoint, "--log", "error", "--numworkers", "8"]
    command = [str(program), *words, "cp", f"s3://hidden/{LINEAGE}/*", f"{folder}/"]
    subprocess.run(command, env=env, check=True)


def _client(site: Site, component: str = "control") -> Any:
    settings = site.stack.settings(component)
    return boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint,
        aws_access_key_id=settings.s3_access_key,
        aws_secret_access_key=settings.s3_secret_key,
        region_name=settings.s3_region,
        config=Config(s3={"addressing_style": "path"}, max_pool_connections=16),
    )


@contextlib.contextmanager
def _site() -> Iterator[Site]:
    with tempfile.TemporaryDirectory(prefix="proctor-bench-") as name:
        folder = Path(name)
        with LocalStack(folder / "stack", ("s3",)) as stack:
            store = ObjectStore.connect(stack.settings("ingest"))

            def put(_: int) -> str:
                content = os.urandom(SIZE)
                sha256 = hashlib.sha256(content).hexdigest()
                store.put("hidden", file_key(LINEAGE, BLOCK, sha256), content)
                return sha256

            with ThreadPoolExecutor(8) as pool:
                digests = tuple(pool.map(put, range(FILES)))
            yield Site(stack, folder, digests)


def _nothing() -> None:
    """Nobody ends this."""
