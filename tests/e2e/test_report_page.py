"""The report in a browser: headless Chromium, where the machine has one."""

import base64
import json
import shutil
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from support.written import finished, written_run

CHROMIUM = next((p for p in map(shutil.which, ("chromium", "chromium-browser")) if p), None)
DRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium with chromedriver here"),
]
COUNT = 10_000
TOPICS = ("shoes", "hats", "<script>document.title='evil'</script>")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with ten thousand queries."""
    queries = [f"question {i} about {TOPICS[i % 3]}" for i in range(COUNT)]
    values = [[i % 7 / 7 for i in range(COUNT)], [i % 11 / 11 for i in range(COUNT)]]
    folder = tmp_path_factory.mktemp("runs")
    run = written_run(
        folder, "mine", values, queries, ["d1", "<img src=http://x.test/>"], **finished(values, 1)
    )
    return run.report()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def shown(browser: Any, page: Path) -> Any:
    """The browser with the page in it, and nothing of an earlier test."""
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(page.as_uri())
    return browser


def js(browser: Any, code: str) -> Any:
    return browser.execute_script(f"return {code}")


def choose(browser: Any, words: str = "", kind: str = "all") -> None:
    browser.execute_script(
        "for (const [id, value, event] of [['filter', arguments[0], 'input'],"
        " ['kind', arguments[1], 'change']]) { const one = document.getElementById(id);"
        " one.value = value; one.dispatchEvent(new Event(event)); }",
        words,
        kind,
    )


def wait_for(browser: Any, text: str) -> None:
    said = ""
    for _ in range(200):
        said = js(browser, "document.getElementById('said').textContent")
        if said.startswith(text):
            return
        time.sleep(0.05)
    raise AssertionError(said)


def test_no_error_and_no_request(shown: Any, page: Path) -> None:
    shown.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
    assert shown.title == "mine – nearer"
    assert shown.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in shown.get_log("performance")]
    asked = {
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    }
    assert {url for url in asked if not url.startswith("data:")} <= {page.as_uri()}


def test_the_filter(shown: Any) -> None:
    wait_for(shown, "10,000 of 10,000 queries, the first 50 shown")
    choose(shown, "HATS question 9997")
    wait_for(shown, "1 of 10,000 queries")
    assert js(shown, "document.querySelectorAll('#all-rows tr').length") == 1
    choose(shown, "hats")
    wait_for(shown, "3,333 of 10,000 queries")
    visible = "[...document.querySelectorAll('.query:not([hidden]) .what')].map(e => e.innerText)"
    assert all("hats" in text for text in js(shown, visible))
    counts = []
    for kind in ("1", "-1", "0"):
        choose(shown, "", kind)
        time.sleep(0.2)  # the filter waits for the last letter
        counts.append(int(js(shown, "said.textContent").split(" ")[0].replace(",", "")))
    assert sum(counts) == COUNT
    assert min(counts) > 0
    choose(shown)
    wait_for(shown, "10,000 of 10,000 queries, the first 50 shown")
    shown.execute_script("document.getElementById('more').click()")
    assert js(shown, "document.querySelectorAll('#all-rows tr').length") == 100


@pytest.mark.parametrize("system", ["light", "dark"])
def test_the_theme(system: str, shown: Any) -> None:
    media = {"features": [{"name": "prefers-color-scheme", "value": system}]}
    shown.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    background = "getComputedStyle(document.body).backgroundColor"
    colours = {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 27)"}
    assert js(shown, background) == colours.pop(system)
    shown.execute_script("document.getElementById('theme').click()")
    assert js(shown, background) == colours.popitem()[1]


@pytest.mark.parametrize(("width", "system"), [(1200, "light"), (1200, "dark"), (390, "light")])
def test_axe_finds_nothing_serious_and_nothing_overflows(
    width: int, system: str, shown: Any
) -> None:
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    shown.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    media = {"features": [{"name": "prefers-color-scheme", "value": system}]}
    shown.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    # Most queries stay closed: what is in one is in all, and axe looks at each element for long.
    shown.execute_script(
        "document.querySelectorAll('.query').forEach((one, i) => { one.open = i % 25 === 0;"
        " if (i % 25 > 2) one.remove(); });"
        "[...document.querySelectorAll('#all-rows tr')].slice(5).forEach((row) => row.remove())"
    )
    assert js(shown, "document.documentElement.scrollWidth") <= width
    axe = (files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")
    shown.execute_script(axe)
    shown.set_script_timeout(60)
    found = shown.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
    said = [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]
            if one["impact"] in ("serious", "critical")]  # fmt: skip
    assert said == []
    assert len(found["passes"]) > 20


def test_it_prints_without_what_needs_a_screen(shown: Any) -> None:
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    shown.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": dark})
    seen = "getComputedStyle(document.getElementById('{}')).display"
    try:
        assert js(shown, seen.format("theme")) == "none"
        assert js(shown, "getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        pdf = shown.execute_cdp_cmd("Page.printToPDF", {})["data"]
    finally:
        shown.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert base64.b64decode(pdf).startswith(b"%PDF")
