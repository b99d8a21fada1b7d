"""Reason codes: the closed vocabulary in which a failure is told, each with its cure."""

from __future__ import annotations

from enum import StrEnum


class ReasonCode(StrEnum):
    """Why an entry ended early. A hidden run answers with the first four only."""

    RUN_FAILED = "RUN_FAILED"
    RESOURCE_LIMIT = "RESOURCE_LIMIT"
    OUTPUT_INVALID = "OUTPUT_INVALID"
    PLATFORM_ERROR = "PLATFORM_ERROR"
    IMAGE_INVALID = "IMAGE_INVALID"
    IMAGE_REJECTED = "IMAGE_REJECTED"
    START_FAILED = "START_FAILED"
    NONZERO_EXIT = "NONZERO_EXIT"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    GPU_OUT_OF_MEMORY = "GPU_OUT_OF_MEMORY"
    TIME_LIMIT = "TIME_LIMIT"
    OUTPUT_MISSING = "OUTPUT_MISSING"
    OUTPUT_TOO_LARGE = "OUTPUT_TOO_LARGE"
    POLICY_VIOLATION = "POLICY_VIOLATION"
    CANCELLED = "CANCELLED"

    @property
    def sentence(self) -> str:
        """What happened, in words safe for a vendor."""
        return _TEXTS[self][0]

    @property
    def cure(self) -> str:
        """What the vendor can do about it."""
        return _TEXTS[self][1]


# fmt: off
_TEXTS: dict[ReasonCode, tuple[str, str]] = {
    ReasonCode.RUN_FAILED: (
        "The container did not complete the run.",
        "Run `proctor check` with unusual but valid cases; answer 'failed' rather than crash.",
    ),
    ReasonCode.RESOURCE_LIMIT: (
        "The container reached a limit on memory, time or space.",
        "Measure with `proctor check`, then raise [resources] within the study's ceiling.",
    ),
    ReasonCode.OUTPUT_INVALID: (
        "The container's answers do not follow the contract.",
        "Run `proctor check`: it names the first wrong line of /output/predictions.jsonl.",
    ),
    ReasonCode.PLATFORM_ERROR: (
        "The platform failed, not your container.",
        "Nothing to do: the run is tried again under the same lock and is not a look.",
    ),
    ReasonCode.IMAGE_INVALID: (
        "The archive is not one readable container image with the declared config digest.",
        "Save it again: `podman save --format oci-archive -o image.tar NAME`.",
    ),
    ReasonCode.IMAGE_REJECTED: (
        "The image is readable but not allowed here.",
        "Build one image for linux/amd64, within the size that the study allows.",
    ),
    ReasonCode.START_FAILED: (
        "The container did not start or did not become ready in time.",
        "Check that it starts as uid 65532 on a read-only root, or raise start_seconds.",
    ),
    ReasonCode.NONZERO_EXIT: (
        "The container ended with an error.",
        "Read `proctor status ENTRY --logs`; exit 0 after the line that says end.",
    ),
    ReasonCode.OUT_OF_MEMORY: (
        "The container used more memory than resources.memory_mb.",
        "Raise resources.memory_mb within the study's ceiling or load less at once.",
    ),
    ReasonCode.GPU_OUT_OF_MEMORY: (
        "The container used more memory than the accelerator has.",
        "Lower the batch size or the precision; cases are fed one at a time.",
    ),
    ReasonCode.TIME_LIMIT: (
        "A case or the whole run took longer than the limit.",
        "Flush each answer when it is written, or raise seconds_per_case or seconds_total.",
    ),
    ReasonCode.OUTPUT_MISSING: (
        "The container ended without an answer for every case.",
        "Write one line for each case, with status 'failed' where the model has no answer.",
    ),
    ReasonCode.OUTPUT_TOO_LARGE: (
        "The container wrote more than it may to /output.",
        "Write nothing but /output/predictions.jsonl; scratch files belong in /tmp.",
    ),
    ReasonCode.POLICY_VIOLATION: (
        "The container tried something that the sandbox forbids.",
        "No network, no writing outside /tmp and /output; `proctor check` has the same policy.",
    ),
    ReasonCode.CANCELLED: (
        "The entry was cancelled.",
        "Submit again when you are ready.",
    ),
}
# fmt: on

# A hidden run answers in four words: what they do not tell apart cannot leak.
_HIDDEN: dict[ReasonCode, ReasonCode] = {
    ReasonCode.RESOURCE_LIMIT: ReasonCode.RESOURCE_LIMIT,
    ReasonCode.OUT_OF_MEMORY: ReasonCode.RESOURCE_LIMIT,
    ReasonCode.GPU_OUT_OF_MEMORY: ReasonCode.RESOURCE_LIMIT,
    ReasonCode.TIME_LIMIT: ReasonCode.RESOURCE_LIMIT,
    ReasonCode.OUTPUT_INVALID: ReasonCode.OUTPUT_INVALID,
    ReasonCode.OUTPUT_MISSING: ReasonCode.OUTPUT_INVALID,
    ReasonCode.OUTPUT_TOO_LARGE: ReasonCode.OUTPUT_INVALID,
    ReasonCode.PLATFORM_ERROR: ReasonCode.PLATFORM_ERROR,
}


def hidden_reason(code: ReasonCode) -> ReasonCode:
    """The code a vendor may learn when the same thing happens on hidden data."""
    return _HIDDEN.get(code, ReasonCode.RUN_FAILED)
