"""From the fields of a plan (PICO), as somebody edited them, back to a question; and what a question will be read as.

The question is the only thing that reaches a run, for every face and every chat model alike. So an edit is written as a
question, that question is read as any other, and what was read is laid beside what was wanted.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from assistant import language
from assistant.conversation import understand_conversation
from assistant.outcomes import read_outcomes
from assistant.plans import Draft, draft_plan
from assistant.reading import read_treatments
from assistant.schemas import Plan, Status
from assistant.simulation_pages import GIVEN
from assistant.simulation_reading import read_plan
from assistant.understanding import CONTROLS, PLACEBO
from knowledge.base import KnowledgeBase
from knowledge.errors import InvalidInput
from knowledge.schemas import Frozen
from knowledge.vocabulary import Vocabulary
from personas.library import PersonaLibrary

_EACH_OTHER = "each other"
LONGEST_FIELD = 600  # characters


class Pico(Frozen):
    """The fields of a plan that can be edited; of a simulation the first alone: 'An outbreak: R0 2.5; …'."""

    population: str = Field(max_length=LONGEST_FIELD)
    intervention: str = Field(max_length=LONGEST_FIELD, description="drug, dose, schedule")
    comparator: str = Field(PLACEBO, max_length=LONGEST_FIELD, description="placebo, usual care or another treatment")
    outcomes: tuple[str, ...] = Field((), max_length=12, description="endpoint ids; none: the main ones with evidence")
    horizon_weeks: float | None = Field(None, gt=0, le=520, allow_inf_nan=False)


class Reworded(Frozen):
    """A question, and how it will be read.

    Attributes
    ----------
    will_run : False where the question would be answered with a question or a refusal; `reply` is its first line.
    differences : sentences on what was wanted and not read so.
    """

    question: str
    plan: Plan
    will_run: bool
    reply: str = ""
    differences: tuple[str, ...] = ()


def pico_of(plan: Plan, vocabulary: Vocabulary) -> Pico:
    """The fields of a plan."""
    by_label = {endpoint.label: name for name, endpoint in vocabulary.endpoints.items()}
    given = next((note for note in plan.notes if note.startswith(GIVEN)), "")
    if given:  # a simulation: its title and what it was given, as they can be asked again
        return Pico(
            population=f"{plan.population.partition(' · ')[0]}:{given.removeprefix(GIVEN + ':')}"[:LONGEST_FIELD],
            intervention="",
            comparator="",
        )
    first, *others = plan.interventions or ("",)
    against = ", ".join(others) if others else plan.comparator
    return Pico(
        population=plan.population,
        intervention=first,
        comparator="" if against == _EACH_OTHER else against,
        outcomes=tuple(by_label[label] for label in plan.outcomes if label in by_label),
        horizon_weeks=plan.horizon_weeks,
    )


def reword(pico: Pico, knowledge: KnowledgeBase, personas: PersonaLibrary) -> Reworded:
    """The question that asks for these fields, and how it is read.

    Raises
    ------
    InvalidInput
        Population or intervention is empty, or an outcome is not known.
    """
    if read_plan(pico.population) is not None:
        return preview([pico.population.strip()], knowledge, personas)
    for name, words in (("population", pico.population), ("intervention", pico.intervention)):
        if not any(character.isalnum() for character in words):
            raise InvalidInput(f"The {name} is empty.", f"Say which {name} is meant, then run again.")
    question = _question(pico, [_phrase(name, knowledge.vocabulary) for name in pico.outcomes])
    read = preview([question], knowledge, personas)
    return read.model_copy(update={"differences": _differences(pico, read, knowledge.vocabulary)})


def preview(texts: Sequence[str], knowledge: KnowledgeBase, personas: PersonaLibrary) -> Reworded:
    """How the last of `texts` is read in the light of those before it; nothing is run.

    Parameters
    ----------
    texts : what one person asked in a conversation, the oldest first; at least one.
    """
    draft = draft_plan(understand_conversation(texts, knowledge.vocabulary, personas), knowledge, personas)
    return Reworded(
        question=texts[-1],
        plan=draft.plan,
        will_run=draft.status is Status.ANSWERED and bool(draft.calls),
        reply=_first_line(draft),
    )


def _question(pico: Pico, outcomes: Sequence[str]) -> str:
    who, what = _lower(_plain(pico.population)), _plain(pico.intervention)
    against = _plain(pico.comparator)
    versus = ""
    if against and against.casefold() in CONTROLS:
        versus = f" rather than {against}"
    elif against:
        versus = f" compared with {against}"
    weeks = _over(pico.horizon_weeks)
    named = f" Outcomes: {'; '.join(outcomes)}." if outcomes else ""
    return f"How would {who} react to {what}{versus}{weeks}?{named}"


def _over(weeks: float | None) -> str:
    return f" over {language.weeks(weeks)}" if weeks else ""


def _lower(words: str) -> str:
    """As in the middle of a sentence; 'COPD' stays."""
    return words if words[1:2].isupper() else words[:1].lower() + words[1:]


def _plain(words: str) -> str:
    """One line without an end of sentence, so that a field stays one part of the question."""
    return " ".join(words.split()).rstrip(" .?!;,")


def _phrase(name: str, vocabulary: Vocabulary) -> str:
    """Words that are read as this endpoint and no other (UnknownEndpoint)."""
    endpoint = vocabulary.endpoint(name)
    for words in (endpoint.label, *endpoint.synonyms):
        found = read_outcomes(f"Outcomes: {words}.", vocabulary, ())
        if [one.endpoint for one in found] == [endpoint.endpoint_id]:
            return words
    return endpoint.endpoint_id


def _differences(pico: Pico, read: Reworded, vocabulary: Vocabulary) -> tuple[str, ...]:
    if not read.will_run:
        return (read.reply,) if read.reply else ()
    plan, told = read.plan, []
    if plan.left_out:
        told.append(f"Of the population, this could not be placed: {', '.join(plan.left_out)}.")
    wanted = [one.label for one in read_treatments(_plain(pico.intervention), vocabulary)]
    if wanted and wanted[0] not in plan.interventions:
        told.append(f"The intervention was read as {language.joined(list(plan.interventions))}.")
    labels = [vocabulary.endpoint(name).label for name in pico.outcomes]
    if labels and set(labels) != set(plan.outcomes):
        told.append(f"The outcomes were read as: {', '.join(plan.outcomes) or 'the main ones with evidence'}.")
    if pico.horizon_weeks and plan.horizon_weeks != round(pico.horizon_weeks, 2):
        told.append(f"The horizon was read as {language.weeks(plan.horizon_weeks or 0.0)}.")
    return tuple(told)


def _first_line(draft: Draft) -> str:
    return next((line.lstrip("# ").strip() for line in draft.reply.splitlines() if line.strip()), "")


def who_gains(plan: Plan) -> str:
    """The question who of a planned cohort gains most from the treatment; '' where the plan has none."""
    if not plan.population or not plan.interventions:
        return ""
    return f"Who gains most among {_lower(plan.population)} from {plan.interventions[0]}{_over(plan.horizon_weeks)}?"


def why(plan: Plan) -> str:
    """The question why the planned response is predicted; '' where the plan has none."""
    if not plan.population or not plan.interventions:
        return ""
    who, what = _lower(plan.population), plan.interventions[0]
    return f"Why is the response of {who} to {what}{_over(plan.horizon_weeks)} predicted so?"
