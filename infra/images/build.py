#!/usr/bin/env python3
"""Builds container images with no registry and no engine: Debian packages, wheels, a folder.

An image is a docker-archive of up to three layers: Python on Debian, wheels, the vendor's folder.
Layers are cached by what went into them; every time stamp is fixed, so that equal input gives an
equal image. Where an engine can pull, an ordinary `FROM python:3.11-slim` does the same. Needs root
and mmdebstrap for the first layer, pip for the second.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SUITE = "bookworm"  # its Python is 3.11
PYTHON = "3.11"
MIRROR = os.environ.get("PROCTOR_DEBIAN_MIRROR", "http://deb.debian.org/debian")
SECURITY = os.environ.get("PROCTOR_DEBIAN_SECURITY", "http://deb.debian.org/debian-security")
PACKAGES = ("python3-minimal", "libpython3.11-stdlib", "ca-certificates")
RECIPE = "1"  # counts changes of this file that change what a layer holds
SDK = Path(__file__).resolve().parents[2] / "sdk" / "src" / "proctor_sdk"
RUNTIME = ("__init__.py", "runtime.py")  # what a vendor's program may import: stdlib only

# Left out of the base: what no model opens.
_UNUSED = (
    "usr/share/man/", "usr/share/locale/", "usr/share/info/", "usr/share/lintian/",
    "usr/share/bug/",
    "usr/share/python3/", "usr/share/applications/", "usr/share/pixmaps/", "var/", "dev/",
    "usr/lib/python3.11/test/", "usr/lib/python3.11/lib2to3/", "usr/lib/python3.11/pydoc_data/",
    "usr/lib/python3.11/idlelib/", "usr/lib/python3.11/turtledemo/",
    "usr/lib/python3.11/ensurepip/",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Layer:
    """One uncompressed layer in the cache."""

    path: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """The archive that was written, and the digest that names the image."""

    archive: Path
    config_digest: str
    size: int


def build_image(
    context: Path,
    archive: Path,
    *,
    entry: Sequence[str] = ("python3", "/app/model.py"),
    wheels: Sequence[str] = (),
    env: Sequence[str] = (),
    cache: Path | None = None,
    name: str = "proctor/model",
) -> BuiltImage:
    """Write a docker-archive whose /app is `context`.

    Args:
        context: the vendor's folder: program and weights.
        archive: where the image is written.
        entry: the command that the container runs.
        wheels: pinned requirements that pip unpacks into /opt/python.
        env: `NAME=value` lines added to the image.
        cache: folder of finished layers; default ~/.cache/proctor/images.
        name: the tag the image carries.
    """
    cache = cache or Path.home() / ".cache" / "proctor" / "images"
    cache.mkdir(parents=True, exist_ok=True)
    layers = [base_layer(cache)]
    if wheels:
        layers.append(wheel_layer(cache, wheels))
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        layers.append(_write_layer(_app_files(context), Path(scratch) / "app.tar"))
        return _write_archive(archive, layers, _config(layers, entry, env), name)


def base_layer(cache: Path) -> Layer:
    """Debian's Python with its compiled standard library, without shell or package manager."""
    key = _key("base", SUITE, MIRROR, SECURITY, *PACKAGES)
    return _cached(cache, key, _bootstrap)


def wheel_layer(cache: Path, requirements: Sequence[str]) -> Layer:
    """Wheels for the base's Python, unpacked into /opt/python."""
    key = _key("wheels", PYTHON, platform.machine(), *sorted(requirements))

    def fill(scratch: Path) -> Iterator[tuple[str, Path]]:
        target = scratch / "python"
        _run(
            [
                sys.executable, "-m", "pip", "install", "--quiet", "--no-compile",
                "--target", str(target),
                "--only-binary=:all:", "--python-version", PYTHON, "--implementation", "cp",
                "--platform", f"manylinux_2_28_{platform.machine()}",
                "--platform", f"manylinux2014_{platform.machine()}",
                *requirements,
            ]
        )  # fmt: skip
        for unused in ("bin", "numpy/_core/tests", "numpy/f2py", "pydicom/data/test_files"):
            shutil.rmtree(target / unused, ignore_errors=True)
        yield from _tree(target, "opt/python")

    return _cached(cache, key, fill)


