"""Builds the plugin bundle: bundle.json and one wheel, with the same bytes every time.

    python build_bundle.py bundle.zip

Standard library only, no network: the package is pure Python, so its wheel is written by hand.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import sys
import tomllib
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = "northlake_sections"
# The earliest time a zip can hold: a date here makes every build differ.
EPOCH = (1980, 1, 1, 0, 0, 0)


def main() -> int:
    """Write the bundle and print its digest."""
    if len(sys.argv) != 2:
        print("usage: python build_bundle.py BUNDLE.zip")
        return 2
    bundle = build()
    Path(sys.argv[1]).write_bytes(bundle)
    print(f"sha256:{hashlib.sha256(bundle).hexdigest()}")
    return 0


def build() -> bytes:
    """Return the bundle's bytes."""
    project = tomllib.loads((HERE / "pyproject.toml").read_text("utf-8"))["project"]
    description = {
        "name": project["name"],
        "version": project["version"],
        "api": 1,
        "entry": f"{PACKAGE}:sections",
        "needs": [],
    }
    wheel_name = f"{PACKAGE}-{project['version']}-py3-none-any.whl"
    return zipped(
        {
            "bundle.json": json.dumps(description, indent=2, sort_keys=True).encode() + b"\n",
            f"wheels/{wheel_name}": wheel(project["name"], project["version"]),
        }
    )


def wheel(name: str, version: str) -> bytes:
    """Return the wheel: the package's modules, its metadata and the record of their digests."""
    root = HERE / "src"
    files = {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted((root / PACKAGE).rglob("*.py"))
    }
    info = f"{PACKAGE}-{version}.dist-info"
    files[f"{info}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
    )
    files[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: build_bundle\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    lines = [f"{path},sha256={_digest(data)},{len(data)}" for path, data in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,", ""]).encode()
    return zipped(files)


def zipped(files: dict[str, bytes]) -> bytes:
    """Return a zip of the files, in order of name, with fixed times and rights."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(files):
            entry = zipfile.ZipInfo(path, EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[path])
    return buffer.getvalue()


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


if __name__ == "__main__":
    raise SystemExit(main())
