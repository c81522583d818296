"""Prose about what people like the cohort said and did: preferences of the archetype, and passages about such drugs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from assistant import language
from assistant.plans import Draft
from knowledge.base import KnowledgeBase
from knowledge.schemas import RetrievedPassage
from tools.schemas import ToolResult

SENTENCES_QUOTED = 2
STATEMENTS = 4
PASSAGES = 2
ROUTE_TOPICS = ("route", "frequency", "injection")


def what_they_do(
    draft: Draft, cohort: ToolResult | None, passages: Sequence[RetrievedPassage], knowledge: KnowledgeBase
) -> str:
    """Preferences of the archetype, then what was found about adherence to such drugs."""
    routes = {
        knowledge.vocabulary.drugs[treatment.name].route
        for treatment in draft.understood.active
        if treatment.name in knowledge.vocabulary.drugs
    }
    lines = []
    statements = [
        statement
        for statement in getattr(cohort, "preferences", ())
        if statement.topic not in ROUTE_TOPICS or "subcutaneous" in routes
    ]
    for statement in statements[:STATEMENTS]:
        where = f" [{statement.source_id}]" if statement.source_id else " (assumed)"
        lines.append(f"- {statement.statement.rstrip('.')}{where}.")
    for hit in passages[:PASSAGES]:
        about = language.joined(list(hit.passage.drugs[:3])) or hit.passage.area.replace("_", " ")
        lines.append(f"- On {about}: {first_sentences(hit.passage.text)} [{hit.source.source_id}]")
    return "\n".join(lines)


def first_sentences(text: str) -> str:
    """The beginning of a passage."""
    sentences = re.split(r"(?<=[a-z0-9)%][.!?])\s+(?=[A-Z])", " ".join(text.split()))
    return " ".join(sentences[:SENTENCES_QUOTED])
