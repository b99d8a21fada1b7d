"""The worker that makes a partner's upload a cohort."""

from proctor_backend.domain.messages import Task
from proctor_backend.domain.states import CohortState, ComparisonState, WithdrawalState
from proctor_workers.steps.compare import compare
from proctor_workers.steps.ingest import ingest
from proctor_workers.steps.withdraw import erase_files, remove_patient
from proctor_workers.tasks import Step, make_worker

app = make_worker(
    {
        Task.INGEST: Step("cohorts", CohortState.UPLOADED, ingest),
        Task.REMOVE_PATIENT: Step("withdrawals", WithdrawalState.ASKED, remove_patient),
        Task.COMPARE: Step("comparisons", ComparisonState.UPLOADED, compare),
        Task.ERASE_FILES: Step("withdrawals", WithdrawalState.REMOVED, erase_files),
    }
)
