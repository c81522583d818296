"""The product under test, as the suites see it: asked under an evidence view, every answer with what was recorded of it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

from assistant.schemas import Answer, Question
from assistant.service import Assistant
from knowledge.base import KnowledgeBase
from knowledge.schemas import EvidenceView

# What a reader of a failure does not need, and what is large.
_LEFT_OUT = ("charts", "next_questions")


@dataclass(frozen=True)
class Asked:
    """An answer and the body of its ledger row (question, answer, results, usage, model, seconds)."""

    answer: Answer
    body: Mapping[str, Any]
    seconds: float

    @property
    def results(self) -> Sequence[Mapping[str, Any]]:
        """Dumps of the tool results, in call order."""
        found: Sequence[Mapping[str, Any]] = self.body["results"]
        return found

    @property
    def tokens(self) -> int | None:
        """Tokens in and out, None where a provider reported none."""
        usage = self.body["usage"]
        return None if usage["estimated"] else int(usage["input_tokens"]) + int(usage["output_tokens"])

    @property
    def cost(self) -> float | None:
        """Cost at list price; None where nobody knows it."""
        cost = self.body["usage"]["cost"]
        return None if isinstance(cost, str) else float(cost)

    @property
    def currency(self) -> str:
        """Currency of `cost`; empty when nothing was paid."""
        return str(self.body["usage"]["currency"])


@dataclass
class Subject:
    """An assistant, and how it is asked.

    Attributes
    ----------
    as_of : evidence published later is hidden from every question, also where a case names a later day.
    data_folder : where data sets of the truths suite lie that may not be shipped.
    """

    assistant: Assistant
    as_of: date | None = None
    data_folder: Path | None = None

    @property
    def knowledge(self) -> KnowledgeBase:
        """The evidence base."""
        return self.assistant.knowledge

    def view(self, exclude: Sequence[str] = (), as_of: date | None = None) -> EvidenceView:
        """What may be known."""
        days = [day for day in (self.as_of, as_of) if day is not None]
        return EvidenceView(as_of=min(days) if days else None, exclude=tuple(exclude))

    def ask(self, text: str, *, seed: int = 1, view: EvidenceView | None = None, conversation: str = "") -> Asked:
        """Ask one question (the errors of `Assistant.ask`)."""
        started = time.perf_counter()
        question = Question(text=text, seed=seed, view=view or self.view(), conversation=conversation)
        answer = self.assistant.ask(question)
        seconds = time.perf_counter() - started
        return Asked(answer, self.assistant.ledger.get(answer.run_id).body, round(seconds, 3))

    def conversation(self, name: str) -> str:
        """A name for a conversation that nobody has used in this data directory."""
        return f"eval-{name[:40]}-{uuid4().hex[:8]}"


def trace_of(asked: Asked, name: str) -> dict[str, Any]:
    """The answer for the reader of a failure: reproducible, so without run id, timings and charts."""
    dump = asked.answer.model_dump(mode="json", exclude=set(_LEFT_OUT))
    for step in dump["steps"]:
        step["seconds"] = 0.0
    text = json.dumps(dump, ensure_ascii=False).replace(asked.answer.run_id, f"r-{name}")
    found: dict[str, Any] = json.loads(text)
    return found
