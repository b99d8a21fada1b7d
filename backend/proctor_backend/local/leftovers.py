"""Removes what a runner that was killed left on this machine: containers, mounts, folders.

A runner that ends by itself leaves nothing; this is for the other ones, once nobody lives.
"""

from pathlib import Path

from proctor_sdk.sandbox.cgroup import remove_empty_groups
from proctor_sdk.sandbox.podman import Podman
from proctor_sdk.sandbox.workspace import mounts_below, remove_workspace


def clear_runner(work: Path) -> None:
    """Clear a dead runner's work folder of containers, images and everything in memory."""
    if not mounts_below(work):
        return
    for home in sorted((work / "engine").glob("*/")):
        if mounts_below(home):
            Podman(home, runtime=home.name.rpartition("-")[2]).remove()
    for mounted in mounts_below(work):
        remove_workspace(mounted)
    for note in (work / "jobs").glob("*.owner"):
        note.unlink()
    remove_empty_groups()
