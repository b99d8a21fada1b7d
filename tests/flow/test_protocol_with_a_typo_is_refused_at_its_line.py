"""`proctor study draft` with a typo in the protocol: the line, the cure, and no study."""

import pytest
from tests.flow.lab import ROOT, Lab, rows

TYPOS = {
    "unknown field": ("intended_use:", "intendet_use:", "intendet_use"),
    "unknown metric": ("metric: auroc", "metric: aurocc", "aurocc"),
    "broken yaml": ("alpha: 0.05", "alpha: [0.05", ""),
}


@pytest.fixture(scope="module")
def cohort(lab: Lab) -> str:
    return lab.cohort(rows(12))


@pytest.fixture(params=TYPOS)
def refused(request, lab, cohort, public_cohort, tmp_path):
    right, wrong, word = TYPOS[request.param]
    text = (ROOT / "docs/examples/protocols/binary-table.yaml").read_text()
    line = text[: text.index(right)].count("\n") + 1
    path = tmp_path / "protocol.yaml"
    path.write_text(text.replace(right, wrong, 1))
    words = ("study", "draft", str(path), "--cohort", cohort, "--conformance", public_cohort)
    before = lab["statistician"].get("/studies")
    done = lab["statistician"].cli(*words, check=False)
    return done, path, line, word, before


def test_exit_code_tells_of_the_failure(refused):
    assert refused[0].returncode != 0


def test_message_points_at_the_line(refused):
    done, path, line, word, _ = refused
    # A bracket that is never closed is found at a later line.
    at = [f"{path}:{n}" for n in range(line, line + (1 if word else 3))]
    assert any(place in done.stderr for place in at), done.stderr


def test_message_says_what_to_do(refused):
    assert "cure" in refused[0].stderr.lower() or "→" in refused[0].stderr, refused[0].stderr


def test_no_study_is_made(lab, refused):
    assert lab["statistician"].get("/studies") == refused[4]
