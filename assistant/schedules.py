"""When treatment starts, is stepped up and stops, as people type it; rules only, the numbers are the asker's own."""

from __future__ import annotations

import re
from dataclasses import dataclass

from assistant.reading import COUNTED, NUMBER, WEEKS_PER, read_number, unit_of

_TIME = (
    rf"(?P<value>{NUMBER}|half a|an?|{'|'.join(COUNTED)})[\s-]?"
    r"(?P<unit>days?|weeks?|wks?|w|months?|mos?|mths?|years?|yrs?)\b(?!\s*(?:old|of age|-old))"
)
_DURATION = re.compile(rf"(?<![\w.,/]){_TIME}", re.IGNORECASE)
_STOPPING = (
    r"(?:last dose|(?:stop|quit|discontinu|withdr[ae]w|wean|giv(?:e|ing) (?:it )?up|gave (?:it )?up"
    r"|com(?:e|es|ing) off|came off|tak(?:en|ing) off|go(?:es|ing)? off|went off|off treatment)\w*)"
)
# Behind a time: counted from the last dose on ('a year later', '6 months after they stop') …
_OFF_BEHIND = re.compile(
    r"\s*(?:later|on\b(?=\s*(?:[?.!,]|$))|afterwards?|thereafter|hence|(?:after|following|post|since|from|off|without|out from)\b)",
    re.IGNORECASE,
)
# … or up to it ('after 68 weeks of treatment', 'for a year and then stop').
_ON_BEHIND = re.compile(
    rf"\s*(?:of|on)\s+(?:it|treatment|therapy|the (?:drug|medicine|treatment)|taking|\w+(?:\s\d[\w.]*){{0,2}})"
    rf"|\s*(?:,?\s*(?:and|then|but|before|when)\s+){{1,2}}(?:\w+\s+){{0,4}}{_STOPPING}|\s*course",
    re.IGNORECASE,
)
_STOPPED_BEFORE = re.compile(rf"{_STOPPING}[^?.!;]{{0,60}}\b(?:after|at|following)\s+(?:about\s+)?$", re.IGNORECASE)
# 'Over 65 years', 'aged 40 to 60 years', 'who have had diabetes for 10 years' say who they are.
_OF_PEOPLE = re.compile(
    r"(?:\b(?:aged?|over|under|above|below|than|between|and|to|(?:had|have|has|lived with|diagnosed)\b[^?.!;,]{0,40}\bfor)|[<>≥≤–-]=?)\s*$",
    re.IGNORECASE,
)
_ADULT_WEEKS = 18 * WEEKS_PER["y"]
_STOPS_AT = re.compile(
    rf"{_STOPPING}[^?.!;]{{0,40}}\b(?:at|from|in|after)\s+(?P<unit>week|month|year)\s+(?P<value>{NUMBER})\b",
    re.IGNORECASE,
)
_AFTER_BEFORE = re.compile(r"\b(?:after|at|following)\s+(?:about\s+)?$", re.IGNORECASE)
_TREATED_BEFORE = re.compile(
    r"\b(?:treated|taken?|took|taking|given|been on|on|used?|using)\b[^?.!;,]{0,40}\bfor\s+(?:about\s+)?$",
    re.IGNORECASE,
)

_EFFICACY = re.compile(
    r"\b(?:(?:while|when|as long as|so long as|provided|if) (?:they|people|everyone|everybody|all|all of them|patients|still)"
    r" (?:still |all |actually |really |keep |are |stay |stays |remain |remains )*(?:on|take|takes|taking|on it|adhere|adherent)\b"
    r"|(?:if|when|as though|assuming|supposing|suppose) (?:nobody|no one|no-one|none of them|no patient) (?:\w+ )?"
    r"(?:stop|quit|discontinue)\w*"
    r"|(?:with|under|at|assuming) (?:full|perfect|complete|100 ?%) (?:adherence|compliance|persistence)|fully adherent"
    r"|on[- ]treatment (?:effect|estimand|analysis)|(?:efficacy|hypothetical|trial product) estimand|per[- ]protocol)\b",
    re.IGNORECASE,
)
_POLICY = re.compile(
    r"\b(?:in (?:practice|real life|the real world|everyday practice)|real[- ]world"
    r"|(?:whether|regardless of whether|no matter (?:if|whether)|even if)"
    r" (?:or not )?(?:\w+ ){1,3}(?:stop|quit|take|took|discontinue|stay)\w*"
    r"|regardless of (?:stopping|discontinuation|adherence)|(?:counting|including) (?:those|the ones|people|patients) who (?:stop|quit)\w*"
    r"|treatment[- ]policy(?: estimand)?|intention[- ]to[- ]treat|itt)\b",
    re.IGNORECASE,
)

