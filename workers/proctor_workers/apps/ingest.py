"""The worker that makes a partner's upload a cohort."""

from proctor_backend.domain.messages import Task
from proctor_backend.domain.states import CohortState
from proctor_workers.steps.ingest import ingest
from proctor_workers.tasks import Step, make_worker

app = make_worker({Task.INGEST: Step("cohorts", CohortState.UPLOADED, ingest)})
