"""A task claims its record, does one step, and leaves through one exit.

A message that comes twice or too late finds nothing to claim and is forgotten. A platform error is
left to the sweeper, which wakes the step again; any other failure counts, and the third ends it.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from celery import Celery
from celery.signals import worker_init, worker_shutdown, worker_shutting_down
from pymongo.errors import PyMongoError

from proctor_backend.domain.errors import PlatformError, ProctorError, StateConflictError
from proctor_backend.domain.messages import Task
from proctor_backend.domain.states import State
from proctor_backend.queue import make_app
from proctor_backend.services.claims import claimed
from proctor_backend.services.give_up import give_up
from proctor_backend.settings import Settings, load_settings
from proctor_workers.tools import Tools

LOG = logging.getLogger(__name__)
TRIES = 3


@dataclass(frozen=True, slots=True)
class Step:
    """A stop of the main line: the records it takes, in which state, and what is done to one."""

    collection: str
    state: State
    do: Callable[[Tools, dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Life:
    """What a worker does beside its tasks: at its start, when asked to end, at its end."""

    begin: Callable[[Settings], None]
    stop: Callable[[], None]
    end: Callable[[Settings], None]


def make_worker(
    steps: Mapping[Task, Step],
    jobs: Mapping[Task, Callable[[Settings, str], None]] | None = None,
    *,
    life: Life | None = None,
) -> Celery:
    """Return a worker's application: `steps` over the record, `jobs` that need none.

    Connections are opened by the first step.
    """
    settings = load_settings()
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    # A presigned URL is a key to hidden data: httpx names every address it asks.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    app = make_app(settings.amqp_url)
    tools = cache(lambda: Tools(settings))
    for task, step in steps.items():
        _register(app, task, _for_step(task, step, tools))
    for task, job in (jobs or {}).items():
        _register(app, task, _for_job(job, settings))
    if life is not None:
        _live(life, settings)
    return app


def take_step(task: Task, step: Step, tools: Tools, subject: str) -> None:
    """Do one step for one record, if it is still to be done and nobody else is at it."""
    with claimed(tools.records, step.collection, subject, state=step.state) as record:
        if record is None:
            LOG.info("%s: nothing to do for %s", task, subject)
            return
        try:
            step.do(tools, dict(record))
        except StateConflictError:
            LOG.info("%s: %s moved on meanwhile", task, subject)
        except (PlatformError, PyMongoError) as error:
            LOG.warning("%s: %s waits for the platform: %s", task, subject, error)
        except Exception as error:  # the step's own fault, or the data's: counted, never lost
            LOG.exception("%s: %s failed", task, subject)
            _count(tools, step.collection, record, error)


def _for_step(task: Task, step: Step, tools: Callable[[], Tools]) -> Callable[[str], None]:
    def run(subject: str) -> None:
        take_step(task, step, tools(), subject)

    return run


def _for_job(job: Callable[[Settings, str], None], settings: Settings) -> Callable[[str], None]:
    def run(subject: str) -> None:
        job(settings, subject)

    return run


def _live(life: Life, settings: Settings) -> None:
    worker_init.connect(lambda **_: life.begin(settings), weak=False)
    worker_shutting_down.connect(lambda **_: life.stop(), weak=False)
    worker_shutdown.connect(lambda **_: life.end(settings), weak=False)


def _register(app: Celery, task: Task, run: Callable[[str], None]) -> None:
    app.task(name=str(task))(run)


def _count(tools: Tools, collection: str, record: Mapping[str, Any], error: Exception) -> None:
    tries = int(record.get("tries", 0)) + 1
    tools.records.touch(collection, record["_id"], {"tries": tries}, expect={})
    if tries >= TRIES:
        detail = error.message if isinstance(error, ProctorError) else type(error).__name__
        explained = isinstance(error, ProctorError)
        give_up(tools.records, collection, record, detail, explained=explained)
