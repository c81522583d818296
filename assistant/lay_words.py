"""Homely and short words, rewritten before a question is read. The words are data: `lay_words.yaml`."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from knowledge.errors import DataError

WORDS = Path(__file__).parent / "lay_words.yaml"
# Groups of the vocabulary's classes that `classes` may name.
GROUPS = {
    "lipids": frozenset(
        {
            "statin",
            "statin + cholesterol absorption inhibitor",
            "cholesterol absorption inhibitor",
            "PCSK9 antibody",
            "PCSK9 siRNA",
            "PCSK9 inhibitor (oral)",
            "PCSK9 inhibitor (adnectin)",
            "ATP citrate lyase inhibitor",
            "CETP inhibitor",
        }
    )
}
_KEYS = frozenset({"say", "read", "when", "classes", "tell"})


@dataclass(frozen=True)
class _Rule:
    say: re.Pattern[str]
    read: str
    when: re.Pattern[str] | None
    classes: frozenset[str]
    tell: bool


def in_plain_words(text: str, drug_classes: Collection[str]) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The text with homely words replaced, and what the reader is to be told of it as (written, read) pairs.

    Parameters
    ----------
    drug_classes : classes of the drugs that the text names.

    Raises
    ------
    DataError : a rule of `lay_words.yaml` is broken.
    """
    told: list[tuple[str, str]] = []
    for rule in _rules():
        if rule.when is not None and not rule.when.search(text):
            continue
        if rule.classes and not rule.classes & set(drug_classes):
            continue
        match = rule.say.search(text)
        if match is None:
            continue
        if rule.tell:
            told.append((match.group(), match.expand(rule.read)))
        text = rule.say.sub(rule.read, text)
    return text, tuple(told)


@lru_cache(maxsize=1)
def _rules() -> tuple[_Rule, ...]:
    content = yaml.safe_load(WORDS.read_text(encoding="utf-8"))
    if not isinstance(content, list):
        raise DataError(f"{WORDS.name} holds no rules.")
    return tuple(_rule(position, entry) for position, entry in enumerate(content, start=1))


def _rule(position: int, entry: dict[str, Any]) -> _Rule:
    if not {"say", "read"} <= entry.keys() <= _KEYS:
        raise DataError(f"{WORDS.name}, rule {position}: needs 'say' and 'read', and takes 'when', 'classes', 'tell'.")
    try:
        classes = frozenset(name for group in entry.get("classes", ()) for name in GROUPS[group])
        return _Rule(
            say=_whole(entry["say"]),
            read=entry["read"],
            when=_whole(entry["when"]) if "when" in entry else None,
            classes=classes,
            tell=bool(entry.get("tell", False)),
        )
    except (re.error, KeyError) as error:
        raise DataError(f"{WORDS.name}, rule {position}: {error}.") from error


def _whole(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{pattern})(?!\w)", re.IGNORECASE)
