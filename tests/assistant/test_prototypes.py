"""Questions that no rule decides go by the nearest prototype; those that a rule decides never do."""

from __future__ import annotations

import pytest

from assistant.intents import Intent, prototypes
from assistant.planner import OfflinePlanner
from assistant.prototypes import nearest_kind, plain
from assistant.topics import topic_named
from knowledge.base import KnowledgeBase
from knowledge.embedding import SentenceTransformerEmbedder
from personas.library import PersonaLibrary


@pytest.fixture(scope="module")
def planner(shipped: KnowledgeBase, library: PersonaLibrary) -> OfflinePlanner:
    return OfflinePlanner(knowledge=shipped, personas=library, embed=SentenceTransformerEmbedder().embed)


@pytest.mark.parametrize(
    ("question", "intent"),
    [
        ("how much would insurers have to pay for wegovy in obese adults", Intent.NOT_PREDICTED),
        ("would adults with obesity want wegovy at all", Intent.NOT_PREDICTED),
        ("adults with gout in numbers", Intent.DESCRIBE),
        ("what do adults with COPD have in common", Intent.DESCRIBE),
        ("How do adults with T2D fare on ozempic 1 mg", Intent.RESPOND),
        ("semaglutide 1 mg in adults with type 2 diabetes", Intent.RESPOND),
    ],
)
def test_what_no_rule_decides(question: str, intent: Intent, planner: OfflinePlanner) -> None:
    assert planner.draft(question).understood.intent is intent


def test_a_rule_is_never_overruled(planner: OfflinePlanner) -> None:
    without = planner.model_copy(update={"embed": None})
    for question in (
        "should I take semaglutide?",
        "describe adults with gout",
        "nausea on semaglutide in adults with T2D",
    ):
        assert planner.draft(question) == without.draft(question)


def test_drugs_and_people_are_plain_words(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    read = plain("would adults with gout want febuxostat", shipped.vocabulary, library)
    assert read == "would these people with these people want the drug"


def test_the_prototypes_name_intents_and_topics_that_exist() -> None:
    for kind, sentences in prototypes().items():
        intent, _, topic = kind.partition(":")
        assert Intent(intent)
        assert bool(topic) == (intent == Intent.NOT_PREDICTED)
        assert not topic or topic_named(topic).name == topic
        assert sentences


def test_nothing_near_is_nothing(planner: OfflinePlanner) -> None:
    assert planner.embed is not None
    assert nearest_kind("the moon is made of cheese", planner.embed, 0.5, 0.05) == ""
