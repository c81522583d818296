"""Words that look like a drug nobody has told us about: INN stems, development codes, capitalised names with a dose."""

from __future__ import annotations

import re
from collections.abc import Sequence

from knowledge.common_words import COMMON_WORDS
from knowledge.phrases import MIN_FUZZY_LETTERS, inn_stem

_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_CODE = re.compile(r"\b(?!NCT|ISRCTN|PMID|PMC|DOI|ICD|CTRI)[A-Z]{2,5}-?\d{3,7}[A-Z]?\b")
_DOSE = re.compile(r"\s*[(,]?\s*\d+(?:[.,]\d+)?\s*(?:mg|mcg|ug|µg|μg|g|units?|iu|U|ml)\b", re.IGNORECASE)
_NUMBER = re.compile(r"\s+\d+(?:[.,]\d+)?\b(?!\s*(?:weeks?|months?|years?|days?|%|kg|lb))", re.IGNORECASE)
_ON = re.compile(r"\b(?:on|taking)\s+$", re.IGNORECASE)
_NOT_DRUG_ENDINGS = ("ed", "ing", "ly", "s")  # "reached 3.4 mg", "weekly 1 mg"
_TREATED_WITH = re.compile(
    r"(?:react(?:s|ed|ing)?\s+to|respon(?:d|ds|se|ses)\s+to|tak(?:e|es|en|ing)|given|giv(?:e|es|ing)|"
    r"start(?:s|ed|ing)?(?:\s+on)?|switch(?:es|ed|ing)?\s+to|treated\s+with|treatment\s+with|versus|vs\.?|"
    r"drug|efficacy\s+of|effects?\s+of|adding|receiv(?:e|es|ed|ing)|prescribed|"
    r"(?:adults|patients|people|put|those|women|men)\s+on)\s+(?:the\s+)?$",
    re.IGNORECASE,
)


def find_candidates(text: str, known: Sequence[tuple[int, int]]) -> list[str]:
    """Words that look like a drug, outside the spans in `known`, in order of appearance, each once.

    A word qualifies when it ends with an INN stem; when it is a development code (LY3502970); when a dose follows
    it; when it stands between "on" and a number; or when it is capitalised inside a sentence and follows words such as
    "react to" or "taking". Everyday and
    body words never do.
    """
    found: dict[str, tuple[int, str]] = {}
    for match in _CODE.finditer(text):
        if not _overlaps(match, known):
            found.setdefault(match.group().casefold(), (match.start(), match.group()))
    for match in _WORD.finditer(text):
        word = match.group()
        if _overlaps(match, known) or not _looks_like_drug(text, match):
            continue
        found.setdefault(word.casefold(), (match.start(), word))
    return [word for _, word in sorted(found.values())]


def _looks_like_drug(text: str, match: re.Match[str]) -> bool:
    word = match.group()
    folded = word.casefold()
    everyday = any(part in COMMON_WORDS for part in (folded, folded.removesuffix("s"), *folded.split("-")))
    if everyday or len(word) < MIN_FUZZY_LETTERS - 1:
        return False
    if len(word) >= MIN_FUZZY_LETTERS and (inn_stem(folded) or inn_stem(folded.removesuffix("s"))):
        return True
    capitalised = word[0].isupper() and not word.isupper()
    if _DOSE.match(text, match.end()):
        return capitalised or (len(word) > MIN_FUZZY_LETTERS and not folded.endswith(_NOT_DRUG_ENDINGS))
    if _NUMBER.match(text, match.end()) and _ON.search(text, 0, match.start()):  # "on tirzepitude 10"
        return len(word) > MIN_FUZZY_LETTERS and not folded.endswith(_NOT_DRUG_ENDINGS)
    return capitalised and _TREATED_WITH.search(text, 0, match.start()) is not None


def _overlaps(match: re.Match[str], spans: Sequence[tuple[int, int]]) -> bool:
    return any(match.start() < end and start < match.end() for start, end in spans)
