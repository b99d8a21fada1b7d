from tests.backend.reference import assert_is_page

from proctor_backend.access import ACCESS, BUCKETS, COLLECTIONS, KEYS

HEAD = """# Who may reach what

Each component signs in with credentials of its own, made from one table in
`backend/proctor_backend/access.py`; tests try every credential against everything that is not in
its row. `r` reads, `rw` reads and writes, a dot is nothing. A runner has no database and no bucket:
it gets presigned URLs for its lease's own objects. This page is made from the table by
`PROCTOR_WRITE_DOCS=1 pytest tests/backend`; a test keeps it equal.
"""
MARKS = {None: "·", "read": "r", "readWrite": "rw"}


def grid(title, rows, right):
    """Return a table of rows by components."""
    lines = [f"## {title}", "", f"| | {' | '.join(ACCESS)} |", f"|---{'|---' * len(ACCESS)}|"]
    for row in rows:
        cells = " | ".join(MARKS[right(access, row)] for access in ACCESS.values())
        lines.append(f"| `{row}` | {cells} |")
    return "\n".join(lines)


def broker():
    lines = ["## RabbitMQ", "", "Patterns of the names that a component may use.", ""]
    lines += ["| component | configure | write | read |", "|---|---|---|---|"]
    for name, access in ACCESS.items():
        if access.amqp:
            patterns = (access.amqp.configure, access.amqp.write, access.amqp.read)
            cells = " | ".join(f"`{pattern}`".replace("|", "\\|") for pattern in patterns)
            lines.append(f"| {name} | {cells} |")
    return "\n".join(lines)


def keys():
    lines = ["## Key files", "", "| component | files |", "|---|---|"]
    for name, files in KEYS.items():
        lines.append(f"| {name} | {', '.join(f'`{file}`' for file in files) or '·'} |")
    return "\n".join(lines)


def test_the_reference_page_is_the_access_table():
    parts = [
        HEAD.rstrip(),
        grid("MongoDB", COLLECTIONS, lambda access, name: access.mongo.get(name)),
        grid("S3", BUCKETS, lambda access, name: access.buckets.get(name)),
        broker(),
        keys(),
    ]
    assert_is_page("access.md", "\n\n".join(parts) + "\n")
