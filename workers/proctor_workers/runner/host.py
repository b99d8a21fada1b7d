"""What this runner keeps on its host, and the sweeping up after a runner that was killed."""

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from proctor_backend.domain.errors import PlatformError
from proctor_backend.settings import Settings
from proctor_sdk.sandbox.cgroup import remove_empty_groups
from proctor_sdk.sandbox.podman import owner_lives, this_owner
from proctor_sdk.sandbox.policy import SandboxPolicy
from proctor_sdk.sandbox.workspace import Workspace, remove_workspace
from proctor_workers.runner.cache import Cache
from proctor_workers.runner.images import ImageStore


def cache_of(settings: Settings) -> Cache:
    """This host's cache of canonical files.

    Raises:
        PlatformError: its folder is one that containers are given parts of, or that holds such.
    """
    work = settings.work_dir.resolve()
    folder = Path(settings.cache_dir).resolve() if settings.cache_dir else work / "cache"
    for shared in (work / name for name in ("engine", "jobs", "spool")):
        if folder == shared or folder in shared.parents or shared in folder.parents:
            raise PlatformError(
                "The cache must not lie where containers do.", cure="Change PROCTOR_CACHE_DIR."
            )
    return Cache(folder, settings.cache_bytes)


def holdings(host: "Host", cache: Cache) -> dict[str, Any]:
    """What control weighs when it chooses a shard for this runner."""
    return {"held": dict(cache.noted()), "images": host.images.loaded()}


class Host:
    """Folders under a runner's work_dir: images, jobs in memory, spooled answers."""

    def __init__(self, work_dir: Path) -> None:
        """Make the folders."""
        root = work_dir.resolve()
        self.images = ImageStore(root / "engine")
        self._jobs = root / "jobs"
        self._spool = root / "spool"
        self._jobs.mkdir(parents=True, exist_ok=True)

    def sweep(self) -> None:
        """Remove containers and folders of runners that no longer live; usually there are none."""
        dead = [
            note for note in self._jobs.glob("*.owner") if not owner_lives(note.read_text().strip())
        ]
        if not dead:
            return
        self.images.kill_orphans()
        for note in dead:
            remove_workspace(note.with_suffix(""))
            note.unlink(missing_ok=True)
        remove_empty_groups()

    @contextlib.contextmanager
    def workspace(self, policy: SandboxPolicy) -> Iterator[Workspace]:
        """An own workspace whose owner can be told by others; its name tells nothing."""
        path = self._jobs / secrets.token_hex(8)
        note = path.with_suffix(".owner")
        note.write_text(this_owner())
        workspace = Workspace(path, policy)
        try:
            yield workspace
        finally:
            workspace.close()
            note.unlink(missing_ok=True)

    def spool_path(self, evaluation: str, attempt: str, shard: str) -> Path:
        """Where a shard's answers are kept until the record has them."""
        return self._spool / evaluation / attempt / f"{shard}.jsonl"
