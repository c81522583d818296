"""The page: header, six tabs, each filled when it is first opened; mounted behind the guard."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from assistant.trust import latest_report
from ui.chat.ask import AskTab
from ui.chat.cohorts import CohortsTab
from ui.chat.evidence import EvidenceTab
from ui.chat.guard import Guard
from ui.chat.runs import RunsTab
from ui.chat.scenarios import ScenariosTab
from ui.chat.trust import REPORT_PATH, TrustTab

if TYPE_CHECKING:
    from fastapi import FastAPI

    from assistant.owners import Owners

_HERE = Path(__file__).parent
LARGEST_FILE = "50mb"
FORGET = (3600, 3600)  # uploaded files: looked for each hour, deleted after one


def mount_chat(app: FastAPI, owners: Owners) -> FastAPI:
    """Mount the chat at / of the app that already serves the other faces."""
    _serve_report(app)
    mounted: FastAPI = gr.mount_gradio_app(
        app,
        build_chat(owners),
        path="/",
        theme=_theme(),
        css=(_HERE / "page.css").read_text(encoding="utf-8"),
        js=(_HERE / "page.js").read_text(encoding="utf-8"),
        head=(_HERE / "first.html").read_text(encoding="utf-8"),
        footer_links=[],
        show_error=True,
        ssr_mode=False,
        pwa=False,
        enable_monitoring=False,
        max_file_size=LARGEST_FILE,
        auth=owners.users.check if owners.users.configured else None,
        auth_message="Sign in to Cohort Twin.",
    )
    mounted.add_middleware(Guard)
    return mounted


def build_chat(owners: Owners) -> gr.Blocks:
    """The page, for every visitor alike; what is a visitor's own is in the page's state."""
    with gr.Blocks(title="Cohort Twin", analytics_enabled=False, fill_width=True, delete_cache=FORGET) as page:
        gr.HTML(_header(owners.settings.model), elem_id="header")
        with gr.Tabs(elem_id="tabs", selected="ask", overflow_behavior="wrap") as tabs:
            with gr.Tab("Ask", id="ask", elem_id="tab-ask"):
                ask = AskTab(owners)
            with gr.Tab("Cohorts", id="cohorts", elem_id="tab-cohorts") as cohorts_tab:
                cohorts = CohortsTab(owners, ask.question, tabs)
            with gr.Tab("Scenarios", id="scenarios", elem_id="tab-scenarios") as scenarios_tab:
                scenarios = ScenariosTab(owners, ask.state)
            with gr.Tab("Evidence", id="evidence", elem_id="tab-evidence") as evidence_tab:
                evidence = EvidenceTab(owners)
            with gr.Tab("Trust", id="trust", elem_id="tab-trust") as trust_tab:
                trust = TrustTab(owners)
            with gr.Tab("Runs", id="runs", elem_id="tab-runs") as runs_tab:
                runs = RunsTab(owners)
        filling: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        once: list[tuple[gr.Tab, Any]] = [(cohorts_tab, cohorts), (evidence_tab, evidence), (trust_tab, trust)]
        for tab, part in once:
            _fill_once(tab, part, filling)
        scenarios_tab.select(scenarios.fill, scenarios.needs, scenarios.filled, **filling)
        runs_tab.select(runs.fill, None, runs.filled, **filling)
    return page


def _header(model: str) -> str:
    return (
        '<header class="ct-head"><div><h1>Cohort Twin</h1><p>Predictions from published trials, every number traceable</p></div>'
        f'<p class="ct-model">Model: <strong>{escape(model)}</strong></p>'
        '<button type="button" id="theme">◐ <span>Light or dark</span></button></header>'
    )


def _fill_once(tab: gr.Tab, part: Any, filling: dict[str, Any]) -> None:
    """Fill a tab at its first opening; what has been chosen in it stays when it is opened again."""
    opened = gr.State(False)

    def fill(before: bool, request: gr.Request) -> list[Any]:
        if before:
            return [gr.skip()] * (len(part.filled) + 1)
        found = part.fill(request)
        return [True, *(found if isinstance(found, list) else [found])]

    tab.select(fill, [opened], [opened, *part.filled], **filling)


def _serve_report(app: FastAPI) -> None:
    """The full evaluation report, for the link on the Trust tab."""
    from fastapi import Response
    from fastapi.responses import FileResponse, PlainTextResponse

    @app.get(REPORT_PATH, include_in_schema=False)
    def report() -> Response:
        found = latest_report()
        if found is None or found.page is None:
            return PlainTextResponse("There is no evaluation report here. It is made with: make eval", status_code=404)
        return FileResponse(found.page, media_type="text/html")


def _theme() -> Any:
    """One accent, system fonts: nothing is fetched."""
    fonts = {"font": ["system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}
    theme = gr.themes.Base(primary_hue="teal", neutral_hue="slate", radius_size="sm", **fonts)
    return theme.set(
        button_primary_background_fill="#0f6b6b",
        button_primary_background_fill_hover="#0b5454",
        button_primary_background_fill_dark="#5eead4",
        button_primary_background_fill_hover_dark="#99f6e4",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#0b2b2b",
        color_accent="#0f6b6b",
        link_text_color="#0f6b6b",
        link_text_color_visited="#0f6b6b",
        link_text_color_dark="#5eead4",
        link_text_color_visited_dark="#5eead4",
        block_info_text_color="#475569",
        block_info_text_color_dark="#cbd5e1",
        body_text_color_subdued="#475569",
        body_text_color_subdued_dark="#cbd5e1",
        input_placeholder_color="#5b6776",
        input_placeholder_color_dark="#a9b5c5",
        block_border_width="0px",
        block_label_text_color="#1f2937",
        block_label_text_color_dark="#e2e8f0",
    )
