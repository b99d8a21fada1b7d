"""Adds to a canonical file what is compared later: digests of its origin and of its pixels."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proctor_sdk.fingerprints.pixels import detail_hash, perceptual_hash, pixel_digest
from proctor_workers.hidden_data.case_files import CanonicalFile, Fact
from proctor_workers.hidden_data.leak_audit import features


def fingerprinted(
    file: CanonicalFile, pixels: NDArray[Any], picture: NDArray[Any], source_sha256: str
) -> CanonicalFile:
    """Return the file with the digest of all its pixels and the hashes of one picture of them."""
    with np.errstate(all="ignore"):  # foreign floats overflow
        return replace(
            file,
            decoded_pixel_sha256=pixel_digest(pixels),
            perceptual_hash=perceptual_hash(picture),
            detail_hash=detail_hash(picture),
            source_sha256=source_sha256,
        )


def traces(pixels: NDArray[Any], *, bits_stored: int) -> dict[str, Fact]:
    """Return the traces beside the acquisition that lie in the pixels."""
    with np.errstate(all="ignore"):
        return features.of_pixels(pixels, bits_stored=bits_stored)
