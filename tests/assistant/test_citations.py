"""What a cited sentence rests on: the words, drugs and numbers of its source, or nearness in meaning (real MiniLM)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from assistant.citing import unknown_citations
from assistant.verifying import Verifier
from knowledge.base import KnowledgeBase
from knowledge.embedding import open_embedder
from knowledge.schemas import RetrievedPassage
from tools.schemas import ToolResult

Embed = Callable[[Sequence[str]], Sequence[Sequence[float]]]


@pytest.fixture(scope="module")
def embed(data_dir: Path) -> Embed:
    embedder = open_embedder(data_dir / "models")
    return lambda texts: [[float(value) for value in vector] for vector in embedder.embed(texts)]


@pytest.fixture(scope="module")
def verifier(shipped: KnowledgeBase, embed: Embed) -> Verifier:
    """A run that returned one passage about adherence and one of a trial in osteoarthritis."""
    passages = []
    for source_id in ("pmid-33140575", "nct-nct05064735"):
        passage = next(passage for passage in shipped.passages if passage.source_id == source_id)
        passages.append(
            RetrievedPassage(passage=passage, source=shipped.sources[source_id], score=1.0, reason="asked for")
        )
    result = ToolResult(title="Literature", passages=tuple(passages))
    return Verifier("What is known?", [result], [], shipped.vocabulary, embed=embed)


def test_the_source_itself_is_no_fault(verifier: Verifier) -> None:
    text = "An online survey asked 600 people with type 2 diabetes [pmid-33140575]."
    assert verifier.faults(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "An online survey asked 600 people with type 2 diabetes [pmid-99999901].",
        "An online survey asked 600 people with type 2 diabetes [nct-nct05064735].",
        "An online survey asked 700 people with type 2 diabetes [pmid-33140575].",
        "Liver transplants were rejected early by the immune system [pmid-33140575].",
        "Pioglitazone was preferred by people with type 2 diabetes [pmid-33140575].",
        "QUASAR 7 enrolled people with type 2 diabetes.",
    ],
)
def test_what_the_source_does_not_say_is_a_fault(verifier: Verifier, text: str) -> None:
    assert verifier.faults(text) != []


def test_meaning_speaks_for_other_words(shipped: KnowledgeBase, verifier: Verifier, embed: Embed) -> None:
    near, far = "Web questionnaire among diabetics", "The orchestra played a symphony by candlelight"
    source = "An online survey of people with type 2 diabetes."
    one, other, told = embed([near, far, source])
    assert (
        sum(a * b for a, b in zip(one, told, strict=True)) > 0.45 > sum(a * b for a, b in zip(other, told, strict=True))
    )
    assert verifier.faults(f"{far} [pmid-33140575].") != []


def test_a_mark_that_no_tool_returned_is_unknown(shipped: KnowledgeBase) -> None:
    source = shipped.sources["pmid-33140575"]
    faults = unknown_citations("As told [pmid-33140575] and [pmid-1].", [source], "")
    assert [fault.numeral for fault in faults] == ["[pmid-1]"]
