"""What the documents name exists: pages, targets, commands, functions, and the contract's lines."""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from proctor_backend.api.permissions import RULES
from proctor_backend.cli import build_parser as admin_parser
from proctor_backend.settings import Settings
from proctor_sdk.cli import build_parser as sdk_parser
from proctor_sdk.outputs import TASKS, check_outputs
from proctor_sdk.predictions import TaskSpec, parse_prediction
from proctor_workers.cli import build_parser as worker_parser

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "sdk" / "examples").rglob("*.md")),
]
CODE = [ROOT / "backend", ROOT / "workers", ROOT / "sdk" / "src", ROOT / "infra"]
CONTRACT = ROOT / "docs" / "reference" / "container-contract.md"
ARCHITECTURE = ROOT / "docs" / "explanation" / "architecture.md"
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
COMMAND = re.compile(r"(?:^|[\s/;&|=])(proctor(?:-admin|-worker)?)((?: +[^\s|;&#`]+)*)")
MAKE = re.compile(r"(?:^|[\s;&])make ([a-z]+)\b")
REGISTRIES = re.compile(
    r"docker\.io|quay\.io|ghcr\.io|gcr\.io|pypi\.org|registry\.npmjs|\bmirror\.|nexus|artifactory",
    re.IGNORECASE,
)
SETTING = re.compile(r"\bPROCTOR_[A-Z0-9_]+\b")
ROUTE = re.compile(r"\b(GET|POST|PUT|DELETE) (/api/v1/[^\s`?]*)")
# Read by the commands themselves, by the compose file and by the tests that write pages.
OTHER_SETTINGS = {"HOME", "URL", "TOKEN", "UID", "GID", "WRITE_DOCS"}
ROOTS = [
    base / package
    for base in (ROOT / "backend", ROOT / "workers", ROOT / "sdk" / "src")
    for package in ("", "proctor_backend", "proctor_workers", "proctor_sdk")
]
PARSERS = {parser.prog: parser for parser in (sdk_parser(), admin_parser(), worker_parser())}


def name_of(path):
    return str(path.relative_to(ROOT))


@pytest.fixture(params=PAGES, ids=name_of)
def page(request):
    return request.param


def test_every_link_leads_somewhere(page):
    broken = [link for link in LINK.findall(page.read_text("utf-8")) if not leads(page, link)]
    assert not broken, "Correct the link, or write the page."


def test_every_make_target_that_is_named_exists(page):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {target for code in typed(page) for target in MAKE.findall(code)}
    assert named <= targets


def test_every_command_that_is_named_exists(page):
    wrong = [
        f"{program}{words}"
        for code in typed(page)
        for program, words in COMMAND.findall(code)
        if not known(PARSERS[program], words.split())
    ]
    assert not wrong, "Write it as `--help` spells it."


def test_every_setting_that_is_named_exists(page):
    fields = {name.upper() for name in Settings.model_fields} | OTHER_SETTINGS
    named = {name.removeprefix("PROCTOR_") for name in SETTING.findall(page.read_text("utf-8"))}
    assert named <= fields


def test_every_route_that_is_named_exists(page):
    routes = {(rule.method, blank(rule.path)) for rule in RULES}
    named = {(method, blank(path)) for method, path in ROUTE.findall(page.read_text("utf-8"))}
    assert named <= routes


def test_pages_name_no_registry(page):
    assert not REGISTRIES.search(page.read_text("utf-8")), "A reader chooses registries, not we."


def test_no_client_is_named_in_the_platform():
    named = [
        name_of(path)
        for folder in CODE
        for path in folder.rglob("*")
        if path.suffix in {".py", ".html", ".typ", ".sh", ".json", ".css", ".yaml", ".yml"}
        and "northlake" in path.read_text("utf-8", errors="replace").lower()
    ]
    assert not named, "What a client wants goes into its plugin."


def test_every_page_is_in_the_index():
    index = ROOT / "docs" / "README.md"
    listed = {(index.parent / link).resolve() for link in LINK.findall(index.read_text("utf-8"))}
    pages = {path for path in (ROOT / "docs").rglob("*.md") if path != index}
    assert not {name_of(path) for path in pages - listed}


def test_the_functions_of_the_fifteen_stops_exist():
    table = [line for line in ARCHITECTURE.read_text("utf-8").split("\n") if line[:3] != "| |"]
    rows = [line.split("|") for line in table if re.match(r"\| \d+ \|", line)]
    assert len(rows) == 15
    missing = [name for row in rows for name in missing_names(INLINE.findall(row[3]))]
    assert not missing


