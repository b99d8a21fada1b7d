import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor_sdk.commands.init import manifest_text
from proctor_sdk.errors import Problem
from proctor_sdk.manifest import ManifestError, manifest_from_dict, parse_manifest

GOOD = manifest_text()


def problems(text: str) -> tuple[Problem, ...]:
    with pytest.raises(ManifestError) as caught:
        parse_manifest(text)
    return caught.value.problems


def only(text: str) -> Problem:
    (problem,) = problems(text)
    return problem


def line(text: str, start: str) -> int:
    return next(n for n, row in enumerate(text.splitlines(), 1) if row.startswith(start))


def test_the_example_that_init_writes_is_accepted() -> None:
    manifest = parse_manifest(GOOD)
    assert manifest.task.positive == "died"
    assert manifest.operating_points[0].comparator == ">="


def test_defaults_are_filled_in() -> None:
    text = GOOD[: GOOD.index("# What the container may use")]
    manifest = parse_manifest(text)
    assert manifest.resources.memory_mb == 2048
    assert manifest.indeterminate.reasons == ()


def test_the_digest_depends_on_what_is_said_and_not_on_the_layout() -> None:
    manifest = parse_manifest(GOOD)
    other = parse_manifest("# a comment\n" + GOOD.replace(" = ", "="))
    assert manifest.digest == other.digest
    assert (
        manifest.digest != parse_manifest(GOOD.replace("threshold = 0.5", "threshold = 0.6")).digest
    )


def test_the_dictionary_gives_the_same_manifest_again() -> None:
    manifest = parse_manifest(GOOD)
    assert manifest_from_dict(manifest.as_dict()) == manifest


def test_an_unknown_key_is_refused_with_the_nearest_known_one() -> None:
    text = GOOD.replace("memory_mb = 2048", "memory_gb = 2")
    problem = only(text)
    assert problem.line == line(text, "memory_gb")
    assert problem.field == "resources.memory_gb"
    assert problem.cure == 'Did you mean "memory_mb"?'


def test_an_unknown_table_is_refused() -> None:
    assert only(GOOD + "\n[modell]\nname = 1\n").cure == 'Did you mean "model"?'


def test_a_missing_key_is_told_at_its_table_with_an_example() -> None:
    text = GOOD.replace('positive = "died"', "")
    problem = only(text)
    assert (problem.line, problem.field) == (line(text, "[task]"), "task.positive")
    assert 'positive = "died"' in problem.cure


def test_a_problem_in_the_second_operating_point_is_told_there() -> None:
    second = '\n[[operating_points]]\nid = "b"\nthreshold = "high"\nchosen = "by hand"\n'
    text = GOOD + second
    problem = only(text)
    assert problem.line == line(text, 'threshold = "high"')
    assert problem.field == "operating_points[1].threshold"


def test_lines_are_right_below_texts_and_lists_that_span_lines() -> None:
    spanning = 'description = """\n[task]\nkind = "x"\n"""\n'
    listed = 'attributes = [\n  "age", # ] not the end\n  "sex",\n]\n'
    text = GOOD.replace(
        next(row for row in GOOD.splitlines() if row.startswith("description")), spanning
    ).replace('attributes = ["age", "sex"]', listed)
    text = text.replace("cpus = 1", "cpus = 0")
    assert only(text).line == line(text, "cpus = 0")


def test_all_problems_are_told_at_once_in_the_order_of_lines() -> None:
    text = GOOD.replace('"proctor/v1"', '"proctor/v2"').replace("cpus = 1", "cpus = -1")
    found = problems(text.replace('kind = "table"', 'kind = "tabel"'))
    assert [problem.field for problem in found] == ["contract", "inputs.kind", "resources.cpus"]


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('"died"', '"survived"', "task.negative"),
        ('archive = "image.tar"', 'archive = "../image.tar"', "image.archive"),
        ('archive = "image.tar"', 'archive = "/image.tar"', "image.archive"),
        ('"1.0.0"', "1.0", "model.version"),
        ('"1.0.0"', '"   "', "model.version"),
        ('"1.0.0"', '"a\\nb"', "model.version"),
        ("threshold = 0.5", "threshold = nan", "operating_points[0].threshold"),
        ("threshold = 0.5", f"threshold = {10**400}", "operating_points[0].threshold"),
        ("threshold = 0.5", "threshold = true", "operating_points[0].threshold"),
        ('comparator = ">="', 'comparator = "=>"', "operating_points[0].comparator"),
        ('"age", "sex"', '"age", "age"', "inputs.attributes"),
        ('"age", "sex"', '"age", 3', "inputs.attributes"),
        ('# headers = ["PixelSpacing"]', 'headers = ["PixelSpacing"]', "inputs.headers"),
        ("gpu = false", "gpu = 0", "resources.gpu"),
        ("seconds_per_case = 30", "seconds_per_case = 8000", "resources.seconds_per_case"),
        ("memory_mb = 2048", "memory_mb = 2048.5", "resources.memory_mb"),
    ],
)
def test_each_wrong_value_is_told_at_its_field(old: str, new: str, field: str) -> None:
    assert old in GOOD
    problem = only(GOOD.replace(old, new, 1))
    assert problem.field == field
    assert problem.line
    assert problem.cure


def test_an_operating_point_that_stands_twice_is_refused() -> None:
    again = '\n[[operating_points]]\nid = "main"\nthreshold = 1\nchosen = "x"\n'
    assert only(GOOD + again).field == "operating_points[1].id"


def test_a_table_written_as_a_list_is_refused() -> None:
    assert (
        "[[operating_points]]"
        in only(GOOD.replace("[[operating_points]]", "[operating_points]")).cure
    )


def test_broken_toml_names_the_line() -> None:
    text = GOOD.replace("cpus = 1", "cpus = = 1")
    assert only(text).line == line(text, "cpus")


def test_a_huge_text_is_refused_before_it_is_parsed() -> None:
    assert "256 KiB" in only("#" * 300_000).what


@given(st.text(max_size=200))
def test_any_text_gives_a_manifest_error_and_nothing_else(text: str) -> None:
    with pytest.raises(ManifestError):
        parse_manifest(text)


@given(st.integers(0, len(GOOD) - 1), st.sampled_from(list("\"'[]=#.\n\\a1")))
def test_any_typo_is_accepted_or_a_manifest_error(place: int, mark: str) -> None:
    with contextlib.suppress(ManifestError):
        parse_manifest(GOOD[:place] + mark + GOOD[place + 1 :])
