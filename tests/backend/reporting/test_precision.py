"""The digits that the terms allow: in every number that leaves, proven by the same root."""

import copy
from dataclasses import replace
from types import SimpleNamespace

import pytest
from material import material as build_material

from proctor_backend.reporting import EDITIONS, assemble_body, cut_edition, new_salts
from proctor_backend.reporting.disclosure import Rule
from proctor_backend.reporting.editions import released_cells
from proctor_backend.reporting.precision import coarse, is_of_digits, rounded
from proctor_sdk import merkle
from proctor_sdk.canonical import canonical_bytes

DIGITS = 2
LEAVING = ("submission", "public")


@pytest.fixture(scope="module")
def made() -> SimpleNamespace:
    found = build_material()
    terms = {
        "allowed_tasks": ["binary_classification"],
        "max_evaluations": 3,
        "expires_at": "2099-01-01",
        "agreement": "Agreement 7.",
        "contact": "partner@example.org",
        "precision": DIGITS,
    }
    found = replace(found, cohort={**found.cohort, "terms": terms})
    salts = new_salts(found)
    body = assemble_body(found, salts=salts)
    editions = {one: cut_edition(body, None, salts, one) for one in EDITIONS}
    return SimpleNamespace(body=body, salts=salts, editions=editions)


@pytest.mark.parametrize(
    ("value", "digits", "told"),
    [(0.8765, 2, 0.88), (1234, 2, 1200), (-0.00345, 1, -0.003), (0, 3, 0), (99.6, 2, 100.0)],
)
def test_digits_are_significant_ones(value, digits, told):
    assert rounded(value, digits) == told
    assert type(rounded(value, digits)) is type(value)


def test_what_is_no_number_stays():
    given = {"a": ["x", True, None, 12.345]}
    assert rounded(given, 2) == {"a": ["x", True, None, 12.0]}


def test_a_margin_is_the_protocols_and_stays():
    row = {"estimate": 0.12345, "extra": {"margin": 0.125, "effect": 0.125}}
    assert coarse(row, 1)["extra"] == {"margin": 0.125, "effect": 0.1}


@pytest.mark.parametrize("edition", LEAVING)
def test_every_number_that_leaves_has_the_digits_of_the_terms(made, edition):
    shown = [one["result"] for one in made.editions[edition]["results"]]
    assert len(shown) > 10
    assert all(coarse(row, DIGITS) == row for row in shown)
    assert any("numerator" in row for row in shown)
    assert all(is_of_digits(one.get("data"), DIGITS) for one in made.editions[edition]["figures"])


def test_the_full_edition_is_exact(made):
    shown = [one["result"] for one in made.editions["full"]["results"]]
    assert any(coarse(row, DIGITS) != row for row in shown)


@pytest.mark.parametrize("edition", EDITIONS)
def test_every_edition_is_proven_by_the_one_root(made, edition):
    document = made.editions[edition]
    size = len(document["results"]) + len(document["withheld"])
    leaves = {one["index"]: one["leaf"] for one in document["withheld"]}
    for one in document["results"]:
        salted = {"salt": one["salt"], "result": one["result"]}
        leaves[one["index"]] = merkle.leaf_hash(canonical_bytes(salted))
        merkle.verify_proof(
            leaves[one["index"]], one["index"], size, one["proof"], document["results_root"]
        )
    assert merkle.root([leaves[i] for i in range(size)]) == made.body["results_root"]


def test_no_exact_number_leaves_beside_its_coarse_form(made):
    text = canonical_bytes(made.editions["submission"]).decode()
    exact = [
        row["estimate"]
        for row in made.body["results"]
        if isinstance(row["estimate"], float) and rounded(row["estimate"], DIGITS + 2) != 0
        and rounded(row["estimate"], DIGITS) != row["estimate"]
    ]  # fmt: skip
    assert exact
    assert not [value for value in exact if f"{value}" in text]


def test_fewer_digits_since_the_draft_leave_nothing_finer(made):
    tighter = cut_edition(made.body, None, made.salts, "submission", Rule(precision=1))
    assert all(coarse(one["result"], 1) == one["result"] for one in tighter["results"])


def test_digits_asked_for_only_after_the_draft_withhold_what_is_finer():
    found = build_material()
    salts = new_salts(found)
    body = assemble_body(found, salts=salts)
    before = cut_edition(body, None, salts, "submission")
    after = cut_edition(body, None, salts, "submission", Rule(precision=2))
    assert len(after["results"]) < len(before["results"])
    assert all(coarse(one["result"], 2) == one["result"] for one in after["results"])


def test_the_ledger_notes_the_digits(made):
    cells = released_cells(made.editions["public"])
    assert {one["precision"] for one in cells if one["disclosed"] == "shown"} == {DIGITS}
    assert len({one["result"] for one in cells}) == len(cells)


def test_the_edition_says_that_it_is_rounded(made):
    for edition in LEAVING:
        text = canonical_bytes(made.editions[edition]["sections"]).decode()
        assert "at most 2 significant digits" in text
    exact = canonical_bytes(copy.deepcopy(made.editions["full"]["sections"])).decode()
    assert "significant digits, as the terms ask" not in exact
