"""Records of an empty database, one exam in it, and the control service's way to write."""

from collections.abc import Callable

import pytest
from tests.backend.exam import Exam, make_exam, seal_image

from proctor_backend.local import LocalStack
from proctor_backend.objects import ObjectStore
from proctor_backend.records import Records
from proctor_sdk.encrypt import decode_key


@pytest.fixture
def records(empty_servers: LocalStack, records_of: Callable[[str], Records]) -> Records:
    """The record with the widest credentials that a process has."""
    return records_of("api")


@pytest.fixture
def as_control(records: Records, records_of: Callable[[str], Records]) -> Records:
    """The same record with the control service's credentials."""
    return records_of("control")


@pytest.fixture
def keys(servers: LocalStack) -> tuple[bytes, bytes]:
    """Private and public key of the platform."""
    folder = servers.settings("control").keys_dir
    private, public = (decode_key((folder / f"encryption.{n}").read_text()) for n in ("key", "pub"))
    return private, public


@pytest.fixture
def exam(
    records: Records, store_of: Callable[[str], ObjectStore], keys: tuple[bytes, bytes]
) -> Exam:
    """A hidden evaluation of one shard whose image lies sealed in quarantine."""
    made = make_exam(records)
    seal_image(store_of("api"), made, keys[1])
    return made
