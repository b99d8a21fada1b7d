"""The worker that holds the signing key, and nothing else."""

from proctor_backend.domain.messages import Task
from proctor_backend.domain.states import ReportState
from proctor_workers.steps.sign import sign_report
from proctor_workers.tasks import Step, make_worker

app = make_worker({Task.SIGN: Step("reports", ReportState.RENDERED, sign_report)})
