"""All phrases by which cohorts are known, and where they stand in a sentence."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from personas.lexicon import Grades, Lexicon, TermWords, phrase_pattern
from personas.mentions import Kind, Mention, squeezed
from personas.negation import alternatives, exceptions, negations
from personas.quantities import age_after, age_limit_after, find_quantities
from personas.schemas import Distribution, Persona, Restriction
from personas.units import attribute_info, attribute_label, attribute_table

_ATOM = re.compile(r"\w+|[^\w\s-]")
_FURTHER_LEVEL = re.compile(r"\s*(?:-|/|to|or|and)\s*(\w+)(?!\w)")
_POSSESSIVE = re.compile(r"'s(?!\w)")


class PhraseBook:
    """All phrases, looked up without their spaces and hyphens; the longest wins where two begin at one place."""

    def __init__(self, words: Lexicon, personas: Iterable[Persona]) -> None:
        known = list(personas)
        self.words = words
        self.terms: dict[str, TermWords] = {**words.terms, **_attribute_terms(words, known)}
        self._meanings: dict[str, tuple[Kind, str, bool]] = {}
        self._breaks: dict[str, set[int]] = {}  # where in a squeezed phrase a space or a hyphen may stand
        self._ordinal = {
            name
            for persona in known
            for name, attribute in persona.attributes.items()
            if attribute.distribution is Distribution.ORDINAL
        }
        self._demographic = {name for persona in known for name in persona.demographics}
        for area, area_words in words.areas.items():
            self._add(area_words.phrases, Kind.AREA, area)
            self._add(area_words.assumed, Kind.AREA, area, assumed=True)
        self._add_areas({persona.area for persona in known})
        for name, term in self.terms.items():
            self._add(term.phrases, Kind.TERM, name)
        self._add(words.people, Kind.PEOPLE, "people")
        self._add(words.not_covered, Kind.NOT_COVERED, "")
        self._add(words.never_covered, Kind.NEVER_COVERED, "")
        self._longest = max(map(len, self._meanings), default=0)
        self._grade_patterns = [(grades, self._grade_pattern(grades)) for grades in words.grades]

    def names_people(self, mention: Mention) -> bool:
        """Is the mention a word for people ("patients", "women"), or for a whole archetype?"""
        term = self.terms.get(mention.key) if mention.kind is Kind.TERM else None
        return mention.kind in (Kind.PEOPLE, Kind.ARCHETYPE) or (term is not None and term.people)

    def may_happen(self, mention: Mention) -> bool:
        """Is the mention something that may happen to people, and not who they are from the start?"""
        term = self.terms.get(mention.key) if mention.kind is Kind.TERM else None
        if mention.kind is Kind.PEOPLE or (mention.kind is Kind.QUANTITY and mention.key == "age"):
            return False
        if term is None or term.condition:
            return True
        return not term.must and any(item.attribute not in self._demographic for item in term.restrictions)

    def is_condition(self, mention: Mention) -> bool:
        """Is it an illness or a state, and neither a number nor a word for people?"""
        named = mention.kind in (Kind.AREA, Kind.TERM) and not self.names_people(mention)
        return named and self.may_happen(mention)

    def with_names(self, names: Mapping[str, str]) -> PhraseBook:
        """The book with names that say an archetype outright (name → id); they count where no other phrase stands."""
        if not names:
            return self
        book = copy.copy(self)
        book._meanings = {squeezed(name): (Kind.ARCHETYPE, persona_id, False) for name, persona_id in names.items()}
        book._meanings |= self._meanings
        book._breaks = {squeezed(name): set(_breaks(name)) for name in names} | self._breaks
        book._longest = max(map(len, book._meanings))
        return book

    def find(self, text: str) -> tuple[Mention, ...]:
        """All mentions in plain `text` (see `plain`), in order, none overlapping another.

        InvalidInput for a value that no person can have.
        """
        found = [Mention(q.start, q.end, Kind.QUANTITY, q.attribute, quantity=q) for q in find_quantities(text)]
        found += _free(self._graded(text), found)
        found += _free(self._phrases(text), found)
        found += _free(self._ages_of(text, found), found)
        found.sort(key=lambda mention: mention.start)
        read = exceptions(text, list(negations(text, found, self._conditions)))
        return tuple(alternatives(text, list(read), self.is_condition))

    @cached_property
    def _conditions(self) -> frozenset[str]:
        """Areas and terms that are conditions."""
        return frozenset({*self.words.areas, *(name for name, term in self.terms.items() if term.condition)})

    def _ages_of(self, text: str, mentions: Iterable[Mention]) -> Iterator[Mention]:
        """'Women 45-55': a bare range just after people or what they have is their age."""
        for mention in list(mentions):
            if self.names_people(mention) or self.is_condition(mention):
                term = self.terms.get(mention.key) if mention.kind is Kind.TERM else None
                young = term is not None and any(i.attribute == "age" and i.operator == "<" for i in term.restrictions)
                quantity = age_after(text, mention.end, 0) if young else age_after(text, mention.end)
                if quantity is None and term is not None and term.people:
                    quantity = age_limit_after(text, mention.end)
                if quantity is not None:
                    yield Mention(quantity.start, quantity.end, Kind.QUANTITY, "age", quantity=quantity)

    def _add(self, phrases: tuple[str, ...], kind: Kind, key: str, assumed: bool = False) -> None:
        for phrase in phrases:
            key_of_phrase = squeezed(phrase)
            self._meanings.setdefault(key_of_phrase, (kind, key, assumed))
            self._breaks.setdefault(key_of_phrase, set()).update(_breaks(phrase))

    def _add_areas(self, areas: set[str]) -> None:
        for area in sorted(areas - {"general"}):
            self._add((area.replace("_", " "),), Kind.AREA, area)

    def _phrases(self, text: str) -> Iterator[Mention]:
        for start, end, (kind, key, assumed) in self._known(text):
            term = self.terms.get(key) if kind is Kind.TERM else None
            area = self.words.areas.get(key) if kind is Kind.AREA else None
            following = re.match(r"\s+(\w+)", text[end:])
            if term is not None and following and following[1] in term.unless_followed_by:
                continue
            before = text[:start].rstrip()
            known = area or term
            if known is not None and known.unless_preceded_by and before.endswith(known.unless_preceded_by):
                continue
            if term is not None and term.only_preceded_by and not before.endswith(term.only_preceded_by):
                continue
            restrictions = term.restrictions if term is not None else ()
            further = self._further_level(text, end, key) if term is not None else None
            if further is not None:
                end, restrictions = further
            yield Mention(start, end, kind, key, restrictions, assumed=assumed)

    def _further_level(self, text: str, end: int, key: str) -> tuple[int, tuple[Restriction, ...]] | None:
        """'ECOG 0-1': the end of the range of levels in order, and what it says; None where there is none."""
        name, _, first = key.partition("=")
        following = _FURTHER_LEVEL.match(text, end)
        if name not in self._ordinal or following is None or f"{name}={following[1]}" not in self.terms:
            return None
        return following.end(), (
            Restriction(attribute=name, operator=">=", value=first),
            Restriction(attribute=name, operator="<=", value=following[1]),
        )

    def _known(self, text: str) -> Iterator[tuple[int, int, tuple[Kind, str, bool]]]:
        """Where phrases stand and what they mean, left to right, none overlapping another."""
        atoms = list(_atoms(text))
        position = 0
        while position < len(atoms):
            first, reach, longest, squeezed_words = atoms[position][0], position, None, ""
            breaks: set[int] = set()
            while reach < len(atoms) and len(squeezed_words) <= self._longest:
                if reach > position and atoms[reach][0] > atoms[reach - 1][1]:
                    breaks.add(len(squeezed_words))
                squeezed_words += atoms[reach][2]
                meaning = self._meanings.get(squeezed_words)
                if meaning is not None and breaks <= self._breaks[squeezed_words]:
                    longest = reach, meaning
                reach += 1
            if longest is None or not _may_begin(text, first):
                position += 1
                continue
            end = atoms[longest[0]][1]
            possessive = _POSSESSIVE.match(text, end)
            end = possessive.end() if possessive else end
            yield first, end, longest[1]
            while position < len(atoms) and atoms[position][0] < end:
                position += 1

    def _graded(self, text: str) -> Iterator[Mention]:
        for grades, pattern in self._grade_patterns:
            kind = Kind.TERM if grades.of in self.terms else Kind.AREA
            for match in pattern.finditer(text):
                first = match["a"] or match["c"]
                last = match["b"] or match["d"] or first
                yield Mention(match.start(), match.end(), kind, grades.of, grades.restrictions(first, last))

    def _grade_pattern(self, grades: Grades) -> re.Pattern[str]:
        term, area = self.terms.get(grades.of), self.words.areas.get(grades.of)
        return _grade_pattern(grades, (*(term.phrases if term else ()), *(area.phrases if area else ())))


def _atoms(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and text of words and signs; of "nonsmokers" also the "smokers"."""
    for match in _ATOM.finditer(text):
        word = match.group()
        if word.startswith("non") and len(word) > len("non"):
            yield match.start(), match.start() + len("non"), "non"
            yield match.start() + len("non"), match.end(), word.removeprefix("non")
        else:
            yield match.start(), match.end(), word


