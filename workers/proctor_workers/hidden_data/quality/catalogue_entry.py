"""One kind of finding: its title, how grave it is, what it means, what cures it."""

from dataclasses import dataclass

from proctor_workers.hidden_data.findings import Severity

ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One kind of finding; `severities` are those it may have, the gravest first."""

    title: str
    severities: tuple[Severity, ...]
    meaning: str
    cure: str = ""


def entry(
    severities: Severity | tuple[Severity, ...], title: str, meaning: str, cure: str = ""
) -> Entry:
    """Return an entry; one severity may stand alone."""
    several = severities if isinstance(severities, tuple) else (severities,)
    return Entry(title=title, severities=several, meaning=meaning, cure=cure)
