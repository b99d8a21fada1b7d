"""Writes image archives, good and hostile, entry by entry."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from typing import Any


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def file_entry(name: str, data: bytes = b"", **header: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in header.items():
        setattr(info, field, value)
    return info, data


def tar(*entries: tuple[tarfile.TarInfo, bytes], fmt: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=fmt) as archive:
        for info, data in entries:
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


LAYER_ONE = tar(
    file_entry("bin", type=tarfile.DIRTYPE),
    file_entry("bin/model", b"#!/bin/true\n" * 400),
    file_entry("bin/again", type=tarfile.LNKTYPE, linkname="bin/model"),
    file_entry("lib", type=tarfile.SYMTYPE, linkname="/usr/lib"),
    file_entry("dev/null", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
)
LAYER_TWO = tar(file_entry("weights.bin", bytes(range(256)) * 300))


def config(*layers: bytes, **changes: Any) -> bytes:
    document: dict[str, Any] = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": ["/bin/model"], "User": "65532", "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha256(layer)}" for layer in layers]},
    }
    return json.dumps(document | changes).encode()


def docker_archive(
    *layers: bytes, conf: bytes | None = None, extra: tuple[Any, ...] = (), images: int = 1
) -> bytes:
    """Return what `podman save` and docker before 25 write: layers first, manifest last."""
    conf = config(*layers) if conf is None else conf
    names = [f"{number}-{sha256(layer)}.tar" for number, layer in enumerate(layers)]
    manifest = {"Config": f"{sha256(conf)}.json", "RepoTags": ["m:1"], "Layers": names}
    return tar(
        *(file_entry(name, layer) for name, layer in zip(names, layers, strict=True)),
        file_entry(f"{sha256(conf)}.json", conf),
        file_entry("manifest.json", json.dumps([manifest] * images).encode()),
        *extra,
    )


def oci_blobs(
    *layers: bytes, conf: bytes | None = None, compress: bool = True
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return the blobs by path, and the manifest's descriptor."""
    conf = config(*layers) if conf is None else conf
    stored = [gzip.compress(layer, mtime=0) if compress else layer for layer in layers]
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": descriptor(conf),
            "layers": [descriptor(blob) for blob in stored],
        }
    ).encode()
    blobs = {f"blobs/sha256/{sha256(blob)}": blob for blob in (*stored, conf, manifest)}
    kind = "application/vnd.oci.image.manifest.v1+json"
    return blobs, descriptor(manifest) | {"mediaType": kind}


def descriptor(blob: bytes) -> dict[str, Any]:
    return {"digest": f"sha256:{sha256(blob)}", "size": len(blob)}


def oci_archive(
    *layers: bytes,
    conf: bytes | None = None,
    docker_manifest: bool = False,
    compress: bool = True,
    manifests: list[dict[str, Any]] | None = None,
    more: Mapping[str, bytes] | None = None,
) -> bytes:
    """Return an oci-archive; with `docker_manifest` what docker 25 and later write."""
    conf = config(*layers) if conf is None else conf
    blobs, manifest = oci_blobs(*layers, conf=conf, compress=compress)
    index = {"schemaVersion": 2, "manifests": [manifest] if manifests is None else manifests}
    documents = {"index.json": json.dumps(index).encode(), "oci-layout": b'{"x": "1.0.0"}'}
    if docker_manifest:
        names = list(blobs)[: len(layers)]
        docker = [{"Config": f"blobs/sha256/{sha256(conf)}", "RepoTags": None, "Layers": names}]
        documents["manifest.json"] = json.dumps(docker).encode()
    everything = blobs | documents | dict(more or {})
    return tar(*(file_entry(name, data) for name, data in everything.items()))
