"""Walks over the words of a sentence from something understood to where the description of people ends."""

from __future__ import annotations

import re
from collections.abc import Sequence

from personas.mentions import Kind, Mention
from personas.phrasebook import PhraseBook
from personas.tokens import Token
from personas.units import attribute_aliases

_PUNCTUATION_THAT_JOINS = (",", "(", ")", '"')
_LONGEST_UNKNOWN = 4
_LONGEST_CLAUSE = 7
_LONGEST_LISTED = 3
_LONGEST_LEAD = 2
_LONGEST_TRAIL = 6
_BOUNDING = ("with", "in", "for", "among", "having", "has")
_INTRODUCING = ("with", "w", "without", "w/o", "having", "who have", "whose")
_RELATIVES = ("who", "that", "which", "whose")
_QUALIFYING = re.compile(
    r"\w-(?:positive|negative|induced|related|associated|resistant|sensitive|mutated|mutant|onset)$"
)
_JOINT = re.compile(r"\s*(?:,|and|&|\+|with|plus)?\s*")
_DENYING = ("no", "without", "w/o")
_VERBS_OF_BEING = ("have", "has", "had", "are", "is", "was", "were", "be", "been")

# A condition describes people after one of these, or as the first word of all.
_LEADING_TO_CONDITION = re.compile(r"\b(?:with|w/?|in|for|among|having|have|has|of)\s+(?:\w+\s+)?$|^\W*$")

Place = tuple[int, int]


