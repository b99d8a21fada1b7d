"""Feeds mutated files to every reader, guided by coverage (atheris); run by `make soak`.

Whatever the bytes are, a reader may refuse them and nothing else. An input that makes one fail or
hang is written to build/soak by libFuzzer, with the trace on the screen.
"""

import logging
import sys
import tempfile
import warnings
from pathlib import Path

import atheris

sys.path[0] = str(Path(__file__).resolve().parents[2])

with atheris.instrument_imports(include=["proctor_workers.hidden_data.formats", "pydicom"]):
    from proctor_workers.hidden_data.case_files import (
        CanonicalForm,
        ReadRequest,
        SourceFile,
        UnreadableFileError,
    )
    from proctor_workers.hidden_data.deidentify.profile import Deidentification
    from proctor_workers.hidden_data.formats.registry import read_case
    from proctor_workers.hidden_data.pseudonyms import PatientKeys

ROOT = Path(__file__).resolve().parents[2]
KEYS = PatientKeys(uid_key=b"u" * 32, date_shift_days=30, names=("Doe",))
LARGEST_SEED = 40_000
SECONDS_A_FILE = 20


def one_input(content: bytes) -> None:
    """Read one file as a case of its own; a refusal is fine."""
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "in", Path(folder) / "out"
        path.write_bytes(content)
        out.mkdir()
        request = ReadRequest(
            files=(SourceFile(name="case.bin", path=path),),
            keys=KEYS,
            deidentification=Deidentification(),
            form=CanonicalForm(),
            folder=out,
        )
        try:
            read_case(request)
        except UnreadableFileError:
            return


def seeds(folder: Path) -> Path:
    """Lay out small real files of every kind for the fuzzer to begin with."""
    import data_store
    import nibabel
    import pydicom
    from skimage import data as pictures

    folder.mkdir(parents=True, exist_ok=True)
    sources = [
        Path(pydicom.__file__).parent / "data" / "test_files",
        Path(data_store.__file__).parent / "data",
        Path(nibabel.__file__).parent / "tests" / "data",
        Path(pictures.__file__).parent,
    ]
    for source in sources:
        for path in source.rglob("*"):
            if path.is_file() and path.suffix != ".py" and path.stat().st_size <= LARGEST_SEED:
                (folder / f"{len(list(folder.iterdir())):04d}{path.suffix}").write_bytes(
                    path.read_bytes()
                )
    return folder


def main() -> None:
    """Fuzz for as many seconds as the first argument says."""
    seconds = sys.argv[1] if len(sys.argv) > 1 else "300"
    build = ROOT / "build" / "soak"
    corpus = seeds(build / "corpus")
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    words = [
        sys.argv[0], str(corpus), f"-max_total_time={seconds}", f"-timeout={SECONDS_A_FILE}",
        f"-artifact_prefix={build}/", "-rss_limit_mb=6000", f"-max_len={LARGEST_SEED}",
    ]  # fmt: skip
    atheris.Setup(words, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
