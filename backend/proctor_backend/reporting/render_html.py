"""Sets the laid-out report as one HTML file that needs nothing else, on screen and on paper."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parent / "templates"


def render_html(layout: Mapping[str, Any]) -> bytes:
    """Return the page; all text is escaped, pictures and style are inside."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # A picture in an image element cannot run a script, whatever is in it.
    pictures = {
        name: "data:image/svg+xml;base64," + base64.b64encode(figure["svg"].encode()).decode()
        for name, figure in layout["figures"].items()
    }
    page = environment.get_template("report.html.j2").render(doc=layout, pictures=pictures)
    return page.encode()
