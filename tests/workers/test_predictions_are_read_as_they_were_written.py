"""What a runner stored line by line is read line by line, whatever white space a model wrote."""

from types import SimpleNamespace

import pytest

from proctor_workers.steps.measure import predictions


@pytest.mark.parametrize("space", [b"\r", b" ", b"\t"])
def test_white_space_inside_an_answer_does_not_end_it(space: bytes) -> None:
    content = b'{"case":"a",' + space + b'"status":"failed"}' + space + b"\n"
    part = {"fence": 1, "seq": 1, "key": "k", "sha256": "s"}
    records = SimpleNamespace(find=lambda *_: [{"parts": [part]}])
    store = SimpleNamespace(get=lambda *_, **__: content)
    found = predictions(records, store, {"_id": "eva", "cases": 1})  # type: ignore[arg-type]
    assert [one["case"] for one in found] == ["a"]
