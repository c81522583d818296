"""Treatments, doses, schedules and horizons as people type them. Rules only; the numbers are the user's own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from knowledge.vocabulary import Mention, Vocabulary

WEEKS_PER_YEAR = 52.0
WEEKS_PER = {"d": 1 / 7, "w": 1.0, "m": WEEKS_PER_YEAR / 12, "y": WEEKS_PER_YEAR}

_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)?"
_FREQUENCY = (
    r"(?P<frequency>every\s+(?:\w+\s+)?(?:days?|weeks?|months?)|(?:once|twice|two times|three times)[- ]?(?:a |per )?"
    r"(?:week|weekly|day|daily|month|monthly)|weekly|daily|monthly|(?:a|per|each|/)\s?(?:week|wk|day|d|month)|qd|bid|qw)"
)
_DOSE = re.compile(
    rf"(?P<sign>(?<!\w)[-−])?(?P<value>{_NUMBER})\s*"
    r"(?P<unit>mg|milligrams?|mcg|µg|μg|ug|micrograms?|g|grams?|iu|u|units?)\b"
    rf"(?:\s*{_FREQUENCY})?",
    re.IGNORECASE,
)
_SCHEDULE_BEHIND = re.compile(rf"\s*{_FREQUENCY}", re.IGNORECASE)
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
_WORDS = {"a": 1.0, "an": 1.0, "one": 1.0, "two": 2.0, "three": 3.0, "four": 4.0, "five": 5.0, "six": 6.0,
          "half a": 0.5, "half": 0.5}  # fmt: skip
_AGE_BEFORE = re.compile(
    r"(?:aged?|old(?:er)?(?:\s+than)?|over|under|above|below|≥|>=?|≤|<=?|than|between|and|to|-|–)\s*$", re.IGNORECASE
)
_SCHEDULE_BEFORE = re.compile(r"\b(?:every|each|per|once)\s*$", re.IGNORECASE)
_NAMES_PEOPLE = re.compile(
    r"\b(?:adults?|people|patients?|women|men|those|persons?|individuals?|anyone)\s*$", re.IGNORECASE
)
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_TITRATION = re.compile(r"\b(?:then|followed by|titrat\w+|escalat\w+|increas\w+ to|up to)\b", re.IGNORECASE)
_BACKGROUND_BEFORE = re.compile(
    r"(?:\b(?:already\s+)?(?:on|taking|using|receiving)|\bbackground(?:\s+of)?|\btolerate|\bintoleran(?:t|ce)\s+(?:of|to)"
    r"|\bfail(?:ed|ing|ure)(?:\s+(?:of|on))?|\bdespite|\bcontrolled\s+(?:on|with|by)"
    r"|\badd(?:ed|ing|-on|\s+on)?\s+to|\bin addition to|\bon top of|\bswitch\w*\s+from)\s+"
    r"(?:(?:their|stable|maximum|maximal|high-dose|low-dose|current|a|the|only)\s+)*$",
    re.IGNORECASE,
)
_ADDED_BEFORE = re.compile(
    r"\b(?:adding|add|switch\w*(?:\s+\w+){0,3}\s+to|starting|start)\s+(?:on\s+)?$", re.IGNORECASE
)
_STOPPED_BEFORE = re.compile(
    r"\b(?:stop(?:s|ped|ping)?|discontinu\w+|withdraw\w*|withdrew|quit\w*|com(?:e|ing) off|off)\s+"
    r"(?:(?:of|from|taking|using|their|the)\s+)*$",
    re.IGNORECASE,
)


class Role(StrEnum):
    """What a mentioned drug is in the question."""

    TARGET = "target"
    BACKGROUND = "background"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Treatment:
    """A drug and, where said, its dose and schedule."""

    name: str
    dose: float | None = None
    dose_unit: str | None = None
    frequency: str | None = None
    role: Role = Role.TARGET

    @property
    def label(self) -> str:
        """As a reader would write it: 'semaglutide 1 mg once weekly'."""
        dose = f"{self.dose:g} {self.dose_unit}" if self.dose is not None else ""
        return " ".join(part for part in (self.name, dose, self.frequency or "") if part)


def read_treatments(text: str, vocabulary: Vocabulary) -> list[Treatment]:
    """Drugs in order of appearance, each with the dose written nearest behind it (or right before it).

    Of a titration ('0.25 mg, then 1 mg') the highest dose is taken: it is what the schedule leads to.
    """
    mentions = vocabulary.find_drugs(text)
    doses = list(_DOSE.finditer(text))
    taken: set[int] = set()
    treatments: list[Treatment] = []
    for position, mention in enumerate(mentions):
        limit = mentions[position + 1].start if position + 1 < len(mentions) else len(text)
        behind = [d for d in doses if d.start() not in taken and mention.end <= d.start() < limit]
        near = [d for d in behind if d.start() < mention.end + 25]
        before = [d for d in doses if d.start() not in taken and 0 <= mention.start - d.end() <= 4]
        match = near[0] if near else before[0] if before else None
        if near and len(behind) > 1 and _TITRATION.search(text[near[0].end() : behind[-1].start()]):
            match = max(behind, key=lambda d: read_number(d["value"]))
            taken.update(d.start() for d in behind)
        if match is None:
            treatments.append(Treatment(mention.drug, role=_role(text, mention)))
            continue
        taken.add(match.start())
        behind_it = _SCHEDULE_BEHIND.match(text, mention.end)
        # The word that says what the drug is there for stands before a dose that is written first.
        start = min(mention.start, match.start())
        treatments.append(
            Treatment(
                mention.drug,
                read_number(match["value"]) * (-1 if match["sign"] else 1),
                _UNITS[match["unit"].lower()],
                _frequency(match["frequency"] or (behind_it["frequency"] if behind_it else None)),
                _role(text, mention, start),
            )
        )
    # The same drug named twice without a second dose is one treatment.
    unique: list[Treatment] = []
    for treatment in treatments:
        if treatment.dose is None and any(seen.name == treatment.name for seen in unique):
            continue
        if treatment not in unique:
            unique.append(treatment)
    return _with_a_target(unique)


def _role(text: str, mention: Mention, start: int | None = None) -> Role:
    before = text[: mention.start if start is None else start][-60:]
    if _STOPPED_BEFORE.search(before):
        return Role.STOPPED
    if _ADDED_BEFORE.search(before):
        return Role.TARGET
    return Role.BACKGROUND if _BACKGROUND_BEFORE.search(before) else Role.TARGET


def _with_a_target(treatments: list[Treatment]) -> list[Treatment]:
    """'How do adults on semaglutide fare?' asks about semaglutide: a background alone is the target."""
    if any(treatment.role is not Role.BACKGROUND for treatment in treatments):
        return treatments
    return [Treatment(t.name, t.dose, t.dose_unit, t.frequency) for t in treatments]


def read_number(text: str) -> float:
    """'1,000' is a thousand, '1,8' is one point eight."""
    return float(text.replace(",", "") if _THOUSANDS.fullmatch(text) else text.replace(",", "."))


def _frequency(words: str | None) -> str | None:
    if not words:
        return None
    lowered = " ".join(words.lower().split())
    if lowered.startswith("every"):
        known = {"every day": "once daily", "every week": "once weekly", "every month": "monthly"}
        return known.get(lowered, lowered)
    times = (
        "twice"
        if "tw" in lowered.split("week")[0] or lowered == "bid"
        else "three times"
        if "three" in lowered
        else "once"
    )
    if "month" in lowered:
        return "monthly" if times == "once" else f"{times} monthly"
    weekly = "week" in lowered or lowered in ("qw",) or lowered.endswith("wk")
    return f"{times} {'weekly' if weekly else 'daily'}"


def read_horizon(text: str) -> float | None:
    """Weeks asked about, or None. '6 months' is 26 weeks; '12-year-old', 'every two weeks' and 'aged 65 years' are none."""
    titration = _TITRATION.search(text)
    for match in _HORIZON.finditer(text):
        value, unit = match["value"].lower(), match["unit"].lower()[0]
        before = text[max(0, match.start() - 24) : match.start()]
        if value in ("a", "an", "one") and not match["lead"]:
            continue  # 'mg a week' is a schedule, not a horizon
        if _SCHEDULE_BEFORE.search(before) or (
            titration and match["lead"] == "for" and match.end() <= titration.start()
        ):
            continue
        if unit == "y" and not match["lead"] and _AGE_BEFORE.search(before):
            continue
        if unit == "y" and match["lead"] == "over" and _NAMES_PEOPLE.search(before):
            continue  # 'adults over 65 years'
        number = _WORDS[value] if value in _WORDS else read_number(value)
        return round(number * WEEKS_PER[unit], 2)
    return None
