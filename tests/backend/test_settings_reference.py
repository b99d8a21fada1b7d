from tests.backend.reference import assert_is_page

from proctor_backend.settings import Settings

HEAD = """# Settings

What every process is told through its environment; `proctor-admin up` and the compose file set all
that a component needs. This page is made from the list by `PROCTOR_WRITE_DOCS=1 pytest
tests/backend`; a test keeps it equal.

| variable | default | meaning |
|---|---|---|
"""


def test_the_reference_page_is_the_list_of_settings():
    rows = []
    for name, field in Settings.model_fields.items():
        default = f"`{field.default}`" if str(field.default) else "empty"
        rows.append(f"| `PROCTOR_{name.upper()}` | {default} | {field.description} |\n")
    assert_is_page("settings.md", HEAD + "".join(rows))


def test_every_setting_has_one_sentence():
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name
