import contextlib
import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proctor_sdk.image import ImageError, read_image

from .conftest import IMAGE_CONFIG, oci_members, write_tar

CONFIG_DIGEST = f"sha256:{hashlib.sha256(IMAGE_CONFIG).hexdigest()}"


def docker_members() -> dict[str, bytes]:
    manifest = json.dumps([{"Config": "abc.json", "RepoTags": ["m:1"], "Layers": []}])
    return {"manifest.json": manifest.encode(), "abc.json": IMAGE_CONFIG}


def refused(tmp_path: Path, members: dict[str, bytes]) -> str:
    with pytest.raises(ImageError) as caught:
        read_image(write_tar(tmp_path / "i.tar", members))
    assert caught.value.cure
    return caught.value.message


def test_an_oci_archive_gives_the_digest_of_its_config(tmp_path: Path) -> None:
    image = read_image(write_tar(tmp_path / "i.tar", oci_members()))
    assert (image.config_digest, image.layout) == (CONFIG_DIGEST, "oci-archive")
    assert (image.os, image.architecture, image.user) == ("linux", "amd64", "65532:65532")


def test_a_docker_archive_gives_the_digest_of_its_config(tmp_path: Path) -> None:
    image = read_image(write_tar(tmp_path / "i.tar", docker_members()))
    assert (image.config_digest, image.layout) == (CONFIG_DIGEST, "docker-archive")


def test_names_that_begin_with_dot_slash_are_found(tmp_path: Path) -> None:
    members = {f"./{name}": content for name, content in oci_members().items()}
    assert read_image(write_tar(tmp_path / "i.tar", members)).config_digest == CONFIG_DIGEST


def test_two_images_in_one_archive_are_refused(tmp_path: Path) -> None:
    two = docker_members()
    two["manifest.json"] = json.dumps(json.loads(two["manifest.json"]) * 2).encode()
    assert "2 images" in refused(tmp_path, two)


def test_an_archive_without_an_image_is_refused(tmp_path: Path) -> None:
    assert "no image" in refused(tmp_path, {"readme.txt": b"hello"})


def test_a_blob_with_another_digest_is_refused(tmp_path: Path) -> None:
    members = oci_members()
    name = f"blobs/sha256/{CONFIG_DIGEST.removeprefix('sha256:')}"
    members[name] = IMAGE_CONFIG.replace(b"amd64", b"arm64")
    assert "another digest" in refused(tmp_path, members)


def test_a_config_that_is_named_but_not_there_is_refused(tmp_path: Path) -> None:
    members = docker_members()
    del members["abc.json"]
    assert "abc.json" in refused(tmp_path, members)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd"])
def test_a_config_outside_the_archive_is_not_read(tmp_path: Path, name: str) -> None:
    members = docker_members()
    members["manifest.json"] = json.dumps([{"Config": name}]).encode()
    assert "does not hold it" in refused(tmp_path, members)


def test_a_link_in_place_of_the_config_is_not_followed(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "i.tar", {"manifest.json": docker_members()["manifest.json"]})
    with tarfile.open(path, "a") as tar:
        link = tarfile.TarInfo("abc.json")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(ImageError, match="does not hold it as a file"):
        read_image(path)


def test_a_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "i.tar", docker_members())
    with tarfile.open(path, "a") as tar:
        again = tarfile.TarInfo("abc.json")
        again.size = 2
        tar.addfile(again, io.BytesIO(b"{}"))
    with pytest.raises(ImageError, match="twice"):
        read_image(path)


def test_a_config_of_absurd_size_is_not_read(tmp_path: Path) -> None:
    members = docker_members()
    members["abc.json"] = bytes(9 * 2**20)
    assert "too large" in refused(tmp_path, members)


def test_a_header_that_claims_an_absurd_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "i.tar"
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 2**40
    path.write_bytes(
        header.tobuf(tarfile.USTAR_FORMAT if header.size < 8**11 else tarfile.GNU_FORMAT)
    )
    with pytest.raises(ImageError):
        read_image(path)


def test_a_compressed_archive_is_named_as_such(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "i.tar", docker_members())
    path.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(ImageError, match="gzip"):
        read_image(path)


def test_a_missing_archive_is_named_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"image\.tar"):
        read_image(tmp_path / "image.tar")


def test_nested_indexes_end(tmp_path: Path) -> None:
    members, document = {}, {"manifests": [{"digest": "sha256:" + "0" * 64}]}
    for _ in range(6):
        content = json.dumps(document).encode()
        name = hashlib.sha256(content).hexdigest()
        members[f"blobs/sha256/{name}"] = content
        document = {"manifests": [{"digest": f"sha256:{name}"}]}
    members["index.json"] = json.dumps(document).encode()
    assert "nested too deeply" in refused(tmp_path, members)


@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_damage_gives_an_image_error_and_nothing_else(
    tmp_path: Path, data: st.DataObject
) -> None:
    path = write_tar(tmp_path / "whole.tar", docker_members() | oci_members())
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    damaged = tmp_path / "damaged.tar"
    damaged.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    with contextlib.suppress(ImageError):
        read_image(damaged)