def _bootstrap(scratch: Path) -> Iterator[tuple[str, Path]]:
    root = scratch / "root"
    _run(
        [
            "mmdebstrap", "--quiet", "--variant=extract", f"--include={','.join(PACKAGES)}",
            SUITE, str(root), f"deb {MIRROR} {SUITE} main", f"deb {SECURITY} {SUITE}-security main",
        ]
    )  # fmt: skip
    etc = root / "etc"
    (etc / "passwd").write_text(
        "root:x:0:0:root:/:/sbin/nologin\nmodel:x:65532:65532:model:/tmp:/sbin/nologin\n"
    )
    (etc / "group").write_text("root:x:0:\nmodel:x:65532:\n")
    for folder in ("tmp", "input", "output", "proc", "sys", "dev", "run", "var/tmp", "app"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    # Compiled once here: on a read-only root every start would compile every module anew.
    _run(
        ["chroot", str(root), "/usr/bin/python3", "-m", "compileall", "-q",
         "--invalidation-mode", "unchecked-hash", "-x", "/test/|lib2to3|turtledemo|idlelib",
         "/usr/lib/python3.11"],
    )  # fmt: skip
    yield from _tree(root, "")


def _app_files(context: Path) -> Iterator[tuple[str, Path]]:
    yield from _tree(context, "app")
    for part in RUNTIME:
        yield f"opt/proctor/proctor_sdk/{part}", SDK / part


def _tree(root: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    """Every file under `root` in an order of its own, with its name inside the image."""
    found = [path for path in root.rglob("*") if "/.git/" not in str(path)]
    for path in sorted(found):
        yield f"{prefix}/{path.relative_to(root)}".lstrip("/"), path


def _cached(cache: Path, key: str, fill: object) -> Layer:
    path, note = cache / f"{key}.tar", cache / f"{key}.sha256"
    if path.exists() and note.exists():
        return Layer(path, note.read_text().strip())
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        # The folder is made readable: mmdebstrap refuses a root it cannot enter as another user.
        Path(scratch).chmod(0o755)
        layer = _write_layer(fill(Path(scratch)), Path(scratch) / "layer.tar")  # type: ignore[operator]
        layer.path.replace(path)
        note.write_text(layer.sha256)
    return Layer(path, layer.sha256)


def _write_layer(files: Iterable[tuple[str, Path]], path: Path) -> Layer:
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        for name, source in files:
            if _kept(name):
                _add(tar, name, source)
    return Layer(path, _sha256(path))


def _kept(name: str) -> bool:
    if name.startswith("usr/share/doc/"):
        return name.endswith("/copyright")
    return not name.startswith(_UNUSED) or name in {"var/tmp", "dev"}


def _add(tar: tarfile.TarFile, name: str, source: Path) -> None:
    info = tar.gettarinfo(source, name)
    if not (info.isreg() or info.isdir() or info.issym() or info.islnk()):
        return
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mtime = 0
    if info.isreg() or info.islnk():
        info.mode = 0o755 if info.mode & 0o111 else 0o644
    if info.isdir():
        info.mode = 0o755
    if info.isreg():
        with source.open("rb") as stream:
            tar.addfile(info, stream)
    else:
        tar.addfile(info)


def _config(layers: Sequence[Layer], entry: Sequence[str], env: Sequence[str]) -> bytes:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    config = {
        "architecture": machine,
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {
            "Entrypoint": list(entry),
            "Env": [
                "PATH=/usr/local/bin:/usr/bin:/bin",
                "PYTHONPATH=/opt/proctor:/opt/python",
                "PYTHONDONTWRITEBYTECODE=1",
                *env,
            ],
            "WorkingDir": "/app",
            "User": "65532:65532",
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.sha256}" for layer in layers]},
        "history": [{"created": "1970-01-01T00:00:00Z"} for _ in layers],
    }
    return json.dumps(config, sort_keys=True).encode()


def _write_archive(archive: Path, layers: Sequence[Layer], config: bytes, name: str) -> BuiltImage:
    digest = hashlib.sha256(config).hexdigest()
    manifest = [
        {
            "Config": f"{digest}.json",
            "RepoTags": [f"{name}:latest"],
            "Layers": [f"{layer.sha256}/layer.tar" for layer in layers],
        }
    ]
    archive.parent.mkdir(parents=True, exist_ok=True)
    partial = archive.with_name(f".{archive.name}.partial")
    with tarfile.open(partial, "w", format=tarfile.GNU_FORMAT) as tar:
        _add_bytes(tar, "manifest.json", json.dumps(manifest).encode())
        _add_bytes(tar, f"{digest}.json", config)
        for layer in layers:
            _add(tar, f"{layer.sha256}/layer.tar", layer.path)
    partial.replace(archive)
    return BuiltImage(archive, f"sha256:{digest}", archive.stat().st_size)


def _add_bytes(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def _key(*parts: str) -> str:
    return f"{parts[0]}-{hashlib.sha256(repr((RECIPE, *parts)).encode()).hexdigest()[:20]}"


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command[0]} failed with status {done.returncode}:\n{done.stderr[-2000:]}")


def main() -> None:
    """Build one image and print what it is as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--context", type=Path, required=True, help="folder that becomes /app")
    parser.add_argument("--out", type=Path, required=True, help="archive to write")
    parser.add_argument("--entry", default="python3 /app/model.py", help="command to run")
    parser.add_argument("--wheel", action="append", default=[], help="requirement, may be repeated")
    parser.add_argument("--env", action="append", default=[], help="NAME=value, may be repeated")
    parser.add_argument("--cache", type=Path, help="folder of finished layers")
    parser.add_argument("--name", default="proctor/model", help="tag of the image")
    given = parser.parse_args()
    built = build_image(
        given.context,
        given.out,
        entry=given.entry.split(),
        wheels=given.wheel,
        env=given.env,
        cache=given.cache,
        name=given.name,
    )
    print(  # noqa: T201 - the result of a script
        json.dumps(
            {
                "archive": str(built.archive),
                "config_digest": built.config_digest,
                "size": built.size,
            }
        )
    )


if __name__ == "__main__":
    main()
