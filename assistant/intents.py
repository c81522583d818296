"""What a question can want, and the words that say so: lists of patterns in `intents.yaml`."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

import yaml

from knowledge.errors import DataError

WORDS = Path(__file__).parent / "intents.yaml"


class Intent(StrEnum):
    """What the question wants."""

    RESPOND = "respond"
    COMPARE = "compare"
    RANK = "rank"
    RESPONDERS = "responders"
    EXPLAIN = "explain"
    STOP = "stop"
    DESCRIBE = "describe"
    LITERATURE = "literature"
    INTERVIEW = "interview"
    FOCUS_GROUP = "focus_group"
    SIMULATION = "simulation"
    NOT_PREDICTED = "not_predicted"
    INDIVIDUAL_ADVICE = "individual_advice"
    EMERGENCY = "emergency"
    UNCLEAR = "unclear"


def says(kind: str, text: str) -> bool:
    """True when one of the patterns of `kind` is in the text, without regard to case."""
    return _pattern(kind).search(text) is not None


def voice_intent(text: str) -> Intent | None:
    """INTERVIEW or FOCUS_GROUP when people of a cohort are to speak; publications about such talks are no such wish."""
    if says("focus_group", text):
        return Intent.FOCUS_GROUP
    return Intent.INTERVIEW if says("interview", text) and not says("literature", text) else None


def without_asker(text: str) -> str:
    """The text without the 'let me' of somebody who wants to talk to people."""
    return _pattern("voice_asker").sub(" ", text)


@lru_cache(maxsize=1)
def prototypes() -> dict[str, tuple[str, ...]]:
    """Kind → sentences; a kind is an intent, with a topic behind a colon where the intent needs one."""
    return {kind: tuple(sentences.splitlines()) for kind, sentences in _words()["prototypes"].items()}


@lru_cache(maxsize=32)
def _pattern(kind: str) -> re.Pattern[str]:
    groups, parts = _words()["patterns"], _words()["parts"]
    if kind not in groups:
        raise DataError(f"{WORDS.name} has no patterns for '{kind}'.")
    written = "|".join(groups[kind].splitlines())
    for name, alternatives in parts.items():
        written = written.replace(f"<{name}>", f"(?:{'|'.join(alternatives.splitlines())})")
    try:
        return re.compile(rf"(?<!\w)(?:{written})(?!\w)", re.IGNORECASE)
    except re.error as error:
        raise DataError(f"{WORDS.name}, {kind}: {error}.") from error


@lru_cache(maxsize=1)
def _words() -> dict[str, dict[str, str]]:
    content = yaml.safe_load(WORDS.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or not {"patterns", "parts", "prototypes"} <= content.keys():
        raise DataError(f"{WORDS.name} needs 'patterns', 'parts' and 'prototypes'.")
    return content
