"""Decrypted images on this host: in memory, one load for all shards of an evaluation, one kept."""

import contextlib
import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from proctor_sdk.sandbox.podman import LoadedImage, Podman
from proctor_sdk.sandbox.workspace import mounts_below, remove_workspace

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldImage:
    """An image that stays loaded while it is held."""

    engine: Podman
    image: LoadedImage
    load_seconds: float


class ImageStore:
    """Podman's storages under one folder, one per image; locks tell others what is in use."""

    def __init__(self, folder: Path) -> None:
        """Keep storages in `folder`."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @contextlib.contextmanager
    def held(
        self, config_digest: str, runtime: str, chunks: Callable[[], Iterator[bytes]]
    ) -> Iterator[HeldImage]:
        """Have the image loaded, once for all who ask, and keep it while in use."""
        name = f"{config_digest.removeprefix('sha256:')[:20]}-{runtime}"
        self._evict(name)
        with self._lock(name) as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            if not self._is_loaded(name):
                fcntl.flock(lock, fcntl.LOCK_EX)
            begun, engine = time.monotonic(), Podman(self._folder / name, runtime=runtime)
            if self._is_loaded(name):
                image = engine.image(config_digest)
            else:
                image = self._load(engine, config_digest, chunks)
            spent = time.monotonic() - begun
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield HeldImage(engine=engine, image=image, load_seconds=spent)

    def loaded(self) -> list[str]:
        """The images that need no loading: the first 20 digits of their config digests."""
        return sorted({h.name.partition("-")[0] for h in self._homes() if self._is_loaded(h.name)})

    def kill_orphans(self) -> None:
        """Remove the containers of runners that died."""
        for home in self._homes():
            if mounts_below(home):
                runtime = home.name.rpartition("-")[2]
                killed = Podman(home, runtime=runtime).kill_orphans()
                LOG.info("%d containers of dead runners removed", killed)

    def clear(self) -> None:
        """Remove every image that nobody uses."""
        self._evict("")

    def _load(
        self, engine: Podman, config_digest: str, chunks: Callable[[], Iterator[bytes]]
    ) -> LoadedImage:
        try:
            image = engine.load(chunks(), config_digest)
        except BaseException:
            engine.remove()
            raise
        (engine.home / "loaded").touch()
        return image

    def _is_loaded(self, name: str) -> bool:
        return (self._folder / name / "loaded").exists()

    def _evict(self, kept: str) -> None:
        for home in self._homes():
            if home.name == kept:
                continue
            with self._lock(home.name) as lock, contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if mounts_below(home):
                    Podman(home, runtime=home.name.rpartition("-")[2]).remove()
                else:
                    remove_workspace(home)

    def _homes(self) -> list[Path]:
        return [path for path in self._folder.iterdir() if path.is_dir()]

    @contextlib.contextmanager
    def _lock(self, name: str) -> Iterator[int]:
        handle = os.open(
            self._folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        try:
            yield handle
        finally:
            os.close(handle)
