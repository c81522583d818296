"""The Scenarios tab: one question over doses, horizons and sub-cohorts side by side, and what each input does to it.

A further variation (a price, once a tool computes costs) is one more `Variation`: `needs` names the tool without which
its field is not shown, `changes` writes the edited plans.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import gradio as gr

from assistant.calls import SIMULATE
from assistant.rewording import Pico, pico_of, preview, reword
from assistant.scenarios import Tornado, outcomes_of, side_by_side, tornado
from assistant.schemas import Answer, Question
from knowledge.errors import CohortTwinError
from ui.charts.scale import short
from ui.chat.ask import EXAMPLES
from ui.chat.markup import bullets, figure, grid, notice
from ui.chat.visitor import Visitor, visitor_of

if TYPE_CHECKING:
    from assistant.owners import Owners

MOST = 6  # variants beside each other
_PARTS = re.compile(r"[,;\n]")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_BRACKETS = (
    '<p class="soft">In brackets: where 90 % of new trials in such a cohort would fall. Where intervals overlap widely, the '
    "difference between variants may be chance.</p>"
)
PEOPLE = ("women", "men", "aged under 65", "aged 65 and over", "BMI 35 and over", "eGFR below 45")


@dataclass(frozen=True)
class Variation:
    """A field of the form, and the plans that its values make of the question's plan."""

    name: str
    label: str
    placeholder: str
    changes: Callable[[Pico, str], dict[str, Pico]]
    needs: str = SIMULATE


def _doses(pico: Pico, text: str) -> dict[str, Pico]:
    """'0.5 mg, 1 mg': the intervention with its dose replaced."""
    found = {}
    for part in filter(None, map(str.strip, _PARTS.split(text))):
        dose = re.search(r"\d+(?:[.,]\d+)?\s*[a-zµ/%0-9]*", pico.intervention)
        unit = re.sub(r"^[\d.,\s]+", "", dose.group()) if dose else ""
        written = part if re.search(r"[a-zµ]", part) else f"{part} {unit}".strip()
        treatment = pico.intervention.replace(dose.group(), written, 1) if dose else f"{pico.intervention} {written}"
        found[treatment] = pico.model_copy(update={"intervention": treatment})
    return found


def _horizons(pico: Pico, text: str) -> dict[str, Pico]:
    """'26, 52': weeks."""
    numbers = [float(match.group()) for match in _NUMBER.finditer(text)]
    return {
        f"{weeks:g} weeks": pico.model_copy(update={"horizon_weeks": weeks}) for weeks in numbers if 0 < weeks <= 520
    }


def _people(pico: Pico, text: str) -> dict[str, Pico]:
    """'women; aged 65 and over': the population limited to each."""
    parts = filter(None, map(str.strip, text.split(";")))
    return {part: pico.model_copy(update={"population": f"{pico.population}, limited to {part}"}) for part in parts}


VARIATIONS = (
    Variation("doses", "Doses", "0.5 mg, 1 mg, 2 mg", _doses),
    Variation("horizons", "Horizons (weeks)", "26, 52, 104", _horizons),
)


