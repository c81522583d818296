"""Amounts written as a dose in which no medicine is given: kilograms, litres."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from assistant.reading import FREQUENCY, NUMBER
from knowledge.vocabulary import Mention, Vocabulary

# 'Insulin 3 kg a day', 'amlodipine 5 ml': right behind a drug, an amount in which no dose here is given.
_ABSURD_DOSE = re.compile(
    rf"\s*[(,]?\s*(?P<value>{NUMBER})\s*(?P<unit>kg|kilos?|kilogram(?:me)?s?|tons?|tonnes?|pounds?|lbs?|ounces?|oz|stone"
    r"|lit(?:re|er)s?|l|ml|millilit(?:re|er)s?|cc)\b(?!\s*(?:/|per|loss|less|lighter|heavier|weight|off|lost|gain|of\b|body|or\b))"
    rf"(?=\s*(?:{FREQUENCY.replace('?P<frequency>', '?:')}|in\b|for\b|,|\)|\?|$))",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class AbsurdDose:
    """An amount at `text[start:end]` that is no dose of the drug before it, and what is asked back."""

    start: int
    end: int
    ask: str


def absurd_doses(text: str, mentions: Sequence[Mention], vocabulary: Vocabulary) -> list[AbsurdDose]:
    """Amounts in kilograms, litres and the like written as a dose: told, never left out in silence."""
    found = []
    for mention in mentions:
        match = _ABSURD_DOSE.match(text, mention.end)
        if match is None:
            continue
        unit = vocabulary.drugs[mention.drug].dose_unit
        usual = f", which is given in {unit}" if unit else ""
        said = f"{match['value']} {match['unit']}"
        found.append(
            AbsurdDose(match.start(), match.end(), f"{said} is no dose of {mention.drug}{usual}: which is meant?")
        )
    return found
