"""The Runs tab: what this visitor asked, each run to show, to replay and to export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from assistant.trust import reliabilities
from knowledge.errors import CohortTwinError
from ui.chat import card
from ui.chat.exporting import export_buttons
from ui.chat.markup import bullets, grid, notice
from ui.chat.visitor import visitor_of

if TYPE_CHECKING:
    from assistant.owners import Owners
    from assistant.schemas import Turn

SHOWN = 50
LETTERS = 90


class RunsTab:
    """Builds the tab; `fill` lists the runs each time it is opened."""

    def __init__(self, owners: Owners) -> None:
        gr.HTML(
            '<h2>Your runs</h2><p class="soft">Each answer is recorded with all that made it, and can be computed again.</p>'
        )
        with gr.Row(elem_classes="ct-bottom"):
            chosen = gr.Dropdown([], label="Run", filterable=True, scale=4, elem_id="run-choice")
            again = gr.Button("Replay", scale=0, min_width=110, elem_id="run-replay")
        state = gr.State({"run_id": ""})
        export_buttons(owners, state, prefix="run")
        table = gr.HTML(elem_id="run-list", elem_classes="ct-panel")
        verdict = gr.HTML(elem_id="run-verdict", elem_classes="ct-panel")
        with gr.Row(elem_classes="two-columns"):
            with gr.Column(scale=6, min_width=320):
                shown = gr.HTML(elem_id="run-card", elem_classes="ct-talk")
            with gr.Column(scale=5, min_width=320):
                panel = gr.HTML(elem_id="run-panel-shown", elem_classes="ct-panel")
        quiet: dict[str, Any] = {"show_progress": "minimal", "api_visibility": "private"}

        def fill(request: gr.Request) -> list[Any]:
            turns = visitor_of(owners, request).turns()[:SHOWN]
            choices = [(f"{turn.asked:%d %b %H:%M} · {_cut(turn.question.text)}", turn.run_id) for turn in turns]
            return [gr.update(choices=choices, value=None), _history(turns), {"run_id": ""}, "", "", ""]

        def show(run_id: str | None, request: gr.Request) -> list[Any]:
            if not run_id:
                return ["", "", "", {"run_id": ""}]
            visitor = visitor_of(owners, request)
            try:
                answer = visitor.answer(run_id)
            except CohortTwinError as error:
                return [notice(error.message, hint=error.hint, alarm=True), "", "", {"run_id": ""}]
            names = [estimate.endpoint for estimate in answer.estimates if estimate.endpoint]
            measured = reliabilities(visitor.assistant.knowledge.vocabulary, names)
            return [
                card.asked(answer.question, 0) + card.card(answer),
                card.panel(answer, measured),
                "",
                {"run_id": run_id},
            ]

        def replay(run_id: str | None, request: gr.Request) -> str:
            visitor = visitor_of(owners, request)
            try:
                visitor.answer(run_id or "")
                report = visitor.assistant.replay(run_id or "")
            except CohortTwinError as error:
                return notice(error.message, hint=error.hint, alarm=True)
            if report.identical:
                return notice(f"Computed again: all {report.compared:,} numbers are the same.")
            why = "The evidence has changed since." if report.evidence_changed else ""
            return notice(
                f"Computed again: {len(report.differences)} of {report.compared:,} numbers differ.", hint=why
            ) + bullets(report.differences[:20])

        self.fill, self.filled = fill, [chosen, table, state, shown, panel, verdict]
        chosen.input(show, [chosen], [shown, panel, verdict, state], **quiet)
        again.click(replay, [chosen], [verdict], **quiet)


def _history(turns: list[Turn]) -> str:
    if not turns:
        return '<p class="soft">Nothing has been asked from here yet.</p>'
    rows = [
        [f"{turn.asked:%Y-%m-%d %H:%M}", _cut(turn.question.text), turn.headline or turn.state.value, turn.run_id]
        for turn in turns
    ]
    return grid(["Asked (UTC)", "Question", "Answer", "Run"], rows, "History")


def _cut(text: str) -> str:
    return text if len(text) <= LETTERS else text[: LETTERS - 1] + "…"
