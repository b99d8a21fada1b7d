"""Archives as docker and podman write them pass, in each of their layouts."""

import gzip
import hashlib
import io
import json

import pytest
from tests.data.image_archives import (
    LAYER_ONE,
    LAYER_TWO,
    config,
    descriptor,
    docker_archive,
    file_entry,
    oci_archive,
    oci_blobs,
    sha256,
    tar,
)

from proctor_sdk.encrypt import generate_keypair, seal
from proctor_workers.screening import ImageInvalidError, screen_archive, screen_sealed

CONFIG = config(LAYER_ONE, LAYER_TWO)
DECLARED = f"sha256:{sha256(CONFIG)}"
GOOD = {
    "docker-archive": docker_archive(LAYER_ONE, LAYER_TWO),
    "oci-archive": oci_archive(LAYER_ONE, LAYER_TWO),
    "oci-archive, plain layers": oci_archive(LAYER_ONE, LAYER_TWO, compress=False),
    "docker 25": oci_archive(LAYER_ONE, LAYER_TWO, docker_manifest=True, compress=False),
    "docker-archive in gzip": gzip.compress(docker_archive(LAYER_ONE, LAYER_TWO)),
}


@pytest.mark.parametrize("layout", GOOD)
def test_image_is_found_in_every_layout(layout: str) -> None:
    report = screen_archive(io.BytesIO(GOOD[layout]), DECLARED)

    assert report.config_digest == DECLARED
    assert report.layers == tuple(f"sha256:{sha256(layer)}" for layer in (LAYER_ONE, LAYER_TWO))
    assert report.entrypoint == ("/bin/model",)
    assert report.archive_sha256 == sha256(GOOD[layout])


def test_attestations_beside_the_image_do_not_count_as_images() -> None:
    blobs, manifest = oci_blobs(LAYER_ONE, LAYER_TWO)
    attestation = json.dumps({"predicate": {}}).encode()
    beside = descriptor(attestation) | {
        "annotations": {"vnd.docker.reference.type": "attestation-manifest"}
    }
    inner = json.dumps({"manifests": [manifest, beside]}).encode()
    outer = descriptor(inner) | {"mediaType": "application/vnd.oci.image.index.v1+json"}
    archive = oci_archive(
        LAYER_ONE,
        LAYER_TWO,
        manifests=[outer],
        more=blobs
        | {
            f"blobs/sha256/{sha256(inner)}": inner,
            f"blobs/sha256/{sha256(attestation)}": attestation,
        },
    )

    assert screen_archive(io.BytesIO(archive), DECLARED).layout == "oci-archive"


def test_repeated_layer_written_as_a_link_is_found_by_content() -> None:
    conf = config(LAYER_ONE, LAYER_ONE)
    manifest = [{"Config": "c.json", "Layers": ["a/layer.tar", "b/layer.tar"]}]
    archive = tar(
        file_entry("a/layer.tar", LAYER_ONE),
        file_entry("b/layer.tar", type=b"2", linkname="../a/layer.tar"),
        file_entry("c.json", conf),
        file_entry("manifest.json", json.dumps(manifest).encode()),
    )

    assert len(screen_archive(io.BytesIO(archive), f"sha256:{sha256(conf)}").layers) == 2


def test_sealed_image_is_screened_as_it_is_opened() -> None:
    private, public = generate_keypair()
    archive = GOOD["docker-archive"]
    sealed = b"".join(seal(io.BytesIO(archive), len(archive), public))

    report = screen_sealed(
        io.BytesIO(sealed),
        private_key=private,
        sealed_sha256=hashlib.sha256(sealed).hexdigest(),
        declared_config_digest=DECLARED,
    )

    assert report.archive_bytes == len(archive)


@pytest.mark.parametrize("damage", ["cut", "flipped", "longer", "other key"])
def test_sealed_image_that_was_changed_is_refused(damage: str) -> None:
    private, public = generate_keypair()
    archive = GOOD["docker-archive"]
    sealed = b"".join(seal(io.BytesIO(archive), len(archive), public))
    announced = hashlib.sha256(sealed).hexdigest()
    if damage == "cut":
        sealed = sealed[:-50]
    elif damage == "flipped":
        sealed = sealed[:2000] + bytes([sealed[2000] ^ 1]) + sealed[2001:]
    elif damage == "longer":
        sealed += b"\0"
    else:
        private, _ = generate_keypair()

    with pytest.raises(ImageInvalidError):
        screen_sealed(
            io.BytesIO(sealed),
            private_key=private,
            sealed_sha256=announced,
            declared_config_digest=DECLARED,
        )