def _may_begin(text: str, start: int) -> bool:
    """A phrase begins at the beginning of a word, or after "non": "pre-diabetes" is no diabetes."""
    before = text[:start]
    return not before or not (before[-1].isalnum() or before[-1] in "_-") or re.search(r"\bnon-?$", before) is not None


def _breaks(phrase: str) -> Iterator[int]:
    """Positions in the squeezed phrase at which the phrase has a space or a hyphen."""
    for match in re.finditer(r"[\s-]+", phrase):
        yield len(squeezed(phrase[: match.start()]))


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


def _level_terms(name: str, levels: Iterable[str]) -> dict[str, TermWords]:
    """'ECOG 2', 'Kellgren-Lawrence grade three'."""
    names = (attribute_label(name).lower(), name.replace("_", " "))
    return {
        f"{name}={level}": TermWords(
            phrases=tuple(dict.fromkeys(f"{known} {level.replace('_', ' ')}" for known in names)),
            restrictions=(Restriction(attribute=name, operator="=", value=level),),
        )
        for level in levels
    }


def _attribute_terms(words: Lexicon, personas: list[Persona]) -> Mapping[str, TermWords]:
    """A term for each yes/no attribute of any archetype that the file has no words for, and for each level's wording."""
    spoken = {item.attribute for term in words.terms.values() for item in term.restrictions}
    terms: dict[str, TermWords] = {}
    for persona in personas:
        for name, attribute in persona.attributes.items():
            known = name in spoken or name in words.terms or name in words.areas
            if attribute.levels and name not in persona.demographics:
                terms |= _level_terms(name, attribute.levels)
            if known or attribute.distribution is not Distribution.BERNOULLI:
                continue
            info = attribute_info(name)
            terms[name] = TermWords(
                phrases=(attribute_label(name).lower(), name.replace("_", " "), *(info.aliases if info else ())),
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
