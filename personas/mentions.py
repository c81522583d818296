"""What a sentence mentions that could belong to a cohort: areas, terms, people, numbers, illnesses nobody models."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

from personas.lexicon import Grades, Lexicon, TermWords, phrase_pattern
from personas.quantities import Quantity, age_after, find_quantities
from personas.schemas import Distribution, Persona, Restriction
from personas.units import attribute_label, attribute_table

_QUALIFIERS = r"(?:(?:any|a|an|the|known|prior|previous|existing|established|history\s+of|on)\s+)*"
_THOSE_WHO = (
    r"(?:(?:any|all|a|an|the|known|prior|previous|those|people|patients|persons|individuals|participants|subjects|adults|"
    r"anyone|who|that|with|have|has|had|having|are|is|on|taking|history|of)\s+)*"
)
_EXCEPTION = re.compile(
    r"\b(?:(?:not\s+)?(?:excluding|exclud(?:es?|ed)|including(?<=not\sincluding))|except(?:ing)?(?:\s+for)?|"
    r"with\s+the\s+exception\s+of|other\s+than|but\s+not|apart\s+from|aside\s+from|leaving\s+out|not\s+counting|minus|"
    rf"barring)\s+{_THOSE_WHO}$"
)
_ABSENCE = re.compile(
    rf"(?:\b(?:without|never\s+(?:had|having\s+had)|lacking|free\s+(?:of|from)|"
    rf"(?:do|does|did)(?:\s+not|n't)\s+have|(?:have|has)(?:\s+not|n't)\s+(?:had|got))\s+{_QUALIFIERS})$"
)
_NEGATION = re.compile(rf"(?:\bnon-?|\b(?:no|not|nor|neither|(?:are|is)n't)\s+{_QUALIFIERS})$")
# "With a family history of diabetes" says nothing that an archetype can hold.
_OTHERS = re.compile(
    r"\b(?:(?:a\s+)?family\s+history\s+of|(?:parents?|mothers?|fathers?|relatives?|siblings?|partners?|famil(?:y|ies))\s+"
    r"(?:with|has|have|had)|used\s+to\s+have|(?:cured|recovered)\s+(?:of|from))\s+(?:a\s+|an\s+|the\s+)?$"
)
_LOOK_BACK = 100
_EITHER_WAY = re.compile(r"\bwith\s*(?:or|and|/)\s*without\s+(?:any\s+|a\s+)?$")
_OR = re.compile(r"\s*(?:,\s*)?(?:or|nor)\s+$")
_LISTED = re.compile(rf"\s*(?:,|(?:,\s*)?(?:or|nor|and|&))\s*(?:{_QUALIFIERS})$")
_QUALIFIED_BY = re.compile(
    r"\s+(?:(?:patients|people|individuals|persons)\s+)?(?:(?:with|who\s+have|who\s+are|having)\s+)?"
)
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


class PhraseBook:
    """All phrases, compiled into one expression; the longest phrase wins where two begin at one place."""

    def __init__(self, words: Lexicon, personas: Iterable[Persona]) -> None:
        known = list(personas)
        self.words = words
        self.terms: dict[str, TermWords] = {**words.terms, **_attribute_terms(words, known)}
        self._meanings: dict[str, tuple[Kind, str, bool]] = {}
        self._phrases_said: set[str] = set()
        for area, area_words in words.areas.items():
            self._add(area_words.phrases, Kind.AREA, area)
            self._add(area_words.assumed, Kind.AREA, area, assumed=True)
        self._add_areas({persona.area for persona in known})
        for name, term in self.terms.items():
            self._add(term.phrases, Kind.TERM, name)
        self._add(words.people, Kind.PEOPLE, "people")
        self._add(words.not_covered, Kind.NOT_COVERED, "")
        self._add(words.never_covered, Kind.NEVER_COVERED, "")
        self._pattern: re.Pattern[str] | None = None

    def names_people(self, mention: Mention) -> bool:
        """Is the mention a word for people ("patients", "women")?"""
        term = self.terms.get(mention.key) if mention.kind is Kind.TERM else None
        return mention.kind is Kind.PEOPLE or (term is not None and term.people)

    def add_archetype(self, persona: Persona, phrases: Iterable[str]) -> None:
        """Names that say an archetype outright."""
        self._add(tuple(phrases), Kind.ARCHETYPE, persona.id)

    def find(self, text: str) -> tuple[Mention, ...]:
        """All mentions in plain `text` (see `plain`), in order, none overlapping another.

        InvalidInput for a value that no person can have.
        """
        found = [Mention(q.start, q.end, Kind.QUANTITY, q.attribute, quantity=q) for q in find_quantities(text)]
        found += _free(self._graded(text), found)
        found += _free(self._phrases(text), found)
        found += _free(self._ages_of(text, found), found)
        found.sort(key=lambda mention: mention.start)
        return tuple(_exceptions(text, list(_negations(text, found, self._conditions))))

    @cached_property
    def _conditions(self) -> frozenset[str]:
        """Areas and terms that are conditions."""
        return frozenset({*self.words.areas, *(name for name, term in self.terms.items() if term.condition)})

    def _ages_of(self, text: str, mentions: Iterable[Mention]) -> Iterator[Mention]:
        """'Women 45-55': a bare range just after people or what they have is their age."""
        for mention in list(mentions):
            if self.names_people(mention) or mention.kind in (Kind.AREA, Kind.ARCHETYPE):
                quantity = age_after(text, mention.end)
                if quantity is not None:
                    yield Mention(quantity.start, quantity.end, Kind.QUANTITY, "age", quantity=quantity)

    def _add(self, phrases: tuple[str, ...], kind: Kind, key: str, assumed: bool = False) -> None:
        self._pattern = None
        for phrase in phrases:
            self._meanings.setdefault(_key(phrase), (kind, key, assumed))
            self._phrases_said.add(phrase.lower())

    def _add_areas(self, areas: set[str]) -> None:
        for area in sorted(areas - {"general"}):
            self._add((area.replace("_", " "),), Kind.AREA, area)

    def _phrases(self, text: str) -> Iterator[Mention]:
        if self._pattern is None:
            longest_first = sorted(self._phrases_said, key=lambda phrase: (-len(phrase), phrase))
            either = "|".join(phrase_pattern(phrase) for phrase in longest_first)
            self._pattern = re.compile(rf"(?:(?<![\w-])|(?<=\bnon-)|(?<=\bnon))(?:{either})(?:'s)?(?!\w)")
        for match in self._pattern.finditer(text):
            kind, key, assumed = self._meanings[_key(match.group().removesuffix("'s"))]
            term = self.terms.get(key) if kind is Kind.TERM else None
            following = re.match(r"\s+(\w+)", text[match.end() :])
            if term is not None and following and following[1] in term.unless_followed_by:
                continue
            restrictions = term.restrictions if term is not None else ()
            yield Mention(match.start(), match.end(), kind, key, restrictions, assumed=assumed)

    def _graded(self, text: str) -> Iterator[Mention]:
        for grades in self.words.grades:
            term, area = self.terms.get(grades.of), self.words.areas.get(grades.of)
            phrases = (*(term.phrases if term else ()), *(area.phrases if area else ()))
            kind = Kind.TERM if term else Kind.AREA
            for match in _grade_pattern(grades, phrases).finditer(text):
                first = match["a"] or match["c"]
                last = match["b"] or match["d"] or first
                yield Mention(match.start(), match.end(), kind, grades.of, grades.restrictions(first, last))


def plain(text: str) -> str:
    """Text in lower case with plain dashes, quotes and spaces; every character stays at its place."""
    lowered = "".join(char.lower() if len(char.lower()) == 1 else char for char in text)
    return lowered.translate(_PLAIN)


def _key(phrase: str) -> str:
    """Phrase without case, hyphens and doubled spaces."""
    return re.sub(r"[\s-]+", "", phrase.lower())


def _free(candidates: Iterable[Mention], taken: list[Mention]) -> list[Mention]:
    return [c for c in candidates if all(c.end <= other.start or c.start >= other.end for other in taken)]


def _grade_pattern(grades: Grades, phrases: tuple[str, ...]) -> re.Pattern[str]:
    """'CKD stage 3b', 'stage 3-4 CKD', 'class III obesity', 'CKD G3a'."""
    phrase = "|".join(phrase_pattern(item) for item in sorted(phrases, key=len, reverse=True))
    level = "|".join(re.escape(name) for name in sorted(grades.levels, key=len, reverse=True))
    word = rf"(?:{'|'.join(grades.words)})[\s-]*(?:g(?=\d))?"
    to = rf"\s*(?:-|/|to|and|or)\s*(?:{word})?"
    after = rf"(?<![\w-])(?:{phrase}),?\s*\(?(?:{word}){'?' if grades.bare else ''}"
    unit = r"(?![\w.%]|\s*(?:mg|weeks?|months?|years?|%))\)?"
    before = rf"(?<![\w-]){word}(?P<a>{level})(?:{to}(?P<b>{level}))?\s+(?:{phrase})(?!\w)"
    return re.compile(rf"{before}|{after}(?P<c>{level})(?:{to}(?P<d>{level}))?{unit}")


def _negations(text: str, mentions: list[Mention], conditions: frozenset[str]) -> Iterator[Mention]:
    before: Mention | None = None
    listing = False  # is the mention before one of a list that "without" or "excluding" began?
    for mention in mentions:
        lead = text[max(0, mention.start - _LOOK_BACK) : mention.start]
        skipped = mention.start - len(lead)
        if mention.kind is Kind.PEOPLE:
            yield mention
            continue
        if _EITHER_WAY.search(lead):
            before, listing = Mention(mention.start, mention.end, Kind.PEOPLE, "people"), False
            yield before
            continue
        others = _OTHERS.search(lead)
        if others is not None:
            before, listing = mention, False
            yield replace(mention, kind=Kind.UNREAD, negated=True, lead=skipped + others.start(), quantity=None)
            continue
        match = _EXCEPTION.search(lead) or _ABSENCE.search(lead) or _NEGATION.search(lead)
        between = text[before.end : mention.start] if before is not None and before.negated else "?"
        listed = match is None and (
            _OR.fullmatch(between) is not None
            or (listing and mention.key in conditions and _LISTED.fullmatch(between) is not None)
        )
        if mention.kind is Kind.QUANTITY and (match is None or match.re is _NEGATION):
            listed, match = listed and listing, None
        listing = listed or (match is not None and match.re is not _NEGATION)
        start = skipped + match.start() if match else mention.start
        before = replace(mention, negated=match is not None or listed, lead=start)
        yield before


def _exceptions(text: str, mentions: list[Mention]) -> Iterator[Mention]:
    """'Excluding women over 65' leaves out neither all women nor all over 65: what is one exception stays unread."""
    position = 0
    while position < len(mentions):
        mention = mentions[position]
        last = position
        if mention.negated and _EXCEPTION.fullmatch(text, mention.lead, mention.start):
            while last + 1 < len(mentions) and _qualifies(text, mentions[last], mentions[last + 1]):
                last += 1
        if any(item.kind is not Kind.PEOPLE for item in mentions[position + 1 : last + 1]):
            yield replace(mention, end=mentions[last].end, kind=Kind.UNREAD, quantity=None)
        else:
            yield from mentions[position : last + 1]
        position = last + 1


def _qualifies(text: str, mention: Mention, following: Mention) -> bool:
    plain_one = following.kind is Kind.PEOPLE or not following.negated
    return plain_one and _QUALIFIED_BY.fullmatch(text, mention.end, following.start) is not None


def _attribute_terms(words: Lexicon, personas: list[Persona]) -> Mapping[str, TermWords]:
    """A term for each yes/no attribute of any archetype that the file has no words for, and for each level's wording."""
    spoken = {item.attribute for term in words.terms.values() for item in term.restrictions}
    terms: dict[str, TermWords] = {}
    for persona in personas:
        for name, attribute in persona.attributes.items():
            known = name in spoken or name in words.terms or name in words.areas
            if known or attribute.distribution is not Distribution.BERNOULLI:
                continue
            terms[name] = TermWords(
                phrases=(attribute_label(name).lower(), name.replace("_", " ")),
                restrictions=(Restriction(attribute=name, operator="=", value="yes"),),
                negated=(Restriction(attribute=name, operator="=", value="no"),),
                condition=True,
            )
    for name, info in attribute_table().items():
        for level, phrase in info.phrases.items():
            terms[f"{name}={level}"] = TermWords(
                phrases=(phrase, phrase.removeprefix("those ")),
                restrictions=(Restriction(attribute=name, operator="=", value=level),),
                people=phrase.startswith(("those ", "the ")),
            )
    return terms
