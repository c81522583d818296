"""Which part of a question describes people, and which of its words nobody can place.

A question names more than its cohort: drugs, doses, outcomes, times. A description begins at words for people, an area
of illness or a group ("seniors"), and goes on over words that join ("with", "and", "aged") as long as they lead to
something that is understood, or, after "with", to the name of an illness that is not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from personas.mentions import Kind, Mention, PhraseBook

_TOKEN = re.compile(
    r"(?:limited|restricted)\s+to\b|[a-z0-9µ&]+(?:['./%+-][a-z0-9]+)*|[<>=≥≤%+]+|[,;:.?!()\"]", re.IGNORECASE
)
_PUNCTUATION_THAT_JOINS = (",", "(", ")", '"')
_LONGEST_UNKNOWN = 4
_LONGEST_CLAUSE = 7
_INTRODUCING = ("with", "without", "having", "who have", "whose")
_RELATIVES = ("who", "that", "which", "whose")
_VERBS_OF_BEING = ("have", "has", "had", "are", "is", "was", "were", "be", "been")

Place = tuple[int, int]


@dataclass(frozen=True)
class Token:
    """A word or sign; `mention` is the place of the mention it belongs to, or None."""

    text: str
    start: int
    end: int
    mention: int | None


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
    tokens = _tokens(text, mentions)
    reader = _Reader(text, book, mentions, tokens)
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
    used = sorted({t.mention for a, b in spans for t in tokens[a : b + 1] if t.mention is not None})
    return Description(
        mentions=tuple(mentions[index] for index in used),
        unknown=tuple(dict.fromkeys(unknown)),
        modifiers=tuple(dict.fromkeys(modifiers)),
        spans=tuple((tokens[a].start, tokens[b].end) for a, b in spans),
    )


def leftover_words(text: str, book: PhraseBook) -> tuple[str, ...]:
    """Words of a name that are neither understood nor mere joints."""
    tokens = _tokens(text, list(book.find(text)))
    joints = book.words.connectors | book.words.introducers | book.words.prepositions | book.words.fillers
    return tuple(t.text for t in tokens if t.mention is None and t.text not in joints and t.text[0].isalnum())


class _Reader:
    """Walks from a mention to both sides until the description ends."""

    def __init__(self, text: str, book: PhraseBook, mentions: Sequence[Mention], tokens: Sequence[Token]) -> None:
        self._text, self._book, self._mentions, self._tokens = text, book, mentions, tokens
        self._words = book.words

    def is_anchor(self, index: int) -> bool:
        """Can a description begin at this mention?"""
        mention = self._mentions[index]
        if mention.kind is Kind.UNREAD:
            return False
        if mention.kind is Kind.QUANTITY:
            return mention.quantity is not None and mention.quantity.people
        term = self._book.terms.get(mention.key) if mention.kind is Kind.TERM else None
        if term is None or not term.condition:
            return True
        return (
            re.search(r"\b(?:with|in|for|among|having|have|has|of)\s+(?:\w+\s+)?$", self._text[: mention.start])
            is not None
        )

    def rightwards(self, place: int) -> tuple[int, list[Place]]:
        """Last token of the description that begins at `place`, and what in it is unknown."""
        words, tokens = self._words, self._tokens
        last, position, open_to_unknown = place, place + 1, False
        introduced = self._is_condition(place)
        unknown: list[Place] = []
        while position < len(tokens):
            token = tokens[position]
            if token.mention is not None:
                last, open_to_unknown = position, False
            elif token.text == "not" and position > last and self._not_given(position):
                end = self._end_of_unknown(position + 1)
                unknown.append((token.start, tokens[end].end))
                last, position, open_to_unknown = end, end, False
            elif token.text in words.introducers:
                introduced = introduced or token.text in _INTRODUCING
                open_to_unknown = introduced
            elif token.text in _VERBS_OF_BEING:
                if not self._has_subject(position, last):
                    break
                introduced = open_to_unknown = True
            elif token.text in words.connectors:
                pass
            elif token.text in _PUNCTUATION_THAT_JOINS or token.text in words.prepositions:
                if not self._leads_to_mention(position + 1):
                    break
            elif self._begins_clause(position, last):
                end = self._end_of_clause(position)
                unknown.append((token.start, tokens[end].end))
                last, position, open_to_unknown = end, end, False
            elif open_to_unknown and token.text not in words.stops and self._names_something(position):
                end = self._end_of_unknown(position)
                unknown.append((token.start, tokens[end].end))
                last, position, open_to_unknown = end, end, False
            else:
                break
            position += 1
        return last, unknown

    def leftwards(self, place: int) -> tuple[int, list[Place]]:
        """First token of the description, and the unknown words that qualify its people."""
        tokens = self._tokens
        first, position = place, place - 1
        joined = False
        while position >= 0:
            token = tokens[position]
            if token.mention is not None:
                first, joined = position, False
            elif token.text in ("with", "and", "or", "without", "no", ",", "who", "have", "has", "are"):
                joined = True
            else:
                break
            position -= 1
        if joined:
            return first, self._unknown_head(position, first)
        return first, self._unknown_modifiers(first)

    def _unknown_modifiers(self, first: int) -> list[Place]:
        """'left-handed' in 'would left-handed adults'."""
        taken: list[Token] = []
        for token in reversed(self._tokens[:first]):
            if token.mention is not None or token.text in self._words.connectors | self._words.introducers:
                break
            if (
                token.text in self._words.stops | self._words.fillers | self._words.prepositions
                or not token.text[0].isalpha()
            ):
                if token.text in self._words.acting or (taken and token.text in ("does", "did")):
                    return []
                break
            taken.append(token)
        kept = 0 < len(taken) <= 2
        return [(taken[-1].start, taken[0].end)] if kept and self._names_people(first) else []

    def _unknown_head(self, position: int, first: int) -> list[Place]:
        """'veterans' in 'veterans with diabetes': a plural noun before 'with'."""
        if position < 0 or self._tokens[position + 1].text not in ("with", "who", "without"):
            return []
        token = self._tokens[position]
        known = self._words.stops | self._words.fillers | self._words.prepositions
        plural = token.text.isalpha() and token.text.endswith("s") and token.text not in known
        return [(token.start, token.end)] if plural and token.mention is None and first > position else []

    def _names_people(self, place: int) -> bool:
        index = self._tokens[place].mention
        if index is None:
            return False
        return self._book.names_people(self._mentions[index])

    def _leads_to_mention(self, position: int) -> bool:
        """Do the next words lead to something understood, over joints only?"""
        for token in self._tokens[position : position + 4]:
            if token.mention is not None:
                return True
            if token.text not in self._words.connectors and token.text not in self._words.introducers:
                return False
        return False

    def _has_subject(self, position: int, last: int) -> bool:
        """Does the verb belong to "who" or "whose" and not to the question?"""
        place = position - 1
        while place > last and self._tokens[place].text in _VERBS_OF_BEING:
            place -= 1
        return self._tokens[place].text in _RELATIVES or any(t.text == "whose" for t in self._tokens[last:position])

    def _begins_clause(self, position: int, last: int) -> bool:
        """'smoke' in 'adults who smoke': a clause nobody reads, unless it says what they are treated with."""
        token = self._tokens[position]
        relative = next((t.text for t in self._tokens[position - 1 : last : -1] if t.text in _RELATIVES), None)
        if relative is None or relative == "that" or not token.text[0].isalpha():
            return False
        between = [t.text for t in self._tokens[last + 1 : position]]
        return between[-1] in (*_RELATIVES, *_VERBS_OF_BEING) and token.text not in self._words.treatment_verbs

    def _is_condition(self, place: int) -> bool:
        """After "T2D and" another condition may follow, known or not."""
        index = self._tokens[place].mention
        return index is not None and self._mentions[index].kind is Kind.AREA

    def _not_given(self, position: int) -> bool:
        """'Not on insulin pumps': people described by what they are not given."""
        following = self._tokens[position + 1 : position + 2]
        given = bool(following) and following[0].mention is None and following[0].text in self._words.prepositions
        return given and not self._leads_to_mention(position + 2)

    def _names_something(self, position: int) -> bool:
        """Is it a word, or a count of something ("3 prior strokes"), and no dose?"""
        if self._tokens[position].text[0].isalpha():
            return True
        words = self._words
        uncounted = words.stops | words.connectors | words.introducers | words.prepositions | words.units
        if not self._tokens[position].text.isdigit() or position + 1 == len(self._tokens):
            return False
        following = self._tokens[position + 1]
        return following.mention is None and following.text[0].isalpha() and following.text not in uncounted

    def _end_of_clause(self, position: int) -> int:
        words = self._words
        closing = words.prepositions | words.introducers | words.clause_ends | words.treatment_verbs
        end = position
        for place in range(position + 1, min(position + _LONGEST_CLAUSE, len(self._tokens))):
            token = self._tokens[place]
            if token.mention is not None or not token.text[0].isalnum():
                break
            if token.text in closing and not (place == position + 1 and token.text in words.prepositions - {"on"}):
                break
            end = place
        return end

    def _end_of_unknown(self, position: int) -> int:
        words = self._words
        closing = words.stops | words.connectors | words.introducers | words.prepositions
        end = position
        for place in range(position + 1, min(position + _LONGEST_UNKNOWN, len(self._tokens))):
            token = self._tokens[place]
            if token.mention is not None or token.text in closing or not token.text[0].isalnum():
                break
            end = place
        return end


def _tokens(text: str, mentions: Sequence[Mention]) -> list[Token]:
    tokens = []
    for match in _TOKEN.finditer(text):
        owner = next((i for i, m in enumerate(mentions) if m.start < match.end() and match.start() < m.end), None)
        if owner is None:  # "excluding those with" belongs to what it excludes
            owner = next((i for i, m in enumerate(mentions) if m.negated and m.lead <= match.start() < m.start), None)
        tokens.append(Token(match.group(), match.start(), match.end(), owner))
    return tokens


def _is_outcome(text: str, mention: Mention, book: PhraseBook) -> bool:
    """Is it something that may happen, and not something people have?"""
    term = book.terms.get(mention.key) if mention.kind is Kind.TERM else None
    if mention.kind is Kind.PEOPLE or (term is not None and not term.condition):
        return False
    if mention.kind is Kind.QUANTITY and mention.key == "age":
        return False
    if book.words.outcome_lead.search(text[: mention.start]):
        return True
    return mention.kind is not Kind.QUANTITY and book.words.outcome_follow.match(text, mention.end) is not None


def _after_comparison(text: str, spans: Sequence[tuple[int, int]], token: Token, book: PhraseBook) -> bool:
    """Is it what the cohort is compared with ("than in men")? Only once a cohort has been described."""
    return bool(spans) and book.words.comparison.search(text[: token.start]) is not None
