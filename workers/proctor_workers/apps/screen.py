"""The worker that looks at vendors' images before they run."""

from proctor_backend.domain.messages import Task
from proctor_backend.domain.states import EntryState
from proctor_workers.steps.screen import screen_entry
from proctor_workers.tasks import Step, make_worker

app = make_worker({Task.SCREEN: Step("entries", EntryState.UPLOADED, screen_entry)})
