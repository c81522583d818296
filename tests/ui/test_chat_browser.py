"""The chat in headless Chromium, as two visitors of one server use it, with every outside address refused."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import axe_core_python
import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from assistant.schemas import Answer

CHROMIUM = shutil.which("chromium")
QUESTION = "How would adults over 65 with type 2 diabetes and chronic kidney disease react to semaglutide 1 mg weekly over 30 weeks?"
OTHERS = "How would adults with hypertension react to amlodipine 10 mg over 8 weeks?"
TABS = ("Ask", "Cohorts", "Scenarios", "Evidence", "Trust", "Runs")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
LONG = 60_000  # ms

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
        deadline = time.monotonic() + 240
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
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield made
        made.close()


class Visitor:
    """A browser of its own, with what it asked the network for and what its console complained about."""

    def __init__(self, browser: Browser, address: str, **options: object) -> None:
        chosen = {"viewport": {"width": 1400, "height": 1000}, "color_scheme": "light", **options}
        self.context: BrowserContext = browser.new_context(**chosen)  # type: ignore[arg-type]
        self.page: Page = self.context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.goto(address)
        expect(self.page.locator("#question textarea")).to_be_visible(timeout=LONG)

    def ask(self, question: str) -> None:
        before = self.page.locator("#chat .ct-asked").count()  # also of what was stopped and has no run
        box = self.page.locator("#question textarea")
        box.fill(question)
        box.press("Enter")
        self.settled(before + 1)

    def settled(self, turns: int) -> None:
        """Wait until the answer of this turn stands."""
        expect(self.page.locator("#chat .ct-asked")).to_have_count(turns, timeout=LONG)
        expect(self.page.locator("#chat .ct-last article:not([aria-busy])")).to_have_count(1, timeout=LONG)

    def open(self, tab: str) -> None:
        self.page.get_by_role("tab", name=tab, exact=True).click()

    @property
    def last(self) -> str:
        """The last answer as one line of text."""
        return " ".join(self.page.locator("#chat .ct-last article").inner_text().split())

    def run_id(self) -> str:
        return self.page.locator("#chat .ct-last article").get_attribute("data-run") or ""


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Callable[..., Visitor]]:
    visitors: list[Visitor] = []

    def come(**options: object) -> Visitor:
        visitors.append(Visitor(browser, address, **options))
        return visitors[-1]

    yield come
    for visitor in visitors:
        visitor.context.close()


@pytest.fixture(scope="module")
def ada(browser: Browser, address: str) -> Iterator[Visitor]:
    """The visitor whose answer most tests look at: asked once."""
    made = Visitor(browser, address)
    made.ask(QUESTION)
    yield made
    made.context.close()


@pytest.fixture(scope="module")
def by_rest(address: str) -> Answer:
    response = httpx.post(f"{address}/api/v1/ask", json={"text": QUESTION}, timeout=60)
    return Answer.model_validate(response.json())


def test_the_first_view_is_painted_soon_and_offers_four_questions(visit: Callable[..., Visitor]) -> None:
    visit()  # the first page of a server compiles its template
    visitor = visit()
    painted = visitor.page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    assert painted < 2000
    expect(visitor.page.locator("#examples button")).to_have_count(4)
    for role in ("Clinician", "Health economist", "Trial designer", "Public-health planner"):
        expect(visitor.page.locator("#examples")).to_contain_text(role)


def test_the_answer_says_what_rest_says(ada: Visitor, by_rest: Answer) -> None:
    assert by_rest.headline in ada.last
    mean = next(e for e in by_rest.estimates if e.id == "hba1c_change.mean")
    assert f"{abs(mean.point):.1f} %-points" in ada.last
    for words in ("How sure?", "How individuals vary", "Not advice for an individual"):
        assert words in ada.last
    panel = ada.page.locator("#run-panel")
    for words in ("How reliable the intervals were", "Assumptions", "Provenance", "PMID"):
        expect(panel).to_contain_text(words)


def test_the_charts_hold_the_numbers_of_the_answer(ada: Visitor, by_rest: Answer) -> None:
    fan = next(chart for chart in by_rest.charts if chart.kind == "fan")
    figure = ada.page.locator("#charts figure", has_text=re.compile(re.escape(fan.title), re.IGNORECASE)).first
    expect(figure.locator("svg[role=img]")).to_be_visible()
    expect(figure.locator("svg")).to_contain_text("weeks")
    expect(figure.locator("svg")).to_contain_text(fan.y_label)
    rows = figure.locator("tbody tr")
    points = [point for series in fan.series for point in series.points]
    assert rows.count() == len(points)
    shown = [float(text.replace("−", "-")) for text in rows.locator("td:nth-child(3)").all_text_contents()]
    assert shown == pytest.approx([point.y for point in points], abs=0.0051)
    # The picture itself: the last mark of the treatment is as far below zero as its value says.
    ys = [float(y or 0) for y in figure.locator("svg circle").evaluate_all("all => all.map(c => c.getAttribute('cy'))")]
    series = next(series for series in fan.series)
    assert len(ys) == len(series.points) + 1  # and one in the key
    values = [point.y for point in series.points]
    drawn = ys[-len(values) :] if ys[-len(values)] != ys[0] else ys[1:]
    scale = (drawn[-1] - drawn[0]) / (values[-1] - values[0])
    assert [y - drawn[0] for y in drawn] == pytest.approx([scale * (v - values[0]) for v in values], abs=0.3)


def test_the_plan_stands_in_the_fields_and_an_edit_reaches_the_answer(ada: Visitor) -> None:
    page = ada.page
    page.get_by_role("button", name="Understood (edit)").click()
    expect(page.locator("#pico-intervention textarea")).to_have_value("semaglutide 1 mg once weekly")
    expect(page.locator("#pico-comparator textarea")).to_have_value("placebo")
    page.wait_for_timeout(500)  # the page has drawn the fields to the end
    page.locator("#pico-intervention textarea").fill("semaglutide 2 mg once weekly")
    page.locator("#pico-horizon input").fill("52")
    turns = page.locator("#chat .ct-asked").count()
    page.locator("#run-plan").click()
    ada.settled(turns + 1)
    expect(page.locator("#chat .ct-last .ct-asked")).to_contain_text(
        "semaglutide 2 mg once weekly rather than placebo over 52 weeks"
    )
    assert "semaglutide 2 mg once weekly versus placebo · 52 weeks" in ada.last


def test_a_follow_up_leans_on_the_question_before(ada: Visitor) -> None:
    ada.ask("and in women?")
    assert "limited to women" in ada.last
    assert "semaglutide" in ada.last
    expect(ada.page.locator("#read-as")).to_contain_text("taken over from the question before", ignore_case=True)


def test_who_gains_draws_a_forest_by_subgroup(ada: Visitor) -> None:
    turns = ada.page.locator("#chat .ct-asked").count()
    ada.page.locator("#gains").click()
    ada.settled(turns + 1)
    expect(ada.page.locator("#charts")).to_contain_text("predicted effect by sub-cohort")


def test_an_export_opens(ada: Visitor, visit: Callable[..., Visitor], tmp_path: Path) -> None:
    page = ada.page
    page.get_by_role("button", name="Export").first.click()
    with page.expect_download(timeout=LONG) as waiting:
        page.locator("#ask-export-html").click()
    file = tmp_path / "answer.html"
    waiting.value.save_as(file)
    opened = visit().page
    opened.goto(file.as_uri())
    expect(opened.locator("body")).to_contain_text(ada.run_id())
    with page.expect_download(timeout=LONG) as waiting:
        page.locator("#ask-export-json").click()
    data = tmp_path / "answer.json"
    waiting.value.save_as(data)
    assert ada.run_id() in data.read_text(encoding="utf-8")
    assert json.loads(data.read_text(encoding="utf-8"))


def test_runs_lists_shows_and_replays(ada: Visitor) -> None:
    page = ada.page
    run_id = ada.run_id()
    ada.open("Runs")
    expect(page.locator("#run-list")).to_contain_text(run_id, timeout=LONG)
    page.locator("#run-choice input").click()
    page.get_by_role("option").last.click()
    expect(page.locator("#run-card")).to_contain_text("What to expect", timeout=LONG)
    page.locator("#run-replay").click()
    expect(page.locator("#run-verdict")).to_contain_text("numbers are the same", timeout=LONG)


def test_nothing_left_the_machine_and_the_console_is_clean(ada: Visitor, address: str) -> None:
    assert [url for url in ada.requests if not url.startswith((address, "data:", "blob:"))] == []
    assert ada.complaints == []


def test_the_plan_can_be_seen_before_anything_runs(visit: Callable[..., Visitor], address: str) -> None:
    visitor = visit()
    visitor.page.get_by_label("Show me the plan first").check()
    visitor.ask(OTHERS)
    assert "nothing has been run" in visitor.last
    assert "Adults with hypertension" in visitor.last
    visitor.open("Runs")
    expect(visitor.page.locator("#run-list")).to_contain_text("Nothing has been asked from here yet.", timeout=LONG)


def test_two_visitors_never_see_each_others_chats_and_runs(
    visit: Callable[..., Visitor], ada: Visitor, address: str
) -> None:
    ben, eve = visit(), visit()
    for visitor, question in ((ben, OTHERS), (eve, QUESTION)):  # both at the same time
        visitor.page.locator("#question textarea").fill(question)
        visitor.page.locator("#question textarea").press("Enter")
    ben.settled(1)
    eve.settled(1)
    assert "amlodipine" in ben.last
    assert "semaglutide" not in ben.last
    assert "amlodipine" not in eve.last
    runs = {visitor.run_id() for visitor in (ada, ben, eve)}
    assert len(runs) == 3
    for visitor in (ben, eve):
        visitor.open("Runs")
        expect(visitor.page.locator("#run-list")).to_contain_text(visitor.run_id(), timeout=LONG)
        for other in runs - {visitor.run_id()}:
            expect(visitor.page.locator("#run-list")).not_to_contain_text(other)
    # After a new load the history is still this browser's own.
    ben.page.reload()
    ben.open("Runs")
    expect(ben.page.locator("#run-list")).to_contain_text("amlodipine", timeout=LONG)
    expect(ben.page.locator("#run-list")).not_to_contain_text("semaglutide")
    # Eve names Ben's session: refused.
    session = next(m[1] for url in ben.requests[::-1] if (m := re.search(r"session_hash=(\w+)", url)))
    status = eve.page.evaluate(
        "async (url) => (await fetch(url)).status", f"{address}/gradio_api/queue/data?session_hash={session}"
    )
    assert status == 403


def test_text_from_outside_is_shown_and_never_run(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    visitor.ask(
        "<img src=x onerror=window.hacked=1> ${window.hacked=2} {{7*7}} and semaglutide in adults with type 2 diabetes?"
    )
    asked = visitor.page.locator("#chat .ct-asked").inner_text()
    for piece in ("<img src=x onerror=window.hacked=1>", "${window.hacked=2}", "{{7*7}}"):
        assert piece in asked
    assert visitor.page.evaluate("window.hacked") is None
    visitor.ask("?!")
    assert "The question is empty." in visitor.last


def test_a_running_question_can_be_stopped(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    visitor.ask(QUESTION)
    page = visitor.page
    page.locator("#why").click()  # takes some seconds
    page.locator("#stop").click(timeout=LONG)
    expect(page.locator("#chat .ct-last")).to_contain_text("Stopped.", timeout=LONG)
    page.wait_for_timeout(1500)
    expect(page.locator("#chat .ct-last")).to_contain_text("Stopped.")
    for _ in range(10):  # the step that was under way is the last one; until it ends the conversation is busy
        visitor.ask("and in women?")
        if "is being answered" not in visitor.last:
            break
        page.wait_for_timeout(2000)
    assert "limited to women" in visitor.last


def test_a_sub_cohort_is_built_live_and_asked_about(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page = visitor.page
    visitor.open("Cohorts")
    expect(page.locator("#cohort-size")).to_contain_text("The whole of", timeout=LONG)
    page.locator("#build-age-from input").fill("65")
    expect(page.locator("#cohort-size")).to_contain_text("in 100", timeout=LONG)
    page.locator("#build-sex").get_by_text("female", exact=True).click()
    expect(page.locator("#cohort-size strong")).to_contain_text("women", timeout=LONG)
    shown = page.locator("#cohort-size").inner_text()
    percent = float(re.search(r"\(([\d.]+) %\)", shown)[1])  # type: ignore[index]
    assert 10 < percent < 35
    expect(page.locator("#cohort-profile svg").first).to_be_visible()
    expect(page.locator("#cohort-profile")).to_contain_text("5th to 95th percentile")
    page.locator("#build-more textarea").fill("age <= 20")
    expect(page.locator("#cohort-size [role=alert]")).to_be_visible(timeout=LONG)
    page.locator("#build-more textarea").fill("")
    expect(page.locator("#cohort-size strong")).to_contain_text("women", timeout=LONG)
    page.locator("#cohort-search textarea").fill("kidney")
    expect(page.locator("#cohort-list")).not_to_contain_text("asthma", timeout=LONG)
    page.locator("#cohort-ask").click()
    expect(page.locator("#question textarea")).to_have_value(re.compile("women.* react to "), timeout=LONG)


def test_scenarios_stand_side_by_side_with_a_tornado(visit: Callable[..., Visitor], by_rest: Answer) -> None:
    visitor = visit()
    page = visitor.page
    visitor.open("Scenarios")
    page.locator("#scenario-doses textarea").fill("2 mg")
    page.get_by_label("women", exact=True).check()
    page.locator("#scenario-run").click()
    table = page.locator("#scenario-table table").first
    expect(table).to_be_visible(timeout=LONG)
    heads = table.locator("thead th").all_text_contents()
    assert heads == ["Outcome", "As asked", "semaglutide 2 mg once weekly", "women"]
    row = table.locator("tbody tr", has_text="HbA1c change, difference")
    wanted = next(e for e in by_rest.estimates if e.id == "hba1c_change.difference")
    assert row.locator("td").first.inner_text().startswith(f"{wanted.point:.1f}".replace("-", "−"))
    assert row.locator("td").nth(1).inner_text() != row.locator("td").first.inner_text()
    expect(page.locator("#scenario-table svg").first).to_be_visible()
    page.locator("#tornado-run").click()
    expect(page.locator("#tornado-chart figure")).to_be_visible(timeout=LONG)
    expect(page.locator("#tornado-chart")).to_contain_text("Dose")
    visitor.open("Runs")
    expect(page.locator("#run-list tbody tr")).to_have_count(3, timeout=LONG)


def test_evidence_is_found_and_a_file_is_tried_out_before_it_is_taken(
    visit: Callable[..., Visitor], tmp_path: Path
) -> None:
    visitor = visit()
    page = visitor.page
    visitor.open("Evidence")
    page.locator("#evidence-query textarea").fill("nausea with semaglutide")
    page.locator("#evidence-search").click()
    expect(page.locator("#evidence-found article").first).to_contain_text("ausea", timeout=LONG)
    expect(page.locator("#evidence-found a").first).to_have_attribute("href", re.compile("^https://"))
    file = tmp_path / "note.md"
    file.write_text(
        "# A note of ours\n\nPeople in our clinic prefer a weekly injection to a daily tablet.\n", encoding="utf-8"
    )
    page.get_by_role("button", name="Import your own files").click()
    page.locator("#import-files input[type=file]").set_input_files(file)
    expect(page.locator("#import-files")).to_contain_text("note", timeout=LONG)
    page.locator("#import-check").click()
    expect(page.locator("#import-report")).to_contain_text("note.md", timeout=LONG)
    expect(page.locator("#import-report")).to_contain_text("would be taken in")


def test_no_tab_moves_sideways_on_a_phone(visit: Callable[..., Visitor]) -> None:
    visitor = visit(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    visitor.ask(QUESTION)
    for tab in TABS:
        visitor.open(tab)
        visitor.page.wait_for_timeout(1200)
        assert visitor.page.evaluate("document.documentElement.scrollWidth") <= 390, tab
    visitor.open("Ask")
    card, panel = (visitor.page.locator(name).bounding_box() for name in ("#chat", "#run-panel"))
    assert card is not None
    assert panel is not None
    assert panel["y"] > card["y"] + card["height"] - 1


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_axe_finds_nothing_serious_on_any_tab(scheme: str, visit: Callable[..., Visitor]) -> None:
    axe = next(Path(axe_core_python.__file__).parent.rglob("axe*.js")).read_text(encoding="utf-8")
    visitor = visit(color_scheme=scheme)
    page = visitor.page
    assert page.evaluate("document.body.classList.contains('dark')") == (scheme == "dark")
    visitor.ask(QUESTION)
    page.get_by_role("button", name="Understood (edit)").click()
    found = []
    for tab in TABS:
        visitor.open(tab)
        page.wait_for_timeout(1500)
        page.evaluate(axe)
        result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        for one in result["violations"]:
            if one["impact"] in ("serious", "critical"):
                found.append((tab, one["id"], [node["html"][:120] for node in one["nodes"]]))
    assert found == []


def test_the_page_can_be_worked_with_the_keyboard(visit: Callable[..., Visitor]) -> None:
    page = visit().page
    page.get_by_role("tab", name="Ask").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Cohorts")).to_have_attribute("aria-selected", "true")
    page.locator("#theme").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.body.classList.contains('dark')")
    page.reload()
    expect(page.locator("#question textarea")).to_be_visible(timeout=LONG)
    assert page.evaluate("document.body.classList.contains('dark')")
