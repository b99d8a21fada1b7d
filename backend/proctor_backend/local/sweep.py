"""Finds and ends what a stack's children left behind, by the tag in their environment.

A process group is not enough: Erlang's helpers and container monitors leave it. The environment of
a process is inherited by all it starts.
"""

import os
from collections.abc import Iterable

import psutil

TAG = "PROCTOR_STACK"


def tagged(tag: str) -> list[psutil.Process]:
    """Return the processes of a stack and all below them, without this one and its ancestors."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        try:
            if process.environ().get(TAG) == tag:
                below = process.children(recursive=True)
                found |= {one.pid: one for one in (process, *below)}
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return [process for pid, process in found.items() if pid not in own]


def end(processes: Iterable[psutil.Process], grace_s: float = 5.0) -> None:
    """Ask processes to end, then end them."""
    waiting = list(processes)
    for send in (psutil.Process.terminate, psutil.Process.kill):
        for process in waiting:
            try:
                send(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        waiting = psutil.wait_procs(waiting, timeout=grace_s)[1]
        if not waiting:
            return
