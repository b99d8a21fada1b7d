import ast
import re
from pathlib import Path

import pytest
from material import material, measurement, result

from proctor_backend.domain.errors import InvalidInputError, PlatformError
from proctor_backend.reporting import SLOTS, build_context, check_texts, core_sections, sections
from proctor_backend.reporting.counts import FLOW, count_results
from proctor_backend.reporting.sections.checklists import CHECKLISTS

FOLDER = Path(sections.__file__).parent
# Item numbers of the guidelines and the years in their names claim nothing.
WITHOUT_CLAIMS = {"checklists.py"}


def texts(path: Path) -> list[str]:
    tree = ast.parse(path.read_text("utf-8"))
    documented = (ast.Module, ast.FunctionDef)
    nodes = [node for node in ast.walk(tree) if isinstance(node, documented)]
    skipped = {ast.get_docstring(node, clean=False) for node in nodes}
    formatted = [node for node in ast.walk(tree) if isinstance(node, ast.FormattedValue)]
    formats = {
        id(part) for node in formatted if node.format_spec for part in ast.walk(node.format_spec)
    }
    constants = [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and id(n) not in formats]
    return [n.value for n in constants if isinstance(n.value, str) and n.value not in skipped]


def test_no_number_is_typed_into_a_text_of_the_platform() -> None:
    modules = [path for path in FOLDER.glob("*.py") if path.name not in WITHOUT_CLAIMS]
    typed = [text for path in modules for text in texts(path) if re.search(r"\d", text)]
    assert [text for text in typed if not re.fullmatch(r"H[01]|sha256:", text)] == []


def test_every_checklist_item_points_to_a_section_that_exists() -> None:
    ids = {section.id for section in core_sections(build_context(material(), "full"))}
    assert {where for entries in CHECKLISTS.values() for _, _, where in entries} <= ids


def test_every_slot_of_the_vendor_is_asked_for_once() -> None:
    asked = [
        block.as_dict()["slot"]
        for section in core_sections(build_context(material(), "full"))
        for block in section.blocks
        if block.as_dict()["type"] == "request" and block.as_dict()["slot"]
    ]
    assert sorted(asked) == sorted(SLOTS)


def test_an_unknown_slot_is_refused_by_name() -> None:
    with pytest.raises(InvalidInputError) as caught:
        check_texts({"marketing": "The best."})
    assert caught.value.problems[0]["field"] == "marketing"


def test_a_manifest_that_names_the_vendor_cannot_be_drafted_from() -> None:
    with pytest.raises(PlatformError):
        material(manifest={"model": {"vendor": "Kestrel"}})


def test_only_the_full_edition_lists_the_events_of_the_hidden_run() -> None:
    event = {"chain": "ent_a", "kind": "shard.recorded", "at": "", "actor": "x", "digest": "0"}
    for edition, there in (("full", True), ("public", False)):
        found = core_sections(build_context(material(audit=[event]), edition))[-1]
        assert ("shard recorded" in str([block.as_dict() for block in found.blocks])) is there


def test_only_the_full_edition_tells_how_fast_the_model_was() -> None:
    """A model could speak to its vendor by its pace."""
    for edition, there in (("full", True), ("submission", False), ("public", False)):
        found = {one.id: one for one in core_sections(build_context(material(), edition))}
        text = str([block.as_dict() for block in found["custody"].blocks])
        assert ("T07:10:00" in text) is there


def test_a_test_without_an_interval_is_told_by_its_p_value() -> None:
    measured = measurement()
    measured["results"].append(
        result("log_rank.main", "log_rank", 12.5, 400, interval=None, p_value=0.0004)
    )
    found = core_sections(build_context(material(measurement=measured), "full"))
    blocks = next(one for one in found if one.id == "secondary").blocks
    tests = [block.as_dict() for block in blocks if block.as_dict().get("columns") == ["Test", "p"]]
    assert "log_rank.main" in str(tests)
    assert "p_value" in str(tests)


def test_the_flow_is_told_in_the_order_in_which_cases_go():
    flow = measurement()["accountability"]
    by_name = {"accountability": dict(sorted(flow.items())), "results": [], "figures": []}
    told = [row["id"] for row in count_results(by_name) if row["id"].startswith(f"{FLOW}.")]
    steps = [name.split(".")[2] for name in told]
    order = ["enrolled", "excluded", "run", "ok", "indeterminate", "failed", "analysed"]
    assert list(dict.fromkeys(steps)) == [step for step in order if step in flow]
