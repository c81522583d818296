"""Where the rules are silent: the intent of the nearest prototype sentence, by the sentence-transformer of the search.

Names of drugs and people are replaced by plain words first, so that what is asked decides and not about whom.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from assistant.intents import Intent, prototypes, says
from assistant.topics import topic_named
from assistant.understanding import Understanding, in_time
from knowledge.vocabulary import Vocabulary
from personas.library import PersonaLibrary
from personas.resolve import cohort_spans

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Sentences → unit vectors, shape (n, d) of float32; not typed closer, since pydantic reads this when numpy is not loaded.
Embed = Callable[[Sequence[str]], Any]

# Cosine similarity from which the nearest prototype is believed, and by how much it must be nearer than any of another
# kind; chosen on the development half of evals/cases/routing.yaml. Where a prediction would be made, more is asked.
NEAR = 0.5
AHEAD = 0.05
NEAR_WITH_DRUG = 0.55
AHEAD_WITH_DRUG = 0.04


def refine(asked: Understanding, embed: Embed, vocabulary: Vocabulary, library: PersonaLibrary) -> Understanding:
    """The same, with the intent of the nearest prototype where no rule told it: no treatment, or no outcome named."""
    open_question = asked.intent is Intent.UNCLEAR and asked.cohort is not None and not asked.active
    # An outcome or 'react' says well enough that the response is asked; embedding is then not worth its second.
    plainly = bool(asked.endpoints) or says("reacts", asked.text)
    undecided = asked.intent is Intent.RESPOND and len(asked.active) == 1 and not plainly
    if not (open_question or undecided):
        return asked
    near, ahead = (NEAR, AHEAD) if open_question else (NEAR_WITH_DRUG, AHEAD_WITH_DRUG)
    kind = nearest_kind(plain(asked.text, vocabulary, library), embed, near, ahead)
    intent, _, topic = kind.partition(":")
    if not intent or (intent == Intent.UNCLEAR):
        return asked
    if open_question and intent in (Intent.RESPOND, Intent.RESPONDERS, Intent.EXPLAIN, Intent.STOP):
        return asked  # they need a treatment, and none was named
    if undecided and intent in (Intent.DESCRIBE, Intent.RANK, Intent.RESPOND):
        return asked
    return in_time(replace(asked, intent=Intent(intent), topic=topic_named(topic) if topic else asked.topic))


def nearest_kind(text: str, embed: Embed, near: float, ahead: float) -> str:
    """The kind ('describe', 'not_predicted:cost') of the nearest prototype; empty when none is near, or two are."""
    kinds, vectors = _embedded(embed)
    similarity = vectors @ embed([text])[0]
    best: dict[str, float] = {}
    for kind, value in zip(kinds, similarity, strict=True):
        best[kind] = max(best.get(kind, -1.0), float(value))
    ranked = sorted(best, key=lambda kind: -best[kind])
    clear = best[ranked[0]] >= near and best[ranked[0]] - best[ranked[1]] >= ahead
    return ranked[0] if clear else ""


def plain(text: str, vocabulary: Vocabulary, library: PersonaLibrary) -> str:
    """The question with 'the drug' and 'these people' for what it names."""
    named = [(mention.start, mention.end, "the drug") for mention in vocabulary.find_drugs(text)]
    named += [
        (start, end, "these people")
        for start, end in cohort_spans(text, library)
        if not any(start < other_end and other_start < end for other_start, other_end, _ in named)
    ]
    for start, end, word in sorted(named, reverse=True):
        text = f"{text[:start]} {word} {text[end:]}"
    words = " ".join(text.split())
    while "these people these people" in words:
        words = words.replace("these people these people", "these people")
    return words


@lru_cache(maxsize=4)
def _embedded(embed: Embed) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    pairs = [(kind, sentence) for kind, sentences in prototypes().items() for sentence in sentences]
    return tuple(kind for kind, _ in pairs), embed([sentence for _, sentence in pairs])
