"""The worker that runs containers; it has no database and no S3 key, only control's leases."""

from proctor_backend.domain.messages import Task
from proctor_backend.settings import Settings
from proctor_workers.runner.beat import Beat
from proctor_workers.runner.host import Host, cache_of
from proctor_workers.runner.lease import STOPPING
from proctor_workers.runner.run_sections import run_sections
from proctor_workers.runner.run_shard import run_shard
from proctor_workers.tasks import Life, make_worker


def _begin(settings: Settings) -> None:
    """Remove what a killed runner left, before the first message comes; say what is held."""
    Host(settings.work_dir).sweep()
    cache_of(settings).sweep()
    Beat(settings).begin()


def _clear(settings: Settings) -> None:
    """Leave no image in this host's memory."""
    Host(settings.work_dir).images.clear()


app = make_worker(
    {},
    {Task.RUN_SHARD: run_shard, Task.RUN_SECTIONS: run_sections},
    life=Life(begin=_begin, stop=STOPPING.set, end=_clear),
)
