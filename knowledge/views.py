"""Evidence views: what was published by a date, without some trials and everything about them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date

from knowledge.schemas import Source

_JOINTS = re.compile(r"[\s_\-‐-―]+")


def folded(name: str) -> str:
    """A name as it is compared: without case, hyphens and spaces alike (`SUSTAIN-1` is `sustain 1`)."""
    return _JOINTS.sub(" ", name).strip().casefold()


class NamePatterns:
    """Names and `*` patterns of trials, registry ids and sources."""

    def __init__(self, patterns: Iterable[str]) -> None:
        keys = sorted({folded(pattern) for pattern in patterns} - {""})
        self._exact = frozenset(key for key in keys if "*" not in key)
        wild = [re.escape(key).replace(r"\*", ".*") for key in keys if "*" in key]
        self._wild = re.compile("|".join(wild)) if wild else None

    def __bool__(self) -> bool:
        return bool(self._exact) or self._wild is not None

    def match(self, name: str) -> bool:
        """True when `name` is one of the names or fits one of the patterns."""
        if not name:
            return False
        key = folded(name)
        return key in self._exact or (self._wild is not None and self._wild.fullmatch(key) is not None)


def published_by(source: Source, as_of: date | None) -> bool:
    """True when the source had certainly appeared by `as_of` (always, when there is no date)."""
    return as_of is None or source.published_by <= as_of


class TrialMentions:
    """Tells whether a text is about one of the excluded trials, alone or among others.

    Found are the trial's name or registry id; the number of a numbered trial inside a series (`SUSTAIN 3` in
    "SUSTAIN 1 to 5 and 7"); and pooled reports of its programme ("the SUSTAIN trials", "STEP phase 3a pool"), which
    contain its figures. When in doubt a text counts as a mention: a backtest that sees too little is honest.

    Parameters
    ----------
    names : names and registry ids of the excluded trials as the evidence writes them.
    patterns : what was asked to be excluded; looked for too, so that a trial without rows is found by its name.

    One-word names (`SELECT`) must be capitalised as the trial writes them, or the verb "select" would be found;
    all others are found in any case and with any hyphenation.
    """

    def __init__(self, names: Iterable[str], patterns: Iterable[str] = ()) -> None:
        official = {folded(name): name for name in names if folded(name)}
        for pattern in patterns:
            if folded(pattern).strip("* "):
                official.setdefault(folded(pattern), pattern)
        spelled = sorted(official.values())
        parts = [_in_text(name) for name in spelled]
        programmes = {match.group() for name in spelled if (match := _PROGRAMME.match(name))}
        parts += [rf"{re.escape(name)}[\s\-]+(?:\w+[\s\-]+){{0,2}}?{_POOLED}" for name in sorted(programmes)]
        self._names = re.compile(rf"(?<!\w)(?:{'|'.join(parts)})(?!\w)") if parts else None
        self._series: dict[str, set[int]] = {}
        for name in spelled:
            if numbered := _NUMBERED.fullmatch(name.strip()):
                self._series.setdefault(numbered.group(1), set()).add(int(numbered.group(2)))

    def found_in(self, text: str) -> bool:
        """True when `text` names an excluded trial or reports figures that contain its own."""
        if self._names is None:
            return False
        return self._names.search(text) is not None or any(
            not numbers.isdisjoint(_series_numbers(stem, text)) for stem, numbers in self._series.items()
        )


_PROGRAMME = re.compile(r"[A-Z]{3,}(?=[\s\-])")  # SUSTAIN of SUSTAIN 6, CLEAR of CLEAR Harmony
_POOLED = r"(?:pool\w*|programmes?|programs?|trials|studies)"
_NUMBERED = re.compile(r"(.*[A-Za-z])[\s_\-‐-―]*(\d{1,3})")
_MEMBER = re.compile(r"(\d{1,3})|(to|through|[-‐-―])")


def _series_numbers(stem: str, text: str) -> set[int]:
    """The numbers that follow `stem` in a text: 1 to 5 and 7 of "SUSTAIN 1 to 5 and 7"."""
    spelled = r"[\s_\-‐-―]+".join(map(re.escape, _JOINTS.split(stem)))
    link = rf"\s*(?:,\s*and|,|/|;|&|and|to|through|[-‐-―])\s*(?:{spelled}[\s\-‐-―]*)?"
    series = re.compile(rf"(?<!\w)(?:{spelled})[\s\-‐-―]*(\d{{1,3}}(?:{link}\d{{1,3}})*)(?!\w)", re.IGNORECASE)
    found: set[int] = set()
    for match in series.finditer(text):
        last, spans = None, False
        for member in _MEMBER.finditer(re.sub(spelled + r"[\s\-‐-―]*", "", match.group(1), flags=re.IGNORECASE)):
            if member.group(2):
                spans = True
                continue
            number = int(member.group(1))
            found.update(range(last, number + 1) if spans and last is not None else (number,))
            last, spans = number, False
    return found


def _in_text(name: str) -> str:
    words = [re.escape(word).replace(r"\*", r"[\w\-]*") for word in _JOINTS.split(name.strip())]
    text = r"[\s_\-‐-―]*".join(words)
    one_word = len(words) == 1 and name.strip("*").isalpha() and name != name.casefold()
    return text if one_word else f"(?i:{text})"
