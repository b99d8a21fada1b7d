"""Finds pictures that look alike in large cohorts without comparing each with each.

Two pictures are near if their perceptual hashes differ in at most `NEAR` of 64 bits. Of 100,000
unrelated pictures (bits independent, each set in half of them) 5 · 10⁹ pairs would give 0.02 within
6 bits and 1.4 within 8, so that 6 is the greatest distance without false alarms by chance. Copies
as JPEG of quality 90, in half the size, or with another window lie within 6 for 93 to 100 % of the
pictures in pydicom's test files; rotated, cropped or annotated copies are mostly farther.

The search is multi-index hashing (Norouzi, Punjani, Fleet, CVPR 2012): the bits are dealt into 8
bands; of two hashes within 6 bits at least two bands are equal. So only pictures that share one of
the 28 pairs of bands are compared.

Pictures of one kind are not unrelated: of chest radiographs 0.1 % of the pairs lie within 6 of 64
bits. So a pair must also agree in the finer hash, in all but `NEAR_IN_DETAIL` of its 256 bits (the
nearest of 7,140 pairs of different phantom radiographs differ in 46).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from proctor_workers.hidden_data.findings import Finding, Severity
from proctor_workers.hidden_data.quality.seen_cases import SeenCase, SeenFile

NEAR = 6
NEAR_IN_DETAIL = 32
FEW_FILES = 8  # up to which each file of a case is looked for; of a longer series its quartiles
MOST_COMPARISONS = 400_000_000
_COST_OF_A_PAIR = 100  # in comparisons: pairs are kept, and 4 million of them are 64 MB
_BANDS = 8

Words = NDArray[np.uint64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Pictures:
    """The hashes that are searched, and the case that each belongs to."""

    hashes: Words
    cases: Numbers


def near_duplicate_findings(
    cases: Sequence[SeenCase], known: Iterable[tuple[int, int]]
) -> list[Finding]:
    """Return a finding for each case that looks like an earlier one; `known` pairs are left out."""
    pictures = _pictures(cases)
    pairs, complete = _case_pairs(pictures)
    exact, told = set(known), set()
    findings = []
    for first, later in pairs:
        one, other = cases[first], cases[later]
        if (first, later) in exact or not (_series_agree(one, other) and _agree(one, other)):
            continue
        found = _finding(cases[first], cases[later])
        if (found.code, later) not in told:  # of hundreds alike each is told once
            told.add((found.code, later))
            findings.append(found)
    if not complete:
        findings.append(
            Finding(
                code="duplicate.search_incomplete",
                severity=Severity.WARNING,
                message="Too many pictures look nearly alike to compare all of them.",
                cure="Look for duplicates at the source; exact copies were found in any case.",
            )
        )
    return findings


def near_pairs(hashes: Words, most: int = MOST_COMPARISONS) -> tuple[Numbers, bool]:
    """Return the pairs (m, 2) of different hashes within `NEAR` bits, and whether all were found.

    Args:
        hashes: distinct 64-bit hashes, (n,).
        most: comparisons after which the search stops.
    """
    found: list[Numbers] = []
    for one, other in combinations(_bands(hashes), 2):
        keys = (one.astype(np.uint32) << np.uint32(8)) | other
        order = np.argsort(keys, kind="stable")
        pairs, comparisons = _pairs_of_equal_keys(keys[order], hashes[order], most)
        found.append(np.sort(order[pairs], axis=1))
        most -= comparisons
        if most <= 0:
            break
    return np.unique(np.concatenate(found), axis=0), most > 0


def _bands(hashes: Words) -> list[NDArray[np.uint8]]:
    """Deal the bits to 8 bands in turn: low frequencies, which most pictures share, are spread."""
    bits = np.unpackbits(hashes.astype(">u8").view(np.uint8).reshape(-1, 8), axis=1)
    return [np.packbits(bits[:, band::_BANDS], axis=1)[:, 0] for band in range(_BANDS)]


def _pairs_of_equal_keys(keys: NDArray[np.uint32], hashes: Words, most: int) -> tuple[Numbers, int]:
    """Compare all hashes within each run of equal keys; the keys are sorted."""
    at = np.arange(len(keys) - 1)
    found, comparisons, apart = [np.empty((0, 2), dtype=np.int64)], 0, 0
    while len(at) and comparisons < most:
        apart += 1
        at = at[at + apart < len(keys)]
        at = at[keys[at] == keys[at + apart]]
        near = at[np.bitwise_count(hashes[at] ^ hashes[at + apart]) <= NEAR]
        found.append(np.column_stack([near, near + apart]))
        comparisons += len(at) + _COST_OF_A_PAIR * len(near)
    return np.concatenate(found), comparisons


def _pictures(cases: Sequence[SeenCase]) -> _Pictures:
    hashes: list[int] = []
    owners: list[int] = []
    for number, one in enumerate(cases):
        looked_for = _looked_for(_hashes(one))
        hashes += looked_for
        owners += [number] * len(looked_for)
    return _Pictures(np.array(hashes, dtype=np.uint64), np.array(owners, dtype=np.int64))


def _hashes(one: SeenCase) -> list[int]:
    return [file.look for file in one.files if file.look is not None]


def _looked_for(hashes: Sequence[int]) -> Sequence[int]:
    return hashes if len(hashes) <= FEW_FILES else hashes[len(hashes) // 2 :][:1]


def _series_agree(first: SeenCase, later: SeenCase) -> bool:
    """Say whether two long series look alike at their quartiles too, not in the middle alone."""
    one, other = _hashes(first), _hashes(later)
    if min(len(one), len(other)) <= FEW_FILES:
        return True
    return all(
        (one[len(one) * part // 4] ^ other[len(other) * part // 4]).bit_count() <= NEAR
        for part in (1, 3)
    )


def _agree(first: SeenCase, later: SeenCase) -> bool:
    """Say whether any picture of one is near any of the other in the finer hash too."""
    return any(
        (one.look ^ other.look).bit_count() <= NEAR and _near_in_detail(one, other)
        for one in first.files
        if one.look is not None
        for other in later.files
        if other.look is not None
    )


def _near_in_detail(one: SeenFile, other: SeenFile) -> bool:
    if one.detail is None or other.detail is None:
        return True
    return (one.detail ^ other.detail).bit_count() <= NEAR_IN_DETAIL


def _case_pairs(pictures: _Pictures) -> tuple[Iterator[tuple[int, int]], bool]:
    """Return pairs of cases, the earlier first; pictures of one hash are paired with the first."""
    if not len(pictures.hashes):
        return iter(()), True
    unique, firsts, which = np.unique(pictures.hashes, return_index=True, return_inverse=True)
    same = np.column_stack([pictures.cases[firsts[which]], pictures.cases])
    near, complete = near_pairs(unique)
    linked = np.concatenate([same, pictures.cases[firsts[near]]])
    linked = np.unique(np.sort(linked, axis=1), axis=0)
    linked = linked[linked[:, 0] != linked[:, 1]]
    return ((int(first), int(later)) for first, later in linked), complete


def _finding(first: SeenCase, later: SeenCase) -> Finding:
    values = {"other": first.name}
    if first.patient != later.patient:
        return Finding(
            code="duplicate.near_patients",
            severity=Severity.WARNING,
            message="Two patients have pictures that look alike.",
            cure="Look at both; if they show one person, give both cases one patient.",
            case=later.name,
            values=values,
        )
    return Finding(
        code="duplicate.near_cases",
        severity=Severity.NOTE,
        message="Two cases of one patient have pictures that look alike.",
        cure="Remove one if it is a copy in another size or compression.",
        case=later.name,
        values=values,
    )
