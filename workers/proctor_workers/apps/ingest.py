"""The worker that makes a partner's upload a cohort."""

import logging

from pymongo.errors import PyMongoError

from proctor_backend.domain.errors import PlatformError
from proctor_backend.domain.messages import Task
from proctor_backend.domain.states import CohortState, ComparisonState, WithdrawalState
from proctor_backend.settings import Settings
from proctor_workers.steps.compare import compare
from proctor_workers.steps.ingest import forget_ended, ingest
from proctor_workers.steps.withdraw import erase_files, remove_patient
from proctor_workers.tasks import Life, Step, make_worker
from proctor_workers.tools import Tools

LOG = logging.getLogger(__name__)


def _begin(settings: Settings) -> None:
    """Delete what an ingest left that ended while no worker lived."""
    try:
        forget_ended(Tools(settings))
    except (PlatformError, PyMongoError) as error:  # the next ingest does it
        LOG.warning("what ended is not forgotten yet: %s", error)


def _nothing(*_: object) -> None:
    """Do nothing more."""


app = make_worker(
    {
        Task.INGEST: Step("cohorts", CohortState.UPLOADED, ingest),
        Task.REMOVE_PATIENT: Step("withdrawals", WithdrawalState.ASKED, remove_patient),
        Task.COMPARE: Step("comparisons", ComparisonState.UPLOADED, compare),
        Task.ERASE_FILES: Step("withdrawals", WithdrawalState.REMOVED, erase_files),
    },
    life=Life(begin=_begin, stop=_nothing, end=_nothing),
)
