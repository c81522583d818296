"""Treatments, doses, schedules and horizons as people type them. Rules only; the numbers are the user's own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from assistant.roles import CONTROLS, Role, role_of
from knowledge.schemas import Drug
from knowledge.vocabulary import Mention, Vocabulary

WEEKS_PER_YEAR = 52.0
WEEKS_PER = {"d": 1 / 7, "w": 1.0, "m": WEEKS_PER_YEAR / 12, "y": WEEKS_PER_YEAR}

NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)?"
FREQUENCY = (
    r"(?P<frequency>every\s+(?:\w+\s+)?(?:days?|weeks?|months?)|(?:once|twice|two times|three times)[- ]?(?:a |per )?"
    r"(?:week|weekly|day|daily|month|monthly)|weekly|daily|monthly|(?:a|per|each|/)\s?(?:week|wk|day|d|month)|qd|od|bd|bid|tid|qw|q\d{1,2}w)"
)
_DOSE = re.compile(
    rf"(?P<sign>(?<!\w)[-−])?(?P<value>{NUMBER})\s*"
    r"(?P<unit>mg/kg|mg/m2|mg|milligrams?|mcg|µg|μg|ug|micrograms?|g|grams?|iu|u|units?)\b"
    rf"(?:\s*{FREQUENCY})?",
    re.IGNORECASE,
)
# 'Crestor 20': a number right behind a drug, with nothing behind it that it could count, is in the drug's usual unit.
_BARE_DOSE = re.compile(
    rf"\s+(?P<value>{NUMBER})(?![\w%/:.-])(?!\s*(?:%|-|–|to\b|weeks?|wks?|months?|mos?|years?|yrs?|days?|times|x\b|people|patients"
    r"|adults|men|women|points?|pounds?|lbs?|kg|kilos?|tablets?|pills?|trials?|mmol|pens?|hours?|of\b|ml\b|millilit|cc\b|lit(?:re|er)s?\b|l\b|tons?\b|tonnes?\b|ounces?\b|oz\b|stone\b))",
    re.IGNORECASE,
)
_SCHEDULE_BEHIND = re.compile(rf"\s*{FREQUENCY}", re.IGNORECASE)
_UNITS = {
    "milligram": "mg", "milligrams": "mg", "mg": "mg", "mcg": "ug", "µg": "ug", "μg": "ug", "ug": "ug",
    "microgram": "ug", "micrograms": "ug", "g": "g", "gram": "g", "grams": "g",
    "iu": "U", "u": "U", "unit": "U", "units": "U", "mg/kg": "mg/kg", "mg/m2": "mg/m2",
}  # fmt: skip
COUNTED = {"one": 1.0, "two": 2.0, "three": 3.0, "four": 4.0, "five": 5.0, "six": 6.0, "seven": 7.0, "eight": 8.0,
            "nine": 9.0, "ten": 10.0, "eleven": 11.0, "twelve": 12.0, "eighteen": 18.0, "twenty": 20.0,
            "twenty-four": 24.0}  # fmt: skip
_AND_A_HALF = re.compile(r"\s+and\s+a\s+half$")
_HORIZON = re.compile(
    rf"(?:(?P<lead>over|after|for|at|in|within|through|by|during)\s+(?:the\s+)?(?:(?:next|first|about|around|roughly|some)\s+)*)?"
    rf"(?<![a-z])(?P<value>{NUMBER}|half a|half|(?:{'|'.join(COUNTED)})(?:\s+and\s+a\s+half)?|a|an)[\s-]?"
    r"(?P<unit>days?|weeks?|wks?|w(?!/)|months?|mos?|mths?|years?|yrs?)\b(?!\s*(?:old|of age|-old|point|rolling))",
    re.IGNORECASE,
)
_WORDS = {"a": 1.0, "an": 1.0, "half a": 0.5, "half": 0.5, **COUNTED}
_AGE_BEFORE = re.compile(
    r"(?:aged?|old(?:er)?(?:\s+than)?|over|under|above|below|≥|>=?|≤|<=?|than|between|and|to|-|–)\s*$", re.IGNORECASE
)
_NAMED_TIME = re.compile(
    rf"\b(?P<unit>day|week|wk|month|year)s?\s+(?P<value>{NUMBER})\b(?!\s*(?:mg|mcg|ug|µg|g|units?|u|iu|%|years?|or|and)\b)",
    re.IGNORECASE,
)
# 'one year' alone, as a part of the question of its own: no schedule.
_APART_BEFORE = re.compile(r"(?:^|[,;:?.–-])\s*$")
_APART_BEHIND = re.compile(r"\s*(?:[,;:?.!)]|$|please\b)")
_ALTERNATIVE = re.compile(
    r"\b(?:or|vs\.?|versus|than|against|rather than|instead of|compared (?:with|to))\b", re.IGNORECASE
)
_CHANGES = (
    (re.compile(r"\b(?:double|twice|two times|2x|2 ?×)\b(?=.*\bdos(?:e|es|age|ing)\b)|\bdoubl(?:e|ed|ing) (?:it|that|the)\b", re.I), 2.0),
    (re.compile(r"\b(?:triple|three times|3x)\b(?=.*\bdos(?:e|es|age)\b)|\btripl(?:e|ed|ing) (?:it|that|the)\b", re.I), 3.0),
    (re.compile(r"\bhalf\b(?=.*\bdos(?:e|es|age)\b)|\bhalv(?:e|ed|ing)\b", re.I), 0.5),
)  # fmt: skip
_TIMES = re.compile(rf"(?P<value>{NUMBER})[\s-]*(?:times|x|×|-?fold)\b(?=.*\bdos(?:e|es|age)\b)", re.IGNORECASE)
_VAGUE_CHANGE = re.compile(
    r"\b(?:a |the )?(?:higher|lower|bigger|smaller|larger|stronger|weaker|another|different|other|maximum|max|highest|lowest)"
    r"(?:st)? dos(?:e|es|age)\b",
    re.IGNORECASE,
)
_SCHEDULE_BEFORE = re.compile(r"\b(?:every|each|per|once)\s*$", re.IGNORECASE)
_NAMES_PEOPLE = re.compile(
    r"\b(?:adults?|people|patients?|women|men|those|persons?|individuals?|anyone)\s*$", re.IGNORECASE
)
_PLUS = re.compile(r"\s*(?:\+|/|plus|with|combined with|in combination with|together with)\s*", re.IGNORECASE)
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_EVERY_WEEKS = re.compile(r"q(?P<weeks>\d{1,2})w")
_TITRATION = re.compile(
    r"\b(?:then|followed by|(?:up-?)?titrat\w+|escalat\w+|increas\w+(?: \w+){0,5} to|up to|step(?:s|ped|ping)? up|rais(?:ed|ing)"
    r"|(?:go|goes|going|work|working|build|building|moving|move) up)\b|→|->",
    re.IGNORECASE,
)
# 'A 8 mg plus B': where only A has a dose, B is what it is given with.
_GIVEN_WITH = re.compile(
    r"\s*[,(]?\s*(?:plus|\+|with|combined with|in combination with|together with|along with|alongside|on top of)\s+"
    r"(?:(?:a|the|their|stable|background|concomitant|standard|usual|conventional|oral|weekly|platinum|platinum-based)\s+)*",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.?!;]\s")
# 'Telmisartan/hydrochlorothiazide 80/25 mg': the parts before the last.
_PARTS_BEFORE = re.compile(rf"(?:(?:{NUMBER})\s*(?:mg|mcg|ug|µg|μg)?\s*[/-]\s*){{1,2}}$", re.IGNORECASE)
_BARE_PARTS = re.compile(rf"\s+(?P<parts>(?:{NUMBER})(?:\s*/\s*(?:{NUMBER})){{1,2}})(?![\w%/:.-])", re.IGNORECASE)


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
    doses = list(_DOSE.finditer(text))
    mentions, within = _combined(_named_best(vocabulary.find_drugs(text), text), doses, text, vocabulary)
    taken: set[int] = {dose.start() for joined in within.values() for dose in joined}
    treatments: list[Treatment] = []
    for position, mention in enumerate(mentions):
        limit = mentions[position + 1].start if position + 1 < len(mentions) else len(text)
        behind = [d for d in doses if d.start() not in taken and mention.end <= d.start() < limit]
        near = [d for d in behind if d.start() < mention.end + 25]
        before = [d for d in doses if d.start() not in taken and 0 <= mention.start - d.end() <= 4]
        match = near[0] if near else before[0] if before else None
        if mention.start in within:
            match = _first_component(mention, within[mention.start], match)
        if near and len(behind) > 1 and _TITRATION.search(text[near[0].end() : behind[-1].start()]):
            match = max(behind, key=lambda d: read_number(d["value"]))
            taken.update(d.start() for d in behind)
        if match is not None and mention.start in within and not vocabulary.drugs[mention.drug].dose_unit:
            taken.add(match.start())  # a combination that trials do not dose: 'varenicline 1 mg plus nicotine patch'
            match = None
        if match is None:
            treatments.append(_without_unit(text, mention, vocabulary))
            continue
        taken.add(match.start())
        behind_it = _SCHEDULE_BEHIND.match(text, mention.end)
        # The word that says what the drug is there for stands before a dose that is written first.
        start = min(mention.start, match.start())
        value = _of_parts(text, match, vocabulary.drugs[mention.drug]) * (-1 if match["sign"] else 1)
        treatments.append(
            Treatment(
                mention.drug,
                value,
                unit_of(match["unit"]),
                _frequency(match["frequency"] or (behind_it["frequency"] if behind_it else None)),
                role_of(text, mention, start),
            )
        )
    treatments = _told_apart(text, mentions, treatments)
    treatments = _given_with(text, mentions, treatments)
    had = {one.name for one in treatments if one.role is Role.BACKGROUND}
    treatments = [
        replace(one, role=Role.BACKGROUND) if one.name in had and one.dose is None else one for one in treatments
    ]
    # The same drug named twice without a second dose is one treatment ('Anoro (umeclidinium/vilanterol 62.5 µg)').
    dosed = {one.name for one in treatments if one.dose is not None}
    unique: list[Treatment] = []
    for treatment in treatments:
        again = treatment.name in dosed and treatment.role is not Role.STOPPED
        if treatment.dose is None and (again or any(seen.name == treatment.name for seen in unique)):
            continue
        if treatment not in unique:
            unique.append(treatment)
    return _with_a_target(unique)


def _without_unit(text: str, mention: Mention, vocabulary: Vocabulary) -> Treatment:
    """'Crestor 20' and 'Trelegy 100/62.5/25' are in the drug's usual unit."""
    drug = vocabulary.drugs[mention.drug]
    role = role_of(text, mention)
    parts = _BARE_PARTS.match(text, mention.end) if "/" in mention.drug else None
    bare = parts or _BARE_DOSE.match(text, mention.end)
    if bare is None or not drug.dose_unit:
        return Treatment(mention.drug, role=role)
    dose = _component(parts["parts"], drug) if parts else read_number(bare["value"])
    behind = _SCHEDULE_BEHIND.match(text, bare.end())
    return Treatment(mention.drug, dose, drug.dose_unit, _frequency(behind["frequency"]) if behind else None, role)


