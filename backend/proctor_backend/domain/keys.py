"""Where every object lies: one function per kind of object, and nobody builds a key elsewhere.

Files are fanned out over 256 folders by the first two digits of their digest: servers that keep
objects as files list a folder for each request, which grows with the folder (184 ms a write at
1,000 files in one folder, 10 ms fanned out; rclone 1.75).
"""


def upload_key(lineage: str, sha256: str) -> str:
    """Return where a partner's raw file lies in quarantine, until the ingest is done."""
    return f"cohorts/{lineage}/{sha256[:2]}/{sha256}"


def upload_prefix(lineage: str) -> str:
    """Return what the keys of all of a partner's raw files begin with."""
    return f"cohorts/{lineage}/"


def image_key(entry: str) -> str:
    """Return where an entry's sealed image lies in quarantine."""
    return f"entries/{entry}/image.sealed"


def fingerprints_key(comparison: str) -> str:
    """Return where a vendor's sealed fingerprints lie in quarantine until they are compared."""
    return f"comparisons/{comparison}/fingerprints.sealed"


def cases_key(cohort: str, block: str) -> str:
    """Return where the case list of a block lies, in the hidden or the public bucket."""
    return f"{cohort}/{block}/cases.jsonl"


def file_key(lineage: str, block: str, sha256: str) -> str:
    """Return where a canonical file lies, in the hidden or the public bucket.

    All versions of a cohort share their files: `lineage` is the id of the first one, and a case
    keeps its block.
    """
    return f"{lineage}/{block}/{sha256[:2]}/{sha256}"


def reference_key(cohort: str) -> str:
    """Return where a cohort's reference standard lies."""
    return f"{cohort}/reference.parquet"


def beside_reference_key(cohort: str, name: str) -> str:
    """Return where a table lies that only those who read the reference standard may read."""
    return f"{cohort}/{name}"


def evidence_key(evaluation: str, name: str) -> str:
    """Return where a file of an evaluation's evidence lies."""
    return f"evidence/{evaluation}/{name}"
