"""What a sentence mentions that could belong to a cohort: areas, terms, people, numbers, illnesses nobody models."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from personas.quantities import Quantity
from personas.schemas import Restriction

# One-to-one, so that positions in the normal text are positions in the original.
_PLAIN = (
    {ord(sign): "-" for sign in "‐‑‒–—−"} | {ord(sign): "'" for sign in "‘’"} | {0xA0: " ", 0x202F: " ", 0x2009: " "}
)


class Kind(StrEnum):
    """What a mention is."""

    AREA = "area"
    TERM = "term"
    PEOPLE = "people"
    QUANTITY = "quantity"
    ARCHETYPE = "archetype"
    NOT_COVERED = "not_covered"
    NEVER_COVERED = "never_covered"
    UNREAD = "unread"


@dataclass(frozen=True)
class Mention:
    """Words of the text and what they say.

    `key` is the area, the term, the attribute or the archetype; `negated` is True after "without" and the like, which
    begins at `lead`; an UNREAD mention is negated as well, so that its words begin at `lead`;
    `assumed` when the words were read more narrowly than they are ("diabetes" as type 2).
    """

    start: int
    end: int
    kind: Kind
    key: str
    restrictions: tuple[Restriction, ...] = ()
    negated: bool = False
    lead: int = -1
    assumed: bool = False
    quantity: Quantity | None = None


def plain(text: str) -> str:
    """Text in lower case with plain dashes, quotes and spaces; every character stays at its place."""
    lowered = "".join(char.lower() if len(char.lower()) == 1 else char for char in text)
    return lowered.translate(_PLAIN)


def squeezed(phrase: str) -> str:
    """Phrase without case, hyphens and doubled spaces."""
    return re.sub(r"[\s-]+", "", phrase.lower())
