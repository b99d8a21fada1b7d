"""`proctor init`: writes a manifest, an example model and a Containerfile; overwrites nothing."""

import argparse

from proctor_sdk.errors import ProctorSdkError
from proctor_sdk.manifest_schema import SCHEMA, Array, Key, Table

_MODEL = '''"""An example under contract proctor/v1: replace `load` and `score` by your own."""

import math
from collections.abc import Mapping

from proctor_sdk.runtime import Case, answer, cases


def load() -> Mapping[str, float]:
    """Return the model; it is loaded once, before the first case."""
    return {"intercept": -4.0, "age": 0.05}


def score(model: Mapping[str, float], case: Case) -> float:
    """Return the probability of the positive class."""
    age = float(case.inputs["age"])
    return 1 / (1 + math.exp(-(model["intercept"] + model["age"] * age)))


def main() -> None:
    """Answer every case; a case the model cannot score is answered "failed", never skipped."""
    model = load()
    for case in cases():
        try:
            answer(case, scores={"died": score(model, case)})
        except (KeyError, TypeError, ValueError) as error:
            answer(case, status="failed", reason=type(error).__name__)


if __name__ == "__main__":
    main()
'''

_CONTAINERFILE = """# Build and save (podman):
#   podman build -t my-model . && podman save --format oci-archive -o image.tar my-model
# Build and save (docker):
#   docker build -t my-model -f Containerfile . && docker save -o image.tar my-model
# Then: proctor check, proctor submit --study STUDY
FROM docker.io/library/python:3.11-slim
RUN pip install --no-cache-dir proctor-sdk
COPY model.py /app/model.py
# The sandbox has no network, a read-only root and this user; only /tmp and /output are writable.
USER 65532:65532
ENTRYPOINT ["python", "/app/model.py"]
"""


def run(arguments: argparse.Namespace) -> int:
    """Write the three files into the folder."""
    folder = arguments.folder
    files = {
        "proctor.toml": manifest_text(),
        "model.py": _MODEL,
        "Containerfile": _CONTAINERFILE,
    }
    if present := [name for name in files if (folder / name).exists()]:
        raise ProctorSdkError(
            "file_exists",
            f"{', '.join(present)} already in {folder.resolve()}.",
            cure="Give another folder: `proctor init my-model`.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
        print(f"wrote {folder / name}")
    print("Next: fill in proctor.toml, build as the Containerfile says, then `proctor check`.")
    return 0


def manifest_text() -> str:
    """Return an example manifest with the meaning of each key above it."""
    lines = ["# What you declare about a model version. Every key: docs/reference/manifest.md"]
    tables = {name: entry for name, entry in SCHEMA.keys.items() if not isinstance(entry, Key)}
    lines += _keys(Table(keys={n: k for n, k in SCHEMA.keys.items() if isinstance(k, Key)}))
    for name, entry in tables.items():
        lines += ["", f"# {entry.meaning}"]
        if isinstance(entry, Array):
            lines += [f"[[{name}]]", *_keys(entry.table)]
        else:
            lines += [f"[{name}]", *_keys(entry)]
    return "\n".join(lines) + "\n"


def _keys(table: Table) -> list[str]:
    lines = []
    for name, key in table.keys.items():
        if isinstance(key, Key):
            # DICOM headers do not fit the table study of the example.
            off = "# " if name == "headers" else ""
            lines += [f"# {key.meaning}", f"{off}{name} = {key.example}"]
    return lines
