"""Sends a cohort's files, content-addressed, so that a second try sends only what is missing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from proctor_sdk.canonical import canonical_bytes, sha256_hex
from proctor_sdk.object_put import DeadUrlError, ObjectPut

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from proctor_sdk.client import ApiClient
    from proctor_sdk.cohort_table import CohortFile

BATCH = 500
MOST_FILES_INLINE = 2_000
_THREADS = 16
_ATTEMPTS = 3


def send_files(
    client: ApiClient,
    cohort: str,
    sources: Mapping[Path, CohortFile],
    advance: Callable[[int], None],
) -> None:
    """Send what the platform has not; `advance` is told of the files that are there."""
    contents = {described.sha256: (path, described.size) for path, described in sources.items()}
    advance(len(sources) - len(contents))
    digests = list(contents)
    with ObjectPut() as store:
        for start in range(0, len(digests), BATCH):
            batch = {sha256: contents[sha256] for sha256 in digests[start : start + BATCH]}
            _send_batch(client, store, cohort, batch)
            advance(len(batch))


def close(
    client: ApiClient,
    cohort: str,
    table: CohortFile,
    table_format: str,
    files: Sequence[CohortFile],
) -> Any:
    """Close the cohort with the index of its files; a long index is sent as an object itself."""
    described = {"sha256": table.sha256, "size": table.size, "format": table_format}
    index: dict[str, Any] = {"table": described, "files": [file.as_dict() for file in files]}
    if len(files) > MOST_FILES_INLINE:
        content = canonical_bytes(index)
        sha256 = sha256_hex(content)
        with ObjectPut() as store:
            _send_batch(client, store, cohort, {sha256: (content, len(content))})
        index = {"table": described, "index_sha256": sha256}
    return client.post(f"/cohorts/{cohort}/close", index)


def _send_batch(
    client: ApiClient,
    store: ObjectPut,
    cohort: str,
    contents: Mapping[str, tuple[Path | bytes, int]],
) -> None:
    """Send one batch; URLs that expired on the way are asked for once more."""
    asked = {"files": [{"sha256": sha256, "size": size} for sha256, (_, size) in contents.items()]}
    for attempt in range(_ATTEMPTS):
        missing = client.post(f"/cohorts/{cohort}/uploads", asked)["missing"]

        def put(wanted: Mapping[str, str]) -> None:
            store.put(wanted["url"], contents[wanted["sha256"]][0])

        try:
            with ThreadPoolExecutor(_THREADS) as pool:
                list(pool.map(put, missing))
        except DeadUrlError:
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            return
