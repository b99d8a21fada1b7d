import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor_sdk import merkle

leaves = st.lists(st.binary(max_size=8).map(merkle.leaf_hash), min_size=1, max_size=40)

# Roots of the eight test inputs that Certificate Transparency implementations share.
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657",
          "606162636465666768696a6b6c6d6e6f"]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def reference_root(hashes: list[str]) -> str:
    """The recursion of RFC 6962, 2.1, word for word."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    left, right = reference_root(hashes[:split]), reference_root(hashes[split:])
    return hashlib.sha256(b"\x01" + bytes.fromhex(left + right)).hexdigest()


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_the_published_ones(size: int) -> None:
    hashes = [merkle.leaf_hash(bytes.fromhex(data)) for data in INPUTS[:size]]
    assert merkle.root(hashes) == ROOTS[size - 1]


def test_the_root_of_nothing_is_the_hash_of_nothing() -> None:
    assert merkle.root([]) == hashlib.sha256(b"").hexdigest()


@given(leaves)
def test_the_root_is_that_of_the_rfc_s_recursion(hashes: list[str]) -> None:
    assert merkle.root(hashes) == reference_root(hashes)


@given(leaves)
def test_every_proof_leads_to_the_root(hashes: list[str]) -> None:
    for index, (leaf, path) in enumerate(zip(hashes, merkle.proofs(hashes), strict=True)):
        assert path == merkle.proof(hashes, index)
        merkle.verify_proof(leaf, index, len(hashes), path, merkle.root(hashes))


@given(leaves, st.data())
def test_another_leaf_or_place_or_length_is_refused(hashes: list[str], data: st.DataObject) -> None:
    root, size = merkle.root(hashes), len(hashes)
    index = data.draw(st.integers(0, size - 1))
    path = merkle.proof(hashes, index)
    other = merkle.leaf_hash(b"another result")
    wrong = [
        (other, index, size, path),
        (hashes[index], size, size, path),
        (hashes[index], -1, size, path),
        (hashes[index], index, size, [*path, other]),
    ]
    if path:
        wrong += [(hashes[index], index, size, path[:-1]), (hashes[index], index, size, ["zz"])]
    for leaf, place, count, steps in wrong:
        with pytest.raises(merkle.MerkleError):
            merkle.verify_proof(leaf, place, count, steps, root)


def test_a_proof_of_no_leaf_is_an_index_error() -> None:
    with pytest.raises(IndexError):
        merkle.proof([], 0)
