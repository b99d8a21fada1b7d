"""Merkle trees as in RFC 6962: one root for many leaves, with a short proof for each of them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from proctor_sdk.errors import ProctorSdkError

if TYPE_CHECKING:
    from collections.abc import Sequence

EMPTY_ROOT = hashlib.sha256(b"").hexdigest()


class MerkleError(ProctorSdkError):
    """A leaf and its proof do not lead to the root."""

    def __init__(self, message: str) -> None:
        super().__init__("merkle_mismatch", message)


def leaf_hash(data: bytes) -> str:
    """The leaf of some bytes, as hex; prefix 0x00 keeps leaves and inner nodes apart."""
    return hashlib.sha256(b"\x00" + data).hexdigest()


def root(leaves: Sequence[str]) -> str:
    """The root over leaf hashes in their order; without leaves the hash of nothing."""
    level = [bytes.fromhex(leaf) for leaf in leaves]
    while len(level) > 1:
        level = _parents(level)
    return level[0].hex() if level else EMPTY_ROOT


def proof(leaves: Sequence[str], index: int) -> list[str]:
    """The audit path of the leaf at `index`: its siblings from the bottom up."""
    if not 0 <= index < len(leaves):
        raise IndexError(index)
    return _path(_levels(leaves), index)


def proofs(leaves: Sequence[str]) -> list[list[str]]:
    """The audit paths of all leaves, hashing the tree once."""
    levels = _levels(leaves)
    return [_path(levels, index) for index in range(len(leaves))]


def verify_proof(leaf: str, index: int, size: int, path: Sequence[str], root_hash: str) -> None:
    """Raise `MerkleError` unless `path` leads from leaf `index` of `size` to the root.

    The algorithm of RFC 9162, 2.1.3.2.
    """
    if not 0 <= index < size:
        raise MerkleError(f"Leaf {index} is outside a tree of {size}.")
    node, position, last = _hash_bytes(leaf), index, size - 1
    for step in path:
        if last == 0:
            raise MerkleError("The proof is longer than the tree is high.")
        sibling = _hash_bytes(step)
        if position & 1 or position == last:
            node = _inner(sibling, node)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            node = _inner(node, sibling)
        position, last = position >> 1, last >> 1
    if last != 0:
        raise MerkleError("The proof is shorter than the tree is high.")
    if node.hex() != root_hash:
        raise MerkleError("The proof leads to another root.")


def _hash_bytes(text: str) -> bytes:
    try:
        value = bytes.fromhex(text)
    except (ValueError, TypeError):
        value = b""
    if len(value) != 32:
        raise MerkleError("A hash in the proof is not 64 hexadecimal digits.")
    return value


def _inner(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _parents(level: list[bytes]) -> list[bytes]:
    """Pair from the left; an odd last node rises as it is, which equals RFC 6962's split."""
    paired = [_inner(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    return paired + level[-1:] if len(level) % 2 else paired


def _levels(leaves: Sequence[str]) -> list[list[bytes]]:
    levels = [[bytes.fromhex(leaf) for leaf in leaves]]
    while len(levels[-1]) > 1:
        levels.append(_parents(levels[-1]))
    return levels


def _path(levels: list[list[bytes]], index: int) -> list[str]:
    path = []
    for level in levels[:-1]:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling].hex())
        index >>= 1
    return path
