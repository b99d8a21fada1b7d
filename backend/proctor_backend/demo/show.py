"""What a person watching the demonstration sees: one line per step, and the result at the end."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

CONCLUSION_STYLES = {
    "criterion met": "green",
    "criterion not met": "red",
    "difference shown": "red",
    "no relevant difference shown": "green",
}


class Show:
    """Prints steps with their time; a spinner turns while one is going on."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console()
        self._started = time.monotonic()

    def title(self, text: str) -> None:
        """Begin a part."""
        self.console.rule(f"[bold]{text}")

    @contextmanager
    def step(self, who: str, what: str) -> Iterator[None]:
        """Show that somebody does something, and how long it took."""
        begun = time.monotonic()
        with self.console.status(f"{who}: {what}"):
            yield
        taken = time.monotonic() - begun
        self.console.print(f"  [cyan]{who:<18}[/] {what} [dim]({taken:.1f} s)[/]", highlight=False)

    def conclusions(self, title: str, results: Sequence[Mapping[str, Any]]) -> None:
        """Print every result that has a conclusion."""
        table = Table(title=f"DEMONSTRATION · {title}", title_justify="left")
        for column in ("result", "estimate", "interval", "n", "conclusion"):
            table.add_column(column, overflow="fold")
        for result in results:
            conclusion = str(result["conclusion"])
            style = CONCLUSION_STYLES.get(conclusion, "yellow")
            table.add_row(
                str(result["id"]),
                _number(result.get("estimate")),
                _interval(result.get("interval")),
                str(result.get("n") or ""),
                f"[{style}]{conclusion}",
            )
        self.console.print(table)

    def closing(self, *, url: str, pdfs: Sequence[Path], people: Mapping[str, Any]) -> None:
        """Print where everything is, and who may sign in."""
        self.title("DEMONSTRATION finished")
        for pdf in pdfs:
            self.console.print(f"  {pdf}", highlight=False, soft_wrap=True)
        table = Table(title=f"Dashboard: {url}", title_justify="left")
        for column in ("role", "e-mail", "password"):
            table.add_column(column, overflow="fold")
        for role, person in people.items():
            table.add_row(role, person["email"], person["password"])
        self.console.print(table)
        self.console.print(f"  {time.monotonic() - self._started:.0f} s in all")


def _number(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value if value is not None else "")


def _interval(interval: Mapping[str, Any] | None) -> str:
    if not interval:
        return ""
    return f"{_number(interval.get('lower'))} to {_number(interval.get('upper'))}"
