"""The messages between processes: a wake-up that names a record, never its content."""

from dataclasses import dataclass
from enum import StrEnum


class Task(StrEnum):
    """A task's name on the wire; the workers register functions under these names."""

    SCREEN = "proctor.screen"
    INGEST = "proctor.ingest"
    REMOVE_PATIENT = "proctor.remove_patient"
    ERASE_FILES = "proctor.erase_files"
    COMPARE = "proctor.compare"
    ERASE_EVIDENCE = "proctor.erase_evidence"
    RUN_SHARD = "proctor.run_shard"
    RUN_SECTIONS = "proctor.run_sections"
    MEASURE = "proctor.measure"
    DRAFT = "proctor.draft"
    RENDER = "proctor.render"
    SIGN = "proctor.sign"


QUEUE_OF: dict[Task, str] = {
    Task.SCREEN: "screen",
    Task.INGEST: "ingest",
    Task.REMOVE_PATIENT: "ingest",
    Task.ERASE_FILES: "ingest",
    Task.COMPARE: "ingest",
    Task.ERASE_EVIDENCE: "measure",
    Task.RUN_SHARD: "run.cpu",
    Task.RUN_SECTIONS: "run.cpu",
    Task.MEASURE: "measure",
    Task.DRAFT: "draft",
    Task.RENDER: "render",
    Task.SIGN: "sign",
}


@dataclass(frozen=True, slots=True)
class Message:
    """Wake whoever does `task` for the record `subject`."""

    task: Task
    subject: str
    gpu: bool = False

    @property
    def queue(self) -> str:
        """Return the queue this message goes to."""
        return "run.gpu" if self.gpu and self.task is Task.RUN_SHARD else QUEUE_OF[self.task]
