"""Words and signs of a sentence, each with the mention it belongs to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from personas.mentions import Mention

_TOKEN = re.compile(
    r"(?:limited|restricted)\s+to\b|[a-z0-9µ&]+(?:['./%+-][a-z0-9]+)*|[<>=≥≤%+]+|[,;:.?!()\"]", re.IGNORECASE
)


@dataclass(frozen=True)
class Token:
    """A word or sign; `mention` is the place of the mention it belongs to, or None."""

    text: str
    start: int
    end: int
    mention: int | None


def tokens_of(text: str, mentions: Sequence[Mention]) -> list[Token]:
    """All of them in order; a word that two mentions share is two tokens."""
    tokens = []
    for match in _TOKEN.finditer(text):
        owners = [i for i, m in enumerate(mentions) if m.start < match.end() and match.start() < m.end]
        if len(owners) > 1:  # "T2D/obesity"
            for index in owners:
                start, end = max(mentions[index].start, match.start()), min(mentions[index].end, match.end())
                tokens.append(Token(text[start:end], start, end, index))
            continue
        owner = owners[0] if owners else None
        if owner is None:  # "excluding those with" belongs to what it excludes
            owner = next((i for i, m in enumerate(mentions) if m.negated and m.lead <= match.start() < m.start), None)
        tokens.append(Token(match.group(), match.start(), match.end(), owner))
    return tokens
