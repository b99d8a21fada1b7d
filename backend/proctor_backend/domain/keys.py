"""Where every object lies: one function per kind of object, and nobody builds a key elsewhere.

Files are fanned out over 256 folders by the first two digits of their digest: servers that keep
objects as files list a folder for each request, which grows with the folder (184 ms a write at
1,000 files in one folder, 10 ms fanned out; rclone 1.75).
"""


def upload_key(cohort: str, sha256: str) -> str:
    """Return where a partner's raw file lies in quarantine."""
    return f"cohorts/{cohort}/{sha256[:2]}/{sha256}"


def image_key(entry: str) -> str:
    """Return where an entry's sealed image lies in quarantine."""
    return f"entries/{entry}/image.sealed"


def cases_key(cohort: str, block: str) -> str:
    """Return where the case list of a block lies, in the hidden or the public bucket."""
    return f"{cohort}/{block}/cases.jsonl"


def file_key(cohort: str, block: str, sha256: str) -> str:
    """Return where a canonical file lies, in the hidden or the public bucket."""
    return f"{cohort}/{block}/{sha256[:2]}/{sha256}"


def reference_key(cohort: str) -> str:
    """Return where a cohort's reference standard lies."""
    return f"{cohort}/reference.parquet"


def evidence_key(evaluation: str, name: str) -> str:
    """Return where a file of an evaluation's evidence lies."""
    return f"evidence/{evaluation}/{name}"
