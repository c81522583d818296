"""Which part of a question describes people, and which of its words nobody can place.

A question names more than its cohort: drugs, doses, outcomes, times. A description begins at words for people, an area
of illness or a group ("seniors"), and goes on over words that join ("with", "and", "aged") as long as they lead to
something that is understood, or, after "with", to the name of an illness that is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from personas.mentions import Kind, Mention
from personas.phrasebook import PhraseBook
from personas.reader import Place, Reader
from personas.tokens import Token, tokens_of


@dataclass(frozen=True)
class Description:
    """What was said about people.

    Attributes
    ----------
    mentions : those that describe the cohort, in order.
    unknown : places of words that stand where a condition stands, and are none we know.
    modifiers : places of words that qualify the people, and are none we know ("left-handed").
    spans : the places that describe people.
    """

    mentions: tuple[Mention, ...]
    unknown: tuple[Place, ...]
    modifiers: tuple[Place, ...]
    spans: tuple[Place, ...]

    def asked(self, text: str) -> str:
        """The description in the words of `text`, the original of what was read."""
        parts = sorted((*self.modifiers, *self.unknown, *self.spans))
        joined: list[list[int]] = []
        for start, end in parts:
            if joined and start <= joined[-1][1] + 1:
                joined[-1][1] = max(joined[-1][1], end)
            else:
                joined.append([start, end])
        return ", ".join(text[start:end] for start, end in joined)


def describe(text: str, book: PhraseBook) -> Description:
    """Read a question; `text` is plain (see `mentions.plain`)."""
    mentions = [m for m in book.find(text) if not _is_outcome(text, m, book)]
    tokens = tokens_of(text, mentions)
    reader = Reader(text, book, mentions, tokens)
    spans: list[tuple[int, int]] = []
    unknown: list[Place] = []
    modifiers: list[Place] = []
    for place, token in enumerate(tokens):
        if token.mention is None or any(first <= place <= last for first, last in spans):
            continue
        if not reader.is_anchor(token.mention) or _after_comparison(text, spans, token, book):
            continue
        first, before = reader.leftwards(place)
        last, inside = reader.rightwards(place)
        spans.append((first, last))
        modifiers += before
        unknown += inside
    unknown += reader.trailing(spans)
    unknown += _unread_grades(text, mentions, [(tokens[a].start, tokens[b].end) for a, b in spans], book)
    used = sorted({t.mention for a, b in spans for t in tokens[a : b + 1] if t.mention is not None})
    return Description(
        mentions=tuple(mentions[index] for index in used),
        unknown=tuple(dict.fromkeys(unknown)),
        modifiers=tuple(dict.fromkeys(modifiers)),
        spans=tuple((tokens[a].start, tokens[b].end) for a, b in spans),
    )


def leftover_words(text: str, book: PhraseBook, mentions: Sequence[Mention]) -> tuple[str, ...]:
    """Words of a name, with what it mentions, that are neither understood nor mere joints."""
    tokens = tokens_of(text, mentions)
    joints = book.words.connectors | book.words.introducers | book.words.prepositions | book.words.fillers
    return tuple(t.text for t in tokens if t.mention is None and t.text not in joints and t.text[0].isalnum())


def _unread_grades(text: str, mentions: Sequence[Mention], spans: Sequence[Place], book: PhraseBook) -> list[Place]:
    """'NYHA III' beside what the description says: a grade that nobody reads."""
    found = []
    for match in book.words.grade.finditer(text):
        read = any(m.start < match.end() and match.start() < m.end for m in mentions)
        beside = any(a - 1 <= match.end() and match.start() <= b + len(" (,") for a, b in spans)
        if beside and not read:
            found.append((match.start(), match.end()))
    return found


def _is_outcome(text: str, mention: Mention, book: PhraseBook) -> bool:
    """Is it something that may happen, and not something people have?"""
    if not book.may_happen(mention):
        return False
    if book.words.outcome_lead.search(text[: mention.start]):
        return True
    return mention.kind is not Kind.QUANTITY and book.words.outcome_follow.match(text, mention.end) is not None


def _after_comparison(text: str, spans: Sequence[tuple[int, int]], token: Token, book: PhraseBook) -> bool:
    """Is it what the cohort is compared with ("than in men")? Only once a cohort has been described."""
    return bool(spans) and book.words.comparison.search(text[: token.start]) is not None
