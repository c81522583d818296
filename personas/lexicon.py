"""The words of `personas/resolution.yaml`, checked and compiled."""

from __future__ import annotations

import re
from functools import cached_property, lru_cache
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, Field, ValidationError

from knowledge.errors import PersonaError
from knowledge.schemas import Frozen
from personas.restrictions import parse_restriction
from personas.schemas import Restriction

_FILE = Path(__file__).parent / "resolution.yaml"
_CHOICE = re.compile(r"\{([^{}]*)\}")


def expand(phrases: tuple[str, ...]) -> tuple[str, ...]:
    """Every reading of phrases with choices: `{a|the|} flu {shot|jab}` is six phrases."""
    found: list[str] = []
    for phrase in phrases:
        parts = _CHOICE.split(phrase)
        options = [part.split("|") if index % 2 else [part] for index, part in enumerate(parts)]
        found += [" ".join("".join(chosen).split()) for chosen in product(*options)]
    return tuple(dict.fromkeys(found))


Phrases = Annotated[tuple[str, ...], AfterValidator(expand)]


class AreaWords(Frozen):
    """Words for an area of archetypes."""

    phrases: Phrases = ()
    assumed: Phrases = ()
    means: tuple[Restriction, ...] = ()
    held_as: tuple[Restriction, ...] = ()
    unless_preceded_by: tuple[str, ...] = ()
    duration: str = ""
    source: str = ""


class TermWords(Frozen):
    """Words for a restriction, or for something only an archetype can be."""

    phrases: Phrases
    restrictions: tuple[Restriction, ...] = ()
    negated: tuple[Restriction, ...] = ()
    instead: tuple[Restriction, ...] = ()
    exact: bool = False
    condition: bool = False
    people: bool = False
    ordinary: bool = False
    adults_only: bool = False
    must: bool = False
    includes: tuple[str, ...] = ()
    only_with: tuple[str, ...] = ()
    unless_followed_by: tuple[str, ...] = ()
    unless_preceded_by: tuple[str, ...] = ()
    only_preceded_by: tuple[str, ...] = ()
    geography: str = ""
    source: str = ""


class Grades(Frozen):
    """Grades of a condition and the range of an attribute behind each."""

    of: str
    words: tuple[str, ...]
    bare: bool
    attribute: str
    levels: dict[str, tuple[float | None, float | None]]
    source: str

    def restrictions(self, first: str, last: str) -> tuple[Restriction, ...]:
        """From the lower end of one grade to the upper end of the other; either may be the milder one."""
        ends = [self.levels[first], self.levels[last]]
        lows, highs = [low for low, _ in ends], [high for _, high in ends]
        found = []
        if None not in lows:
            low = min(value for value in lows if value is not None)
            found.append(Restriction(attribute=self.attribute, operator=">=", value=low))
        if None not in highs:
            high = max(value for value in highs if value is not None)
            found.append(Restriction(attribute=self.attribute, operator="<", value=high))
        return tuple(found)


