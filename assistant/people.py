"""Who a question is about: the words for people, apart from drugs, doses and what is asked of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from assistant.intents import says
from assistant.reading import read_doses
from knowledge.errors import CohortNotCovered, EmptyCohort, InvalidInput
from knowledge.vocabulary import Mention, Vocabulary
from personas.library import PersonaLibrary
from personas.resolve import cohort_spans, resolve_cohort
from personas.schemas import CohortSpec
from personas.spelling import correct_spelling

GENERAL = "general"  # the area of archetypes without a disease
CohortFault = CohortNotCovered | EmptyCohort | InvalidInput

_JOINTS = frozenset(
    {"among", "amongst", "best", "most", "the most", "worries", "drive", "prediction", "treatment", "drug"}
)
_LONG_WORD = re.compile(r"[A-Za-z]{6,}")
_INTENTS = ("literature", "rank", "describe", "explain", "responders")
_SHARE_OF = re.compile(
    r"\b(?:(?:what|which) (?:share|proportion|fraction|percentage|percent|part) of|how many(?: of(?: the)?)?)\b[^?.!;]+?"
    r"\b(?<!who )(?<!that )(?:also |already )?(?:have|has|suffer from|live with)\b(?P<had>[^?.!;]*)",
    re.IGNORECASE,
)
_OUTCOME_ONLY = re.compile(
    r"\b(?:hospitali[sz]ations?|admissions?|hospital (?:stays?|visits)|deaths?|dying|die)"
    r" (?:for|with|from|due to|because of|of) (?:worsening )?(?:heart failure|hf|covid(?:-19)?|flu|influenza|copd|asthma|cancer)\b"
    r"|\b(?:still |be |stay |staying |remain )?(?:not|no longer|stopped|quit(?:ting)?) (?:smok|vap)ing\b"
    r"|\b(?:quit|stop|give up) (?:smoking|vaping)(?= (?:at|by|after|within|rate|for good)\b)",
    re.IGNORECASE,
)
# Words for medicines that say what people have, where nothing else does: read as people with the second.
_IMPLIED = (
    (re.compile(r"\b(?:anti-?depressants?|ssris?|snris?)\b", re.IGNORECASE), "with depression"),
    (
        re.compile(
            r"\b(?:anti-?hypertensives?|(?:blood pressure|bp|hypertension) (?:drugs?|pills?|tablets?|medicines?|meds))\b",
            re.I,
        ),
        "with hypertension",
    ),
    (
        re.compile(
            r"\b(?:cholesterol|ldl|lipid)(?:[- ]lowering)? (?:drugs?|pills?|tablets?|medicines?|meds)\b", re.IGNORECASE
        ),
        "with high cholesterol",
    ),
    (
        re.compile(
            r"\b(?:diabetes|diabetic|glucose|sugar)(?:[- ]lowering)? (?:drugs?|pills?|tablets?|medicines?|meds)\b", re.I
        ),
        "with type 2 diabetes",
    ),
)
_OFFERED = "offered the flu vaccine"
_VACCINE_OUTCOME = re.compile(
    r"\b(?:severe |serious |confirmed )*(?:rsv|flu|influenza|covid(?:-19)?)?[- ]*(?:lung|chest|respiratory|lower respiratory)? ?"
    r"(?:infections?|disease|illness|pneumonia)\b",
    re.IGNORECASE,
)
# Babies are known here as those whom a tuberculosis vaccine is given to; another medicine is no question about them.
_TB_INFANTS = "infants_tb_endemic"
_TUBERCULOSIS = re.compile(r"\b(?:tb|tuberculosis|endemic|bcg)\b", re.IGNORECASE)
# A limit with a number that nobody placed: 'being over 65'.
_LIMIT = re.compile(
    r"(?:\b(?:over|under|above|below|older than|younger than|more than|less than|at least|at most)|[<>≥≤]=?)\s*\d+(?:[.,]\d+)?"
    r"(?!\s*(?:%|mg|mcg|ug|g\b|kg|lbs?|pounds?|kilos?|points?|days?|weeks?|wks?|months?|years?(?! old)|yrs?|mmol|mmhg|times|in \d|[\d.]))",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class People:
    """What was read of the people in a question.

    Attributes
    ----------
    text : the question without its drugs, every other position kept; `spans` : the words for people in it.
    told : what the reader is to be told of it.
    """

    cohort: CohortSpec | None
    fault: CohortFault | None
    text: str
    spans: tuple[tuple[int, int], ...]
    told: tuple[str, ...] = ()


def read_people(text: str, mentions: Sequence[Mention], vocabulary: Vocabulary, library: PersonaLibrary) -> People:
    """The cohort of a question, or why there is none; what cannot be placed is kept in `cohort.not_understood`.

    Parameters
    ----------
    mentions : the drugs that the question names.
    """
    # 'An inadequate response to methotrexate' says who they are: there the drug is a part of the words for people.
    named = cohort_spans(text, library)
    bare = without(text, [(m.start, m.end) for m in mentions if not _is_part_of(m, named)])
    vaccine = any("vaccine" in vocabulary.drugs[mention.drug].drug_class for mention in mentions)
    about = _about_people(bare, mentions, vaccine)
    spans = tuple(cohort_spans(about, library))
    try:
        cohort = resolve_cohort(about, library)
    except (CohortNotCovered, EmptyCohort, InvalidInput) as error:
        return People(None, error, bare, spans)
    if (
        cohort is not None
        and cohort.persona_id == _TB_INFANTS
        and mentions
        and not (vaccine or _TUBERCULOSIS.search(text))
    ):
        fault = CohortNotCovered(
            "Infants are covered only as those whom vaccines against tuberculosis are given to.",
            "Ask about BCG in infants in TB-endemic countries, or about another cohort.",
        )
        return People(None, fault, bare, spans)
    cohort, told = _implied(cohort, about, vaccine, library)
    if cohort is not None:
        cohort = _with_limits(cohort, about, spans)
    return People(cohort, None, bare, spans, told)


def _implied(
    cohort: CohortSpec | None, text: str, vaccine: bool, library: PersonaLibrary
) -> tuple[CohortSpec | None, tuple[str, ...]]:
    """Of a cohort without a disease: who is asked about a vaccine is offered one, who about antidepressants depressed."""
    if cohort is None or not cohort.persona_id or library.get(cohort.persona_id).area != GENERAL:
        return cohort, ()
    meant = _OFFERED if vaccine else next((words for pattern, words in _IMPLIED if pattern.search(text)), "")
    if not meant:
        return cohort, ()
    try:
        found = resolve_cohort(f"{text}, {meant}", library)
    except (CohortNotCovered, EmptyCohort, InvalidInput):
        return cohort, ()
    if found is None or not found.persona_id or found.not_understood:
        return cohort, ()
    return found, (f"read as people {meant}",)


def _with_limits(cohort: CohortSpec, text: str, spans: Sequence[tuple[int, int]]) -> CohortSpec:
    """Limits in numbers that are in no words for people are told, never passed over."""
    left = [
        " ".join(match.group().split())
        for match in _LIMIT.finditer(text)
        if not any(start < match.end() and match.start() < end for start, end in spans)
    ]
    new = tuple(words for words in dict.fromkeys(left) if not any(words in said for said in cohort.not_understood))
    return cohort.model_copy(update={"not_understood": (*cohort.not_understood, *new)}) if new else cohort


def _about_people(text: str, mentions: Sequence[Mention], vaccine: bool) -> str:
    """The question without what it asks of the people in the words for people.

    'What share of adults with gout have kidney disease?' asks about adults with gout, 'hospitalisations for heart failure'
    are an outcome.
    """
    found = [match.span() for match in _OUTCOME_ONLY.finditer(text)]
    # 'Heart failure with reduced ejection fraction, 10 mg': a dose is no value of theirs ('300 mg/g' may be).
    found += [(start, end) for start, end, _value, _unit in read_doses(text) if text[end : end + 1] != "/"]
    if vaccine:
        found += [match.span() for match in _VACCINE_OUTCOME.finditer(text)]
    match = _SHARE_OF.search(text) if not mentions else None
    return without(text, [*found, match.span("had")] if match is not None else found)


def _is_part_of(mention: Mention, spans: Sequence[tuple[int, int]]) -> bool:
    return any(
        start <= mention.start and mention.end <= end and end - start > mention.end - mention.start + 3
        for start, end in spans
    )


def spelled(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Cohort words spelled right; a word that says what is wanted ('papers') is none of them ('vapers')."""
    found: list[tuple[str, str]] = []

    def correct(match: re.Match[str]) -> str:
        word = match.group()
        if any(says(kind, word) for kind in _INTENTS):
            return word
        right, pairs = correct_spelling(word)
        found.extend(pairs)
        return right

    return _LONG_WORD.sub(correct, text), tuple(found)


def placed(text: str, spans: Sequence[tuple[int, int]], cohort: CohortSpec | None) -> tuple[tuple[int, int], ...]:
    """The spans that did become part of the cohort: what could not be placed may name an outcome ('pneumonia in …')."""
    left = [words.casefold() for words in cohort.not_understood] if cohort is not None else []
    return tuple((start, end) for start, end in spans if not any(text[start:end].casefold() in words for words in left))


def without_outcomes(cohort: CohortSpec, outcomes: Sequence[str]) -> CohortSpec:
    """Words that name an outcome, and joints, are no part of the cohort that could not be placed."""
    said = [outcome.casefold() for outcome in outcomes]
    left = tuple(
        words
        for words in cohort.not_understood
        if not any(words.casefold() in outcome or outcome in words.casefold() for outcome in said)
        and words.casefold() not in _JOINTS
    )
    return cohort if left == cohort.not_understood else cohort.model_copy(update={"not_understood": left})


def without(text: str, spans: list[tuple[int, int]]) -> str:
    """Blank out the spans, keeping every other position."""
    characters = list(text)
    for start, end in spans:
        characters[start:end] = " " * (end - start)
    return "".join(characters)