def _of_parts(text: str, match: re.Match[str], drug: Drug) -> float:
    """Of 'A/B 80/25 mg' the part that the combination's dose is told in; else the number as written."""
    parts = _PARTS_BEFORE.search(text[: match.start()]) if "/" in drug.name else None
    if parts is None:
        return read_number(match["value"])
    return _component(parts.group() + match["value"], drug)


def _component(written: str, drug: Drug) -> float:
    """The first number that can be a dose of the combination: brands write the parts in either order."""
    values = [read_number(value) for value in re.findall(NUMBER, written)]
    if drug.max_dose is None:
        return values[0]
    return next((value for value in values if value <= drug.max_dose), values[0])


def _given_with(text: str, mentions: Sequence[Mention], treatments: Sequence[Treatment]) -> list[Treatment]:
    """'A 8 mg plus B' and 'A plus chemotherapy' ask about A; with a dose of both, both are asked about."""
    told = list(treatments)
    for position in range(1, len(mentions)):
        one, other = told[position - 1], told[position]
        between = _DOSE.sub(" ", text[mentions[position - 1].end : mentions[position].start])
        alone = other.dose is None and (one.dose is not None or other.name.endswith("(any)"))
        if alone and {one.name, other.name}.isdisjoint(CONTROLS) and _GIVEN_WITH.fullmatch(between):
            told[position] = replace(other, role=Role.BACKGROUND)
    # 'Adults on A 10 mg. What happens on B 5 mg?': the last sentence asks, the one before says what they have.
    for position in range(1, len(mentions)):
        later = told[position]
        apart = _SENTENCE_END.search(text[mentions[position - 1].end : mentions[position].start])
        if apart and later.role is Role.ON and later.dose is not None:
            told[:position] = [replace(o, role=Role.BACKGROUND) if o.role is Role.ON else o for o in told[:position]]
    return told


