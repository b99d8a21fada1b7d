import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor_backend.domain.errors import StateConflictError
from proctor_backend.domain.states import TRANSITIONS, advance, sources

FIRST = {
    "entries": "OPEN",
    "evaluations": "RUNNING",
    "shards": "WAITING",
    "studies": "DRAFT",
    "cohorts": "OPEN",
    "withdrawals": "ASKED",
    "queries": "OPEN",
    "comparisons": "OPEN",
    "reports": "DRAFTING",
}
TABLES = sorted(TRANSITIONS)


def test_every_table_has_a_first_state():
    assert set(FIRST) == set(TRANSITIONS)


@pytest.mark.parametrize("name", TABLES)
def test_table_names_every_state_of_its_enum_and_no_other(name):
    table = TRANSITIONS[name]
    enum = type(next(iter(table)))
    assert set(table) == set(enum)
    assert {target for targets in table.values() for target in targets} <= set(enum)


@pytest.mark.parametrize("name", TABLES)
def test_every_state_is_reached_from_the_first(name):
    table = TRANSITIONS[name]
    enum = type(next(iter(table)))
    seen, border = set(), {enum(FIRST[name])}
    while border:
        seen |= border
        border = {target for state in border for target in table[state]} - seen
    assert seen == set(enum)


@pytest.mark.parametrize("name", TABLES)
def test_every_state_leads_to_an_end(name):
    table = TRANSITIONS[name]
    ended = {state for state, targets in table.items() if not targets}
    assert ended
    while more := {s for s, targets in table.items() if targets & ended} - ended:
        ended |= more
    assert ended == set(table)


@given(data=st.data(), name=st.sampled_from(TABLES))
def test_a_random_walk_takes_the_edges_of_the_table_and_no_other(data, name):
    table = TRANSITIONS[name]
    states = sorted(table)
    current = type(states[0])(FIRST[name])
    for wish in data.draw(st.lists(st.sampled_from(states), max_size=30)):
        if wish in table[current]:
            assert str(current) in sources(name, wish)
            current = advance(name, current, wish)
            assert current is wish
        else:
            assert str(current) not in sources(name, wish)
            with pytest.raises(StateConflictError, match=f"{current} does not lead to {wish}"):
                advance(name, current, wish)
