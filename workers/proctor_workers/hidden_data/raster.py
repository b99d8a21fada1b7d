"""Rewrites PNG images: the same pixels, no metadata."""

import hashlib
import io
import warnings
from collections.abc import Sequence

from PIL import Image, PngImagePlugin, UnidentifiedImageError

from proctor_workers.hidden_data.canonical_file import CanonicalFile, UnreadableFileError

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
MODES = frozenset({"L", "RGB", "I;16"})
LARGEST_SIDE = 40_000
LARGEST_PIXELS = 1 << 28


def canonical_png(contents: Sequence[bytes]) -> list[CanonicalFile]:
    """Return the canonical files of one case, in the table's order.

    Raises:
        UnreadableFileError: a file is broken, too large, or has transparency or a palette.
    """
    return [_canonical(content, position) for position, content in enumerate(contents)]


def _canonical(content: bytes, position: int) -> CanonicalFile:
    image = _decoded(content)
    pixels = image.tobytes()
    bare = Image.frombytes(image.mode, image.size, pixels)
    out = io.BytesIO()
    bare.save(out, "PNG", compress_level=1, pnginfo=PngImagePlugin.PngInfo())
    written = out.getvalue()
    return CanonicalFile(
        name=f"{position}.png",
        role="image",
        content=written,
        sha256=hashlib.sha256(written).hexdigest(),
        decoded_pixel_sha256=hashlib.sha256(pixels).hexdigest(),
        original_uid="",
    )


def _decoded(content: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(content), formats=["PNG"])
        if max(image.size) > LARGEST_SIDE or image.width * image.height > LARGEST_PIXELS:
            raise UnreadableFileError("is too large once decoded", "Scale it down or tile it.")
        if image.mode not in MODES:
            raise UnreadableFileError(
                "has a palette, transparency or one-bit pixels", "Save it as grey or RGB."
            )
        image.load()
    except (
        UnidentifiedImageError, Image.DecompressionBombError, Image.DecompressionBombWarning,
        OSError, SyntaxError, ValueError,
    ) as exc:  # fmt: skip
        raise UnreadableFileError("is a damaged PNG file", "Export it again.") from exc
    return image
