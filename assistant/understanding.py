"""What a question asks for: cohort, treatments with doses, outcomes, horizon, intent. Rules only, no model.

Used by the offline planner; the numbers it reads (doses, weeks) are the user's own and are repeated as such.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from knowledge.errors import CohortNotCovered, EmptyCohort, InvalidInput
from knowledge.vocabulary import Vocabulary
from personas.library import PersonaLibrary
from personas.resolve import resolve_cohort
from personas.schemas import CohortSpec
from personas.spelling import correct_spelling

WEEKS_PER_YEAR = 52.0
WEEKS_PER = {"day": 1 / 7, "week": 1.0, "month": WEEKS_PER_YEAR / 12, "year": WEEKS_PER_YEAR}
DEFAULT_HORIZON_WEEKS = 26.0

_NUMBER = r"\d+(?:[.,]\d+)?"
_DOSE = re.compile(
    rf"(?P<value>{_NUMBER})\s*(?P<unit>mg|milligrams?|mcg|µg|μg|ug|micrograms?|g|grams?|iu|u|units?)\b"
    r"(?:\s*(?P<frequency>once (?:a |per )?(?:week|day)(?:ly)?|once[- ](?:weekly|daily)|twice[- ]?(?:a |per )?(?:day|daily)"
    r"|weekly|daily|monthly|(?:a|per|each|every|/)\s?(?:week|wk|day|d|month)|qd|bid|qw))?",
    re.IGNORECASE,
)
_UNITS = {
    "milligram": "mg", "milligrams": "mg", "mg": "mg", "mcg": "ug", "µg": "ug", "μg": "ug", "ug": "ug",
    "microgram": "ug", "micrograms": "ug", "g": "g", "gram": "g", "grams": "g",
    "iu": "U", "u": "U", "unit": "U", "units": "U",
}  # fmt: skip
_HORIZON = re.compile(
    rf"(?:(?P<lead>over|after|for|at|in|within|through|by|during)\s+(?:the\s+)?(?:(?:next|first|about|around|roughly|some)\s+)*)?"
    rf"(?P<value>{_NUMBER}|a|an|one|two|three|four|five|six|half a|half)[\s-]?"
    r"(?P<unit>days?|weeks?|wks?|wk|months?|mos?|years?|yrs?|yr)\b(?!\s*(?:old|of age|-old))",
    re.IGNORECASE,
)
_AGE_BEFORE = re.compile(
    r"(?:aged?|old(?:er)?(?:\s+than)?|over|under|above|below|≥|>=?|≤|<=?|than|between|and|to|-|–)\s*$", re.IGNORECASE
)
_WORDS = {"a": 1.0, "an": 1.0, "one": 1.0, "two": 2.0, "three": 3.0, "four": 4.0, "five": 5.0, "six": 6.0,
          "half a": 0.5, "half": 0.5}  # fmt: skip
_VERSUS = re.compile(r"\b(?:vs\.?|versus|compar\w+|against|rather than|instead of|better|or)\b", re.IGNORECASE)
_INDIVIDUAL = re.compile(
    r"\b(?:should i|can i|may i|do i|am i|would i|i have|i am|i'm|i take|my (?:dose|doctor|diabetes|kidneys?|weight|mother|father"
    r"|wife|husband|patient|son|daughter|blood|insulin|medication))\b",
    re.IGNORECASE,
)
_LITERATURE = re.compile(
    r"\b(?:evidence|literature|stud(?:y|ies)|publish\w*|papers?|guidelines?|what is known|trials? (?:of|on|about)|cite|sources?)\b",
    re.IGNORECASE,
)
_DESCRIBE = re.compile(
    r"\b(?:describe|who are|profile|what (?:do|does) .* look like|characteristics|make-?up)\b", re.IGNORECASE
)


class Intent(StrEnum):
    """What the question wants."""

    RESPOND = "respond"
    COMPARE = "compare"
    DESCRIBE = "describe"
    LITERATURE = "literature"
    INDIVIDUAL_ADVICE = "individual_advice"
    UNCLEAR = "unclear"


class CohortFault(Protocol):
    """An error about the cohort: message and hint."""

    message: str
    hint: str


@dataclass(frozen=True)
class Treatment:
    """A drug and, where said, its dose."""

    name: str
    dose: float | None = None
    dose_unit: str | None = None
    frequency: str | None = None

    @property
    def label(self) -> str:
        """As a reader would write it: 'semaglutide 1 mg once weekly'."""
        dose = f"{self.dose:g} {self.dose_unit}" if self.dose is not None else ""
        return " ".join(part for part in (self.name, dose, self.frequency or "") if part)


@dataclass(frozen=True)
class Understanding:
    """The slots of a question; empty where nothing was said."""

    intent: Intent
    cohort: CohortSpec | None
    cohort_fault: CohortNotCovered | EmptyCohort | InvalidInput | None
    treatments: tuple[Treatment, ...]
    unknown_drugs: tuple[str, ...]
    endpoints: tuple[str, ...]
    horizon_weeks: float | None
    corrected: tuple[str, ...] = field(default=())


def understand(text: str, vocabulary: Vocabulary, library: PersonaLibrary) -> Understanding:
    """Read a question.

    Parameters
    ----------
    text : the question as typed.
    vocabulary, library : what is known about drugs, endpoints and cohorts.
    """
    text, respelled = correct_spelling(text)
    mentions = vocabulary.find_drugs(text)
    treatments = read_treatments(text, vocabulary)
    unknown = tuple(vocabulary.unknown_drug_candidates(text))
    fault: CohortNotCovered | EmptyCohort | InvalidInput | None = None
    cohort: CohortSpec | None = None
    try:
        cohort = resolve_cohort(_without(text, [(m.start, m.end) for m in mentions]), library)
    except (CohortNotCovered, EmptyCohort, InvalidInput) as error:
        fault = error
    active = [treatment for treatment in treatments if not _is_placebo(treatment.name)]
    corrected = tuple(f"read '{written}' as {read}" for written, read in respelled) + tuple(
        f"read '{m.surface}' as {m.drug}"
        for m in mentions
        if m.score < 100 and m.surface.casefold() != m.drug.casefold()
    )
    return Understanding(
        intent=_intent(text, active, unknown, cohort is not None or fault is not None),
        cohort=cohort,
        cohort_fault=fault,
        treatments=tuple(treatments),
        unknown_drugs=unknown,
        endpoints=tuple(vocabulary.find_endpoints(_without(text, [(m.start, m.end) for m in mentions]))),
        horizon_weeks=read_horizon(text),
        corrected=corrected,
    )


def _intent(text: str, active: list[Treatment], unknown: tuple[str, ...], has_cohort: bool) -> Intent:
    if _INDIVIDUAL.search(text):
        return Intent.INDIVIDUAL_ADVICE
    if len(active) >= 2 and _VERSUS.search(text):
        return Intent.COMPARE
    if _LITERATURE.search(text) and not re.search(r"\b(?:react|respond|predict|expect)\w*", text, re.IGNORECASE):
        return Intent.LITERATURE
    if active or unknown:
        return Intent.RESPOND
    if has_cohort or _DESCRIBE.search(text):
        return Intent.DESCRIBE
    return Intent.UNCLEAR


def read_treatments(text: str, vocabulary: Vocabulary) -> list[Treatment]:
    """Drugs in order of appearance, each with the dose written nearest behind it (or right before it)."""
    mentions = vocabulary.find_drugs(text)
    doses = list(_DOSE.finditer(text))
    taken: set[int] = set()
    treatments: list[Treatment] = []
    for position, mention in enumerate(mentions):
        limit = mentions[position + 1].start if position + 1 < len(mentions) else len(text)
        match = next(
            (d for d in doses if d.start() not in taken and mention.end <= d.start() < min(limit, mention.end + 25)),
            None,
        ) or next((d for d in doses if d.start() not in taken and 0 <= mention.start - d.end() <= 4), None)
        if match is None:
            treatments.append(Treatment(mention.drug))
            continue
        taken.add(match.start())
        treatments.append(
            Treatment(
                mention.drug,
                float(match["value"].replace(",", ".")),
                _UNITS[match["unit"].lower()],
                _frequency(match["frequency"]),
            )
        )
    # The same drug named twice without a second dose is one treatment.
    unique: list[Treatment] = []
    for treatment in treatments:
        if treatment.dose is None and any(seen.name == treatment.name for seen in unique):
            continue
        if treatment not in unique:
            unique.append(treatment)
    return unique


def _frequency(words: str | None) -> str | None:
    if not words:
        return None
    lowered = words.lower()
    if "twice" in lowered or lowered == "bid":
        return "twice daily"
    if "month" in lowered:
        return "monthly"
    return "once weekly" if "w" in lowered.replace("twice", "") else "once daily"


def read_horizon(text: str) -> float | None:
    """Weeks asked about, or None. '6 months' is 26 weeks; '12-year-old' and 'aged 65 years' are no horizon."""
    for match in _HORIZON.finditer(text):
        value = match["value"].lower()
        if value in ("a", "an", "one") and not match["lead"]:
            continue  # 'mg a week' is a schedule, not a horizon
        before = text[max(0, match.start() - 24) : match.start()]
        if not match["lead"] and _AGE_BEFORE.search(before) and match["unit"].lower().startswith("y"):
            continue
        if match["unit"].lower().startswith("y") and match["lead"] in ("over",) and _NAMES_PEOPLE.search(before):
            continue  # 'adults over 65 years'
        number = _WORDS[value] if value in _WORDS else float(value.replace(",", "."))
        unit = match["unit"].lower()
        name = "day" if unit[0] == "d" else "week" if unit[0] == "w" else "month" if unit[0] == "m" else "year"
        return round(number * WEEKS_PER[name], 2)
    return None


_NAMES_PEOPLE = re.compile(
    r"\b(?:adults?|people|patients?|women|men|those|persons?|individuals?|anyone)\s*$", re.IGNORECASE
)


def _is_placebo(name: str) -> bool:
    return name in ("placebo", "usual care", "no treatment")


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    """Blank out the spans, keeping every other position."""
    characters = list(text)
    for start, end in spans:
        characters[start:end] = " " * (end - start)
    return "".join(characters)
