"""The Gradio chat, mounted in the FastAPI app. No state outside the page: each browser tab has its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # must stand before the import: the argument alone is not enough

import gradio as gr

from assistant.schemas import Answer, Event, Plan
from assistant.service import Assistant
from knowledge.errors import CohortTwinError
from ui.charts import figure, table

if TYPE_CHECKING:
    from fastapi import FastAPI

MAX_CHARTS = 6
EXAMPLES = (
    (
        "Clinician",
        "How would adults over 65 with type 2 diabetes and chronic kidney disease react to semaglutide 1 mg weekly over 30 weeks?",
    ),
    ("Health economist", "What is published about adherence to GLP-1 receptor agonists and cost?"),
    (
        "Trial designer",
        "How does tirzepatide 10 mg compare with semaglutide 1 mg in adults with type 2 diabetes over 40 weeks?",
    ),
    (
        "Public-health planner",
        "How would women aged 40 to 60 with obesity react to semaglutide 2.4 mg weekly over 68 weeks?",
    ),
)

# An answer is read from its top: bring the newest question to the upper edge of the conversation.
SHOW_QUESTION = """() => {
  const asked = [...document.querySelectorAll('#chat .user')].pop();
  const box = asked && asked.closest('.panel-wrap, .bubble-wrap');
  if (box) box.scrollTop += asked.getBoundingClientRect().top - box.getBoundingClientRect().top - 8;
}"""

CSS = """
.gradio-container {max-width: 1500px !important; margin: 0 auto !important;}
#title h1 {font-size: 1.35rem; margin: 0;} #title p {margin: .15rem 0 0; opacity: .75;}
.role {text-align: left !important; white-space: normal !important; font-weight: 400 !important; height: auto !important;}
#chat table, #panel table {display: block; overflow-x: auto; font-size: .9rem;}
#chat h2 {font-size: 1.12rem;} #chat h3 {font-size: 1rem; margin-top: 1.1rem;}
@media (max-width: 800px) {.two-columns {flex-direction: column !important;}}
footer {display: none !important;}
"""


def mount_chat(app: FastAPI, assistant: Assistant) -> FastAPI:
    """Mount the chat at / of the app that already serves REST."""
    theme = gr.themes.Base(
        primary_hue="teal",
        neutral_hue="slate",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    )
    mounted: FastAPI = gr.mount_gradio_app(
        app, build_chat(assistant), path="/", theme=theme, css=CSS, footer_links=[], show_error=True, ssr_mode=False
    )
    return mounted


def build_chat(assistant: Assistant) -> gr.Blocks:
    """The page: conversation on the left, the run on the right."""
    with gr.Blocks(title="Cohort Twin", analytics_enabled=False, fill_width=True) as page:
        gr.Markdown(
            "# Cohort Twin\nHow would this cohort react? Every number is computed from published trials or quoted from a source.",
            elem_id="title",
        )
        with gr.Row(elem_classes="two-columns"):
            with gr.Column(scale=3, min_width=360):
                chat = gr.Chatbot(
                    elem_id="chat",
                    label="Conversation",
                    show_label=False,
                    height="70vh",
                    autoscroll=False,
                    latex_delimiters=[],
                    buttons=["copy"],
                    feedback_options=None,
                    layout="panel",
                    placeholder="Ask about a cohort and a treatment, or take an example below.",
                )
                with gr.Row():
                    box = gr.Textbox(
                        show_label=False,
                        container=False,
                        placeholder="Ask about a cohort…",
                        max_length=assistant.settings.max_question_characters,
                        scale=8,
                        elem_id="question",
                        autofocus=True,
                    )
                    send = gr.Button("Ask", variant="primary", scale=1, min_width=80, elem_id="ask")
                with gr.Row() as offered:
                    examples = [
                        gr.Button(f"{role}: {question}", size="sm", elem_classes="role") for role, question in EXAMPLES
                    ]
                following = [gr.Button(visible=False, size="sm", elem_classes="role") for _ in range(3)]
            with gr.Column(scale=2, min_width=340, elem_id="panel"):
                understood = gr.Markdown("### The run\nNothing has been asked yet.", elem_id="understood")
                confidence = gr.Markdown(visible=False, elem_id="confidence")
                plots = [gr.Plot(visible=False, show_label=False, elem_classes="chart") for _ in range(MAX_CHARTS)]
                with gr.Accordion("Numbers behind the charts", open=False, visible=False) as numbers:
                    data = gr.Dataframe(
                        headers=["Chart", "Series", "x", "Value", "Lower", "Upper"], interactive=False, wrap=True
                    )
                with gr.Accordion("Sources, assumptions, provenance", open=False, visible=False) as behind:
                    details = gr.Markdown()
        outputs: list[Any] = [
            chat,
            box,
            offered,
            understood,
            confidence,
            *plots,
            numbers,
            data,
            behind,
            details,
            *following,
        ]

        def respond(question: str, history: list[dict[str, Any]]) -> Iterator[list[Any]]:
            yield from _respond(assistant, question, history or [])

        inputs: list[Any] = [box, chat]
        for trigger in (box.submit, send.click):
            trigger(respond, inputs, outputs, show_progress="hidden", api_visibility="private").then(
                None, js=SHOW_QUESTION
            )
        for button, (_, question) in zip(examples, EXAMPLES, strict=True):
            button.click(
                lambda history, asked=question: (yield from _respond(assistant, asked, history or [])),
                [chat], outputs, show_progress="hidden", api_visibility="private",
            ).then(None, js=SHOW_QUESTION)  # fmt: skip
        for button in following:
            button.click(respond, [button, chat], outputs, show_progress="hidden", api_visibility="private").then(
                None, js=SHOW_QUESTION
            )
    return page


def _respond(assistant: Assistant, question: str, history: list[dict[str, Any]]) -> Iterator[list[Any]]:
    """Stream: the question, the plan, the steps, and at last the answer card with its panel."""
    history = [*history, {"role": "user", "content": question or "…"}]
    progress: list[str] = []
    plan: Plan | None = None

    def shown() -> list[dict[str, Any]]:
        lines = [_plan_line(plan)] if plan else []
        return [*history, {"role": "assistant", "content": "\n\n".join([*lines, " ".join(progress) or "Reading …"])}]

    waiting = [gr.update(visible=False), *[gr.skip()] * (MAX_CHARTS + 6), *[gr.update(visible=False)] * 3]
    yield [shown(), "", *waiting]
    try:
        for event in assistant.stream(question):
            if event.answer is not None:
                yield _finished(event.answer, history)
                return
            plan = event.plan or plan
            progress = _progress(progress, event)
            yield [shown(), "", *waiting]
    except CohortTwinError as error:
        history = [*history, {"role": "assistant", "content": f"**{error}**"}]
        yield [history, question, *waiting]


def _plan_line(plan: Plan | None) -> str:
    if plan is None or not plan.population:
        return ""
    outcomes = ", ".join(plan.outcomes) or "what the evidence has"
    weeks = f"{plan.horizon_weeks:g} weeks" if plan.horizon_weeks else "–"
    return (
        f"**Plan** · P: {plan.population} · I: {', '.join(plan.interventions) or '–'} · C: {plan.comparator or '–'} "
        f"· O: {outcomes} · T: {weeks}"
    )


def _progress(progress: list[str], event: Event) -> list[str]:
    name = event.tool.replace("_", " ")
    if event.type == "step_started":
        return [*progress, f"… {name}"]
    if event.type == "step_finished" and event.step is not None:
        mark = "✓" if event.step.ok else "✗"
        return [*progress[:-1], f"{mark} {name} {event.step.seconds:.1f} s ·"]
    return progress


def _finished(answer: Answer, history: list[dict[str, Any]]) -> list[Any]:
    steps = " · ".join(f"{'✓' if s.ok else '✗'} {s.tool.replace('_', ' ')} {s.seconds:.1f} s" for s in answer.steps)
    text = "\n\n".join(part for part in (_plan_line(answer.plan), steps, answer.markdown) if part)
    charts = answer.charts[:MAX_CHARTS]
    plots = [gr.update(value=figure(chart), visible=True) for chart in charts]
    plots += [gr.update(value=None, visible=False)] * (MAX_CHARTS - len(charts))
    rows = [[chart.title, *row] for chart in charts for row in table(chart)]
    follow = [gr.update(value=question, visible=True) for question in answer.next_questions[:3]]
    follow += [gr.update(visible=False)] * (3 - len(follow))
    return [
        [*history, {"role": "assistant", "content": text}],
        "",
        gr.update(visible=False),
        _understood(answer),
        gr.update(value=f"### How sure?\n{answer.confidence.sentence}", visible=bool(answer.estimates)),
        *plots,
        gr.update(visible=bool(rows)),
        rows,
        gr.update(visible=True),
        _details(answer),
        *follow,
    ]


def _understood(answer: Answer) -> str:
    plan = answer.plan
    if plan is None or not plan.population:
        return f"### The run\n{answer.headline}"
    notes = "".join(f"\n- {note}" for note in plan.notes)
    return f"### Understood\n{plan.population}{notes}"


def _details(answer: Answer) -> str:
    sources = "\n".join(
        f"{c.number}. [{c.citation}]({c.url}) – {c.grade}" if c.url else f"{c.number}. {c.citation} – {c.grade}"
        for c in answer.citations
    )
    assumed = "\n".join(f"- {item}" for item in answer.assumptions) or "- nothing beyond the plan"
    return (
        f"**Sources**\n\n{sources or 'none'}\n\n**Assumed**\n\n{assumed}\n\n**Provenance**\n\n"
        f"- run `{answer.run_id}`\n- model {answer.model}\n- seed {answer.seed}\n- evidence `{answer.evidence_hash}`"
    )
