import json
import re
from html.parser import HTMLParser

import pytest
from lxml import html as lxml_html

from nearer.report.content import Headline, Hit, Page, Queries, Query, Table
from nearer.report.page import render, signed
from nearer.report.plot import Plot, Series

EVIL = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</script><script>alert(1)</script>",
    "</style></title><svg onload=alert(1)>",
    "javascript:alert(1)",
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }} {% raw %}",
    "<!-- --> <![CDATA[ \u2028 \x00 ]]>",
]
VOID = {"meta", "link", "br", "img", "input", "line", "polyline"}


def page(text: str = "plain", many: int = 1) -> Page:
    hit = Hit(1, text, True, None)
    query = Query(text, text, 0.0, 1.0, ((hit,), (hit,)))
    return Page(
        title=text,
        kind=text,
        verdict=text,
        facts=((text, text),),
        remarks=(text,),
        headline=Headline(text, (text, text), 0.5, 0.25, (-0.3, -0.2), better=False),
        plots=(Plot(text, (Series(text, ((0, 0, 0.5), (10, 1, 0.75))),), 10, 10),),
        metrics=(Table(text, (text, text), ((text, text),), True, (0.5,)),),
        queries=Queries(
            (text, text), text, 20, (query,), (query,), (1, 1, 0), ((text, 0.0, 1.0),) * many, many
        ),
        time=Table(text, (text,), ((text,),), folded=True),
        settings=(Table(text, (text,), ((text,),)),),
        command=text,
        command_note=text,
        version="1",
    )


class Strict(HTMLParser):
    """Fails where a tag is closed that is not open; notes scripts, attributes and ids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), (tag, names)
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("evil", EVIL)
def test_no_text_becomes_markup(evil: str) -> None:
    plain, attacked = Strict(render(page())), Strict(render(page(evil)))
    assert [tag for tag, _ in attacked.tags] == [tag for tag, _ in plain.tags]
    assert [sorted(a) for _, a in attacked.tags] == [sorted(a) for _, a in plain.tags]
    assert not [a for _, a in attacked.tags if any(name.startswith("on") for name in a)]


@pytest.mark.parametrize("evil", EVIL)
def test_the_list_of_queries_survives(evil: str) -> None:
    tree = lxml_html.fromstring(render(page(evil)))
    (data,) = tree.xpath('//script[@id="all-queries"]')
    assert json.loads(data.text) == [[evil, 0.0, 1.0]]


def test_it_is_well_formed_and_ids_are_unique() -> None:
    found = Strict(render(page()))
    ids = [a["id"] for _, a in found.tags if "id" in a]
    assert len(ids) == len(set(ids))
    labelled = " ".join(a["aria-labelledby"] or "" for _, a in found.tags if "aria-labelledby" in a)
    assert labelled
    assert set(labelled.split()) <= set(ids)


def test_nothing_is_loaded_from_elsewhere() -> None:
    text = render(page())
    assert not re.search(r"(?:https?:)?//[\w.]+|@import|url\(", text.split("<script>")[0])
    assert not re.search(r"fetch|XMLHttpRequest|https?:|import\(|WebSocket|innerHTML|eval", text)
    links = {v for _, a in Strict(text).tags for n, v in a.items() if n in ("src", "href")}
    assert all(link and link.startswith("data:") for link in links)


def test_only_its_own_script_may_run() -> None:
    policy = next(
        a["content"] for _, a in Strict(render(page())).tags if a.get("http-equiv") is not None
    )
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    assert "'unsafe-inline'" not in policy.split("script-src")[1]


def test_a_name_that_is_not_utf_8_is_shown() -> None:
    assert "\\udcff.csv" in render(Page("\udcff.csv", "Run", "Nothing was measured."))


def test_a_page_that_knows_little() -> None:
    text = render(Page("keen-otter", "Run", "Nothing was measured."))
    Strict(text)
    for heading in ("Curves", "Metrics", "Queries", "Time", "Settings", "Again"):
        assert f"<h2>{heading}</h2>" not in text


def test_plots_say_their_values() -> None:
    tree = lxml_html.fromstring(render(page("m")))
    (svg,) = tree.xpath("//svg")
    assert svg.get("role") == "img"
    said = [title.text for title in svg.xpath(".//title")]
    assert said == ["m", "m, epoch 0, step 0: 0.50000", "m, epoch 1, step 10: 0.75000 (kept)"]
    assert "stopped early at step 10" in svg.xpath(".//desc")[0].text


@pytest.mark.parametrize(
    ("value", "said"), [(0.5, "+0.50000"), (-0.5, "−0.50000"), (0.0, "0.00000"), (-1e-9, "0.00000")]
)
def test_a_difference_has_its_sign(value: float, said: str) -> None:
    assert signed(value) == said