_STEPPED = re.compile(
    r"\b(?:titrat\w+|escalat\w+|step(?:ped|ping|s)? up|up-?titrat\w+|increas\w+|go(?:es|ing)? up|rais\w+|build(?:ing)? up"
    r"|then|followed by|start(?:ing|s|ed)? (?:at|with|on|low))\b",
    re.IGNORECASE,
)
_STEP_DOSE = re.compile(
    rf"(?<![\w.,/-])(?P<value>{NUMBER})\s*(?P<unit>mg|mcg|µg|μg|ug|g|units?|u|iu)?(?![\w/%])", re.IGNORECASE
)
_EVERY = re.compile(
    rf"\b(?:every|each)\s+(?:(?P<value>{NUMBER}|{'|'.join(COUNTED)})\s+)?(?P<unit>weeks?|wks?|months?)\b", re.IGNORECASE
)
_RISE = re.compile(rf"\bby\s+(?P<value>{NUMBER})\s*(?P<unit>mg|mcg|ug|g|units?|u)?\b", re.IGNORECASE)
_WEEKS_AT = re.compile(rf"\s*(?:\w+\s+){{0,3}}for\s+(?:the first\s+)?{_TIME}", re.IGNORECASE)
MOST_STEPS = 12  # of the tool's input, see tools.response.schemas.SimulateResponseInput
_SMALLEST_STEP = 1e-9


@dataclass(frozen=True)
class StopTimes:
    """Weeks on treatment before the last dose and weeks after it; None where nobody said."""

    weeks_on: float | None = None
    weeks_off: float | None = None


@dataclass(frozen=True)
class Titration:
    """Steps of a dose as (from week, dose); `told` says what was left out of what was asked, empty when nothing was."""

    steps: tuple[tuple[float, float], ...] = ()
    told: str = ""


def read_stop_times(text: str) -> StopTimes:
    """'Quit after 36 weeks, weight a year later': 36 weeks on, 52 off."""
    on: float | None = None
    off: float | None = None
    at_week = _STOPS_AT.search(text)
    if at_week is not None:
        on = _weeks(at_week["value"], at_week["unit"])
    for match in _DURATION.finditer(text):
        before, behind = text[: match.start()], text[match.end() :]
        weeks = _weeks(match["value"], match["unit"])
        lasts = _OF_PEOPLE.search(before) if match["unit"][0].lower() == "y" else None
        if lasts is not None and (weeks >= _ADULT_WEEKS or lasts.group().rstrip().endswith("for")):
            continue  # how old they are, or how long they have had it
        if re.search(r"\b(?:every|each|per|once)\s*$|\b(?:mg|once|twice)\s+$", before, re.IGNORECASE):
            continue
        if _OFF_BEHIND.match(behind):
            off = weeks if off is None else off
        elif on is None and (_TREATED_BEFORE.search(before) or _ON_BEHIND.match(behind) or _stops_then(before, behind)):
            on = weeks
        else:
            off = weeks if off is None else off
    return StopTimes(on, off)


def read_estimand(text: str) -> str | None:
    """'efficacy' (while all take it), 'treatment policy' (whether or not they stop); None when nothing is said."""
    if _POLICY.search(text):
        return "treatment policy"
    return "efficacy" if _EFFICACY.search(text) else None


