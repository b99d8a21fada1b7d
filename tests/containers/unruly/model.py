"""A model that misbehaves: at its start as task.json says, at a case as its inputs say."""

# It runs inside a container and is as unruly as a vendor's program may be.
# ruff: noqa: ARG005, E501, PTH123, PTH208, S108, T201, UP031

import ctypes
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from proctor_sdk.runtime import OUTPUT, answer, cases, task

TASK = task()
POSITIVE = TASK["positive"]
HELD = []


def write(text):
    with (OUTPUT / "predictions.jsonl").open("a") as stream:
        stream.write(text)


def line(case, **more):
    return json.dumps({"case": case, "status": "ok", "outputs": {"scores": {POSITIVE: 0.5}}} | more)


def fill(path):
    with open(path, "wb") as stream:
        while True:
            stream.write(b"x" * (1 << 20))
            stream.flush()


def fork_bomb():
    while True:
        if os.fork() == 0:
            time.sleep(60)


def starve():
    while True:
        HELD.append(bytearray(32 << 20))


def child_starves():
    done = subprocess.run([sys.executable, "-c", "x = bytearray(1 << 30)"], check=False)
    sys.exit(3 if done.returncode else 0)


def network():
    socket.create_connection(("192.0.2.1", 80), timeout=2)


def root():
    Path("/app/note").write_text("x")


def forbidden():
    ctypes.CDLL(None).mount(0, 0, 0, 0, 0)


def link():
    (OUTPUT / "predictions.jsonl").symlink_to("/etc/passwd")
    time.sleep(60)


def stray():
    (OUTPUT / "more.bin").write_bytes(b"x")


def replace():
    (OUTPUT / "new").write_text(line("c"))
    (OUTPUT / "new").rename(OUTPUT / "predictions.jsonl")
    time.sleep(60)


def chatter():
    for _ in range(20000):
        print("x" * 100)


def describe():
    status = dict(part.split(":", 1) for part in Path("/proc/self/status").read_text().splitlines())
    writable = []
    for folder in (
        "/",
        "/app",
        "/input",
        "/input/files",
        "/etc",
        "/dev",
        "/run",
        "/var/tmp",
        "/tmp",
        "/output",
    ):
        try:
            (Path(folder) / "probe").write_text("")
            (Path(folder) / "probe").unlink()
            writable.append(folder)
        except OSError:
            continue
    print(
        json.dumps(
            {
                "caps": sorted({status[name].strip() for name in status if name.startswith("Cap")}),
                "no_new_privs": status["NoNewPrivs"].strip(),
                "seccomp": status["Seccomp"].strip(),
                "ids": [os.getuid(), os.getgid(), os.getgroups()],
                "interfaces": [name for _, name in socket.if_nameindex()],
                "writable": writable,
                "env": sorted(os.environ),
                "hostname": socket.gethostname(),
                "devices": sorted(os.listdir("/dev")),
            }
        ),
        flush=True,
    )


ACTS = {
    "describe": describe,
    "crash": lambda: sys.exit(7),
    "quit": lambda: sys.exit(0),
    "hang": lambda: time.sleep(600),
    "nap": lambda: time.sleep(0.03),
    "segfault": lambda: ctypes.string_at(0),
    "fill_output": lambda: fill(OUTPUT / "predictions.jsonl"),
    "fill_tmp": lambda: fill("/tmp/big"),
    "fork_bomb": fork_bomb,
    "starve": starve,
    "child_starves": child_starves,
    "network": network,
    "root": root,
    "forbidden": forbidden,
    "link": link,
    "stray": stray,
    "replace": replace,
    "chatter": chatter,
}


def act(name):
    if name:
        ACTS[name]()


WRITES = {
    "garbage": lambda case: write("\x00\xff not json\n"),
    "broken": lambda case: write('{"case": \n'),
    "nan": lambda case: write('{"case":"%s","status":"ok","outputs":{"scores":{"%s":NaN}}}\n' % (case, POSITIVE)),
    "infinite": lambda case: write(line(case, outputs={"scores": {POSITIVE: 1e308}}).replace("1e+308", "1e999") + "\n"),
    "twice": lambda case: write(line(case) + "\n" + line(case) + "\n"),
    "unknown": lambda case: write(line("cunknown") + "\n"),
    "tag": lambda case: write(line(case, outputs={"horoscope": 1}) + "\n"),
    "noscore": lambda case: write(line(case, outputs={}) + "\n"),
    "impostor": lambda case: write(line(case, status="failed", outputs={}, reason="proctor:X") + "\n"),
    "endless": lambda case: write("x" * (2 << 20)),
}  # fmt: skip

# An operating point named "once-crash" asks for a crash at cases that say so, "each-crash" at all.
WHEN, _, WHAT = next((p for p in TASK["operating_points"] if p != "main"), "").partition("-")


def asked(said):
    """What a case makes the model do: what it says, or what the manifest asks for at such cases."""
    if said not in {"once", "each"}:
        return said
    return WHAT if WHEN in {"each", said} else ""


act(TASK.get("at_start"))
print("ready", flush=True)
HOLD = []
for case in cases():
    does = asked(case.inputs.get("do"))
    act(does if does in ACTS else "")
    if writes := case.inputs.get("write") or (does if does in WRITES else ""):
        WRITES[writes](case.name)
    elif TASK.get("reverse"):
        HOLD.append(case)
        if len(HOLD) == 2:
            for held in HOLD[::-1]:
                answer(held, scores={POSITIVE: 0.5})
            HOLD = []
    elif case.files:
        content = case.files[0].path.read_bytes()
        answer(case, scores={POSITIVE: len(content)})
    else:
        time.sleep(TASK.get("slow", 0))
        answer(
            case,
            scores={POSITIVE: len(os.listdir("/input/files")) + float(case.inputs.get("x", 0))},
        )
act(TASK.get("at_end"))