class Reader:
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
        first = self._first_token(index)
        begin = first
        while begin > 0 and (self._qualifies(begin - 1) or self._tokens[begin - 1].text in self._words.connectors):
            begin -= 1
        before = self._text[: self._tokens[begin].start]
        led = _LEADING_TO_CONDITION.search(before) or _LEADING_TO_CONDITION.search(self._text[: mention.start])
        return led is not None or bool(self._leading_words(first)) or self._after_value(index)

    def _first_token(self, index: int) -> int:
        return next(place for place, token in enumerate(self._tokens) if token.mention == index)

    def _after_value(self, index: int) -> bool:
        """'UACR > 300 and CKD': a value of people stands before it."""
        before = self._mentions[index - 1] if index else None
        if before is None or before.kind is not Kind.QUANTITY:
            return False
        return _JOINT.fullmatch(self._text, before.end, self._mentions[index].start) is not None

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
            elif (token.text == "not" and self._not_given(position)) or token.text in words.histories:
                end = self._end_of_unknown(position + 1)
                unknown.append((token.start, tokens[end].end))
                last, position, open_to_unknown = end, end, False
            elif token.text in words.adjectives and self._leads_to_mention(position + 1):
                pass
            elif token.text in words.introducers:
                introduced = introduced or token.text in _INTRODUCING
                open_to_unknown = introduced
            elif token.text in _VERBS_OF_BEING:
                if not self._has_subject(position, last, place):
                    break
                introduced = open_to_unknown = True
            elif token.text in ("in", "of", "from") and (aside := self._end_of_aside(position)) is not None:
                unknown.append((tokens[position + 1].start, tokens[aside].end))
                last = position = aside
            elif token.text in words.connectors:
                pass
            elif token.text in _PUNCTUATION_THAT_JOINS or token.text in words.prepositions:
                listed = self._end_of_listed(position) if token.text == "," and introduced else None
                if listed is not None:
                    unknown.append((tokens[position + 1].start, tokens[listed].end))
                    last = position = listed
                elif not self._leads_to_mention(position + 1):
                    if self._is_unknown_group(position):
                        unknown.append((token.start, tokens[position + 1].end))
                        last = position + 1
                    break
            elif self._begins_clause(position, last):
                end = self._end_of_clause(position)
                unknown.append((token.start, tokens[end].end))
                last, position, open_to_unknown = end, end, False
            elif open_to_unknown and token.text not in words.stops and self._names_something(position):
                end = self._end_of_unknown(position)
                start = tokens[position - 1] if tokens[position - 1].text in _DENYING else token
                unknown.append((start.start, tokens[end].end))
                last, position, open_to_unknown = end, end, False
            else:
                break
            position += 1
        return last, unknown

    def trailing(self, spans: Sequence[tuple[int, int]]) -> list[Place]:
        """'Trying to conceive' in 'women with obesity trying to conceive': the end of a text that only describes."""
        last = max((end for _, end in spans), default=len(self._tokens))
        rest = self._tokens[last + 1 :]
        outside = [t for i, t in enumerate(self._tokens) if not any(first <= i <= end for first, end in spans)]
        ended = rest[:-1] if rest and rest[-1].text in (".", "!") else rest
        if not ended or len(ended) > _LONGEST_TRAIL or any(token.mention is not None for token in ended):
            return []
        if not (ended[0].text.endswith("ing") or ended[0].text.startswith(("after", "post-"))) or ended[
            -1
        ].text.endswith("ing"):
            return []
        words = self._words.stops - {"after", "to"}
        plain_words = all(token.text[0].isalpha() for token in ended)
        if not plain_words or any(token.text in words for token in outside):
            return []
        return [(ended[0].start, ended[-1].end)]

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
        return first, self._unread_qualifiers(first) or self._unknown_modifiers(first)

    def _unread_qualifiers(self, first: int) -> list[Place]:
        """'Severe' in 'severe gout', 'breast' in 'breast cancer': it makes them other people than those we know."""
        begin = first
        while begin > 0 and self._qualifies(begin - 1):
            begin -= 1
        begin = begin if begin < first else first - len(self._leading_words(first))
        return [(self._tokens[begin].start, self._tokens[first - 1].end)] if begin < first else []

    def _leading_words(self, first: int) -> Sequence[Token]:
        """'Erosive' in 'erosive RA' and 'in erosive RA': unknown words before an illness that begin what is said."""
        index = self._tokens[first].mention
        if index is None or not self._book.is_condition(self._mentions[index]):
            return ()
        words = self._words
        known = words.stops | words.connectors | words.introducers | words.prepositions | words.fillers | words.acting
        known |= words.adjectives | words.units | words.treatment_verbs | words.clause_ends
        begin = first
        while begin > 0 and first - begin < _LONGEST_LEAD:
            token = self._tokens[begin - 1]
            apart = self._tokens[begin].start - token.end > 1  # a drug may have been blanked out between them
            if apart or token.mention is not None or token.text in known or not token.text[0].isalpha():
                break
            begin -= 1
        if " ".join(token.text for token in self._tokens[begin:first]) in attribute_aliases():
            return ()  # what is measured: "blood pressure hypertension"
        bounded = begin == 0 or self._tokens[begin - 1].text in _BOUNDING
        return self._tokens[begin:first] if bounded else ()

    def _qualifies(self, place: int) -> bool:
        """'Breast', 'HER2-positive'."""
        token = self._tokens[place]
        return token.mention is None and (
            token.text in self._words.qualifiers or _QUALIFYING.search(token.text) is not None
        )

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

    def _is_unknown_group(self, position: int) -> bool:
        """'In nurses', 'among veterans': a plural after the preposition, at the end of what is understood."""
        if self._tokens[position].text not in ("in", "among", "for") or position + 1 >= len(self._tokens):
            return False
        group = self._tokens[position + 1]
        known = self._words.stops | self._words.units | self._words.connectors | self._words.countable
        plural = group.text.isalpha() and group.text.endswith("s") and len(group.text) > len("this")
        return plural and group.mention is None and group.text not in known

    def _leads_to_mention(self, position: int) -> bool:
        """Do the next words lead to something understood, over joints only?"""
        for token in self._tokens[position : position + 4]:
            if token.mention is not None:
                return True
            joints = self._words.connectors | self._words.introducers | set(_PUNCTUATION_THAT_JOINS)
            if token.text not in joints:
                return False
        return False

    def _end_of_listed(self, comma: int) -> int | None:
        """The last word of 'lupus' in 'with T2D, lupus and CKD' or 'with T2D, lupus': unknown, in a list of illnesses."""
        words = self._words
        known = words.stops | words.connectors | words.introducers | words.prepositions | words.fillers
        for place in range(comma + 1, min(comma + 1 + _LONGEST_LISTED, len(self._tokens))):
            token = self._tokens[place]
            if token.mention is not None or token.text in known or not token.text[0].isalpha():
                return None
            following = self._tokens[place + 1].text if place + 1 < len(self._tokens) else ""
            if following in ("", "?", "."):
                return place
            if following in (",", "and", "or", "&", "plus") and self._leads_to_mention(place + 2):
                return place
        return None

    def _end_of_aside(self, joint: int) -> int | None:
        """The last word of 'New York' in 'people in New York with asthma': unknown, and the description goes on."""
        words = self._words
        known = (
            words.stops | words.connectors | words.introducers | words.prepositions | words.fillers | words.countable
        )
        for place in range(joint + 1, min(joint + 1 + _LONGEST_LISTED, len(self._tokens) - 2)):
            token = self._tokens[place]
            if token.mention is not None or token.text in known or not token.text[0].isalpha():
                return None
            if self._tokens[place + 1].text in ("with", "who"):
                return place
        return None

    def _has_subject(self, position: int, last: int, first: int) -> bool:
        """Does the verb belong to "who" or "whose" and not to the question? `first` begins the description."""
        place = position - 1
        while place > last and self._tokens[place].text in _VERBS_OF_BEING:
            place -= 1
        if place > last and self._tokens[place].text in ("and", "but", "or"):  # "who are obese but have …"
            return any(token.text in _RELATIVES for token in self._tokens[first:place])
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
        if following and following[0].text in ("responding", "tolerating", "controlled"):
            return following[0].mention is None
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
        if self._tokens[position].text in ("do", "does", "did"):  # "do not take their medicine"
            position = min(position + 2, len(self._tokens) - 1)
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
        if position >= len(self._tokens):
            return position - 1
        closing = words.stops | words.connectors | words.introducers | words.prepositions
        end = position
        for place in range(position + 1, min(position + _LONGEST_UNKNOWN, len(self._tokens))):
            token = self._tokens[place]
            if token.mention is not None or token.text in closing or not token.text[0].isalnum():
                break
            end = place
        return end
