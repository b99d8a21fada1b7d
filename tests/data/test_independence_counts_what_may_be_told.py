import contextlib
import json
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor_sdk.fingerprints.collect import FORM
from proctor_workers.hidden_data.independence.disclosed import least_of, told
from proctor_workers.hidden_data.independence.matching import (
    FingerprintsInvalidError,
    Overlap,
    overlap,
)
from proctor_workers.hidden_data.independence.near import LookingAlike

DRAW = np.random.default_rng(7)


def digest(number: int) -> str:
    return f"{number:064x}"


def look(number: int) -> str:
    return np.random.default_rng(number).bytes(40).hex()


def flipped(word: str, bits: int, details: int = 0) -> str:
    changed = (((1 << bits) - 1) << 256) | ((1 << details) - 1)
    return f"{int(word, 16) ^ changed:080x}"


def table(patients: int = 40, files: int = 1) -> pa.Table:
    """A cohort: the file n has the source n, the pixels 1000 + n and the look n."""
    rows = [
        {
            "case": f"cas_{number // files}",
            "patient": f"pat_{number // files}",
            "source_sha256": digest(number),
            "decoded_pixel_sha256": digest(1000 + number),
            "perceptual_hash": look(number)[:16],
            "detail_hash": look(number)[16:],
        }
        for number in range(patients * files)
    ]
    return pa.Table.from_pylist(rows)


def image(source: int = 90_000, pixels: int = 90_000, *looks: str) -> dict[str, Any]:
    return {"source": digest(source), "pixels": digest(pixels), "looks": list(looks)}


def lines(*found: dict[str, Any]) -> Iterable[bytes]:
    return [json.dumps(one).encode() for one in (FORM, *found)]


def compared(
    *found: dict[str, Any],
    cohort: pa.Table | None = None,
    pseudonym: Callable[[str], str] | None = None,
) -> Overlap:
    known = table() if cohort is None else cohort
    return overlap(known, set(known["patient"].to_pylist()), lines(*found), pseudonym)


def test_strangers_are_not_met() -> None:
    found = compared(*(image(n, n, look(n)) for n in range(5000, 5400)))

    assert (found.identical, found.alike, found.any_way) == (0, 0, 0)
    assert (found.patients, found.images, found.complete) == (40, 400, True)


@pytest.mark.parametrize("met", [image(source=7), image(pixels=1007)])
def test_the_same_bytes_or_the_same_pixels_are_identical(met: dict[str, Any]) -> None:
    assert compared(met).identical == 1


@pytest.mark.parametrize(
    ("bits", "details", "alike"),
    [(0, 0, 1), (6, 32, 1), (7, 0, 0), (20, 0, 0), (6, 33, 0), (0, 128, 0)],
)
def test_a_look_is_alike_in_both_hashes_or_not_at_all(bits: int, details: int, alike: int) -> None:
    found = compared(image(90_000, 90_000, flipped(look(3), bits, details)))

    assert (found.identical, found.alike) == (0, alike)


def test_an_empty_slice_is_no_sign_of_a_copy() -> None:
    cohort = table().to_pylist()
    cohort[4]["perceptual_hash"] = ""

    assert compared(image(pixels=1004), cohort=pa.Table.from_pylist(cohort)).identical == 0


def test_single_slices_that_look_alike_do_not_make_a_volume_alike() -> None:
    series = table(files=10)

    few = compared(image(1, 1, *(look(100 + n) for n in range(4))), cohort=series)
    most = compared(image(1, 1, *(look(100 + n) for n in range(5))), cohort=series)

    assert (few.alike - few.identical, most.alike - most.identical) == (0, 1)


def test_identifiers_are_compared_by_their_pseudonyms() -> None:
    found = compared(
        {"patient": " 12 "}, {"patient": "stranger"}, pseudonym=lambda name: f"pat_{name}"
    )

    assert (found.any_way, found.alike, found.named) == (1, 0, 2)


def test_without_a_key_identifiers_are_counted_and_not_compared() -> None:
    found = compared({"patient": "12"})

    assert (found.any_way, found.named) == (0, 1)


def test_patients_without_files_are_met_by_their_identifiers() -> None:
    empty = table().slice(0, 0)

    found = overlap(empty, ["pat_a", "pat_b"], lines({"patient": "a"}), lambda name: f"pat_{name}")

    assert (found.any_way, found.patients) == (1, 2)


