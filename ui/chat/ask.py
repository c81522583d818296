"""The Ask tab: a conversation, the plan to edit, the answer's panel, and what to ask next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import gradio as gr

from assistant.rewording import Pico, pico_of, preview, reword, who_gains, why
from assistant.schemas import Answer, Event, Plan, Question
from assistant.trust import reliabilities
from assistant.understanding import CONTROLS
from knowledge.errors import CohortTwinError
from ui.chat import card
from ui.chat.exporting import export_buttons
from ui.chat.markup import bullets, notice
from ui.chat.visitor import Visitor, visitor_of

if TYPE_CHECKING:
    from assistant.owners import Owners

EXAMPLES = (
    (
        "Clinician",
        "How would adults over 65 with type 2 diabetes and chronic kidney disease react to semaglutide 1 mg weekly over 30 weeks?",
    ),
    (
        "Health economist",
        "Which drug is best for adults with type 2 diabetes?",
    ),
    (
        "Trial designer",
        "How does tirzepatide 10 mg compare with semaglutide 1 mg in adults with type 2 diabetes over 40 weeks?",
    ),
    (
        "Public-health planner",
        "How would women aged 40 to 60 with obesity react to semaglutide 2.4 mg weekly over 68 weeks?",
    ),
)
MOST_TURNS = 30  # of a conversation shown on the page; all of them are under Runs
FOLLOWING = 3
NEW: dict[str, Any] = {"conversation": "", "turns": [], "asked": [], "run_id": "", "plan": None}


class AskTab:
    """Builds the tab; `state` holds what this page has asked, `question` is the box other tabs may fill."""

    def __init__(self, owners: Owners) -> None:
        self._owners = owners
        vocabulary = owners.local.knowledge.vocabulary
        self.state = gr.State(NEW)
        with gr.Row(elem_classes="two-columns"):
            with gr.Column(scale=6, min_width=320, elem_classes="ct-left"):
                self.talk = gr.HTML(welcome(), elem_id="chat", elem_classes="ct-talk")
                with gr.Row(elem_id="examples", elem_classes="ct-examples") as self.examples:
                    offered = [
                        gr.Button(f"{role}\n{question}", size="sm", elem_classes="ct-example")
                        for role, question in EXAMPLES
                    ]
                with gr.Column(visible=False, elem_id="actions", elem_classes="ct-actions") as self.actions:
                    with gr.Row():
                        explain = gr.Button("Why?", size="sm", elem_id="why", min_width=90)
                        gains = gr.Button("Who gains?", size="sm", elem_id="gains", min_width=110)
                        new = gr.Button("New conversation", size="sm", elem_id="new", min_width=150)
                    with gr.Row(elem_classes="ct-bottom"):
                        other = gr.Dropdown(
                            _drugs(vocabulary),
                            label="Compare with…",
                            value=None,
                            filterable=True,
                            elem_id="other",
                            scale=3,
                        )
                        compare = gr.Button("Compare", size="sm", elem_id="compare", scale=0, min_width=110)
                    export_buttons(owners, self.state, prefix="ask")
                with gr.Column(elem_classes="ct-next"):
                    following = [
                        gr.Button(visible=False, size="sm", elem_classes="ct-example", elem_id=f"next-{i}")
                        for i in range(FOLLOWING)
                    ]
                with gr.Column(elem_id="askbar"):
                    with gr.Row(elem_classes="ct-askrow"):
                        self.question = gr.Textbox(
                            label="Your question",
                            show_label=False,
                            container=False,
                            lines=1,
                            max_lines=6,
                            placeholder="Ask about a cohort…",
                            max_length=owners.settings.max_question_characters,
                            scale=8,
                            elem_id="question",
                        )
                        send = gr.Button("Ask", variant="primary", scale=1, min_width=84, elem_id="ask")
                        stop = gr.Button("Stop", variant="stop", visible=False, scale=1, min_width=84, elem_id="stop")
                    plan_first = gr.Checkbox(
                        label="Show me the plan first", value=False, elem_id="plan-first", container=False
                    )
            with gr.Column(scale=5, min_width=320, elem_id="panel"):
                with gr.Accordion("Understood (edit)", open=False, elem_id="understood") as self.understood:
                    note = gr.HTML('<p class="soft">Ask first, or fill these in and run.</p>', elem_id="read-as")
                    population = gr.Textbox(label="Population", elem_id="pico-population", lines=1, max_lines=3)
                    intervention = gr.Textbox(label="Intervention, dose and schedule", elem_id="pico-intervention")
                    comparator = gr.Textbox(
                        label="Comparator",
                        elem_id="pico-comparator",
                        info="Placebo, usual care, or another treatment with its dose.",
                    )
                    outcomes = gr.Dropdown(
                        sorted((_capital(e.label), name) for name, e in vocabulary.endpoints.items()),
                        label="Outcomes", info="Leave empty for the main ones with evidence.", multiselect=True,
                        max_choices=6, elem_id="pico-outcomes",
                    )  # fmt: skip
                    horizon = gr.Number(
                        label="Horizon (weeks)", minimum=1, maximum=520, elem_id="pico-horizon", value=None
                    )
                    run = gr.Button("Run this plan", variant="primary", size="sm", elem_id="run-plan")
                self.panel = gr.HTML(card.nothing_yet(), elem_id="run-panel", elem_classes="ct-panel")
        fields = [population, intervention, comparator, outcomes, horizon]
        following_and = [*following]
        self._outputs: list[Any] = [
            self.talk, self.state, self.question, self.examples, self.actions, stop, note, *fields, self.panel, *following_and,
        ]  # fmt: skip
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": 8}

        def ask(text: str, first: bool, state: dict[str, Any], request: gr.Request) -> Iterator[list[Any]]:
            yield from self._respond(visitor_of(owners, request), text, state, plan_only=first)

        def ask_button(text: str, state: dict[str, Any], request: gr.Request) -> Iterator[list[Any]]:
            yield from self._respond(visitor_of(owners, request), text, state)

        def ask_edited(state: dict[str, Any], request: gr.Request, *values: Any) -> Iterator[list[Any]]:
            yield from self._edited(visitor_of(owners, request), state, values)

        def ask_why(state: dict[str, Any], request: gr.Request) -> Iterator[list[Any]]:
            text = why(Plan.model_validate(state["plan"])) if state["plan"] else ""
            yield from self._respond(visitor_of(owners, request), text, state)

        def ask_who(state: dict[str, Any], request: gr.Request) -> Iterator[list[Any]]:
            text = who_gains(Plan.model_validate(state["plan"])) if state["plan"] else ""
            yield from self._respond(visitor_of(owners, request), text, state)

        def example(text: str) -> Callable[..., Iterator[list[Any]]]:
            def ask_example(state: dict[str, Any], request: gr.Request) -> Iterator[list[Any]]:
                yield from self._respond(visitor_of(owners, request), text, state)

            return ask_example

        def ask_compared(drug: str | None, state: dict[str, Any], request: gr.Request) -> Iterator[list[Any]]:
            text = self._compared(visitor_of(owners, request), state, drug or "")
            yield from self._respond(visitor_of(owners, request), text, state)

        shown = {"fn": None, "js": "() => window.cohort && window.cohort.showQuestion()"}
        events = []
        for trigger in (self.question.submit, send.click):
            events.append(trigger(ask, [self.question, plan_first, self.state], self._outputs, **quiet))
        for button, (_, question) in zip(offered, EXAMPLES, strict=True):
            events.append(button.click(example(question), [self.state], self._outputs, **quiet))
        for button in following:
            events.append(button.click(ask_button, [button, self.state], self._outputs, **quiet))
        events.append(run.click(ask_edited, [self.state, *fields], self._outputs, **quiet))
        events.append(explain.click(ask_why, [self.state], self._outputs, **quiet))
        events.append(gains.click(ask_who, [self.state], self._outputs, **quiet))
        events.append(compare.click(ask_compared, [other, self.state], self._outputs, **quiet))
        for event in events:
            event.then(**shown)
        stop.click(None, None, None, cancels=events)
        stop.click(self._stopped, [self.state], [self.talk, stop], api_visibility="private", show_progress="hidden")
        new.click(lambda: self._blank(), None, self._outputs, api_visibility="private", show_progress="hidden")

    def _compared(self, visitor: Visitor, state: dict[str, Any], drug: str) -> str:
        if not state["plan"] or not drug:
            return ""
        pico = pico_of(Plan.model_validate(state["plan"]), visitor.assistant.knowledge.vocabulary)
        changed = pico.model_copy(update={"comparator": drug})
        return reword(changed, visitor.assistant.knowledge, visitor.assistant.personas).question

    def _edited(self, visitor: Visitor, state: dict[str, Any], values: tuple[Any, ...]) -> Iterator[list[Any]]:
        population, intervention, comparator, outcomes, horizon = values
        try:
            pico = Pico(
                population=population or "",
                intervention=intervention or "",
                comparator=comparator or "",
                outcomes=tuple(outcomes or ()),
                horizon_weeks=horizon or None,
            )
            read = reword(pico, visitor.assistant.knowledge, visitor.assistant.personas)
        except ValueError:
            yield self._with_note("A field is too long, or the horizon is not between 0 and 520 weeks.")
            return
        except CohortTwinError as error:
            yield self._with_note(f"{error.message} {error.hint}")
            return
        if not read.will_run:
            yield self._with_note(" ".join(read.differences) or "This cannot be run as it stands.")
            return
        yield from self._respond(visitor, read.question, state, told=read.differences)

    def _with_note(self, sentence: str) -> list[Any]:
        kept: list[Any] = [gr.skip()] * len(self._outputs)
        kept[6] = notice(sentence, alarm=True)
        return kept

    def _respond(
        self, visitor: Visitor, text: str, state: dict[str, Any], *, plan_only: bool = False, told: tuple[str, ...] = ()
    ) -> Iterator[list[Any]]:
        """Stream: the question, the plan, the steps, and at last the answer card with its panel."""
        number = len(state["turns"]) + 1
        question = card.asked(text, number)
        if plan_only and text.strip():
            yield self._plan_only(visitor, text, state, question)
            return
        conversation = state["conversation"] or visitor.new_conversation()
        state = {**state, "conversation": conversation}
        hidden = [gr.update(visible=False)] * FOLLOWING
        kept: list[Any] = [gr.skip()] * 6
        plan: Plan | None = None
        events: list[Event] = []

        def shown(last: str) -> str:
            return _talk([*state["turns"], question + last])

        yield [
            shown(card.running(None, ())), state, "", gr.update(visible=False), gr.update(visible=False),
            gr.update(visible=True), *kept, gr.skip(), *hidden,
        ]  # fmt: skip
        try:
            for event in visitor.assistant.stream(Question(text=text, conversation=conversation)):
                if event.answer is not None:
                    yield self._finished(visitor, event.answer, state, question, text, told)
                    return
                plan = event.plan or plan
                if event.type != "plan":
                    events.append(event)
                yield [shown(card.running(plan, events)), *[gr.skip()] * (len(self._outputs) - 1)]
        except CohortTwinError as error:
            again = text if state["turns"] or text else ""
            yield [
                shown(card.failed(error.message, error.hint)), state, again, gr.update(visible=not state["turns"]),
                gr.update(visible=bool(state["turns"])), gr.update(visible=False), *kept, gr.skip(), *hidden,
            ]  # fmt: skip

    def _plan_only(self, visitor: Visitor, text: str, state: dict[str, Any], question: str) -> list[Any]:
        read = preview([*state["asked"], text], visitor.assistant.knowledge, visitor.assistant.personas)
        made = card.planned(read.plan, read.reply, read.will_run)
        return [
            _talk([*state["turns"], question + made]), {**state, "plan": read.plan.model_dump(mode="json")}, text,
            gr.update(visible=False), gr.update(visible=bool(state["turns"])), gr.update(visible=False),
            "", *self._fields(visitor, read.plan), gr.skip(), *[gr.update(visible=False)] * FOLLOWING,
        ]  # fmt: skip

    def _finished(
        self, visitor: Visitor, answer: Answer, state: dict[str, Any], question: str, text: str, told: tuple[str, ...]
    ) -> list[Any]:
        turns = [*state["turns"], question + card.card(answer)][-MOST_TURNS:]
        plan = answer.plan if answer.plan is not None and answer.plan.interventions and answer.plan.population else None
        state = {
            "conversation": state["conversation"],
            "turns": turns,
            "asked": [*state["asked"], text][-MOST_TURNS:],
            "run_id": answer.run_id,
            "plan": plan.model_dump(mode="json") if plan else state["plan"],
        }
        names = [estimate.endpoint for estimate in answer.estimates if estimate.endpoint]
        measured = reliabilities(visitor.assistant.knowledge.vocabulary, names)
        follow = [gr.update(value=one, visible=True) for one in answer.next_questions[:FOLLOWING]]
        follow += [gr.update(visible=False)] * (FOLLOWING - len(follow))
        note = notice(" ".join(told)) if told else _read_as(answer)
        fields = self._fields(visitor, plan) if plan else [gr.skip()] * 5
        return [
            _talk(turns), state, "", gr.update(visible=False), gr.update(visible=True), gr.update(visible=False),
            note, *fields, card.panel(answer, measured), *follow,
        ]  # fmt: skip

    def _fields(self, visitor: Visitor, plan: Plan) -> list[Any]:
        pico = pico_of(plan, visitor.assistant.knowledge.vocabulary)
        return [pico.population, pico.intervention, pico.comparator, list(pico.outcomes), pico.horizon_weeks]

    def _stopped(self, state: dict[str, Any]) -> list[Any]:
        stopped = card.failed("Stopped.", "Nothing of it is kept as an answer. Ask again when you like.")
        return [_talk([*state["turns"], stopped]), gr.update(visible=False)]

    def _blank(self) -> list[Any]:
        return [
            welcome(), NEW, "", gr.update(visible=True), gr.update(visible=False), gr.update(visible=False),
            '<p class="soft">Ask first, or fill these in and run.</p>', "", "", "", [], None, card.nothing_yet(),
            *[gr.update(visible=False)] * FOLLOWING,
        ]  # fmt: skip


def welcome() -> str:
    """What stands before the first question."""
    return (
        '<div class="ct-welcome"><h2>How would this cohort react?</h2>'
        "<p>Ask in plain words: who they are, what they get, over what time. The answer says what a new trial in such people "
        "would report, how single persons vary, how sure that is, and which published trials it stands on.</p>"
        '<p class="soft">Four questions to begin with:</p></div>'
    )


def _talk(turns: list[str]) -> str:
    """All turns; only the last answer is open."""
    before = "".join(f'<div class="ct-turn ct-earlier">{turn}</div>' for turn in turns[:-1])
    return f'<div role="log" aria-live="polite" aria-label="Conversation">{before}<div class="ct-turn ct-last">{turns[-1]}</div></div>'


def _read_as(answer: Answer) -> str:
    notes = answer.plan.notes if answer.plan is not None else ()
    return (
        bullets(f"{note[:1].upper()}{note[1:]}." for note in notes)
        if notes
        else '<p class="soft">Read as below. Change a field and run again.</p>'
    )


def _capital(label: str) -> str:
    return label if label[1:2].isupper() else label[:1].upper() + label[1:]


def _drugs(vocabulary: Any) -> list[str]:
    return sorted(name for name, drug in vocabulary.drugs.items() if drug.dose_unit and name not in CONTROLS)
