import io
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from material import material

from proctor_backend.domain.errors import InvalidInputError
from proctor_backend.reporting import (
    assemble_body,
    build_context,
    check_sections,
    cut_edition,
    new_salts,
    plugin_input,
)
from proctor_backend.reporting.render import render_edition

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "sdk" / "examples" / "report-plugin"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("bundle")
    for name in ("a.zip", "b.zip"):
        subprocess.run(
            [sys.executable, EXAMPLE / "build_bundle.py", folder / name],
            check=True,
            capture_output=True,
        )
    assert (folder / "a.zip").read_bytes() == (folder / "b.zip").read_bytes()
    return (folder / "a.zip").read_bytes()


@pytest.fixture(scope="module")
def answer(bundle: bytes, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("unpacked")
    zipfile.ZipFile(io.BytesIO(bundle)).extractall(folder)
    done = subprocess.run(
        [sys.executable, "-m", "proctor_sdk.report.run", folder],
        input=json.dumps(plugin_input(material(), [])),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def sections(*blocks: dict[str, Any], title: str = "Own") -> list[dict[str, Any]]:
    return [
        {"edition": "public", "sections": [{"id": "own", "title": title, "blocks": list(blocks)}]}
    ]


def paragraph(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "paragraph", "parts": list(parts)}


def test_example_section_stands_in_every_edition_with_the_platforms_numbers(
    answer: list[dict[str, Any]],
) -> None:
    given = material()
    salts = new_salts(given)
    body = assemble_body(given, answer, salts=salts)
    page = render_edition(cut_edition(body, None, salts, "public"))["html"].decode()
    own = page.partition('id="client-safety-board"')[2].partition("</section>")[0]
    assert "0.817" in own
    assert "criterion met" in own


def test_the_least_disclosing_context_comes_first() -> None:
    contexts = plugin_input(material(), [])["contexts"]
    assert [context["edition"] for context in contexts] == ["public", "submission", "full"]


def test_a_citation_of_an_unknown_result_is_refused() -> None:
    block = paragraph({"type": "number", "ref": "auroc.race.martian", "show": "estimate"})
    with pytest.raises(InvalidInputError) as caught:
        check_sections(sections(block), material())
    assert "cites a result that does not exist" in caught.value.problems[0]["what"]


@pytest.mark.parametrize("text", ["The area was 0.99.", "Area \u0660\u066b\u0669", "Half: ½"])
def test_a_typed_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError):
        check_sections(sections(paragraph({"type": "text", "text": text})), material())


def test_the_name_of_a_standard_may_carry_its_number() -> None:
    block = paragraph({"type": "text", "text": "Risk management follows ISO 14971."})
    assert check_sections(sections(block), material())["public"]


@pytest.mark.parametrize("text", ["The device is validated.", "It is unbiased.", "FDA-ready"])
def test_a_forbidden_claim_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError):
        check_sections(sections(paragraph({"type": "text", "text": text})), material())


@pytest.mark.parametrize(
    "block",
    [
        {"type": "verdict", "refs": ["auroc"], "one_suffices": True},
        {"type": "approvals"},
        {"type": "html", "text": "<b>x</b>"},
        {"type": "heading", "text": "x", "style": "red"},
        {"type": "figure", "id": "forest.unknown"},
    ],
)
def test_a_plugin_can_neither_restyle_nor_sign(block: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        check_sections(sections(block), material())


def test_an_answer_above_a_megabyte_is_refused() -> None:
    block = paragraph(*({"type": "text", "text": "x" * 4000} for _ in range(190)))
    with pytest.raises(InvalidInputError):
        check_sections(sections(block, block), material())


def test_a_need_that_no_context_offers_is_refused() -> None:
    with pytest.raises(InvalidInputError):
        plugin_input(material(), ["errors"])


def test_a_plugin_that_fails_is_reported_by_its_edition(tmp_path: Path) -> None:
    (tmp_path / "bundle.json").write_text('{"api": 1, "entry": "nowhere:sections"}')
    done = subprocess.run(
        [sys.executable, "-m", "proctor_sdk.report.run", tmp_path],
        input=json.dumps(plugin_input(material(), [])), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "public" in done.stderr


def test_no_clients_name_stands_in_platform_code() -> None:
    client = re.compile("north" + "lake", re.IGNORECASE)
    folders = ("backend", "workers", "sdk/src")
    sources = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    assert [path for path in sources if client.search(path.read_text("utf-8"))] == []


def test_documented_context_is_the_real_one() -> None:
    page = (ROOT / "docs" / "reference" / "report-context.md").read_text("utf-8")
    documented = set(re.findall(r"^\| `([a-z_.]+)` \|", page, re.MULTILINE))
    context = build_context(material(), "full").as_plugin_context(["study", "cohort", "figures"])
    real = set(context)
    for row in context["results"]:
        real |= {f"results.{name}" for name in row}
    real |= {f"{part}.{name}" for part in ("study", "cohort") for name in context[part]}
    assert documented == real
