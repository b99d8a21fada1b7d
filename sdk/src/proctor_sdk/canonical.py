"""RFC 8785 canonical JSON: the one way a thing that is hashed or signed becomes bytes."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from proctor_sdk.errors import ProctorSdkError

# Up to here every integer is a double, and so the same number in every reader (RFC 7493, 2.2).
LARGEST_INTEGER = 2**53 - 1
LONGEST_DIGITS = 70  # bits of 10^21, from which on a double is written with an exponent


class CanonicalError(ProctorSdkError):
    """The value has no canonical form, or the bytes are not strict JSON."""

    def __init__(self, message: str, cure: str = "") -> None:
        super().__init__("not_canonical", message, cure=cure)


def canonical_bytes(value: Any) -> bytes:
    """Serialise by RFC 8785.

    Takes None, bool, int, float, str, lists, tuples and mappings with text keys. NaN, infinities,
    integers that are no double and lone surrogates have no canonical form: `CanonicalError`.
    """
    pieces: list[str] = []
    try:
        _write(value, pieces)
        return "".join(pieces).encode()
    except RecursionError:
        raise CanonicalError("The value is nested too deeply.") from None
    except UnicodeEncodeError:
        raise CanonicalError("A text holds a lone surrogate, which is not Unicode.") from None


def strict_loads(data: bytes | str) -> Any:
    """Read JSON, refusing what readers disagree on: duplicate keys, NaN, infinities, bad UTF-8."""
    try:
        text = data.decode() if isinstance(data, bytes) else data
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise CanonicalError("The bytes are not strict JSON.") from error


def sha256_hex(data: bytes) -> str:
    """SHA-256 as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def digest(data: bytes) -> str:
    """SHA-256 in the form that names its algorithm: `sha256:<hex>`."""
    return f"sha256:{sha256_hex(data)}"


def _write(value: Any, out: list[str]) -> None:
    if value is None or isinstance(value, bool):
        out.append({None: "null", True: "true", False: "false"}[value])
    elif isinstance(value, str):
        out.append(json.dumps(value, ensure_ascii=False))
    elif isinstance(value, int):
        out.append(_integer(value))
    elif isinstance(value, float):
        out.append(_number(value))
    elif isinstance(value, Mapping):
        _write_object(value, out)
    elif isinstance(value, list | tuple):
        _write_array(value, out)
    else:
        raise CanonicalError(f"A {type(value).__name__} is not a JSON value.")


def _write_array(values: list[Any] | tuple[Any, ...], out: list[str]) -> None:
    separator = "["
    for value in values:
        out.append(separator)
        _write(value, out)
        separator = ","
    out.append("]" if values else "[]")


def _write_object(members: Mapping[Any, Any], out: list[str]) -> None:
    for key in members:
        if not isinstance(key, str):
            raise CanonicalError(f"An object's key is a {type(key).__name__}, not a text.")
    separator = "{"
    # RFC 8785, 3.2.3: keys sort by UTF-16 code units, not by code points.
    for key in sorted(members, key=lambda text: text.encode("utf-16-be")):
        out.append(f"{separator}{json.dumps(key, ensure_ascii=False)}:")
        _write(members[key], out)
        separator = ","
    out.append("}" if members else "{}")


def _integer(value: int) -> str:
    if abs(value) <= LARGEST_INTEGER:
        return int.__repr__(value)
    # A large double is written in digits, reads back as an integer, and must be written the same.
    if value.bit_length() <= LONGEST_DIGITS and _number(float(value)) == int.__repr__(value):
        return int.__repr__(value)
    raise CanonicalError("An integer is not a double: JSON readers round it.", "Write it as text.")


def _number(value: float) -> str:
    """ECMA-262 Number::toString, from the shortest digits that Python's repr also finds."""
    if not math.isfinite(value):
        raise CanonicalError("NaN and infinities are not JSON numbers.", "Use null for no value.")
    if value == 0:
        return "0"
    mantissa, _, exponent = float.__repr__(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    text = _place_point(digits.rstrip("0"), point)
    return f"-{text}" if value < 0 else text


def _place_point(digits: str, point: int) -> str:
    """Write 0.digits by 10^point as ECMA-262 does (6.1.6.1.20)."""
    if len(digits) <= point <= 21:
        return digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{fraction}e{point - 1:+d}"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate key")
    return members


def _no_constant(name: str) -> Any:
    raise ValueError(name)
