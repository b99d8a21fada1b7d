"""The image that clients' report plugins run in: built once per home, where the tools are there.

A stack without it still works; a report then says that the client's section could not be made.
"""

import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from proctor_backend.local.layout import Home

BUILDER = Path(__file__).resolve().parents[3] / "infra" / "images" / "build.py"
NAME = "proctor/report"


class ReportImage:
    """Builds `home/report-image.tar` beside the start of the servers."""

    def __init__(self, home: Home, report: Callable[[str], None]) -> None:
        """Build for `home`; `report` is told why it could not be built."""
        self.path = home.root / "report-image.tar"
        self._report = report
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Begin to build, if it is missing and can be built here."""
        if self.path.exists() or not BUILDER.exists() or not shutil.which("mmdebstrap"):
            return
        self._thread = threading.Thread(target=self._build, name="report image", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Return when the image is there, or cannot be."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _build(self) -> None:
        with tempfile.TemporaryDirectory() as nothing:
            command = [sys.executable, str(BUILDER), "--context", nothing, "--name", NAME]
            done = subprocess.run(
                [*command, "--out", str(self.path)], capture_output=True, text=True, check=False
            )
        if done.returncode:
            self._report(f"No image for report plugins: {done.stderr.strip()[-500:]}")
