import secrets

import pytest

from proctor_backend.domain.errors import DataError, NotFoundError

LARGER_THAN_A_DOCUMENT = 17 * 2**20


def test_a_file_above_16_mb_comes_back_as_it_was_kept(records):
    content = secrets.token_bytes(LARGER_THAN_A_DOCUMENT)
    records.put_file("body:large", content)
    assert records.get_file("body:large") == content


def test_a_file_kept_twice_under_its_digest_is_one_file(records):
    for _ in range(2):
        records.put_file("body:twice", b"the same")
    assert records.db["fs.files"].count_documents({"filename": "body:twice"}) == 1


def test_a_replaced_file_leaves_nothing_of_the_old_one(records):
    records.put_file("edition:x", b"what an interrupted try left")
    records.replace_file("edition:x", b"the whole")
    assert records.get_file("edition:x") == b"the whole"
    assert records.db["fs.files"].count_documents({}) == 1
    assert records.db["fs.chunks"].count_documents({}) == 1


def test_a_name_is_never_read_as_a_pattern(records):
    records.put_file("edition:a.c:full", b"1")
    records.put_file("edition:abc:full", b"2")
    assert records.files_named("edition:a.c:") == ["edition:a.c:full"]


def test_a_missing_file_is_told(records):
    with pytest.raises(NotFoundError, match="no file 'body:none'"):
        records.get_file("body:none")


def test_a_file_that_is_not_its_digest_is_refused(records):
    records.put_file("body:x", b"altered")
    with pytest.raises(DataError):
        records.get_file("body:x", digest="sha256:" + "ab" * 32)
