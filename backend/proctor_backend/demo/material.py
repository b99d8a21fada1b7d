"""What the demonstration starts from: data, a trained model and two images, made on the spot."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from proctor_backend.domain.errors import PlatformError

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "sdk" / "examples"


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """One study's files."""

    name: str
    title: str
    vendor: str
    folder: Path

    @property
    def example(self) -> Path:
        """The example that the study comes from."""
        return EXAMPLES / self.name

    @property
    def hidden(self) -> Path:
        """The hidden cohort's table; its files lie beside it."""
        return self.folder / "hidden" / "cohort.csv"

    @property
    def public(self) -> Path:
        """The public conformance set's table."""
        return self.folder / "conformance" / "cohort.csv"

    @property
    def manifest(self) -> Path:
        """The vendor's manifest, beside the image that it names."""
        return self.folder / "proctor.toml"

    @property
    def protocol(self) -> str:
        """The text of the protocol."""
        return (self.example / "protocol.yaml").read_text("utf-8")


def materials(folder: Path) -> tuple[Material, Material]:
    """Return both studies' places under the demonstration's folder."""
    return (
        Material(
            name="support2",
            title="SUPPORT2, 9,105 real patients of intensive care",
            vendor="lakeside",
            folder=folder / "support2",
        ),
        Material(
            name="phantom",
            title="Phantom chest radiographs with a planted difference",
            vendor="opaque",
            folder=folder / "phantom",
        ),
    )


def make_data(material: Material) -> None:
    """Write the cohorts, and train what is trained; what is there already stays."""
    material.folder.mkdir(parents=True, exist_ok=True)
    if not material.public.exists():
        maker = {"support2": "make_cohorts.py", "phantom": "generate.py"}[material.name]
        _python(material.example / maker, material.folder)
    weights = material.example / "model" / "weights.json"
    if material.name == "support2" and not weights.exists():
        _python(material.example / "train.py")


def make_image(material: Material) -> None:
    """Build the vendor's image from Debian packages, with no registry."""
    archive = material.folder / "image.tar"
    builder = ROOT / "infra" / "images" / "build.py"
    context = material.example / "model"
    _python(builder, "--context", context, "--out", archive, "--name", f"demo/{material.name}")
    text = (material.example / "proctor.toml").read_text("utf-8")
    material.manifest.write_text(text, encoding="utf-8")


def make_bundle(folder: Path) -> bytes:
    """Build the example report plugin; return its bundle."""
    bundle = folder / "client.bundle.zip"
    _python(EXAMPLES / "report-plugin" / "build_bundle.py", bundle)
    return bundle.read_bytes()


def _python(*words: str | Path) -> None:
    command = [sys.executable, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PlatformError(f"{Path(command[1]).name} failed:\n{done.stdout}{done.stderr}")
