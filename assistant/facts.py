"""The numbers that an answer may contain, each with what it is about: endpoint, arm, part of an interval, source."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any

from assistant.asked import is_given
from assistant.conversions import other_unit
from assistant.directions import FALL, RISE, direction_of, good_of, way_of
from assistant.numerals import Kind, Numeral, read_numerals, unit_family
from assistant.simulation_pages import simulated_pages
from assistant.simulation_reading import read_slots
from knowledge.ingest.sentences import split_sentences
from knowledge.schemas import Endpoint, RetrievedPassage
from tools.schemas import Estimate, ToolResult

NO_DIFFERENCE = "Below 1 means fewer events."  # of a ratio
CARRIES = "% of the weight"
NEIGHBOURS = 6  # words on either side by which a number of a text is recognised again
_WORD = re.compile(r"(?=\d*[^\W\d_])[^\W_]{3,}")
_STOP = frozenset(
    re.findall(
        r"\w+",
        "the and for with from than that this these those was were are has have had not but about over under after only per "
        "cent into been against who whom which their they its also would will all any more less other such each of",
    )
)
_MARK = re.compile(r"\[[^\]\s]*\]")
_COUNTED = re.compile(
    r"\s+(?:[a-z]+\s+)?(?:(?P<trials>trials?|stud(?:y|ies))|people|persons?|patients|participants|adults|women|men|children)\b"
)


_GENERIC = re.compile(
    r"\b(?:changed?|difference|individuals?|share|probability|single|persons?|people|improve\w*|level|score|rate|mean|any"
    r"|least|once|twice|weekly|daily|does|better|treatment|points?|weeks?|months?|years?|response|gets?|good|events?"
    r"|trials?|ratios?|hazard|risk|within|average|before|dose|number|patients?|scales?|cause)\b",
    re.I,
)


class Part(StrEnum):
    """What of an estimate a number is."""

    POINT = "point"
    LOWER = "lower"
    UPPER = "upper"
    TEXT = "text"  # a number of a text: its neighbours tell what it is about
    LEVEL = "level"  # the probability that an interval has
    TRIALS = "trials"  # how many trials an estimate rests on
    FREE = "free"  # may stand anywhere (a horizon)


@dataclass(frozen=True)
class Fact:
    """A number that may be written. `change` facts have a direction.

    Attributes
    ----------
    subject : word stems of what is measured; empty when it may be about anything.
    arm : treatment it belongs to, in lower case; of a difference 'A minus B'.
    group : interval ends belong together when they have the same group.
    words : stems of the words around a number of a text.
    needs : numbers of the quantity's own name ('at least 5 %'), which must stand in the same sentence.
    source : source of the text; empty for what tools computed and for the question.
    direction : -1 or 1 when the text says that it fell or rose.
    units : other units of the same sentence, which a number without a unit may have.
    good : 1 for a share of people who get better, -1 who get worse.
    asked : the number is the user's own, or a tool's argument.
    bound : part of the name of an outcome, written behind 'at least' or the like.
    cited : may stand only in a sentence that cites the source.
    predicted : false for attributes of the cohort.
    labels : how a simulation calls what it computed; empty for endpoints, which the vocabulary names.
    input : a number of the question that a simulation took; the heading of the answer repeats it.
    counted : what the number counts ('people', 'trials'), empty when nothing that is told apart.
    """

    value: float
    unit: str = ""
    change: bool = False
    part: Part = Part.FREE
    subject: frozenset[str] = frozenset()
    endpoint: str = ""
    arm: str = ""
    group: int = -1
    words: frozenset[str] = frozenset()
    needs: tuple[float, ...] = ()
    source: str = ""
    kind: Kind = Kind.PLAIN
    direction: int = 0
    units: frozenset[str] = frozenset()
    counted: str = ""
    asked: bool = False
    bound: bool = False
    cited: bool = False
    good: int = 0
    predicted: bool = True
    labels: tuple[str, ...] = ()
    input: bool = False

    @property
    def contrast(self) -> bool:
        """True for a difference between two arms, or their ratio."""
        return " minus " in self.arm or " versus " in self.arm


def stems(text: str) -> frozenset[str]:
    """The first letters of the words that carry meaning."""
    return frozenset(w[:5] for w in _WORD.findall(text.casefold()) if w not in _STOP)


def facts_from(
    question: str,
    results: Sequence[ToolResult],
    arguments: Iterable[dict[str, Any]],
    endpoints: Mapping[str, Endpoint] | None = None,
    told: Iterable[str] = (),
    people: Callable[[str], Sequence[tuple[int, int]]] | None = None,
) -> list[Fact]:
    """All numbers that an answer may contain; with `endpoints` also in the other unit in use (mmol/mol, lb).

    `told` are further texts that may be repeated, such as the messages of tools that refused; `people` finds the words
    of the question that describe them.
    """
    facts = [*asked_facts(question, people), *(fact for text in told for fact in text_facts(text))]
    for argument in arguments:
        facts += _leaves(argument)
    facts += _inputs(question, results)
    facts = [replace(fact, asked=True) for fact in facts]
    group = 0
    for result in results:
        simulated = bool(simulated_pages([result]))
        for estimate in result.estimates:
            facts += _estimate_facts(estimate, (endpoints or {}).get(estimate.endpoint), group, simulated)
            group += 1
        facts += _derived(result.estimates)
        for text in (result.title, *result.assumptions, *result.warnings):
            facts += text_facts(text)
        for hit in result.passages:
            facts += passage_facts(hit)
        for source_id, text in extra_texts(result, endpoints):
            facts += [replace(fact, cited=text.endswith(CARRIES)) for fact in text_facts(text, source_id)]
    return facts


def extra_texts(result: ToolResult, endpoints: Mapping[str, Endpoint] | None = None) -> list[tuple[str, str]]:
    """(source id, text) of what only some results have: statements about a cohort, and published figures."""
    found = []
    for statement in getattr(result, "preferences", ()):
        found.append((statement.source_id, statement.statement))
    for name in ("summary", "name"):
        text = getattr(result, name, "")
        if text:
            found.append(("", str(text)))
    prevalence = getattr(result, "prevalence", None)
    if prevalence is not None:
        found.append(("", f"They are {100 * prevalence:.0f} % of the archetype."))
    for row in getattr(result, "evidence", ()):
        when = f" at {row.weeks:g} weeks" if row.weeks else ""
        size = f" in {row.n} people" if row.n else ""
        label = row.endpoint.replace("_", " ")
        known = (endpoints or {}).get(row.endpoint)
        unit = getattr(row, "unit", "") or (known.unit if known else "")
        found.append(
            (row.source_id, f"{row.trial} {row.arm} {label} {row.value:g} {unit}{when}{size}, {row.weight:g} {CARRIES}")
        )
    for link in getattr(result, "links", ()):  # of a chain of simulations
        found += [("", link.title), ("", link.method), ("", link.missing)]
    for row in getattr(result, "missing_endpoints", ()):
        found.append(("", str(getattr(row, "reason", row))))
    return found


def _estimate_facts(estimate: Estimate, endpoint: Endpoint | None, group: int, simulated: bool) -> list[Fact]:
    # 'lose at least 5 %' and 'at least 10 %' are told apart by their numbers.
    needs = tuple(n.value for n in read_numerals(_without_arms(estimate))) if ".share" in estimate.id else ()
    if estimate.unit.endswith("ratio"):
        return [*_values(estimate, endpoint, group, needs, simulated), *text_facts(NO_DIFFERENCE)]
    return _values(estimate, endpoint, group, needs, simulated)


def _values(
    estimate: Estimate, endpoint: Endpoint | None, group: int, needs: tuple[float, ...], simulated: bool
) -> list[Fact]:
    unit = unit_family(estimate.unit)
    change = "change" in estimate.quantity.lower() or "difference" in estimate.quantity.lower()
    subject = _subject(estimate, endpoint)
    said = _without_arms(estimate)
    labels = _labels(estimate) if simulated else ()
    name = f"{estimate.quantity} {estimate.arm}".casefold().strip() if simulated else name_of(estimate)
    values = [(estimate.point, Part.POINT), (estimate.lower, Part.LOWER), (estimate.upper, Part.UPPER)]
    scales = [(1.0, unit), *([(100.0, "percent")] if estimate.unit == "share" else [])]
    converted = other_unit(endpoint) if endpoint is not None else None
    if converted is not None and endpoint is not None and estimate.unit == endpoint.unit:
        scales.append((converted[0], unit_family(converted[1]) or converted[1]))
    facts = [
        Fact(
            value * factor,
            family,
            change,
            part,
            subject,
            name,
            "" if labels else estimate.arm.casefold(),
            group,
            needs=needs,
            predicted=bool(estimate.endpoint) or bool(labels),
            labels=labels,
            direction=0 if change else direction_of(said),
            good=good_of(said),
        )
        for factor, family in scales
        for value, part in values
        if value is not None
    ]
    facts.append(Fact(100 * estimate.level, "percent", part=Part.LEVEL))
    if estimate.horizon_weeks is not None:
        facts += _in_other_times(Fact(estimate.horizon_weeks, "weeks"))
    if estimate.n_trials is not None and not estimate.id.endswith(".control"):
        facts.append(Fact(float(estimate.n_trials), part=Part.TRIALS, subject=subject, endpoint=name_of(estimate)))
    facts += [replace(fact, bound=True) for fact in text_facts(estimate.quantity)]
    for text in (estimate.arm, estimate.population, estimate.note):
        facts += text_facts(text)
    return facts


def _subject(estimate: Estimate, endpoint: Endpoint | None) -> frozenset[str]:
    """Stems of the words for what is measured, without those that any measure shares."""
    said = f"{_without_arms(estimate)} {' '.join((endpoint.label, *endpoint.synonyms)) if endpoint else ''}"
    return stems(_GENERIC.sub(" ", FALL.sub(" ", RISE.sub(" ", said))))


def _labels(estimate: Estimate) -> tuple[str, ...]:
    """What a simulation computed, as it stands in a table: by itself, and behind the strategy that it belongs to."""
    quantity = estimate.quantity.casefold()
    return (quantity, f"{estimate.arm.casefold()}: {quantity}") if estimate.arm else (quantity,)


def name_of(estimate: Estimate) -> str:
    """What the estimate is of: an endpoint, or an attribute of the cohort."""
    return estimate.endpoint or estimate.id.partition(".")[0]


def _without_arms(estimate: Estimate) -> str:
    text = estimate.quantity
    for name in re.split(" minus | versus ", estimate.arm):
        text = text.replace(name, " ") if name else text
    return text


def _derived(estimates: Sequence[Estimate]) -> list[Fact]:
    """Numbers needed to treat, and ratios of treatment to control ('halved'), from shares of people."""
    by_id = {estimate.id: estimate for estimate in estimates}
    facts = []
    for estimate in estimates:
        control = by_id.get(
            f"{estimate.endpoint}.control" if estimate.id.endswith(".mean") else f"{estimate.id}.control"
        )
        if control is None or estimate.unit != "%" or "change" in estimate.quantity.lower():
            continue
        subject = _subject(estimate, None)
        if control.point > 0:
            ratio = estimate.point / control.point
            facts.append(Fact(ratio, part=Part.POINT, subject=subject, endpoint=name_of(estimate), kind=Kind.RATIO))
        if abs(estimate.point - control.point) > 0.5:
            needed = 100 / abs(estimate.point - control.point)
            facts.append(Fact(needed, part=Part.POINT, subject=subject, endpoint=name_of(estimate), kind=Kind.NEEDED))
    return facts


def _in_other_times(fact: Fact) -> list[Fact]:
    """The same time in weeks, months and years."""
    from assistant.reading import WEEKS_PER

    weeks = fact.value
    return [
        fact,
        Fact(weeks / WEEKS_PER["m"], "months"),
        Fact(weeks / WEEKS_PER["y"], "years"),
        Fact(7 * weeks, "days"),
    ]


def passage_facts(hit: RetrievedPassage) -> list[Fact]:
    """Numbers of a quoted passage and the year of its source."""
    name = hit.source.source_id
    facts = text_facts(hit.passage.text, name) + text_facts(f"{hit.passage.trial} {hit.passage.heading}", name)
    return [*facts, Fact(float(hit.source.year), part=Part.TEXT, words=stems(hit.source.title), source=name)]


def text_facts(text: str, source: str = "") -> list[Fact]:
    """Numbers of a text, each with its unit and the words around it."""
    return list(_text_facts(text, source))


@lru_cache(maxsize=8192)  # names of arms and outcomes come again in every estimate, passages in every question
def _text_facts(text: str, source: str) -> tuple[Fact, ...]:
    sentences = split_sentences(_MARK.sub(" ", text))
    return tuple(fact for sentence in sentences for _, fact in sentence_facts(sentence, source))


def asked_facts(question: str, people: Callable[[str], Sequence[tuple[int, int]]] | None = None) -> list[Fact]:
    """The facts of a question; without `people` no words are known to describe them."""
    facts = []
    for sentence in split_sentences(question):
        spans = people(sentence) if people is not None else ()
        for numeral, fact in sentence_facts(sentence):
            described = any(start < numeral.end and numeral.start < end for start, end in spans)
            if described or is_given(sentence, numeral):
                facts.append(replace(fact, asked=True))
    return facts


def _inputs(question: str, results: Sequence[ToolResult]) -> list[Fact]:
    """Numbers of the question that a simulation took as its inputs."""
    facts: list[Fact] = []
    for page in simulated_pages(results):
        for sentence in split_sentences(question):
            spans = [(one.start, one.end) for found in read_slots(page, sentence).values() for one in found]
            facts += [
                replace(fact, input=True)
                for numeral, fact in sentence_facts(sentence)
                if any(start < numeral.end and numeral.start < end for start, end in spans)
            ]
    return facts


def sentence_facts(sentence: str, source: str = "") -> list[tuple[Numeral, Fact]]:
    """Each number of a sentence, with its fact."""
    numerals = read_numerals(sentence)
    units = frozenset(numeral.unit for numeral in numeral_units(numerals))
    facts = []
    for numeral in numerals:
        way = (-1 if numeral.sign == "-" else 1) if numeral.sign else way_of(sentence, numeral)
        fact = Fact(numeral.value, numeral.unit, False, Part.TEXT, words=neighbours(sentence, numeral), source=source,
                    kind=numeral.kind, direction=way, units=units, counted=counted_at(sentence, numeral.end))  # fmt: skip
        facts.append((numeral, fact))
    return facts


def counted_at(text: str, position: int) -> str:
    """What is counted by the number that ends at a position: 'people', 'trials', or nothing that is told apart."""
    match = _COUNTED.match(text, position)
    return "" if match is None else "trials" if match["trials"] else "people"


def numeral_units(numerals: Sequence[Numeral]) -> list[Numeral]:
    """Those with a unit."""
    return [numeral for numeral in numerals if numeral.unit]


def neighbours(sentence: str, numeral: Numeral) -> frozenset[str]:
    """Stems of the words nearest to a number."""
    before = _WORD.findall(sentence[: numeral.start].casefold())
    after = _WORD.findall(sentence[numeral.end :].casefold())
    near = [w for w in before if w not in _STOP][-NEIGHBOURS:] + [w for w in after if w not in _STOP][:NEIGHBOURS]
    return frozenset(word[:5] for word in near)


def _leaves(value: Any, unit: str = "") -> list[Fact]:
    """Numbers of a JSON-like value; keys that name a unit give it."""
    if isinstance(value, bool) or value is None:
        return []
    if isinstance(value, int | float):
        fact = Fact(float(value), unit)
        return _in_other_times(fact) if unit == "weeks" else [fact] if unit else []
    if isinstance(value, str):
        return text_facts(value)
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in _leaves(item, _unit_of_key(str(key), value))]
    if isinstance(value, list | tuple):
        return [leaf for item in value for leaf in _leaves(item, unit)]
    return []


def _unit_of_key(key: str, siblings: dict[str, Any]) -> str:
    if key.endswith("weeks") or key.startswith("weeks_"):
        return "weeks"
    if key == "dose":
        return unit_family(str(siblings.get("dose_unit") or ""))
    return ""