class Lexicon(Frozen):
    """Everything the file says."""

    sources: dict[str, str]
    areas: dict[str, AreaWords]
    terms: dict[str, TermWords]
    grades: tuple[Grades, ...] = ()
    never_covered: Phrases = ()
    not_covered: Phrases = ()
    places: dict[str, Phrases] = Field(default_factory=dict)
    people: Phrases = ()
    introducers: frozenset[str] = Field(default_factory=frozenset)
    connectors: frozenset[str] = Field(default_factory=frozenset)
    prepositions: frozenset[str] = Field(default_factory=frozenset)
    fillers: frozenset[str] = Field(default_factory=frozenset)
    qualifiers: frozenset[str] = Field(default_factory=frozenset)
    adjectives: frozenset[str] = Field(default_factory=frozenset)
    histories: frozenset[str] = Field(default_factory=frozenset)
    countable: frozenset[str] = Field(default_factory=frozenset)
    relatives: tuple[str, ...] = ()
    scales: tuple[str, ...] = ()
    acting: frozenset[str] = Field(default_factory=frozenset)
    stops: frozenset[str] = Field(default_factory=frozenset)
    treatment_verbs: frozenset[str] = Field(default_factory=frozenset)
    clause_ends: frozenset[str] = Field(default_factory=frozenset)
    units: frozenset[str] = Field(default_factory=frozenset)
    outcome_leads: tuple[str, ...] = ()
    outcome_follows: tuple[str, ...] = ()
    comparators: tuple[str, ...] = ()

    def ways_to_hold(self, area: str) -> tuple[Restriction, ...]:
        """What an archetype of another area holds of this one: any of these says it, the first says it best."""
        known = self.areas.get(area)
        if known is not None and (known.means or known.held_as):
            return known.means or known.held_as
        return (Restriction(attribute=area, operator="=", value="yes"),)

    def name_of_area(self, area: str) -> str:
        """What people call it: the first of its phrases."""
        known = self.areas.get(area)
        return known.phrases[0] if known is not None and known.phrases else area.replace("_", " ")

    @cached_property
    def place(self) -> re.Pattern[str]:
        """Where people live ("in Germany"); the group `place` is one of the phrases of `places`."""
        phrases = tuple(phrase for known in self.places.values() for phrase in known)
        joints = r"(?:(?:the|rural|urban|northern|southern|eastern|western)\s+)*"
        return re.compile(rf"\b(?:in|from|across|throughout|within)\s+{joints}(?P<place>{_either(phrases)})(?![\w-])")

    @cached_property
    def related(self) -> re.Pattern[str]:
        """People who are named by others who are no cohort: "partners of"."""
        linking = r"of|for|to|treating|caring\s+for|who\s+(?:treat|care\s+for|live\s+with)"
        return re.compile(
            rf"\b(?:{_either(self.relatives)})\s+(?:{linking})\s+(?:(?:the|people|those|patients|with)\s+)*"
        )

    @cached_property
    def grade(self) -> re.Pattern[str]:
        """A grade on a scale: "NYHA class II-IV", "stage 2"."""
        level = r"(?:[ivx]{1,4}|\d[a-d]?)(?![\w.%])"
        named = rf"(?:{_either(self.scales)})(?:\s+(?:functional\s+)?(?:class|stage|grade))?s?"
        return re.compile(rf"\b{named}\s*{level}(?:\s*(?:-|/|to|and|or)\s*{level})*")

    @cached_property
    def outcome_lead(self) -> re.Pattern[str]:
        """Text that ends just before an outcome."""
        return re.compile(rf"\b(?:{_either(self.outcome_leads)})\s+(?:an?\s+|the\s+|new\s+)*$")

    @cached_property
    def outcome_follow(self) -> re.Pattern[str]:
        """Text that goes on just after an outcome."""
        return re.compile(rf"\s+(?:{_either(self.outcome_follows)})\b")

    @cached_property
    def comparison(self) -> re.Pattern[str]:
        """Text that ends just before what something is compared with."""
        joints = r"(?:(?:in|for|with|among|the|those|other|their)\s+)*"
        return re.compile(rf"\b(?:{_either(self.comparators)})\s+{joints}$")


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """The shipped words. PersonaError when the file is damaged or cites a source it does not list."""
    try:
        raw: Any = yaml.load(_FILE.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        words = Lexicon.model_validate(raw)
    except (yaml.YAMLError, ValidationError) as error:
        raise PersonaError(f"{_FILE.name} cannot be read: {error}", "Restore the file.") from error
    cited = {area.source for area in words.areas.values()} | {term.source for term in words.terms.values()}
    cited |= {grade.source for grade in words.grades}
    known_terms = set(words.terms) | set(words.areas)
    named = {name for term in words.terms.values() for name in (*term.includes, *term.only_with)}
    named |= {grade.of for grade in words.grades}
    for missing in (*sorted(cited - set(words.sources) - {""}), *sorted(named - known_terms)):
        raise PersonaError(f"{_FILE.name} refers to '{missing}', which it does not define.", "Define it.")
    for term in words.terms.values():
        for item in (*term.restrictions, *term.negated, *term.instead):
            parse_restriction(str(item))
    return words


def phrase_pattern(phrase: str) -> str:
    """Regular expression of a phrase: words apart by spaces or hyphens, a hyphen may be missing."""
    words = [r"[\s-]?".join(re.escape(part) for part in word.split("-")) for word in phrase.lower().split()]
    return r"[\s-]+".join(words)


def _either(phrases: tuple[str, ...]) -> str:
    return "|".join(phrase_pattern(phrase) for phrase in sorted(phrases, key=len, reverse=True))