class ScenariosTab:
    """Builds the tab; `fill` takes over the last question of the Ask tab when it is opened."""

    def __init__(self, owners: Owners, asked: gr.State) -> None:
        offered = {tool.name for tool in owners.local.registry}
        self._variations = [variation for variation in VARIATIONS if variation.needs in offered]
        gr.HTML(
            '<h2>What if?</h2><p class="soft">The same question with one thing changed, side by side. '
            "Each variant is a run of its own and stands under Runs.</p>"
        )
        base = gr.Textbox(label="Question", value=EXAMPLES[0][1], lines=2, elem_id="scenario-question")
        with gr.Row():
            fields = [
                gr.Textbox(label=one.label, placeholder=one.placeholder, elem_id=f"scenario-{one.name}", min_width=200)
                for one in self._variations
            ]
            people = gr.CheckboxGroup(list(PEOPLE), label="Sub-cohorts", elem_id="scenario-people", min_width=280)
        with gr.Row():
            run = gr.Button("Compare", variant="primary", elem_id="scenario-run", min_width=140, scale=0)
            stop = gr.Button("Stop", variant="stop", elem_id="scenario-stop", min_width=100, scale=0)
        beside = gr.HTML(elem_id="scenario-table", elem_classes="ct-panel")
        with gr.Accordion("What does each input do? (tornado)", open=True, elem_id="tornado"):
            with gr.Row(elem_classes="ct-bottom"):
                outcome = gr.Dropdown([], label="Outcome", elem_id="tornado-outcome")
                move = gr.Button("Move each input", elem_id="tornado-run", min_width=160, scale=0)
            swings = gr.HTML(
                '<p class="soft">Compare first: the tornado stands on the question as asked.</p>',
                elem_id="tornado-chart",
                elem_classes="ct-panel",
            )
        done = gr.State("")
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": 4}

        def compare(text: str, chosen: list[str], a: str, b: str, request: gr.Request) -> Iterator[list[Any]]:
            yield from self._compare(visitor_of(owners, request), text, chosen or [], [a, b])

        def taken(run_id: str, endpoint: str | None, request: gr.Request) -> Iterator[str]:
            yield from _tornado(visitor_of(owners, request), run_id, endpoint or "")

        first = run.click(compare, [base, people, *fields], [beside, outcome, done, swings], **quiet)
        second = move.click(taken, [done, outcome], [swings], **quiet)
        stop.click(None, None, None, cancels=[first, second])

        def fill(state: dict[str, Any]) -> Any:
            return gr.update(value=state["asked"][-1]) if len(state["asked"]) == 1 else gr.skip()

        self.fill, self.needs, self.filled = fill, [asked], [base]

    def _compare(self, visitor: Visitor, text: str, people: list[str], values: list[str]) -> Iterator[list[Any]]:
        try:
            variants, left = self._variants(visitor, text, people, values)
            answers: dict[str, Answer] = {}
            for name, question in variants.items():
                yield [_working(name, len(answers), len(variants)), gr.skip(), gr.skip(), gr.skip()]
                asked = Question(text=question, conversation=visitor.new_conversation())
                answers[name] = visitor.assistant.ask(asked)
        except CohortTwinError as error:
            yield [notice(error.message, hint=error.hint, alarm=True), gr.skip(), gr.skip(), gr.skip()]
            return
        first = next(iter(answers.values()))
        outcomes = outcomes_of(first)
        yield [
            _table(answers, left), gr.update(choices=[(label, name) for name, label in outcomes.items()], value=next(iter(outcomes), None)),
            first.run_id, '<p class="soft">Choose an outcome, then move each input of the question as asked.</p>',
        ]  # fmt: skip

    def _variants(
        self, visitor: Visitor, text: str, people: list[str], values: list[str]
    ) -> tuple[dict[str, str], list[str]]:
        """Questions by name, and what was left out of the wish."""
        knowledge, personas = visitor.assistant.knowledge, visitor.assistant.personas
        read = preview([text or ""], knowledge, personas)
        variants = {"As asked": text}
        if not read.will_run or not read.plan.interventions or not read.plan.population:
            return variants, ["The question names no cohort with one treatment, so nothing could be varied."]
        pico = pico_of(read.plan, knowledge.vocabulary)
        wanted: dict[str, Pico] = {}
        for variation, value in zip(self._variations, values, strict=False):
            wanted |= variation.changes(pico, value or "")
        wanted |= _people(pico, "; ".join(people))
        left = []
        for name, changed in wanted.items():
            made = reword(changed, knowledge, personas)
            if not made.will_run or made.differences:
                left.append(f"{name}: {' '.join(made.differences)}")
            elif made.plan == read.plan:
                left.append(f"{name}: the same as asked")
            elif len(variants) > MOST:
                left.append(f"{name}: at most {MOST} variants are shown beside the question")
            else:
                variants[name] = made.question
        return variants, left


def _working(name: str, done: int, many: int) -> str:
    return (
        f'<p class="ct-working" role="status"><span class="ct-dot" aria-hidden="true"></span>{done + 1} of {many}: '
        f"{escape(name)}, <span data-elapsed>0</span> s</p>"
    )


def _table(answers: dict[str, Answer], left: list[str]) -> str:
    shown = side_by_side(answers)
    parts = [notice("Left out:", hint=" · ".join(left))] if left else []
    unanswered = [f"{name}: {answer.headline}" for name, answer in answers.items() if not answer.estimates]
    if unanswered:
        parts.append(notice("Not predicted:", hint=" · ".join(unanswered)))
    if shown.rows:
        parts.append(grid(["Outcome", *shown.names], shown.rows, "Side by side, with 90 % intervals"))
        parts.append('<div class="ct-pairs">' + "".join(map(figure, shown.charts)) + "</div>")
        parts.append(_BRACKETS)
    runs = bullets(f"{name}: run {answer.run_id}" for name, answer in answers.items())
    return "".join(parts) + f'<details class="fold"><summary>Runs</summary>{runs}</details>'


def _tornado(visitor: Visitor, run_id: str, endpoint: str) -> Iterator[str]:
    if not run_id or not endpoint:
        yield notice("Compare first, then choose an outcome.", alarm=True)
        return
    try:
        answer = visitor.answer(run_id)
        assistant = visitor.assistant
        for found in tornado(answer, endpoint, assistant.registry, assistant.context(answer.seed)):
            yield _swings(found) if isinstance(found, Tornado) else _moving(found)
    except CohortTwinError as error:
        yield notice(error.message, hint=error.hint, alarm=True)


def _moving(name: str) -> str:
    return (
        f'<p class="ct-working" role="status"><span class="ct-dot" aria-hidden="true"></span>Moving: {escape(name)}</p>'
    )


def _swings(found: Tornado) -> str:
    unit = found.base.unit
    rows = [
        [one.input, one.low_words, short(one.low), one.high_words, short(one.high), short(one.width)]
        for one in found.swings
    ]
    table = grid(
        ["Input", "Low end", f"Outcome ({unit})", "High end", f"Outcome ({unit})", "Moves it by"], rows,
        f"{found.chart.title}; as asked: {short(found.base.point)} {unit}",
    )  # fmt: skip
    left = notice("Could not be moved:", hint=" · ".join(found.left_out)) if found.left_out else ""
    return (
        figure(found.chart) + table + left
        + '<p class="soft">One input at a time; cohort values are moved to their lower and upper third, dose and horizon to half '
        "and double. This shows how the prediction leans, not what would happen if a person changed.</p>"
    )  # fmt: skip
