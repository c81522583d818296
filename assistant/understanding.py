"""What a question asks for: cohort, treatments with doses, outcomes, horizon, intent. Rules only, no model.

Used by the offline planner; the numbers it reads (doses, weeks) are the user's own and are repeated as such.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from enum import StrEnum

from assistant.reading import Role, Treatment, read_horizon, read_treatments
from assistant.topics import (
    CLASSES,
    COMBINING,
    OTHER_MEANS,
    STOPPING,
    Topic,
    is_about_a_person,
    is_emergency,
    topic_of,
    without_instructions,
)
from knowledge.errors import CohortNotCovered, EmptyCohort, InvalidInput
from knowledge.vocabulary import Vocabulary
from personas.library import PersonaLibrary
from personas.resolve import cohort_spans, resolve_cohort
from personas.schemas import CohortSpec
from personas.spelling import correct_spelling

DEFAULT_HORIZON_WEEKS = 26.0
CONTROLS = ("placebo", "usual care", "no treatment")

_VERSUS = re.compile(r"\b(?:vs\.?|versus|compar\w+|against|rather than|instead of|better|or)\b", re.IGNORECASE)
_LITERATURE = re.compile(
    r"\b(?:evidence|literature|stud(?:y|ies)|publish\w*|papers?|guidelines?|what is known|trials? (?:of|on|about)|cite|sources?)\b",
    re.IGNORECASE,
)
_REACTS = re.compile(r"\b(?:react|respond|predict|expect|forecast)\w*", re.IGNORECASE)
_DESCRIBE = re.compile(
    r"\b(?:describe|who are (?!you)|profile|what (?:do|does) .* look like|characteristics|make-?up)\b", re.IGNORECASE
)


class Intent(StrEnum):
    """What the question wants."""

    RESPOND = "respond"
    COMPARE = "compare"
    DESCRIBE = "describe"
    LITERATURE = "literature"
    NOT_PREDICTED = "not_predicted"
    INDIVIDUAL_ADVICE = "individual_advice"
    EMERGENCY = "emergency"
    UNCLEAR = "unclear"


@dataclass(frozen=True)
class Understanding:
    """The slots of a question; empty where nothing was said.

    Attributes
    ----------
    treatments : what is asked about; `background` : what people have already.
    topic : set when the question is about something that no tool predicts.
    names_class : a drug class or a choice among drugs was named instead of a drug.
    """

    intent: Intent
    cohort: CohortSpec | None
    cohort_fault: CohortNotCovered | EmptyCohort | InvalidInput | None
    treatments: tuple[Treatment, ...]
    background: tuple[Treatment, ...]
    unknown_drugs: tuple[str, ...]
    endpoints: tuple[str, ...]
    horizon_weeks: float | None
    topic: Topic | None = None
    names_class: bool = False
    other_means: str = ""
    corrected: tuple[str, ...] = field(default=())

    @property
    def active(self) -> list[Treatment]:
        """Treatments other than placebo and the like."""
        return [treatment for treatment in self.treatments if treatment.name not in CONTROLS]


def understand(text: str, vocabulary: Vocabulary, library: PersonaLibrary) -> Understanding:
    """Read a question.

    Parameters
    ----------
    text : the question as typed.
    vocabulary, library : what is known about drugs, endpoints and cohorts.
    """
    text, instructed = without_instructions(text)
    text, respelled = correct_spelling(text)
    mentions = vocabulary.find_drugs(text)
    without_drugs = _without(text, [(m.start, m.end) for m in mentions])
    fault: CohortNotCovered | EmptyCohort | InvalidInput | None = None
    cohort: CohortSpec | None = None
    try:
        cohort = resolve_cohort(without_drugs, library)
    except (CohortNotCovered, EmptyCohort, InvalidInput) as error:
        fault = error
    # What describes the cohort ('HbA1c above 9 %', 'on dialysis') is not what is asked about it.
    rest = _without(without_drugs, list(cohort_spans(without_drugs, library)))
    read = read_treatments(text, vocabulary)
    treatments = tuple(treatment for treatment in read if treatment.role is not Role.BACKGROUND)
    corrected = [f"read '{written}' as {right}" for written, right in respelled]
    corrected += [
        f"read '{m.surface}' as {m.drug}"
        for m in mentions
        if m.score < 100 and m.surface.casefold() != m.drug.casefold()
    ]
    if instructed:
        corrected.append("a sentence of the question was an instruction, not a question, and was left aside")
    asked = Understanding(
        intent=Intent.UNCLEAR,
        cohort=cohort,
        cohort_fault=fault,
        treatments=treatments,
        background=tuple(treatment for treatment in read if treatment.role is Role.BACKGROUND),
        unknown_drugs=tuple(vocabulary.unknown_drug_candidates(text)),
        endpoints=tuple(vocabulary.find_endpoints(rest)),
        horizon_weeks=read_horizon(text),
        topic=_topic(rest, treatments),
        names_class=CLASSES.search(rest) is not None,
        other_means=match.group() if (match := OTHER_MEANS.search(without_drugs)) else "",
        corrected=tuple(corrected),
    )
    return _with_intent(asked, text)


def _topic(text: str, treatments: tuple[Treatment, ...]) -> Topic | None:
    if any(treatment.role is Role.STOPPED for treatment in treatments):
        return STOPPING
    found = topic_of(text)
    if found is not None:
        return found
    active = [treatment for treatment in treatments if treatment.name not in CONTROLS]
    if (
        len(active) >= 2
        and COMBINING.pattern.search(text)
        and (not _VERSUS.search(text) or "+" in text or "plus" in text.lower())
    ):
        return COMBINING
    return None


def _with_intent(asked: Understanding, text: str) -> Understanding:
    return replace(asked, intent=_intent(asked, text))


def _intent(asked: Understanding, text: str) -> Intent:
    if is_emergency(text):
        return Intent.EMERGENCY
    if is_about_a_person(text):
        return Intent.INDIVIDUAL_ADVICE
    if _LITERATURE.search(text) and not _REACTS.search(text):
        return Intent.LITERATURE
    if asked.topic is not None:
        return Intent.NOT_PREDICTED
    if len(asked.active) >= 2 and _VERSUS.search(text):
        return Intent.COMPARE
    if asked.active or asked.unknown_drugs:
        return Intent.RESPOND
    if _DESCRIBE.search(text) and (asked.cohort is not None or asked.cohort_fault is not None):
        return Intent.DESCRIBE
    return Intent.UNCLEAR


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    """Blank out the spans, keeping every other position."""
    characters = list(text)
    for start, end in spans:
        characters[start:end] = " " * (end - start)
    return "".join(characters)
