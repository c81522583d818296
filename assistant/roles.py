"""What a drug of a question is there for: what is asked about, what people have already, what was stopped."""

from __future__ import annotations

import re
from enum import StrEnum

from knowledge.vocabulary import Mention

PLACEBO = "placebo"
CONTROLS = (PLACEBO, "usual care", "no treatment")

# 'On metformin' may be what is asked about; the words of the second group never lead to it.
_ON_BEFORE = re.compile(
    r"(?<!add-)(?<!add )(?:\b(?:already\s+)?(?:on|taking|using|receiving|given))\s+"
    r"(?:(?:their|stable|maximum|maximal|high-dose|low-dose|current|a|the|only)\s+)*$",
    re.IGNORECASE,
)
_BACKGROUND_BEFORE = re.compile(
    r"(?:\b(?:already|still|stable)\s+(?:on|taking|using|receiving)|\bbackground(?:\s+of)?|\btolerate|\bintoleran(?:t|ce)\s+(?:of|to)"
    r"|\bfail(?:ed|ing|ure)(?:\s+(?:of|on))?|\bdespite|\bcontrolled\s+(?:on|with|by)"
    r"|\b(?:response|(?:inadequately|poorly|not|non|insufficiently)[- ]respon(?:d|ding|ders?)) to"
    r"|\b(?:refractory|resistant|naive|intolerant) (?:to|of)"
    r"|\badd(?:ed|ing|s)?\s+[\w/-]+(?:\s+\d[\d.,]*\s?\w+)?\s+(?:on\s+)?to"
    r"|\badd(?:ed|ing|-on|\s+on)?\s+to|\bin addition to|\bon top of|\bswitch\w*\s+from)\s+"
    r"(?:(?:their|stable|maximum|maximal|high-dose|low-dose|current|a|the|only)\s+)*$",
    re.IGNORECASE,
)
# 'Metformin failures', 'methotrexate-experienced people': the drug says who they are.
_BACKGROUND_BEHIND = re.compile(
    r"[\s-]*(?:failures?|failed|fail(?:s|ing)?|users?|takers?|non-?responders?|inadequate[- ]responders?|experienced|refractory"
    r"|naive|pre-?treated|background|intolerant|intolerance)\b",
    re.IGNORECASE,
)
_WITHOUT_BEFORE = re.compile(
    r"(?<!with or )(?<!with and )(?<!with vs )(?<!with vs. )(?<!with versus )(?<!with/)"
    r"\b(?:without|not on|not taking|no)\s+(?:(?:any|taking|background|concomitant|additional|their)\s+)*$",
    re.IGNORECASE,
)
_ADDED_BEFORE = re.compile(
    r"\b(?:adding|add|switch\w*(?:\s+\w+){0,3}\s+to|starting|start)\s+(?:on\s+)?$", re.IGNORECASE
)
_STOPPED_BEFORE = re.compile(
    r"\b(?:stop(?:s|ped|ping)?|discontinu\w+|withdraw\w*|withdrew|quit\w*|wean\w*|(?:com|tak)(?:e|en|ing) off|off"
    r"|(?:giv(?:e|es|ing)|gave) up|last (?:dose|shot|injection|tablet|pill)|ceas(?:e|es|ed|ing)|cessation)\s+"
    r"(?:(?:of|off|from|taking|using|their|the|a|course)\s+)*$",
    re.IGNORECASE,
)


class Role(StrEnum):
    """What a mentioned drug is in the question."""

    TARGET = "target"
    BACKGROUND = "background"
    STOPPED = "stopped"
    WITHOUT = "without"
    ON = "on"  # while it is read: what people are on, or what is asked about


def role_of(text: str, mention: Mention, start: int | None = None) -> Role:
    """What the words around a drug say it is there for; `start` is where its name and dose begin."""
    before = text[: mention.start if start is None else start][-60:]
    if mention.drug in CONTROLS:
        return Role.TARGET
    if _STOPPED_BEFORE.search(before):
        return Role.STOPPED
    if _WITHOUT_BEFORE.search(before):
        return Role.WITHOUT
    if _ADDED_BEFORE.search(before):
        return Role.TARGET
    if _BACKGROUND_BEFORE.search(before) or _BACKGROUND_BEHIND.match(text, mention.end):
        return Role.BACKGROUND
    return Role.ON if _ON_BEFORE.search(before) else Role.TARGET