def read_titration(text: str, dose: float | None, unit: str | None) -> Titration:
    """The steps up to `dose` (in `unit`), where the question says them.

    Steps that it does not say are not guessed: 'start at 0.25 and step up every 4 weeks to 2.4 mg' leaves open what lies
    between; the answer then says so.
    """
    first = _STEPPED.search(text)
    every = _EVERY.search(text)
    if first is None or dose is None:
        return Titration()
    rise = _RISE.search(text)
    found = [match for match in _STEP_DOSE.finditer(text) if _is_dose(match, text, unit, rise, every)]
    found = [match for match in found if 0 < read_number(match["value"]) <= dose + _SMALLEST_STEP]
    values = [read_number(match["value"]) for match in found]
    rising = list(dict.fromkeys(values))
    if len(rising) < 2 or rising != sorted(rising) or abs(rising[-1] - dose) > _SMALLEST_STEP:
        return Titration()
    pace = _weeks(every["value"] or "a", every["unit"]) if every else None
    if rise is not None and pace is not None and len(rising) == 2:
        return _evenly(rising[0], dose, read_number(rise["value"]), pace)
    if (
        len(rising) == 2
        and pace is not None
        and re.search(r"\bstep|titrat|escalat|increas|rais|go(?:ing|es)? up|build", text, re.I)
    ):
        return Titration(
            told=f"the steps between {rising[0]:g} and {dose:g} were not said: the full dose from the start is assumed"
        )
    starts = [0.0]
    for match in found[: len(rising) - 1]:
        held = _WEEKS_AT.match(text, match.end())
        step = _weeks(held["value"], held["unit"]) if held else pace
        if step is None:
            return Titration(told="how long each dose is taken was not said: the full dose from the start is assumed")
        starts.append(starts[-1] + step)
    return Titration(tuple(zip(starts, rising, strict=True)))


def _evenly(start: float, end: float, rise: float, pace: float) -> Titration:
    steps = [(0.0, start)]
    while steps[-1][1] < end - _SMALLEST_STEP and rise > 0 and len(steps) < MOST_STEPS:
        steps.append((steps[-1][0] + pace, min(end, steps[-1][1] + rise)))
    return (
        Titration(tuple(steps))
        if abs(steps[-1][1] - end) < _SMALLEST_STEP
        else Titration(told="the steps are too many")
    )


def _is_dose(
    match: re.Match[str], text: str, unit: str | None, rise: re.Match[str] | None, every: re.Match[str] | None
) -> bool:
    """With the unit, or bare in a list or behind 'at', 'with', 'to'; no time, no share, no step width."""
    for other in (rise, every):
        if other is not None and other.start() <= match.start() < other.end():
            return False
    if match["unit"]:
        return unit_of(match["unit"]) == unit
    if re.match(r"\s*(?:%|-?(?:days?|weeks?|wks?|w\b|months?|mos?|years?|yrs?))", text[match.end() :], re.IGNORECASE):
        return False
    if re.match(r"\s*[,/→>-]+\s*\d", text[match.end() :]):
        return True  # one of a list
    lead = re.search(r"(?:\b(?:at|with|on|to|then|from)|[,/→>-])\s*$", text[: match.start()], re.IGNORECASE)
    return lead is not None and re.search(r"\b(?:week|wk|month|year|day)\s*$", text[: match.start()], re.I) is None


def _stops_then(before: str, behind: str) -> bool:
    """'They stop after a year' and 'after a year they stop'."""
    if _STOPPED_BEFORE.search(before):
        return True
    return (
        _AFTER_BEFORE.search(before) is not None
        and re.match(rf"\s*(?:\w+\s+){{0,4}}{_STOPPING}", behind, re.I) is not None
    )


def _weeks(value: str, unit: str) -> float:
    lowered = value.lower()
    number = {"a": 1.0, "an": 1.0, "half a": 0.5, **COUNTED}.get(lowered)
    return round((read_number(value) if number is None else number) * WEEKS_PER[unit[0].lower()], 2)
