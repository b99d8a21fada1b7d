"""Which kinds of event the code makes: read from every `Event(kind=…)` and what passes it on."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("backend/proctor_backend", "workers/proctor_workers")


def kinds() -> set[str]:
    found: set[str] = set()
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(path.read_text("utf-8"))
            passing = set(_passing_on(tree))
            for call in _calls(tree):
                name = _name(call)
                if name == "Event":
                    found |= set(_texts(_kind_of(call, first=False), path))
                elif name in passing:
                    found |= set(_texts(_kind_of(call, first=True), path))
    return found


def _passing_on(tree: ast.Module) -> Iterator[str]:
    """Yield the functions of a module that make an event of a kind they are given."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            for call in _calls(function):
                if _name(call) == "Event" and isinstance(_kind_of(call, first=False), ast.Name):
                    yield function.name


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _name(call: ast.Call) -> str:
    function = call.func
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def _kind_of(call: ast.Call, *, first: bool) -> ast.expr | None:
    named = [keyword.value for keyword in call.keywords if keyword.arg == "kind"]
    if named:
        return named[0]
    return call.args[0] if first and call.args else None


def _texts(node: ast.expr | None, path: Path) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp(body=one, orelse=other):
            yield from _texts(one, path)
            yield from _texts(other, path)
        case ast.Name() | None:
            return  # passed on: the calls of the function are read instead
        case _:
            raise AssertionError(f"{path}:{node.lineno}: write the event's kind as a text")
