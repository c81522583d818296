"""Questions to people of a cohort: read, planned, told, and every figure traced."""

from __future__ import annotations

from typing import Any

import pytest

from assistant.compose_voice import compose_voice
from assistant.intents import Intent
from assistant.plans import draft_plan
from assistant.schemas import Question, Status
from assistant.service import Assistant
from assistant.understanding import understand
from assistant.verifying import Verifier
from assistant.voice_plans import split_options, topic_of_talk
from knowledge.base import KnowledgeBase
from personas.library import PersonaLibrary
from tools.context import ToolContext
from tools.voice.focus_group_tool import focus_group
from tools.voice.interview_tool import interview

GROUP = "What would a focus group of older adults with type 2 diabetes choose: a daily tablet or a weekly injection?"
TALK = "Let me interview adults with obesity about stopping semaglutide"


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        (GROUP, Intent.FOCUS_GROUP),
        (TALK, Intent.INTERVIEW),
        ("I'd like to talk to women with depression about side effects", Intent.INTERVIEW),
        ("Put this to a panel of adults with COPD: one inhaler or two inhalers?", Intent.FOCUS_GROUP),
        ("Let me interview my mother about her obesity", Intent.INDIVIDUAL_ADVICE),
        ("What did interview studies find about adults with obesity?", Intent.LITERATURE),
        ("Should I talk to my doctor about semaglutide?", Intent.INDIVIDUAL_ADVICE),
    ],
)
def test_intents(text: str, intent: Intent, shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    assert understand(text, shipped.vocabulary, library).intent is intent


@pytest.mark.parametrize(
    ("text", "options"),
    [
        (GROUP, ("a daily tablet", "a weekly injection")),
        ("focus group of smokers: cigarettes, a pod or a disposable one", ("cigarettes", "a pod", "a disposable one")),
        (
            "Would a focus group choose between healthy eating and meal replacement?",
            ("healthy eating", "meal replacement"),
        ),
        ("focus group: one inhaler once a day vs two inhalers", ("one inhaler once a day", "two inhalers")),
        ("Run a focus group of smokers", ()),
    ],
)
def test_options_are_split(text: str, options: tuple[str, ...]) -> None:
    assert split_options(text) == options


def test_the_topic_of_a_talk() -> None:
    assert topic_of_talk(TALK) == "stopping semaglutide"
    assert topic_of_talk("Interview smokers") == ""


class TestPlans:
    def test_the_group_size_is_taken_from_the_question(self, shipped: KnowledgeBase, library: PersonaLibrary) -> None:
        text = "focus group of 20 adults over 65 with type 2 diabetes: a daily tablet or a weekly injection"
        draft = draft_plan(understand(text, shipped.vocabulary, library), shipped, library)
        assert draft.calls[0].tool == "focus_group"
        assert draft.calls[0].arguments["people"] == 20

    @pytest.mark.parametrize("text", ["Run a focus group", "Run a focus group of smokers", "Interview 50 smokers"])
    def test_what_is_missing_or_out_of_range_is_asked(
        self, text: str, shipped: KnowledgeBase, library: PersonaLibrary
    ) -> None:
        draft = draft_plan(understand(text, shipped.vocabulary, library), shipped, library)
        assert draft.status is Status.NEEDS_INPUT
        assert draft.reply.startswith("## ")
        assert not draft.calls


class TestAnswers:
    def test_a_focus_group_is_answered_without_an_untraceable_number(self, assistant: Assistant) -> None:
        answer = assistant.ask(Question(text=GROUP))
        assert answer.status is Status.ANSWERED
        assert answer.removed == ()
        told = "\n".join(section.body for section in answer.sections)
        assert "52 and 91 in 100" in told
        assert all("Simulated participant" in line for line in told.splitlines() if "I would choose" in line)
        assert "Scenario" in answer.confidence.sentence

    def test_an_interview_is_answered_without_an_untraceable_number(self, assistant: Assistant) -> None:
        answer = assistant.ask(Question(text=TALK))
        assert answer.status is Status.ANSWERED
        assert answer.removed == ()
        told = "\n".join(section.body for section in answer.sections)
        assert all("*Simulated" in line for line in told.splitlines() if "“" in line)

    def test_the_same_question_and_seed_give_the_same_answer(self, assistant: Assistant) -> None:
        first, second = (assistant.ask(Question(text=GROUP, seed=3)) for _ in range(2))
        assert first.sections == second.sections

    def test_no_weights_is_said_with_what_there_is(self, assistant: Assistant) -> None:
        answer = assistant.ask(Question(text="focus group of adults with rheumatoid arthritis: tablets or injections"))
        assert answer.status is Status.NOT_COVERED
        assert "There are such weights for" in "\n".join(section.body for section in answer.sections)


def _no_retriever() -> Any:
    raise AssertionError("these tools read no passages")


@pytest.mark.parametrize("seed", [2, 7])
@pytest.mark.parametrize(
    ("persona", "options"),
    [
        (
            "t2d_adults",
            ("a weekly injection with mild nausea for AUD 40", "an injection twice a day with no nausea for AUD 10"),
        ),
        ("copd_adults", ("no side effects and 2 exacerbations a year", "many side effects and 1 exacerbation a year")),
        ("obesity_adults", ("a loss of 10 to 15 kg in a group", "a loss of 2 to 4 kg on their own")),
        ("smokers_adults", ("cigarettes", "a pod e-cigarette", "a disposable e-cigarette")),
        ("mdd_adults", ("psychotherapy", "antidepressants")),
        ("obesity_adolescents", ()),
        ("oa_knee_adults", ()),
    ],
)
def test_every_composed_figure_is_traced(
    seed: int, persona: str, options: tuple[str, ...], shipped: KnowledgeBase, library: PersonaLibrary
) -> None:
    context = ToolContext(knowledge=shipped, personas=library, retriever=_no_retriever, seed=seed)
    arguments: dict[str, Any] = {"cohort": {"persona_id": persona}}
    if options:
        arguments |= {"options": list(options), "people": 15, "quotes": 15}
        result: Any = focus_group(focus_group.parse(arguments), context)
    else:
        arguments |= {"about": "stopping it", "people": 8}
        result = interview(interview.parse(arguments), context)
    text = compose_voice(result, library.get(persona).name, (), ())
    assert Verifier(" or ".join(options), [result], [arguments], shipped.vocabulary).faults(text) == []


def test_a_planted_share_is_caught(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    context = ToolContext(knowledge=shipped, personas=library, retriever=_no_retriever)
    arguments: dict[str, Any] = {
        "cohort": {"persona_id": "t2d_adults"},
        "options": ["a daily tablet", "a weekly injection"],
    }
    result = focus_group(focus_group.parse(arguments), context)
    text = compose_voice(result, "Adults with type 2 diabetes", (), ()).replace("About 76 in 100", "About 83 in 100")
    assert Verifier("", [result], [arguments], shipped.vocabulary).faults(text)
