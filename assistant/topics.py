"""What a question is about beside cohort and drug: one person, an emergency, or something no tool predicts yet."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PERSON = re.compile(
    r"\b(?:should i|can i take|may i|am i|would i|do i (?:need to take|have to take|take)"
    r"|i have (?:type|diabetes|obesity|been|high|kidney|ckd|t2d)"
    r"|i(?:'m| am) (?:on|taking|diabetic|obese|pregnant|\d)|i (?:take|took|inject|use|weigh)|recommend me|for me\b|for (?:him|her)\b"
    r"|my (?:dose|doctor|diabetes|kidneys?|weight|mother|mum|mom|father|dad|wife|husband|partner|patient|son|daughter|brother"
    r"|sister|grand\w+|blood|insulin|medication|hba1c|a1c)|a patient of mine|this patient|one patient)\b"
    r"|\bpt\b|\b\d{2}\s?[MF]\b|\b\d{1,3}[- ]years?[- ]old (?:man|woman|male|female|patient|lady|gentleman)\b|\bmrn\b",
    re.IGNORECASE,
)
_EMERGENCY = re.compile(
    r"\b(?:overdos\w+|by mistake|too (?:much|many)|accidental\w*|keep vomiting|can'?t stop vomiting|chest pain|passed out"
    r"|unconscious|suicid\w+|kill myself)\b",
    re.IGNORECASE,
)
_FIRST_PERSON = re.compile(r"\b(?:i|i've|i'm|my|me)\b", re.IGNORECASE)
_IDENTIFIERS = (
    re.compile(r"\b(?:mrn|nhs(?: number)?|ssn|patient (?:id|number))[:#\s]*[\w-]*\d[\w-]*", re.IGNORECASE),
    re.compile(r"\b\d{3}-\d{2}-\d{4}\b"),
    re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+"),
    re.compile(r"\b(?:[Mm]rs?|[Mm]s|[Mm]iss|[Dd]r)\.?\s+[A-Z][a-z]+(?:\s+[A-Z][a-z]+)?"),
    re.compile(r"(?<=\()\s*[A-Z][a-z]+ [A-Z][a-z]+(?=\s*[,)])"),
)


@dataclass(frozen=True)
class Topic:
    """Something that is asked about and that no tool predicts yet."""

    name: str
    pattern: re.Pattern[str]
    search: str


def _topic(name: str, pattern: str, search: str = "") -> Topic:
    return Topic(name, re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE), search or name)


TOPICS = (
    _topic(
        "cost, price or cost-effectiveness",
        r"costs?|price[sd]?|pricing|afford\w*|expensive|qalys?|icer|budget|copays?|reimburs\w+",
    ),
    _topic(
        "adherence and persistence",
        r"adher\w+|persisten\w+|stay on|stick (?:with|to)|complian\w+|keep taking|drop ?outs?",
    ),
    _topic(
        "uptake and willingness to take it",
        r"willing\w*|uptake|would (?:accept|start|refuse|buy)|demand for|market share",
    ),
    _topic(
        "clinical events and survival",
        r"strokes?|heart attacks?|myocardial infarctions?|mace|deaths?|die|dying|mortality|survival|life expectancy"
        r"|hospitali[sz]\w+|kidney failure|fractures?|cardiovascular events?",
        "cardiovascular events mortality",
    ),
    _topic("the choice of a dose", r"(?:what|which|best|right|optimal|correct) (?:dose|dosage|strength)s?", "dose"),
)
STOPPING = Topic("what happens after stopping", re.compile(r"(?!)"), "weight regain after stopping withdrawal")
COMBINING = Topic(
    "a combination of drugs", re.compile(r"\b(?:plus|together|combin\w+|both)\b|\+", re.IGNORECASE), "combination"
)
OTHER_MEANS = re.compile(
    r"\b(?:exercis\w+|diets?|dieting|low-carb|keto\w*|vitamin\w*|fasting|yoga|lifestyle|surgery|supplements?|placebo)\b",
    re.IGNORECASE,
)
CLASSES = re.compile(
    r"\b(?:glp-?1\w*|sglt-?2\w*|dpp-?4\w*|incretins?|statins?|sulfonylureas?|insulins?|arbs?|ace inhibitors?|diuretics?"
    r"|which (?:drug|medicine|treatment)|(?:best|any) (?:drug|medicine|treatment))\b",
    re.IGNORECASE,
)


def is_about_a_person(text: str) -> bool:
    """True when one person, not a group, is asked about."""
    return _PERSON.search(text) is not None


def is_emergency(text: str) -> bool:
    """True when somebody may need help now."""
    return _EMERGENCY.search(text) is not None and _FIRST_PERSON.search(text) is not None


def topic_of(text: str) -> Topic | None:
    """The first topic named that no tool predicts, or None."""
    return next((topic for topic in TOPICS if topic.pattern.search(text)), None)


_INSTRUCTION = re.compile(
    r"[^.?!\n]*\b(?:ignore|disregard|forget|override)\b[^.?!\n]*\b(?:instructions?|prompts?|rules|guidelines?)\b[^.?!\n]*[.?!]?",
    re.IGNORECASE,
)


def without_instructions(text: str) -> tuple[str, bool]:
    """The question without sentences that try to instruct the reader of it, and whether there were any."""
    rest = _INSTRUCTION.sub(" ", text)
    return rest, rest != text


def mask_identifiers(text: str) -> str:
    """Names after titles, record numbers and addresses are not stored."""
    for pattern in _IDENTIFIERS:
        text = pattern.sub("[removed]", text)
    return text
