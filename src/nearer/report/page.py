"""From what a page says to HTML: one file that needs no other and lets none in."""

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from nearer.report import plot
from nearer.report.content import Page

FOLDER = "nearer.report"


def render(page: Page) -> str:
    """Write a page as HTML.

    Every text is escaped by the template engine. Style and script stand in the page; its own
    policy forbids any other script, and any request.

    Args:
        page: What it says.

    Example:
        >>> html = render(Page("keen-otter", "Run", "No <evaluation>."))
        >>> "No &lt;evaluation&gt;." in html, "http" in html.replace("http-equiv", "")
        (True, False)
    """
    script = _part("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    html: str = (
        _environment()
        .get_template("page.html")
        .render(page=page, style=_part("page.css"), script=script, script_hash=digest, box=plot)
    )
    # Names of files that are not UTF-8 have half characters in them, which no file can hold.
    return html.encode("utf-8", "backslashreplace").decode("utf-8")


def number(value: Any) -> str:
    """A figure as it is printed; a dash where there is none."""
    return "–" if value is None else f"{value:.5f}"


def signed(value: float) -> str:
    """A difference with its sign.

    Example:
        >>> signed(-0.25)
        '−0.25000'
    """
    said = f"{value:+.5f}".replace("-", "−")
    return said if float(said[1:]) else said[1:]  # nothing has no sign


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    compact = {"ensure_ascii": False, "separators": (",", ":")}
    environment.policies["json.dumps_kwargs"] = compact
    environment.filters.update(number=number, signed=signed)
    return environment


@cache
def _part(name: str) -> str:
    return (files(FOLDER) / "templates" / name).read_text(encoding="utf-8")
