"""Two fingerprints of pixels: one of their stored values, one of what the picture looks like.

Both sides of an independence check call these functions, the vendor on its training images and the
partner on its originals, so that equal pictures have equal fingerprints whatever file holds them.
Needs the extra `fingerprints` (numpy).
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BITS = 64
SIDE = 32  # the picture is reduced to 32 × 32 area means before it is transformed
LEVELS = 256
EXACT_FLOATS = 2.0**53  # beyond it a float64 holds no longer every integer
_INTEGERS = ("<u1", "<i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8")

# The 64 lowest frequencies: u + v <= 10 without the mean (0, 0) and, of the last diagonal, without
# its middle (5, 5); and the 256 lowest: u + v <= 21 and four of the next diagonal. Both sets are
# their own mirror images, so that a transposed picture's hash is a permutation of the bits.
FREQUENCIES = tuple(
    (u, total - u) for total in range(1, 11) for u in range(total + 1) if (u, total - u) != (5, 5)
)
DETAILS = (
    *((u, total - u) for total in range(1, 22) for u in range(total + 1)),
    *((9, 13), (10, 12), (12, 10), (13, 9)),
)
_HIGHEST = 21


def pixel_digest(array: NDArray[Any]) -> str:
    """Return the SHA-256 of an array's values and shape, as hex.

    Equal for equal values in the same places, whatever the width, the byte order or the memory
    layout: integers are hashed little-endian in the narrowest type that holds them, unsigned where
    none is negative; floats that are all integers count as such; axes of length 1 do not count.

    Args:
        array: any shape; bool, integer or float.

    Raises:
        TypeError: the values are of another kind (complex numbers, records).
    """
    values = _narrowed(np.asarray(array).squeeze())
    digest = hashlib.sha256(f"{values.dtype.str[1:]}{list(values.shape)}\n".encode())
    digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def perceptual_hash(picture: NDArray[Any]) -> str:
    """Return a 64-bit hash of how a picture looks, as 16 hex digits; "" if it is all one value.

    Similar pictures have hashes at a small `distance`: the hash holds the signs of the lowest
    frequencies (discrete cosine transform) of the ranks of 32 × 32 area means, so that size, bit
    depth, window and a mild compression hardly touch it. Bit i, from the most significant one, is
    set if the coefficient `FREQUENCIES[i]` is positive. After Zauner, Implementation and
    benchmarking of perceptual image hash functions (2010), with ranks in the place of values.

    Args:
        picture: rows × columns, or rows × columns × 3 or 4 (colour, whose alpha is left out).

    Raises:
        ValueError: the array is no picture.
    """
    return _signs(picture, FREQUENCIES)


def detail_hash(picture: NDArray[Any]) -> str:
    """Return a 256-bit hash of how a picture looks, as 64 hex digits; "" if it is all one value.

    Made as `perceptual_hash`, of `DETAILS`. Chests of two people may differ in 6 of the 64 bits;
    that they differ in few of these too is the sign of a copy.

    Raises:
        ValueError: the array is no picture.
    """
    return _signs(picture, DETAILS)


def distance(one: str, other: str) -> int:
    """Return in how many of the 64 bits two perceptual hashes differ; 64 if one is empty."""
    if not one or not other:
        return BITS
    return (int(one, 16) ^ int(other, 16)).bit_count()


def turned(
    hashes: NDArray[np.uint8], frequencies: tuple[tuple[int, int], ...]
) -> NDArray[np.uint8]:
    """Return the hashes of the same pictures in all 16 positions, the one they are in first.

    Mirrored, turned by right angles, and each of them with black and white exchanged: exports of
    one image differ in these. They follow from the hash alone: a mirror changes the sign of odd
    frequencies, a transposition exchanges u and v, an inversion changes every sign.

    Args:
        hashes: (n, bytes), as `packed` returns them.
        frequencies: what the bits stand for, `FREQUENCIES` or `DETAILS`.

    Returns:
        (16, n, bytes).
    """
    bits = np.unpackbits(hashes, axis=1)
    place = {at: number for number, at in enumerate(frequencies)}
    exchanged = [place[v, u] for u, v in frequencies]
    odd = np.array(frequencies) % 2
    found = []
    for one in (bits, bits[:, exchanged]):
        for up, across in ((0, 0), (0, 1), (1, 0), (1, 1)):
            signs = ((odd[:, 0] * up + odd[:, 1] * across) % 2).astype(np.uint8)
            mirrored = np.packbits(one ^ signs, axis=1)
            found += [mirrored, ~mirrored]
    return np.ascontiguousarray(np.stack(found))


def packed(hashes: Sequence[str], frequencies: tuple[tuple[int, int], ...]) -> NDArray[np.uint8]:
    """Return hex hashes as bytes, (n, bytes), the most significant one first."""
    size = len(frequencies) // 8
    return np.frombuffer(bytes.fromhex("".join(hashes)), dtype=np.uint8).reshape(-1, size)


def _signs(picture: NDArray[Any], frequencies: tuple[tuple[int, int], ...]) -> str:
    ranks = _ranks(np.mean([_reduced(layer) for layer in _layers(np.asarray(picture))], axis=0))
    if ranks is None:
        return ""
    cosines = _cosines()
    across = np.einsum("ui,ij->uj", cosines, ranks)
    coefficients = np.einsum("uj,vj->uv", across, cosines)
    places = np.array(frequencies)
    return np.packbits(coefficients[places[:, 0], places[:, 1]] > 0).tobytes().hex()


def _narrowed(values: NDArray[Any]) -> NDArray[Any]:
    """Return the values in the one type that their digest is taken in."""
    if values.dtype.kind == "b":
        return values.astype("<u1")
    if values.dtype.kind == "f":
        values = _as_integers(values)
    if values.dtype.kind == "f":
        return values.astype("<f4" if _fits_single(values) else "<f8")
    if values.dtype.kind not in "iu":
        raise TypeError(f"pixels of type {values.dtype} have no digest")
    if not values.size:
        return values.astype("<u1")
    low, high = int(values.min()), int(values.max())
    for name in _INTEGERS:
        limits = np.iinfo(name)
        if limits.min <= low and high <= limits.max and (low < 0) == (limits.min < 0):
            return values.astype(name, copy=False)
    raise TypeError(f"pixels of type {values.dtype} have no digest")


def _as_integers(values: NDArray[Any]) -> NDArray[Any]:
    """Return floats as integers if that is what they are; scaled copies often are."""
    if values.size and np.isfinite(values).all():
        whole = values == np.rint(values)
        if whole.all() and float(np.abs(values).max()) < EXACT_FLOATS:
            return values.astype(np.int64)
    return values


def _fits_single(values: NDArray[Any]) -> bool:
    """Return whether single precision holds the values exactly."""
    with np.errstate(over="ignore"):
        single = values.astype("<f4")
    return bool(np.array_equal(single, values, equal_nan=True))


def _layers(picture: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """Return a grey picture, or the three colours of one; each rows × columns."""
    if picture.ndim == 3 and picture.shape[-1] in (3, 4):
        layers = tuple(picture[..., colour] for colour in range(3))
    else:
        layers = (picture,)
    if layers[0].ndim != 2 or not picture.size:
        raise ValueError(f"an array of shape {picture.shape} is no picture")
    return layers


def _reduced(picture: NDArray[Any]) -> Floats:
    """Return 32 × 32 means over equal areas; values that are no number count as the least."""
    values = picture.astype(np.float64)
    if picture.dtype.kind == "f" and not np.isfinite(values).all():
        finite = values[np.isfinite(values)]
        least = float(finite.min()) if finite.size else 0.0
        values = np.where(np.isfinite(values), values, least)
    return _means(np.ascontiguousarray(_means(values).T)).T


def _means(values: Floats) -> Floats:
    """Return 32 means over equal stretches of the first axis; a pixel may lie in two in part.

    By sums of whole rows, corrected by the parts at the edges, and not by a product of matrices:
    libraries for these wake threads that spin beside every other process.
    """
    length = len(values)
    edges = np.linspace(0.0, length, SIDE + 1)
    if length < SIDE:
        pixels = np.arange(length)
        overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
        sums = np.einsum("ij,jk->ik", np.clip(overlap, 0.0, None), values)
    else:
        whole = np.floor(edges).astype(np.int64)
        sums = np.stack([values[first:last].sum(axis=0) for first, last in pairwise(whole)])
        parts = (edges - whole)[:, None] * values[np.minimum(whole, length - 1)]
        sums += parts[1:] - parts[:-1]
    means: Floats = sums * (SIDE / length)
    return means


def _ranks(means: Floats) -> Floats | None:
    """Return the centred midranks of the means; None if they are all one value.

    Means are rounded to 1/256 of their range first, so that a copy of 8 bits ties where its
    original does, and the last bits of a sum, which differ between machines, break no tie.
    """
    low, high = means.min(), means.max()
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        return None
    steps = np.rint((means - low) * (LEVELS / (high - low)))
    _, level, count = np.unique(steps, return_inverse=True, return_counts=True)
    middle = np.cumsum(count) - (count + 1) / 2
    ranks: Floats = middle[level].reshape(means.shape) - (means.size - 1) / 2
    return ranks


@lru_cache(maxsize=1)
def _cosines() -> Floats:
    """Return the first rows of the discrete cosine transform (type II) over 32 samples."""
    angles = np.outer(np.arange(_HIGHEST + 1), 2 * np.arange(SIDE) + 1) * (np.pi / (2 * SIDE))
    cosines: Floats = np.cos(angles)
    cosines.setflags(write=False)
    return cosines
