"""The chat page in headless Chromium, with every outside address refused."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, Request, expect, sync_playwright

from assistant.schemas import Answer

CHROMIUM = shutil.which("chromium")
QUESTION = "How would adults over 65 with type 2 diabetes and chronic kidney disease react to semaglutide 1 mg weekly over 30 weeks?"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed; .ci/run installs it"),
]


@pytest.fixture(scope="module")
def address(copy_of_store: Callable[[], Path]) -> Iterator[str]:
    """`cohort serve` in a process of its own, as a user runs it."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [str(Path(sys.executable).parent / "cohort"), "serve", "--port", str(port)]
    server = subprocess.Popen(command, env={**os.environ, "COHORT_DATA_DIR": str(copy_of_store())})
    try:
        found = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and server.poll() is None:
            try:
                if httpx.get(f"{found}/api/v1/health").status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        yield found
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture(scope="module")
def requests() -> list[str]:
    return []


@pytest.fixture(scope="module")
def page(address: str, requests: list[str]) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(viewport={"width": 1400, "height": 1000})
        made = context.new_page()

        def note(request: Request) -> None:
            requests.append(request.url)

        made.on("request", note)
        made.goto(address)
        yield made
        browser.close()


def test_the_answer_and_a_chart_appear(page: Page, requests: list[str], address: str, tmp_path: Path) -> None:
    box = page.locator("#question textarea, #question input").first
    box.fill(QUESTION)
    box.press("Enter")
    chat = page.locator("#chat")
    expect(chat).to_contain_text("How sure?", timeout=60_000)
    for words in ("HbA1c", "individuals vary", "PMID", "Not advice"):
        expect(chat).to_contain_text(words)
    expect(page.locator(".chart .js-plotly-plot").first).to_be_visible(timeout=20_000)
    page.screenshot(path=tmp_path / "answer.png", full_page=True)
    outside = [url for url in requests if not url.startswith((address, "data:", "blob:"))]
    assert outside == []


def test_the_chat_says_what_rest_says(page: Page, address: str) -> None:
    response = httpx.post(f"{address}/api/v1/ask", json={"text": QUESTION}, timeout=60)
    answer = Answer.model_validate(response.json())
    shown = " ".join(page.locator("#chat").inner_text().split())
    assert answer.headline in shown
    mean = next(e for e in answer.estimates if e.id == "hba1c_change.mean")
    assert f"{abs(mean.point):.1f}" in shown


def test_an_error_is_a_sentence(page: Page) -> None:
    box = page.locator("#question textarea, #question input").first
    box.fill("?!")
    box.press("Enter")
    expect(page.locator("#chat")).to_contain_text("The question is empty.", timeout=20_000)


def test_the_page_fits_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
