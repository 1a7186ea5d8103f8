"""The site of docs: it builds without a warning, names everything and asks no other host."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import nearer

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def pages_of(nav: object) -> set[str]:
    """The pages of a nav, whatever the sections."""
    if isinstance(nav, str):
        return {nav}
    entries = nav.values() if isinstance(nav, dict) else nav
    return {page for entry in entries for page in pages_of(entry)}


def test_every_page_has_its_place_in_the_nav() -> None:
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    there = {p.relative_to(DOCS).as_posix() for p in DOCS.rglob("*.md")}
    assert pages_of(nav) == there


def test_every_public_name_is_on_an_api_page() -> None:
    pages = "".join(p.read_text(encoding="utf-8") for p in (DOCS / "api").glob("*.md"))
    named = set(re.findall(r"^::: nearer\.(\w+)$", pages, re.M))
    errors = {n for n in nearer.__all__ if getattr(nearer, n).__module__ == "nearer.errors"}
    assert set(nearer.__all__) - named == errors  # the whole tree is on one page, as a module


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_asks_no_other_host(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    for page in tmp_path.rglob("*.html"):
        loads = re.findall(
            r"<(?:script|link|img|iframe|source)\b[^>]*(?:src|href)=\"((?:https?:)?//[^\"]+)",
            page.read_text(encoding="utf-8"),
        )
        assert not loads, f"{page.name} loads {loads}"
    fit = (tmp_path / "api" / "fit.html").read_text(encoding="utf-8")
    assert "min_delta" in fit
