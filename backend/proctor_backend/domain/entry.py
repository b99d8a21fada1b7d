"""What an entry is to its vendor: five states at slot ends, four reasons, nothing else."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from proctor_backend.domain.ids import parse_utc
from proctor_backend.domain.states import EntryState

VENDOR_STATES: Mapping[str, str] = {
    EntryState.OPEN: "received",
    EntryState.UPLOADED: "received",
    EntryState.SCREENED: "checking",
    EntryState.CONFORMANT: "in evaluation",
    EntryState.EVALUATED: "in evaluation",
    EntryState.MEASURED: "in evaluation",
    EntryState.DECIDED: "decided",
    EntryState.RELEASED: "released",
    EntryState.FAILED: "failed",
    EntryState.CANCELLED: "cancelled",
}


def slot_end(moment: str, slot_s: float) -> float:
    """Return the end of the status slot in which a moment lies, in seconds since the epoch."""
    seconds = parse_utc(moment).timestamp()
    return seconds if slot_s <= 0 else (seconds // slot_s + 1) * slot_s


def state_shown(history: Sequence[Mapping[str, str]], now: str, slot_s: float) -> str:
    """Return the vendor's state: the last change whose slot has ended.

    `history` holds {state, at}, oldest first. Receipt itself is shown at once.
    """
    present = parse_utc(now).timestamp()
    shown = VENDOR_STATES[EntryState.OPEN]
    for change in history:
        if slot_end(change["at"], slot_s) <= present:
            shown = VENDOR_STATES[change["state"]]
    return shown


def manifest_problems(
    manifest: Mapping[str, Any], protocol: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return what in a manifest does not fit the study's protocol: {line, field, what, cure}."""
    return [
        {"line": None, "field": field, "what": what, "cure": cure}
        for field, what, cure in _misfits(manifest, protocol)
    ]


def _misfits(
    manifest: Mapping[str, Any], protocol: Mapping[str, Any]
) -> Iterable[tuple[str, str, str]]:
    task = manifest["task"]["kind"]
    if task != protocol["task"]:
        yield "task.kind", f"the study is about {protocol['task']}", "Enter it for another study."
    yield from _missing_operating_points(manifest, protocol)
    allowed = protocol.get("input_profile", {})
    kind = manifest.get("inputs", {}).get("kind")
    if kind != allowed.get("kind", kind):
        yield (
            "inputs.kind",
            f"the study's cases are of kind '{allowed['kind']}'",
            f'Write kind = "{allowed["kind"]}" if the model reads these.',
        )
    for field in ("attributes", "headers"):
        for name in manifest.get("inputs", {}).get(field, ()):
            if name not in allowed.get(field, ()):
                yield (
                    f"inputs.{field}",
                    f"the protocol does not grant {name!r}",
                    "Leave it out; what a model may see is fixed in the protocol's input_profile.",
                )
    yield from _beyond_the_ceiling(manifest.get("resources", {}), protocol.get("limits", {}))


def _missing_operating_points(
    manifest: Mapping[str, Any], protocol: Mapping[str, Any]
) -> Iterable[tuple[str, str, str]]:
    known = {point["id"] for point in manifest.get("operating_points", ())}
    wanted = {e["operating_point"] for e in protocol["endpoints"] if e.get("operating_point")}
    for missing in sorted(wanted - known):
        yield (
            "operating_points",
            f"the protocol measures at operating point {missing!r}, which is not defined",
            f'Add [[operating_points]] with id = "{missing}" and its threshold.',
        )


def _beyond_the_ceiling(
    resources: Mapping[str, Any], limits: Mapping[str, Any]
) -> Iterable[tuple[str, str, str]]:
    if resources.get("gpu") and not limits.get("gpu"):
        yield "resources.gpu", "the study offers no GPU", "Set gpu = false."
    for name, ceiling in limits.items():
        asked = resources.get(name)
        if name != "gpu" and isinstance(asked, int | float) and asked > ceiling:
            yield f"resources.{name}", f"the study's ceiling is {ceiling}", f"Ask for {ceiling}."
