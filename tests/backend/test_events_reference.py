import re

from tests.backend.event_kinds import kinds
from tests.backend.reference import REFERENCE

ROW = re.compile(r"^\| `([a-z_]+\.[a-z_]+)` \| (.+) \|$", re.MULTILINE)


def rows():
    return ROW.findall((REFERENCE / "events.md").read_text("utf-8"))


def test_the_reference_page_lists_the_kinds_that_the_code_makes():
    assert {kind for kind, _ in rows()} == kinds()


def test_every_kind_stands_once_and_in_order():
    listed = [kind for kind, _ in rows()]
    assert listed == sorted(set(listed))
