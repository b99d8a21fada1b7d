"""S3 that is away, refuses, is slow or gives something else: right error, right retry."""

import os
import threading
import time

import pytest
from tests.chaos.conftest import PATIENCE_S, STALL_S, Site
from tests.chaos.storage import (
    Fault,
    Storage,
    half,
    hang_up,
    other,
    shorter,
    stall,
    status,
    trickle,
)

from proctor_backend.domain.errors import DataError, LeaseLostError, PlatformError
from proctor_workers.runner.transfer import WRONG_TRIES, AbortedError

PASSING: dict[str, Fault] = {
    "500": status(500),
    "503": status(503),
    "429": status(429),
    "half": half,
    "hangs up": hang_up,
    "stalls": stall(2.0),
    "another digest": other,
    "another length": shorter,
}


@pytest.fixture
def content() -> bytes:
    return os.urandom(300_000)


@pytest.mark.parametrize("fault", PASSING)
def test_fault_that_passes_costs_another_try_and_nothing_else(
    site: Site, storage: Storage, content: bytes, fault: str
) -> None:
    wanted = site.put(content)
    storage.faults = [PASSING[fault]]
    assert site.stage(wanted).read_bytes() == content
    assert site.stage(wanted).read_bytes() == content
    assert len(storage.asked) == 2  # the fault, the file; the second copy is the cache's
    assert [path.name for path in site.cached()] == [wanted.sha256]


@pytest.mark.parametrize("fault", ["500", "503", "half", "hangs up", "stalls"])
def test_store_that_stays_away_is_the_platforms_failure(
    site: Site, storage: Storage, content: bytes, fault: str
) -> None:
    wanted = site.put(content)
    storage.always = PASSING[fault]
    begun = time.monotonic()
    with pytest.raises(PlatformError, match="stayed away"):
        site.stage(wanted)
    assert PATIENCE_S <= time.monotonic() - begun < PATIENCE_S + 3 * STALL_S + 1
    assert len(storage.asked) > 1
    assert site.cached() == []


@pytest.mark.parametrize("fault", ["another digest", "another length"])
def test_store_that_holds_something_else_is_the_datas_failure(
    site: Site, storage: Storage, content: bytes, fault: str
) -> None:
    wanted = site.put(content)
    storage.always = PASSING[fault]
    with pytest.raises(DataError):
        site.stage(wanted)
    assert len(storage.asked) == WRONG_TRIES
    assert site.cached() == []


def test_expired_address_is_asked_for_anew_once(
    site: Site, storage: Storage, content: bytes
) -> None:
    wanted = site.put(content)
    storage.faults = [status(403)]
    assert site.stage(wanted).read_bytes() == content
    assert site.addresses == [False, True]
    assert len(set(storage.asked)) == 2


def test_address_that_is_refused_twice_is_the_platforms_failure(
    site: Site, storage: Storage, content: bytes
) -> None:
    wanted = site.put(content)
    storage.always = status(403)
    with pytest.raises(PlatformError, match="refused an address"):
        site.stage(wanted)
    assert len(storage.asked) == 2


def test_missing_object_is_named_by_its_status_at_once(
    site: Site, storage: Storage, content: bytes
) -> None:
    wanted = site.put(content)
    storage.objects.clear()
    with pytest.raises(PlatformError, match="404"):
        site.stage(wanted)
    assert len(storage.asked) == 1


def test_no_message_holds_an_address(site: Site, storage: Storage, content: bytes) -> None:
    wanted = site.put(content)
    said = []
    for fault in (status(500), status(403), status(404), other, half):
        storage.always = fault
        with pytest.raises((PlatformError, DataError)) as caught:
            site.stage(wanted)
        error: BaseException | None = caught.value
        while error is not None:
            said.append(f"{error} {error.args} {getattr(error, 'cure', '')}")
            error = error.__cause__
    assert not [text for text in said if "secret" in text or storage.url in text]


def test_store_that_gives_a_byte_now_and_then_counts_as_away(site: Site, storage: Storage) -> None:
    wanted = site.put(os.urandom(2000))
    storage.always = trickle
    begun = time.monotonic()
    with pytest.raises(PlatformError, match="too slow"):
        site.stage(wanted)
    assert time.monotonic() - begun < PATIENCE_S + 3 * STALL_S + 1


def test_lost_lease_ends_a_slow_fetch(site: Site, storage: Storage) -> None:
    wanted = site.put(os.urandom(2000))
    storage.always = trickle
    threading.Timer(0.2, lambda: site.stop.append(LeaseLostError("lost"))).start()
    begun = time.monotonic()
    with pytest.raises(LeaseLostError):
        site.stage(wanted)
    assert time.monotonic() - begun < STALL_S
    assert site.cached() == []


def test_end_of_the_work_wakes_a_fetch_that_hangs(storage: Storage, site: Site) -> None:
    wanted = site.put(os.urandom(2000))
    storage.always = stall(5.0)
    threading.Timer(0.1, site.transfers.abort).start()
    begun = time.monotonic()
    with pytest.raises(AbortedError):
        site.stage(wanted)
    assert time.monotonic() - begun < STALL_S


def test_kept_connection_that_was_closed_meanwhile_is_no_fault(
    site: Site, storage: Storage
) -> None:
    first, second = site.put(b"one"), site.put(b"two")

    def last_answer(request, content):  # type: ignore[no-untyped-def]
        request.send_response(200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)
        request.close_connection = True  # without having said so

    storage.faults = [last_answer]
    site.stage(first)
    time.sleep(0.1)
    begun = time.monotonic()
    assert site.stage(second).read_bytes() == b"two"
    assert time.monotonic() - begun < 0.15  # no pause as after a fault


def test_one_connection_serves_many_files(site: Site, storage: Storage) -> None:
    for number in range(20):
        site.stage(site.put(os.urandom(1000) + bytes([number])))
    assert storage.connections == 1


def test_nothing_is_shown_while_a_file_arrives(site: Site, storage: Storage) -> None:
    wanted = site.put(os.urandom(2000))
    storage.faults = [trickle]
    seen = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.01):
            seen.append(site.cache.holds(wanted.sha256))

    watcher = threading.Thread(target=look)
    watcher.start()
    site.stage(wanted)
    over.set()
    watcher.join()
    assert len(seen) > 10
    assert not any(seen[:-3])  # the last looks may have come after its end
