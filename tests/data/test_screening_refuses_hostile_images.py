"""Each attack that an image archive can carry meets a named refusal, and nothing is written."""

import gzip
import io
import json
import resource
import tarfile
from typing import Any

import pytest
from tests.data.image_archives import (
    LAYER_ONE,
    LAYER_TWO,
    config,
    docker_archive,
    file_entry,
    oci_archive,
    oci_blobs,
    sha256,
    tar,
)

from proctor_sdk.reasons import ReasonCode
from proctor_workers.screening import (
    ImageInvalidError,
    ImageRejectedError,
    ScreeningLimits,
    ScreeningReport,
    screen_archive,
)

DECLARED = f"sha256:{sha256(config(LAYER_ONE))}"


def screen(archive: bytes, declared: str = DECLARED, **limits: int) -> ScreeningReport:
    return screen_archive(io.BytesIO(archive), declared, ScreeningLimits(**limits))


def rejected(archive: bytes, match: str, declared: str = DECLARED, **limits: int) -> None:
    with pytest.raises(ImageRejectedError, match=match) as caught:
        screen(archive, declared, **limits)
    assert caught.value.reason is ReasonCode.IMAGE_REJECTED
    assert caught.value.cure


def invalid(archive: bytes, match: str, declared: str = DECLARED, **limits: int) -> None:
    with pytest.raises(ImageInvalidError, match=match) as caught:
        screen(archive, declared, **limits)
    assert caught.value.reason is ReasonCode.IMAGE_INVALID
    assert caught.value.cure


def of_layer(*entries: Any) -> tuple[bytes, str]:
    layer = tar(*entries)
    return docker_archive(layer), f"sha256:{sha256(config(layer))}"


def test_path_that_climbs_out_of_the_archive() -> None:
    rejected(docker_archive(LAYER_ONE, extra=(file_entry("../../etc/cron.d/x", b"x"),)), "climbs")


def test_absolute_path_in_the_archive() -> None:
    rejected(docker_archive(LAYER_ONE, extra=(file_entry("/etc/passwd", b"x"),)), "absolute")


def test_path_that_climbs_out_of_a_layer() -> None:
    archive, declared = of_layer(file_entry("a/../../b", b"x"))
    rejected(archive, "climbs", declared)


def test_hard_link_out_of_a_layer() -> None:
    archive, declared = of_layer(file_entry("a", type=tarfile.LNKTYPE, linkname="../../etc/shadow"))
    rejected(archive, "climbs", declared)


