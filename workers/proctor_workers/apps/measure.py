"""The worker that measures, drafts and renders."""

from proctor_backend.domain.messages import Task
from proctor_backend.domain.states import EvaluationState, ReportState, WithdrawalState
from proctor_workers.steps.draft import draft_report
from proctor_workers.steps.erase import erase_evidence
from proctor_workers.steps.measure import measure_evaluation
from proctor_workers.steps.render import render_report
from proctor_workers.tasks import Step, make_worker

app = make_worker(
    {
        Task.MEASURE: Step("evaluations", EvaluationState.EVALUATED, measure_evaluation),
        Task.DRAFT: Step("reports", ReportState.DRAFTING, draft_report),
        Task.ERASE_EVIDENCE: Step("withdrawals", WithdrawalState.FILES_ERASED, erase_evidence),
        Task.RENDER: Step("reports", ReportState.CLEARED, render_report),
    }
)
