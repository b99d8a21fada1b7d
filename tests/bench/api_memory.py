"""The API's resident memory while many ask it and an image is uploaded."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice

import httpx
from tests.bench.record import Row
from tests.bench.stage import Stage, build_image, forget_peak, peak_mb, staged

REQUESTS, THREADS = 2_000, 16
BALLAST_MB = 100
GOAL_MB = 150
PATHS = ("/api/v1/me", "/api/v1/studies", "/api/v1/entries", "/api/v1/reports")


def rows() -> list[Row]:
    """Load the API for a while; its peak during the load counts.

    Nobody signs in meanwhile: checking a password takes argon2's memory for a moment, by design.
    """
    with staged() as stage:
        archive, _ = build_image(stage.folder / "api", ballast_mb=BALLAST_MB)
        study = stage.study(20)
        forget_peak(stage.stack.pids["api"])
        upload = threading.Thread(target=stage.run, args=(study, archive))
        upload.start()
        seconds = _ask(stage)
        upload.join()
        peak = peak_mb(stage.stack.pids["api"])
        uploaded = archive.stat().st_size / 1e6
    return [
        Row(
            id="api_memory",
            what=f"peak resident memory of the API under {REQUESTS:,} signed-in requests from "
            f"{THREADS} threads ({REQUESTS / seconds:.0f} a second) and an upload of "
            f"{uploaded:.0f} MB",
            unit="MB",
            ours=peak,
            goal=f"< {GOAL_MB} MB",
            met=peak < GOAL_MB,
        )
    ]


def _ask(stage: Stage) -> float:
    """Send every request as the study office; return the seconds it took."""
    office = stage.lab.office
    headers = {"Authorization": f"Bearer {office.token}"}
    with (
        httpx.Client(base_url=office.url, headers=headers, timeout=60) as client,
        ThreadPoolExecutor(THREADS) as pool,
    ):
        begun = time.perf_counter()
        for answer in pool.map(client.get, islice(cycle(PATHS), REQUESTS)):
            answer.raise_for_status()
        return time.perf_counter() - begun