@pytest.mark.parametrize(
    "kind", [tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_special_entry_in_the_archive(kind: bytes) -> None:
    extra = (file_entry("odd", type=kind, linkname="manifest.json"),)
    rejected(docker_archive(LAYER_ONE, extra=extra), "holds a")


def test_disk_device_in_a_layer() -> None:
    entry = file_entry("dev/sda", type=tarfile.BLKTYPE, devmajor=8, devminor=0)
    archive, declared = of_layer(entry)
    rejected(archive, "block device", declared)


def test_memory_device_in_a_layer() -> None:
    entry = file_entry("dev/mem", type=tarfile.CHRTYPE, devmajor=1, devminor=1)
    archive, declared = of_layer(entry)
    rejected(archive, "character device", declared)


def test_link_to_a_host_file_in_place_of_the_config() -> None:
    manifest = [{"Config": "c.json", "Layers": ["l.tar"]}]
    archive = tar(
        file_entry("l.tar", LAYER_ONE),
        file_entry("c.json", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        file_entry("manifest.json", json.dumps(manifest).encode()),
    )
    invalid(archive, "lacks the image's config")


def test_old_gnu_sparse_file() -> None:
    archive = bytearray(docker_archive(LAYER_ONE))
    archive[156:157] = b"S"
    header = bytes(archive[:148]) + b" " * 8 + bytes(archive[156:512])
    archive[148:156] = b"%06o\0 " % sum(header)
    rejected(bytes(archive), "sparse")


def test_pax_sparse_file() -> None:
    entry = file_entry("big", b"x", pax_headers={"GNU.sparse.realsize": "9" * 12})
    rejected(docker_archive(LAYER_ONE, extra=(entry,)), "sparse")


def test_extended_header_that_wants_all_memory() -> None:
    header = file_entry("x")[0]
    header.type, header.size = tarfile.XHDTYPE, 8 * 1024**3
    rejected(header.tobuf(tarfile.GNU_FORMAT) + bytes(1024), "extended header that is too large")


def test_global_header_that_renames_every_entry() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", pax_headers={"path": "manifest.json"}) as archive:
        archive.addfile(
            *(part if i == 0 else io.BytesIO(part) for i, part in enumerate(file_entry("a", b"x")))
        )
    rejected(out.getvalue(), "global extended header")


def test_malformed_pax_record() -> None:
    header = file_entry("x")[0]
    header.type, header.size = tarfile.XHDTYPE, 12
    invalid(header.tobuf() + b"99 path=evil".ljust(512, b"\0"), "malformed")


def test_one_path_twice() -> None:
    again = (file_entry("manifest.json", b"[]"),)
    invalid(docker_archive(LAYER_ONE, extra=again), "twice")


def test_one_path_twice_under_two_spellings() -> None:
    again = (file_entry("./manifest.json", b"[]"),)
    invalid(docker_archive(LAYER_ONE, extra=again), "twice")


def test_too_many_entries() -> None:
    extra = tuple(file_entry(f"f{n}") for n in range(50))
    rejected(docker_archive(LAYER_ONE, extra=extra), "more than 40 entries", archive_entries=40)


def test_too_many_files_in_layers() -> None:
    archive, declared = of_layer(*(file_entry(f"f{n}") for n in range(50)))
    rejected(archive, "more than 40 files", declared, layer_entries=40)


def test_too_large_an_archive() -> None:
    rejected(docker_archive(LAYER_ONE), "more than 4,096 bytes", archive_bytes=4096)


def test_too_deep_a_path() -> None:
    archive, declared = of_layer(file_entry("d/" * 80 + "f"))
    rejected(archive, "too deep", declared)


def test_too_long_a_path() -> None:
    archive, declared = of_layer(file_entry("n" * 5000))
    rejected(archive, "too long", declared)


def test_gzip_bomb_is_stopped_at_the_cap_in_flat_memory() -> None:
    bomb = gzip.compress(bytes(512 * 1024**2), 9)  # 512 MiB of zeros in 0.5 MB
    bomb_tar = tar(file_entry("blobs/sha256/" + sha256(bomb), bomb))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    rejected(bomb_tar, "unpacked bytes", unpacked_bytes=100 * 1024**2)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


def test_gzip_bomb_around_the_whole_archive() -> None:
    rejected(gzip.compress(bytes(64 * 1024**2)), "unpacked bytes", unpacked_bytes=1024**2)


def test_gzip_cut_off() -> None:
    blob = gzip.compress(LAYER_ONE)[:-20]
    invalid(tar(file_entry("l", blob)), "ends early")


def test_zstd_layer() -> None:
    invalid(tar(file_entry("l", b"\x28\xb5\x2f\xfd" + bytes(600))), "zstd")


def test_too_large_a_json_document() -> None:
    extra = (file_entry("x.json", b"{" + b" " * 4096),)
    invalid(docker_archive(LAYER_ONE, extra=extra), "not a tar", document_bytes=2048)


def test_too_much_json_in_all() -> None:
    extra = tuple(file_entry(f"{n}.json", b"{" + b" " * 2000) for n in range(10))
    rejected(docker_archive(LAYER_ONE, extra=extra), "metadata", documents_bytes=10_000)


def test_json_nested_until_the_parser_breaks() -> None:
    manifest = b"[" * 200_000
    archive = tar(file_entry("l.tar", LAYER_ONE), file_entry("manifest.json", manifest))
    invalid(archive, "not valid JSON")


def test_json_with_a_key_twice() -> None:
    manifest = b'[{"Config": "a.json", "Config": "b.json", "Layers": []}]'
    invalid(tar(file_entry("manifest.json", manifest)), "not valid JSON")


def test_two_images() -> None:
    rejected(docker_archive(LAYER_ONE, images=2), "more than one image")


def test_two_images_in_an_index() -> None:
    blobs, manifest = oci_blobs(LAYER_ONE)
    archive = oci_archive(LAYER_ONE, manifests=[manifest, manifest], more=blobs)
    rejected(archive, "more than one image")


def test_no_image() -> None:
    invalid(tar(file_entry("manifest.json", b"[]")), "holds no image")


def test_neither_layout() -> None:
    invalid(tar(file_entry("hello", b"x")), "neither")


def test_one_image_for_docker_and_another_for_oci() -> None:
    other = config(LAYER_TWO)
    docker = [{"Config": "c.json", "Layers": ["l.tar"]}]
    archive = oci_archive(
        LAYER_ONE,
        more={"c.json": other, "l.tar": LAYER_TWO, "manifest.json": json.dumps(docker).encode()},
    )
    rejected(archive, "one image to Docker and another")


def test_other_image_than_declared() -> None:
    invalid(docker_archive(LAYER_TWO), "not the one declared")


def test_layer_that_differs_from_the_config() -> None:
    conf = config(LAYER_ONE)
    invalid(docker_archive(LAYER_TWO, conf=conf), "bytes of a layer differ")


def test_blob_that_differs_from_its_name() -> None:
    _, manifest = oci_blobs(LAYER_ONE)
    name = "blobs/" + manifest["digest"].replace(":", "/")
    archive = oci_archive(LAYER_ONE, more={name: b'{"config": {}}'})
    invalid(archive, "differ from its digest")


def test_layer_count_that_differs() -> None:
    invalid(docker_archive(LAYER_ONE, LAYER_TWO, conf=config(LAYER_ONE)), "number of layers")


def test_too_many_layers() -> None:
    layers = [tar(file_entry(str(n))) for n in range(5)]
    declared = f"sha256:{sha256(config(*layers))}"
    rejected(docker_archive(*layers), "more than 4 layers", declared, layers=4)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"architecture": "arm64"}, "linux/amd64"),
        ({"os": "windows"}, "linux/amd64"),
        ({"config": {}}, "neither an entrypoint"),
        ({"config": {"Cmd": ["a"], "Env": ["LD_PRELOAD=/x.so"]}}, "LD_PRELOAD"),
    ],
)
def test_image_that_may_not_run_here(change: dict[str, Any], match: str) -> None:
    conf = config(LAYER_ONE, **change)
    rejected(docker_archive(LAYER_ONE, conf=conf), match, f"sha256:{sha256(conf)}")


@pytest.mark.parametrize("end", [0, 100, 512, 700, 5000])
def test_archive_cut_off(end: int) -> None:
    with pytest.raises(ImageInvalidError):
        screen(docker_archive(LAYER_ONE)[:end])


def test_bytes_that_are_no_archive() -> None:
    invalid(b"MZ" + bytes(range(256)) * 20, "not a tar")