def test_a_cohort_without_pictures_meets_nobody() -> None:
    assert compared(image(1, 1, look(1)), cohort=table().slice(0, 0)).any_way == 0


def test_all_near_ones_are_found_among_many() -> None:
    """As a comparison of all with all finds them, in every position."""
    known = [DRAW.bytes(40).hex() for _ in range(3000)]
    others = [DRAW.bytes(40).hex() for _ in range(2000)]
    copies = []
    for one in known[:1000]:
        changed = sum(1 << (256 + int(bit)) for bit in DRAW.choice(64, 6, replace=False))
        copies.append(f"{int(one, 16) ^ changed:080x}")
    index = LookingAlike(known)

    index.meet(others + copies)

    assert index.met[:1000].all()
    assert index.met[1000:].sum() <= 1


INVALID = [
    b"", b"{}", b"[1]", b"\xff", b'{"source": "x"}', b"[" * 100_000,
    json.dumps(image() | {"looks": ["f" * 64]}).encode(),
    json.dumps(image() | {"looks": ["g" * 80]}).encode(),
    json.dumps(image() | {"looks": "abc"}).encode(),
    json.dumps(image() | {"more": 1}).encode(),
    json.dumps(image() | {"source": 3}).encode(),
    json.dumps({"patient": 3}).encode(),
    b'{"patient": "' + b"x" * (1 << 20) + b'"}',
]  # fmt: skip


@pytest.mark.parametrize("line", INVALID)
def test_a_line_of_another_form_is_refused_by_its_number(line: bytes) -> None:
    with pytest.raises(FingerprintsInvalidError, match="Line 2 "):
        overlap(table(), [], [*lines(), line], None)


def test_a_file_of_another_kind_is_refused() -> None:
    with pytest.raises(FingerprintsInvalidError, match="Line 1 "):
        overlap(table(), [], [b'{"case": 1}'], None)


def found(any_way: int, alike: int, identical: int, patients: int = 1000) -> Overlap:
    return Overlap(
        identical=identical, alike=alike, any_way=any_way, patients=patients, images=1, named=1,
        complete=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        ((0, 0, 0), (None, None, None)),  # that nobody is among them is told of everybody
        ((10, 10, 10), (None, None, None)),
        ((11, 11, 11), (11, None, None)),
        ((100, 60, 20), (100, 60, 20)),
        ((100, 95, 20), (100, None, 20)),  # 5 are named only
        ((100, 60, 55), (100, 60, None)),
        ((995, 60, 20), (None, 60, 20)),  # 5 patients are left over
        ((1000, 1000, 1000), (None, None, None)),
        ((100, 100, 100), (100, None, None)),
    ],
)
def test_no_count_of_few_patients_is_told_or_derived(
    counts: tuple[int, int, int], shown: tuple[int | None, ...]
) -> None:
    said = told(found(*counts), 11)

    assert (said["any_way"], said["alike"], said["identical"]) == shown


def test_no_small_difference_can_be_taken_of_what_is_told() -> None:
    for _ in range(2000):
        identical, alike, any_way = sorted(DRAW.integers(0, 101, 3).tolist())
        said = told(found(any_way, alike, identical, patients=100), 11)
        known = sorted({0, 100, *(value for value in said.values() if value is not None)})
        assert all(b - a >= 11 for a, b in pairwise(known))


def test_one_picture_more_changes_nothing_that_is_told() -> None:
    before = told(found(40, 25, 12), 11)

    assert told(found(41, 26, 13), 11, [before]) == before
    assert told(found(39, 25, 12), 11, [before]) == before
    assert told(found(51, 36, 13), 11, [before])["any_way"] == 51


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_any_bytes_are_refused_or_compared(sent: list[bytes]) -> None:
    with contextlib.suppress(FingerprintsInvalidError):
        overlap(table(2), [], [*lines(), *sent], None)


@pytest.mark.parametrize(
    ("terms", "least"),
    [(None, 11), ({}, 11), ({"min_cell": 5}, 5), ({"min_cell": 5, "min_patients": 20}, 20)],
)
def test_the_least_count_is_the_terms_or_eleven(terms: dict[str, int] | None, least: int) -> None:
    assert least_of(terms) == least
