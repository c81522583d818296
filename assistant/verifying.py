"""Everything that is checked of a text before it is shown: its numbers, what they are said of, and its citations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from assistant.citations import Citations, Embed, People
from assistant.facts import Fact, facts_from
from assistant.grounding import Untraceable, untraceable
from assistant.names import Names
from knowledge.vocabulary import Vocabulary
from personas.library import PersonaLibrary
from personas.resolve import cohort_spans
from tools.schemas import ToolResult


class Verifier:
    """What a run may say, and what of a text it may not.

    Parameters
    ----------
    question : as it was asked.
    results, arguments : of the tools, in call order.
    told : further texts that may be repeated: messages of tools that refused.
    people : finds the words of a text that describe a cohort; without it people are not compared.
    embed : unit vectors of sentences, asked only for cited sentences whose words do not settle what they rest on.
    """

    def __init__(
        self,
        question: str,
        results: Sequence[ToolResult],
        arguments: Iterable[dict[str, Any]],
        vocabulary: Vocabulary,
        *,
        told: Sequence[str] = (),
        people: People | None = None,
        embed: Embed | None = None,
    ) -> None:
        given = list(arguments)
        self.facts = facts_from(question, results, given, vocabulary.endpoints, told, people)
        texts = [question, *told, *(_spoken(argument) for argument in given)]
        titles = {name for result in results for name in _trials(result.model_dump(mode="json", exclude={"charts"}))}
        for said in {estimate.quantity for result in results for estimate in result.estimates}:
            titles |= {said[:1].upper() + said[1:], said[:1].lower() + said[1:]}  # the number of a scale's level
        self._titles = titles
        # Needed for a chat model's text only, and dear to make.
        self._strict = cache(
            lambda: _strict(self.facts, vocabulary, results, texts, titles, people=people, embed=embed)
        )

    def faults(self, text: str) -> list[Untraceable]:
        """Numbers that nobody computed or that are said of something else; citations, drugs and people that are wrong."""
        names, citations = self._strict()
        return untraceable(text, self.facts, names) + citations.faults(text)

    def numbers(self, text: str) -> list[Untraceable]:
        """Numbers that nobody computed; of a text whose words come from the tools themselves no more is asked."""
        return untraceable(text, self.facts, Names(self.facts, titles=self._titles))


def _strict(
    facts: Sequence[Fact],
    vocabulary: Vocabulary,
    results: Sequence[ToolResult],
    texts: Sequence[str],
    titles: set[str],
    *,
    people: People | None,
    embed: Embed | None,
) -> tuple[Names, Citations]:
    names = Names(facts, vocabulary, [*texts, *(result.title for result in results)], titles)
    return names, Citations(results, names, texts, people=people, embed=embed)


def _trials(value: Any) -> Iterable[str]:
    """The names of trials in a result."""
    if isinstance(value, dict):
        if isinstance(value.get("trial"), str):
            yield value["trial"]
        for item in value.values():
            yield from _trials(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _trials(item)


def cohorts_named_in(library: PersonaLibrary) -> People:
    """Finds the words of a text that describe people."""
    return lambda text: cohort_spans(text, library)


def _spoken(value: Any) -> str:
    """The words and doses of a tool's arguments, such as 'semaglutide 1 mg weekly'."""
    if isinstance(value, dict):
        dose = " ".join(str(value[key]) for key in ("intervention", "dose", "dose_unit") if value.get(key) is not None)
        rest = " ; ".join(_spoken(item) for item in value.values())
        return f"{dose} ; {rest}"
    if isinstance(value, list | tuple):
        return " ; ".join(_spoken(item) for item in value)
    return str(value)
