"""What others wrote (passages, personas, uploaded files, tool output) as data: without instructions to a model, of readable length.

A demand is recognised by whom it addresses (an assistant, a model, a system), what it calls for (a tool, a prompt, a
rule) and how it hides (invisible characters, look-alike letters, markup, encoded runs); its sentence is taken out.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

MAX_CHARACTERS = 1_200  # of one text; longer ones are no passage
TAKEN_OUT = "[instruction taken out]"
_INVISIBLE = re.compile(
    r"[\u00ad\u034f\u061c\u115f\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\U000e0000-\U000e007f]"
)
_LOOKALIKES = str.maketrans("аеорсухіѕԁһ", "aeopcyxisdh")
_HIDDEN = re.compile(
    r"<!--.*?(?:-->|\Z)|<(?:script|style|system|tool|assistant|instructions?)\b[^>]*>.*?(?:</\w+>|\Z)", re.I | re.S
)
_ENCODED = re.compile(r"\b(?:(?=[A-Za-z+/]*\d)(?=[a-z0-9+/]*[A-Z])[A-Za-z0-9+/]{40,}={0,2}|(?:[0-9a-f]{2}\s?){24,})")
_TURN = re.compile(
    r"(?:<\|?/?(?:im_start|im_end|system|user|assistant|endoftext)\|?>|\[/?INST\]|^\s*(?:system|assistant|user|tool)\s*:)",
    re.I | re.M,
)
_DEMAND = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass)\b[^.\n]{0,60}\b(?:instructions?|prompts?|rules?|guidelines?|above|before|previous|law)\b"
    r"|\b(?:call|run|invoke|execute|use|trigger)\b(?!-)[^.\n]{0,40}\b(?:tools?|functions?|[a-z]+_[a-z_]+)\b"
    r"|\b(?:you (?:are now|must now|must|have to|will now|should now)|your (?:new|next|real) (?:task|instructions?|role|job))\b"
    r"[^.\n]{0,80}\b(?:call|run|invoke|execute|answer|reply|say|write|tell|report|pretend|act|assistant|model|reveal|print)\b"
    r"|\b(?:dear |attention,? |note to (?:the )?|as an? |the )?(?:ai|llm|language model|assistant|chatbot|cohort twin)\b\s*[:,!][^.\n]*"
    r"|\b(?:system|developer) (?:prompt|message|override|note)\b|\b(?:jailbreak|do anything now|developer mode)\b",
    re.I,
)


def without_demands(text: str) -> tuple[str, bool]:
    """The text without sentences that instruct its reader, and whether there were any."""
    seen = _HIDDEN.sub(f" {TAKEN_OUT} ", _plain(text))
    seen = _TURN.sub(f" {TAKEN_OUT} ", _ENCODED.sub(TAKEN_OUT, seen))
    kept = [TAKEN_OUT if _DEMAND.search(part) else part for part in _sentences(seen)]
    rest = " ".join(" ".join(kept).split())
    changed = TAKEN_OUT in rest
    return (rest, True) if changed else (text, False)


def only_question(text: str) -> tuple[str, bool]:
    """A question without what instructs its reader, and whether there was such a thing."""
    rest, changed = without_demands(text)
    return (" ".join(rest.replace(TAKEN_OUT, " ").split()), True) if changed else (text, False)


def quoted(value: Any, limit: int = MAX_CHARACTERS) -> Any:
    """A JSON-like value with each of its texts cut to `limit` characters and without demands."""
    if isinstance(value, str):
        return without_demands(value[:limit])[0]
    if isinstance(value, dict):
        return {key: quoted(item, limit) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [quoted(item, limit) for item in value]
    return value


def _plain(text: str) -> str:
    """As a reader would see it: compatible forms of letters, none invisible, look-alikes in Latin words put right."""
    shown = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    return re.sub(r"\b\w*[a-zA-Z]\w*\b|\b[аеорсухіѕԁһ]+\b", lambda word: word.group().translate(_LOOKALIKES), shown)


def _sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.!?])\s+|\n", text)