def _combined(
    mentions: Sequence[Mention], doses: Sequence[re.Match[str]], text: str, vocabulary: Vocabulary
) -> tuple[list[Mention], dict[int, list[re.Match[str]]]]:
    """'Opdivo + Yervoy' is one treatment where the vocabulary knows the two as one.

    With a dose of the first ('dapagliflozin 10 mg plus saxagliptin 2.5 mg') only where the second has one as well, or where
    the combination has none. The doses between the two are returned by the start of the joined mention.
    """
    joined: list[Mention] = []
    within: dict[int, list[re.Match[str]]] = {}
    for mention in mentions:
        last = joined[-1] if joined else None
        if last is not None:
            inner = [dose for dose in doses if last.end <= dose.start() and dose.end() <= mention.start]
            between = text[last.end : mention.start]
            for dose in inner:
                between = between.replace(dose.group(), " ")
            both = (f"{last.drug}/{mention.drug}", f"{mention.drug}/{last.drug}")
            name = next((name for name in both if name in vocabulary.drugs), None)
            dosed = any(0 <= dose.start() - mention.end <= 2 for dose in doses)
            whole = not inner or dosed or (name is not None and not vocabulary.drugs[name].dose_unit)
            if name is not None and whole and _PLUS.fullmatch(between):
                joined[-1] = replace(last, end=mention.end, surface=text[last.start : mention.end], drug=name)
                if inner:
                    within[last.start] = inner
                continue
        joined.append(mention)
    return joined, within


