"""Tells control every few seconds that this runner lives, and which blocks its host holds.

What it hears is which of them no cohort has any more: they, a withdrawn patient's files among
them, leave this host's disk.
"""

import logging
import threading

from proctor_backend.domain.errors import ProctorError
from proctor_backend.settings import Settings
from proctor_workers.runner.control import ControlClient
from proctor_workers.runner.host import Host, cache_of, holdings
from proctor_workers.runner.lease import STOPPING

LOG = logging.getLogger(__name__)
EVERY_S = 10.0


class Beat:
    """A thread for the life of a runner process; what goes wrong in it concerns nobody else."""

    def __init__(self, settings: Settings, *, every_s: float = EVERY_S) -> None:
        """Tell the control service of the settings."""
        self._settings = settings
        self._every = every_s
        self._thread = threading.Thread(target=self._run, name="beat", daemon=True)

    def begin(self) -> None:
        """Tell at once, then again and again until the process is asked to end."""
        self._thread.start()

    def _run(self) -> None:
        control = ControlClient(self._settings.control_url, self._settings.runner_token)
        host, cache = Host(self._settings.work_dir), cache_of(self._settings)
        pause = 0.0
        while not STOPPING.wait(pause):
            pause = self._every
            try:
                for block in control.tell(**holdings(host, cache)):
                    cache.forget(block)
            except (ProctorError, OSError, ValueError) as error:
                LOG.info("control could not be told what this host holds: %s", error)
        control.close()
