"""The page for everybody: narrow or wide, light or dark, by keyboard and for screen readers, as axe-core sees it.

axe-core comes with a package of the development lock; the browser is the system's.
"""

import importlib.resources
import itertools
import json
import re

import pytest
from conftest import CHROMIUM
from test_report import FEW, TABLE, compared_file, counts, made_score, make_whole, rendered, table_spec

sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright")
pytest.importorskip("axe_playwright_python", reason="no axe-core")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium")

WIDTHS = (320, 390, 768, 1400)
VIEWS = [
    *(("whole", width, scheme) for width in (390, 1400) for scheme in ("light", "dark")),
    ("many", 390, "dark"),
    ("many", 1400, "light"),
    ("small", 390, "light"),
]
AXE = "axe.run(document, {resultTypes: ['violations']}).then((found) => found.violations)"

UNREACHABLE = """
    [...document.querySelectorAll("a, button, select, input, summary, .scroll")].filter((one) => one.tabIndex < 0)
      .length
"""
FOCUSED = """
    ((one) => one.matches("a, button") ? one.textContent : one.id || one.name || one.className)(document.activeElement)
"""


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


def write_many(folder):
    """A page with many models, long names, and everything that is to be minded."""
    base = counts(200, 30, ci=[0.1, 0.2])
    names = ["base", *(f"a-run-with-quite-a-long-name-{i}" for i in range(5))]
    scores = {
        (name, test, mode): made_score(base, None if name == "base" else base, ci=[-0.1, -0.01]) | {"caution": FEW}
        for name in names
        for test in ("home", "a-test-set-with-a-long-name")
        for mode in ("faithful", "raw")
    }
    file = compared_file(folder, names, names[-1])
    runs = [{"name": name, "settings": {"learning_rate": i / 7}} for i, name in enumerate(names[1:])]
    compared = [{"test": "home", "mode": "faithful", "file": file}]
    return table_spec(folder, scores, compared=compared, runs=runs)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A page with everything in it, and others, as files by name."""
    found = {}
    few = {place: made | {"caution": FEW} for place, made in TABLE.items()}
    for name, make in {
        "whole": make_whole,
        "many": write_many,
        "small": lambda folder: table_spec(folder, few),
    }.items():
        folder = tmp_path_factory.mktemp(name)
        (folder / "report.html").write_text(rendered(make(folder)), encoding="utf-8")
        found[name] = folder / "report.html"
    return found


@pytest.fixture
def opened(browser, pages):
    """The function that opens a page at a width and in a colour scheme."""
    contexts = []

    def open_page(name, width=1400, scheme="light"):
        viewport = {"width": width, "height": 800}
        contexts.append(browser.new_context(viewport=viewport, color_scheme=scheme, bypass_csp=True))
        contexts[-1].set_default_timeout(300_000)  # the machine may be busy
        page = contexts[-1].new_page()
        page.goto(pages[name].as_uri())
        page.wait_for_selector("html[data-ready]")
        return page

    yield open_page
    for context in contexts:
        context.close()


def unfold(page):
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")


@pytest.mark.parametrize(("name", "width", "scheme"), VIEWS)
def test_axe_finds_nothing(opened, name, width, scheme):
    page = opened(name, width, scheme)
    unfold(page)
    page.evaluate(importlib.resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate(AXE)
    nodes = [
        (one["id"], one["help"], node["html"][:200], node["failureSummary"]) for one in found for node in one["nodes"]
    ]
    assert nodes == [], json.dumps(nodes, indent=1)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["whole", "many"])
def test_the_page_is_as_wide_as_the_window(opened, name, width):
    page = opened(name, width)
    unfold(page)
    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("width", WIDTHS)
def test_every_section_can_be_reached_from_the_navigation(opened, width):
    page = opened("whole", width)
    links = page.locator("nav a:visible")
    assert links.all_text_contents() == ["Results", "Training", "Data", "Errors", "Utterances", "Settings"]
    for link in links.all():
        box = link.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width
        link.click()
        target = page.locator(link.get_attribute("href"))
        bar = page.locator("div.bar").bounding_box()
        assert 0 <= bar["y"] < 100, "the navigation stays in view"
        at_end = page.evaluate("scrollY + innerHeight >= document.documentElement.scrollHeight - 1")
        heading = target.locator("h2").bounding_box()["y"]
        assert heading >= bar["y"] + bar["height"] - 1 or at_end, "and hides no heading"


def test_all_that_can_be_used_is_reached_by_keyboard(opened):
    page = opened("whole", 390)
    seen = []
    for _ in range(9):
        page.keyboard.press("Tab")
        seen.append(page.evaluate(FOCUSED))
    assert seen == [
        "Skip to the results",
        "Results",
        "Training",
        "Data",
        "Errors",
        "Utterances",
        "Settings",
        "mode",
        "scroll",
    ]
    unfold(page)
    assert page.evaluate(UNREACHABLE) == 0


def test_landmarks_headings_and_headers_are_in_order(opened):
    page = opened("whole")
    unfold(page)
    for landmark in ("body > header", "nav[aria-label]", "body > main", "body > footer", "h1"):
        assert page.locator(landmark).count() == 1, landmark
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3, h4')].map((one) => Number(one.tagName[1]))")
    assert levels[0] == 1 and all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert page.evaluate("[...document.querySelectorAll('th')].filter((one) => !one.scope).length") == 0
    assert (
        page.evaluate("[...document.querySelectorAll('table')].filter((one) => !one.caption || !one.tHead).length") == 0
    )
    assert page.evaluate("[...document.querySelectorAll('svg[role=img]')].filter((one) => !one.ariaLabel).length") == 0


def test_a_chart_says_its_figures_to_those_who_do_not_see_it(pages):
    html = pages["whole"].read_text(encoding="utf-8")
    labels = re.findall(r'<svg[^>]* aria-label="([^"]*)"', html)
    assert any(re.search(r"Error rates on home .*: base [\d.]+ .*, tuned [\d.]+", label) for label in labels)
    assert any(
        re.search(r"Loss per token of tuned by step: training 2 at 1, validation 1.5 at 2", label) for label in labels
    )
    assert any(re.search(r"duration, s: 4 utterances, most of them from 1 to", label) for label in labels)
