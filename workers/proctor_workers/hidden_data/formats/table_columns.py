"""Makes one column of a case's table safe: its name, its times, its words.

Numbers stay what they are. Times become seconds from the case's first one: intervals stay, the
calendar does not. Words are looked through, or cleaned where the plan names their column.
"""

import re
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from proctor_workers.hidden_data.case_files import UnreadableFileError
from proctor_workers.hidden_data.deidentify.text import cleaned, known_of, scan
from proctor_workers.hidden_data.deidentify.vocabulary import TELLING_COLUMNS
from proctor_workers.hidden_data.findings import Finding, Severity
from proctor_workers.hidden_data.formats.column_types import (
    MICROSECONDS,
    Column,
    Typed,
    words_of,
)
from proctor_workers.hidden_data.pseudonyms import OLDEST_AGE, POOLED_AGE

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_ .,%/()\[\]+-]{0,63}")
_PERSON = frozenset({"patient", "pat", "subject", "person", "hadm", "stay", "encounter", "visit"})
_PERSON |= {"admission", "episode", "case", "birth", "last", "first", "full", "accession", "study"}
_WHICH = frozenset({"id", "no", "nr", "number", "name", "date", "identifier", "uid", "key"})
_STAFF = frozenset({"doctor", "physician", "surgeon", "nurse", "operator", "technician", "author"})
_STAFF |= {"user", "username", "arzt", "radiologist", "pathologist", "therapist"}
_AGE = frozenset({"age", "alter"})

_LONGEST_CODE, _MOST_CODE_WORDS = 64, 6
_SHORTEST_IDENTIFIER = 1_000_000  # seven digits
_MOST_TEXTS = 200_000  # different ones in a column that are looked through


def check_names(names: Sequence[str], known: Sequence[str]) -> None:
    """Refuse columns whose names identify, or say that their values do; told by position.

    Raises:
        UnreadableFileError: see there.
    """
    if len(set(names)) < len(names):
        raise UnreadableFileError("has two columns of one name", "Rename one of them.")
    for position, name in enumerate(names, start=1):
        words = words_of(name)
        if not _NAME.fullmatch(name) or scan(name, known):
            raise UnreadableFileError(
                f"has a name in column {position} that is no plain one",
                "Name columns with a letter, then letters, digits and _.",
            )
        if words & (TELLING_COLUMNS | _STAFF) or (words & _PERSON and words & _WHICH):
            raise UnreadableFileError(
                f"has a column {position} that names or numbers a person, as its heading says",
                "Remove the column.",
            )


def first_moment(columns: Sequence[Typed]) -> int | None:
    """Return the earliest moment of all columns, in µs; None if there is none."""
    found = [pc.min(column.values).as_py() for column in columns if column.moments]
    known = [moment for moment in found if moment is not None]
    return min(known) if known else None


def made_safe(
    column: Typed, first: int | None, known: Sequence[str], *, clean: bool
) -> tuple[Column, int]:
    """Return a column as it is kept, and in how many of its texts something was taken out.

    Raises:
        UnreadableFileError: it holds what identifies, and is not to be cleaned.
    """
    values = column.values
    if column.moments:
        since = pc.subtract(values, 0 if first is None else first)
        return pc.multiply(since.cast(pa.float64(), safe=False), MICROSECONDS), 0
    if pa.types.is_string(values.type):
        return _safe_texts(values, known, clean=clean)
    if pa.types.is_integer(values.type):
        _check_numbers(values, known)
    if words_of(column.name) & _AGE and _is_number(values):
        over = pc.greater(values, OLDEST_AGE)
        return pc.if_else(over, pa.scalar(POOLED_AGE, values.type), values), 0
    return values, 0


def _is_number(values: Column) -> bool:
    return bool(pa.types.is_integer(values.type) or pa.types.is_floating(values.type))


def _safe_texts(values: Column, known: Sequence[str], *, clean: bool) -> tuple[Column, int]:
    names = known_of(tuple(known))
    different = pc.unique(values).drop_null().to_pylist()
    if len(different) > _MOST_TEXTS:
        raise UnreadableFileError("has too many different texts", "Remove the column of texts.")
    found = {text: scan(text, names) for text in different}
    telling = {text for text, matches in found.items() if matches}
    if not telling:
        return values, 0
    if not clean:
        kinds = sorted({match.kind for matches in found.values() for match in matches})
        raise UnreadableFileError(
            f"has text that identifies ({', '.join(kinds[:3])})",
            "Remove the column, or name it in text_columns to have it cleaned.",
        )
    encoded = pc.dictionary_encode(values).combine_chunks()
    words = pa.array([cleaned(text, names) for text in encoded.dictionary.to_pylist()], pa.string())
    taken = words.take(encoded.indices)
    return pa.chunked_array([taken]), len(telling)


def _check_numbers(values: Column, known: Sequence[str]) -> None:
    names = known_of(tuple(known))
    different = pc.unique(values).drop_null()
    long = different.filter(pc.greater_equal(pc.abs(different.cast(pa.float64(), safe=False)), 1e5))
    if any(names.is_number(value) for value in long.to_pylist()[:_MOST_TEXTS]):
        raise UnreadableFileError("holds the patient's own number", "Remove the column.")


def findings(column: Typed, kept: Column, file: str) -> Iterator[Finding]:
    """Yield what is to be known of a column as it is kept."""
    if kept.null_count == len(kept):
        yield Finding(
            code="table.empty_column",
            severity=Severity.NOTE,
            message="The column holds nothing.",
            file=file,
            column=column.name,
        )
    elif pa.types.is_integer(kept.type) and _is_like_an_identifier(kept):
        yield Finding(
            code="table.constant_number",
            severity=Severity.ERROR,
            message="The column holds one long number in every row, as an identifier would.",
            cure="Remove the column.",
            file=file,
            column=column.name,
        )
    elif pa.types.is_string(kept.type) and _is_free_text(kept):
        yield Finding(
            code="table.free_text",
            severity=Severity.ERROR,
            message="The column holds free text, in which not every name can be found.",
            cure="Remove the column, or code what it says.",
            file=file,
            column=column.name,
        )


def _is_like_an_identifier(values: Column) -> bool:
    least, most = pc.min(values).as_py(), pc.max(values).as_py()
    return bool(least == most and abs(least) >= _SHORTEST_IDENTIFIER)


def _is_free_text(values: Column) -> bool:
    longest = pc.max(pc.utf8_length(values)).as_py() or 0
    words = pc.max(pc.count_substring_regex(values, r"\S+")).as_py() or 0
    return longest > _LONGEST_CODE or words > _MOST_CODE_WORDS