def _first_component(
    mention: Mention, within: Sequence[re.Match[str]], behind: re.Match[str] | None
) -> re.Match[str] | None:
    """Of two doses the one of the part that the combination is named by first."""
    leads = mention.surface.casefold().startswith(mention.drug.partition("/")[0].casefold())
    return within[0] if leads or behind is None else behind


def _named_best(mentions: Sequence[Mention], text: str) -> list[Mention]:
    """'Triple inhaler Breztri' names one treatment: the drug, not the whole of its kind."""
    kept: list[Mention] = []
    for position, mention in enumerate(mentions):
        following = mentions[position + 1] if position + 1 < len(mentions) else None
        if following is not None and mention.drug.endswith("(any)"):
            between = text[mention.end : following.start]
            if not between.strip(" (,:-"):
                continue
        kept.append(mention)
    return kept


def _told_apart(text: str, mentions: Sequence[Mention], treatments: Sequence[Treatment]) -> list[Treatment]:
    """'More on A or B': what the question chooses between is no background."""
    chosen = list(treatments)
    for position in range(len(mentions) - 1):
        between = text[mentions[position].end : mentions[position + 1].start]
        had = (Role.BACKGROUND, Role.ON)
        if chosen[position].role in had and _ALTERNATIVE.search(between) and len(between) < 40:
            chosen[position] = replace(chosen[position], role=Role.TARGET)
            if chosen[position + 1].role in had:
                chosen[position + 1] = replace(chosen[position + 1], role=Role.TARGET)
    return chosen


