"""The report in headless Chromium: it loads nothing, says nothing on the console, fits a phone, and axe finds no fault."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_core_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from evals.report import write
from evals.schemas import Comparison, EvalRun

CHROMIUM = shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed; .ci/run installs it"),
]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, run: EvalRun, comparison: Comparison) -> str:
    folder = tmp_path_factory.mktemp("report")
    write(run, comparison, folder)
    return (folder / "report.html").as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield made
        made.close()


def opened(browser: Browser, address: str, scheme: str, width: int = 1360) -> tuple[Page, list[str]]:
    """The page, and all it asked for or said."""
    page, noise = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}).new_page(), []

    def asked(request: Request) -> None:
        noise.append(request.url)

    def said(message: ConsoleMessage) -> None:
        noise.append(message.text)

    page.on("request", asked)
    page.on("console", said)
    page.on("pageerror", lambda error: noise.append(str(error)))
    page.on("dialog", lambda dialog: noise.append(dialog.message))
    page.goto(address)
    return page, noise


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_it_loads_nothing_and_axe_finds_no_fault(browser: Browser, address: str, scheme: str, tmp_path: Path) -> None:
    page, noise = opened(browser, address, scheme)
    assert page.title() == "How often Cohort Twin is right"
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") is (scheme == "light")
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    found = Axe().run(page)["violations"]
    assert [(one["id"], [node["html"][:120] for node in one["nodes"][:3]]) for one in found] == []
    page.screenshot(path=tmp_path / f"{scheme}.png", full_page=True)
    assert noise == [address]
    page.context.close()


def test_it_fits_a_phone_and_wide_tables_scroll_inside(browser: Browser, address: str) -> None:
    page, noise = opened(browser, address, "light", width=390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("[...document.querySelectorAll('.frame')].some(one => one.scrollWidth > one.clientWidth + 20)")
    assert noise == [address]
    page.context.close()


def test_contents_lead_to_sections(browser: Browser, address: str) -> None:
    page, _ = opened(browser, address, "light")
    page.get_by_role("link", name="Worst errors").click()
    assert page.evaluate("location.hash") == "#worst"
    page.wait_for_function("Math.abs(document.getElementById('worst').getBoundingClientRect().top) < 80")
    page.context.close()