def test_answers_in_the_contract_page_are_accepted():
    blocks = [text for kind, text in FENCE.findall(CONTRACT.read_text("utf-8")) if kind == "json"]
    task = TaskSpec.from_documents(json.loads(blocks[0]))
    answers = [line.encode() for line in blocks[2].strip().split("\n")]
    assert [str(parse_prediction(line, task=task).status) for line in answers] == [
        "ok",
        "indeterminate",
        "failed",
    ]


def test_forms_of_every_tag_in_the_contract_page_are_accepted():
    section = CONTRACT.read_text("utf-8").partition("## Outputs by kind of task")[2]
    kinds, forms = section.partition("\n## ")[0].split("| tag | form |")
    asked = {
        tag
        for kind in re.findall(r"^\| `(\w+)` \|", kinds, re.MULTILINE)
        for tag in TASKS[kind].tags
    }
    shown = set()
    for tag, text in re.findall(r"^\| `(\w+)` \| (.*) \|$", forms, re.MULTILINE):
        examples = [one for one in INLINE.findall(text) if one[0] in '{["' and '"' in one]
        for example in examples:
            if not example.startswith(('"name"', '"spacing"')):
                check_outputs({tag: json.loads(example)}, (), None)
        shown |= {tag} if examples else set()
    assert shown == asked


def test_the_example_without_our_package_answers_every_case(tmp_path):
    blocks = [text for kind, text in FENCE.findall(CONTRACT.read_text("utf-8")) if kind == "python"]
    program = blocks[1].replace('"/input/', f'"{tmp_path}/').replace('"/output/', f'"{tmp_path}/')
    cases = [{"case": "ca", "files": [], "inputs": {"age": 67}}, {"end": True}]
    (tmp_path / "cases.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
    subprocess.run([sys.executable, "-c", program], check=True, timeout=20)
    task = TaskSpec(kind="binary_classification", classes=("survived", "died"), positive="died")
    line = (tmp_path / "predictions.jsonl").read_bytes().strip()
    assert parse_prediction(line, task=task).outputs == {"scores": {"died": 0.67}}


def blank(path):
    """Return a path with its parameters unnamed."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def leads(page, link):
    if re.match(r"[a-z]+:", link):
        return True
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists() or not anchor:
        return target.exists()
    return anchor in {slug(title) for title in HEADING.findall(target.read_text("utf-8"))}


def slug(title):
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def typed(page):
    """Return what a reader may type: code in fences and between backticks."""
    text = page.read_text("utf-8")
    fenced = [block for kind, block in FENCE.findall(text) if kind in {"", "console", "bash", "sh"}]
    indented = re.findall(r"^(?: {4,}|\t)(.*)$", FENCE.sub("", text), re.MULTILINE)
    lines = [line for block in [*fenced, *indented] for line in block.split("\n")]
    return [line for line in lines if not is_answer(line)] + INLINE.findall(FENCE.sub("", text))


def is_answer(line):
    """Tell what a command prints, or a box of a drawing, from what is typed."""
    return bool(re.match(r" *(proctor: |ok  |VERIFIED)", line))


def known(parser, words):
    """Say whether the words lead to a command, and every option is one of its own."""
    given = [word for word in words if not word.startswith("$")]
    while verbs := subcommands(parser):
        if given and given[0].startswith("-"):
            drop = 2 if given[0] in takes_value(parser) else 1
            if given[0].partition("=")[0] not in options(parser):
                return False
            given = given[drop:]
            continue
        if not given or given[0] in {"…", "--"}:
            return True
        chosen = [verb.strip(",.") for verb in given[0].split("|")]
        if not set(chosen) <= verbs.keys():
            return False
        parser, given = verbs[chosen[0]], given[1:]
    asked = {word.partition("=")[0].rstrip(".,)") for word in given if word.startswith("-")}
    return asked - {"-"} <= options(parser)


def subcommands(parser):
    found = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return found[0].choices if found else {}


def options(parser):
    return {option for action in parser._actions for option in action.option_strings}


def takes_value(parser):
    return {o for a in parser._actions if a.nargs != 0 for o in a.option_strings}


def missing_names(names):
    """Yield the names that no module of ours has; a bare one continues the row's last module."""
    module = ""
    for name in names:
        spelt = name.removeprefix("workers: ")
        if "." in spelt:
            module, _, spelt = spelt.rpartition(".")
        defined = re.compile(rf"^(def|class) {spelt}\b", re.MULTILINE)
        if not any(defined.search(text) for text in sources(module.replace(".", "/"))):
            yield name


def sources(module):
    """Return the texts of the modules of that name, spelt with its package or without."""
    candidates = [root / f"{module}.py" for root in ROOTS]
    return [path.read_text("utf-8") for path in candidates if path.is_file()]