def read_doses(text: str) -> list[tuple[int, int, float, str]]:
    """Doses written in `text`, whatever they belong to: (start, end, value, unit)."""
    return [
        (match.start(), match.end(), read_number(match["value"]) * (-1 if match["sign"] else 1), unit_of(match["unit"]))
        for match in _DOSE.finditer(text)
    ]


def unit_of(written: str) -> str:
    """The vocabulary's unit: 'ug' of 'mcg'."""
    return _UNITS[written.lower()]


def read_dose_factor(text: str) -> float | None:
    """By what a dose is multiplied: 2 for 'double the dose'; None when nothing of the kind is said."""
    times = _TIMES.search(text)
    if times is not None:
        return read_number(times["value"])
    return next((factor for pattern, factor in _CHANGES if pattern.search(text)), None)


def asks_for_other_dose(text: str) -> bool:
    """True for 'a higher dose': another dose, and nobody says which."""
    return _VAGUE_CHANGE.search(text) is not None


def _with_a_target(treatments: list[Treatment]) -> list[Treatment]:
    """'How do adults on semaglutide fare?' asks about semaglutide: what people are on is the target where nothing else is.

    Of several the one with a dose is asked about ('adults on metformin, nausea on sitagliptin 100 mg').
    """
    told = [replace(one, role=Role.BACKGROUND) if one.role is Role.ON else one for one in treatments]
    if any(one.role in (Role.TARGET, Role.STOPPED) and one.name not in CONTROLS for one in treatments):
        return told
    groups = [[one for one in treatments if one.role is role] for role in (Role.ON, Role.BACKGROUND, Role.WITHOUT)]
    weak = next((group for group in groups if group), [])
    chosen = [one for one in weak if one.dose is not None] or weak
    return [
        replace(one, role=Role.TARGET) if before in chosen else one
        for before, one in zip(treatments, told, strict=True)
    ]


def read_number(text: str) -> float:
    """'1,000' is a thousand, '1,8' is one point eight."""
    return float(text.replace(",", "") if _THOUSANDS.fullmatch(text) else text.replace(",", "."))


def _frequency(words: str | None) -> str | None:
    if not words:
        return None
    lowered = " ".join(words.lower().split())
    if every := _EVERY_WEEKS.fullmatch(lowered):
        return f"every {every['weeks']} weeks"
    if lowered.startswith("every"):
        known = {"every day": "once daily", "every week": "once weekly", "every month": "monthly"}
        return known.get(lowered, lowered)
    times = (
        "twice"
        if "tw" in lowered.split("week")[0] or lowered in ("bid", "bd")
        else "three times"
        if "three" in lowered or lowered == "tid"
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
        apart = _APART_BEFORE.search(before) and _APART_BEHIND.match(text, match.end()) and unit in "my"
        if value in ("a", "an", "one") and not match["lead"] and not (value == "one" and apart):
            continue  # 'mg a week' is a schedule, not a horizon
        if _SCHEDULE_BEFORE.search(before) or (
            titration and match["lead"] == "for" and match.end() <= titration.start()
        ):
            continue
        if unit == "y" and not match["lead"] and _AGE_BEFORE.search(before):
            continue
        if unit == "y" and match["lead"] == "over" and _NAMES_PEOPLE.search(before):
            continue  # 'adults over 65 years'
        whole = _AND_A_HALF.sub("", value)
        number = (_WORDS[whole] if whole in _WORDS else read_number(whole)) + (0.5 if whole != value else 0.0)
        return round(number * WEEKS_PER[unit], 2)
    named = _NAMED_TIME.search(text)
    return round(read_number(named["value"]) * WEEKS_PER[named["unit"][0].lower()], 2) if named else None
