import itertools
import re

from proctor_backend.domain.ids import PREFIXES, new_id

COUNT = 4_000


def test_ids_are_a_prefix_and_128_random_bits():
    for prefix in PREFIXES:
        assert re.fullmatch(rf"{prefix}_[a-z2-7]{{26}}", new_id(prefix))


def test_ids_made_one_after_another_are_in_no_order():
    made = [new_id("ent") for _ in range(COUNT)]
    assert len(set(made)) == COUNT
    rising = sum(one < other for one, other in itertools.pairwise(made))
    # Of a random order about half of the neighbours rise; 6 sigma is 0.03 at 4,000 draws.
    assert abs(rising / (COUNT - 1) - 0.5) < 0.03


def test_every_place_of_an_id_takes_every_letter():
    made = [new_id("ent").removeprefix("ent_") for _ in range(COUNT)]
    # The last letter carries the three bits that remain of 128.
    assert all(len({one[place] for one in made}) == 32 for place in range(25))
    assert len({one[25] for one in made}) == 8
