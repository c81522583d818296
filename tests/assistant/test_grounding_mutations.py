"""Mutation test of the verifier: true answers of the offline planner pass, and what is changed in them is caught.

Every mutant is one change to one line of a real answer. What is left out is left out by rule, never by hand:

* a change that leaves a true statement (`Case.true_of`): the number put in is, rounded to the digits written, what the
  tools returned for the same endpoint, arm and part of the interval;
* a word of direction in a line that stands unchanged in the answers to three questions: it explains how to read them;
* 'for one fewer …, about 25 people would be treated', which is not turned round;
* figures that are written alike ('9 on one, 9 on the other' exchanged), and a sign before a zero;
* a source put in that holds the very sentence, or as many of its numbers and words as its own source does.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from assistant.compose import compose_answer
from assistant.planner import OfflinePlanner
from assistant.service import Assistant
from assistant.verifying import Verifier
from knowledge.errors import CohortTwinError
from personas.library import PersonaLibrary
from personas.resolve import cohort_spans
from tools.schemas import Estimate, ToolResult

QUESTIONS = (
    "How would adults over 65 with type 2 diabetes and chronic kidney disease react to semaglutide 1 mg weekly over 30 weeks?",
    "How would adults with obesity react to semaglutide 2.4 mg weekly over 68 weeks?",
    "Compare tirzepatide 10 mg and semaglutide 1 mg in adults with type 2 diabetes over 40 weeks",
    "How would adults with hypercholesterolaemia react to atorvastatin 40 mg daily over 12 weeks?",
    "How would adults with COPD react to tiotropium 18 µg daily over 48 weeks?",
    "How would adults with heart failure react to dapagliflozin 10 mg daily over 78 weeks?",
    "How would adults with major depression react to escitalopram 10 mg daily over 8 weeks?",
    "How would smokers react to varenicline 1 mg twice daily over 24 weeks?",
    "How would adults with rheumatoid arthritis react to adalimumab 40 mg over 24 weeks?",
    "How would adults with fibromyalgia react to duloxetine 60 mg daily over 12 weeks?",
    "How would adults hospitalised with COVID-19 react to dexamethasone 6 mg daily over 4 weeks?",
    "How would adults with chronic kidney disease react to finerenone 20 mg daily over 2 years?",
    "What is known about adherence to GLP-1 drugs in type 2 diabetes?",
    "What does the evidence say on statins and muscle pain?",
)
MORE_QUESTIONS = (
    "How would adults with hypertension react to amlodipine 10 mg daily over 8 weeks?",
    "How would adults with Alzheimer's disease react to lecanemab over 78 weeks?",
    "How would adults with gout react to febuxostat 80 mg daily over 26 weeks?",
    "How would adults with severe asthma react to dupilumab 200 mg over 52 weeks?",
    "How would adults with knee osteoarthritis react to celecoxib 200 mg daily over 12 weeks?",
    "How would adolescents with depression react to fluoxetine 20 mg daily over 12 weeks?",
    "How would adults with type 2 diabetes react to exenatide 2 mg weekly, and what would it cost?",
    "How would adults with type 2 diabetes and hypertension react to empagliflozin 25 mg daily over 52 weeks?",
    "How would adults with lung cancer react to osimertinib over 2 years?",
    "Compare dapagliflozin 10 mg and empagliflozin 10 mg in adults with type 2 diabetes over 24 weeks",
    "Compare atorvastatin 40 mg and rosuvastatin 20 mg in adults with high cholesterol",
    "Describe women over 60 with obesity",
    "Describe adults with COPD",
)
PARAPHRASES = Path(__file__).parent / "paraphrases.yaml"
UNITS = {
    "%-points": ("kg", "mmol/mol"), "kg": ("lb", "%-points"), "lb": ("kg",), "mmol/mol": ("%-points",), "mL": ("%",),
    "points": ("%", "mmHg"), "weeks": ("months", "days"), "mm": ("%",), "mg/dL": ("mmol/L",), "in 100": ("kg", "weeks"),
    "months": ("weeks",), "years": ("weeks",), "%": ("kg", "weeks"),
}  # fmt: skip
TURNED = {
    "fall": "rise", "fell": "rose", "lose": "gain", "rise": "fall", "rose": "fell", "more than on": "less than on", "lower": "higher",
    "higher": "lower", "more than": "less than", "improve": "worsen", "fewer": "more",
}  # fmt: skip
NUMBER = re.compile(
    r"(?<![\w.,/:\-])(?P<sign>−?)(?P<n>\d+(?:\.\d+)?)(?!\s\d{3}\b)(?![\w.]*\d)(?!\s?(?:mg|ug|µg)\b(?!/d))(?![A-Za-z])"
)
BESIDE_CONTROL = re.compile(
    r"(?P<a>\d+(?:\.\d+)?)(?P<between>[^\d|]{0,90}?(?: in 100)?[^\d|]{0,90}?)(?P<b>\d+(?:\.\d+)?)(?= (?:in 100 )?on placebo)"
)
MARK = re.compile(r"\[((?:pmid|doi|nct|web)-[a-z0-9.\-]+)\]")


@dataclass
class Case:
    """An answer with what it was made of."""

    question: str
    text: str
    results: list[ToolResult]
    verifier: Verifier
    sources: dict[str, str] = field(default_factory=dict)

    @property
    def estimates(self) -> list[Estimate]:
        return [estimate for result in self.results for estimate in result.estimates]

    def lines(self) -> Iterator[tuple[str, str]]:
        """(what stands before it and gives it sense, line): the head of a table, or nothing."""
        head = ""
        for line in self.text.splitlines():
            if line.startswith("|"):
                head = head or line
                if not set(line) <= set("|-: ") and line != head:
                    yield head + "\n", line
                continue
            head = ""
            if line and not line.startswith("### "):
                yield "", line

    def true_of(self, old: str, new: str) -> bool:
        """Whether `new` is true where `old` stood: the same endpoint, arm and part."""
        value, places = _read(new)
        was, were = _read(old)
        parts = ("point", "lower", "upper")
        roles = {
            (e.endpoint or e.id, e.arm, part)
            for e in self.estimates
            for part in parts
            if _rounds_to(getattr(e, part), was, were)
        }
        return any(
            (e.endpoint or e.id, e.arm, part) in roles and _rounds_to(getattr(e, part), value, places)
            for e in self.estimates
            for part in parts
        )


def _read(written: str) -> tuple[float, int]:
    digits = written.replace("−", "-")
    return float(digits), len(digits.partition(".")[2])


def _rounds_to(value: float | None, written: float, places: int) -> bool:
    return value is not None and abs(abs(round(value, places)) - abs(written)) < 1e-9


@dataclass(frozen=True)
class Mutant:
    """One change of a line of an answer."""

    kind: str
    head: str
    line: str
    changed: str


def _put(line: str, start: int, end: int, new: str) -> str:
    return line[:start] + new + line[end:]


def _marked(line: str) -> list[tuple[int, int]]:
    return [
        match.span() for match in re.finditer(r"\[[^\]]*\]|`[^`]*`|HbA1c|FEV1|ACR20|ADAS-Cog14|\(Brief[^)]*\)", line)
    ]


def _numbers(line: str) -> list[re.Match[str]]:
    marked = _marked(line)
    return [m for m in NUMBER.finditer(line) if not any(start <= m.start() < end for start, end in marked)]


def wrong_numbers(case: Case, head: str, line: str) -> Iterator[Mutant]:
    """Each number, one a little off, the next far off."""
    for index, match in enumerate(_numbers(line)):
        value, places = _read(match["n"])
        step = 10.0**-places
        new = f"{(value + 2 * step, 2 * value + 3 * step)[index % 2]:.{places}f}"
        if new == match["n"] or case.true_of(match["n"], new):
            continue
        kind = "year, size or time" if _is_size(line, match) else "number"
        yield Mutant(kind, head, line, _put(line, match.start("n"), match.end("n"), new))


def _is_size(line: str, match: re.Match[str]) -> bool:
    behind = line[match.end() :]
    year = re.fullmatch(r"(?:19|20)\d\d", match["n"]) is not None
    return (
        year
        or re.match(r"\s?(?:weeks?|months?|years?|trials?|people|adults|patients|participants|sites)\b", behind)
        is not None
    )


def swapped_units(case: Case, head: str, line: str) -> Iterator[Mutant]:
    """The unit behind each number, or in the label of a row, exchanged for another."""
    marked = _marked(line)
    for match in _numbers(line):
        for unit, others in UNITS.items():
            behind = re.match(rf"\s?{re.escape(unit)}(?![\w-])", line[match.end() :])
            if behind is None or any(start <= match.end() < end for start, end in marked):
                continue
            for other in others:
                yield Mutant("unit", head, line, _put(line, match.end(), match.end() + behind.end(), f" {other}"))
            break
    label = re.match(r"\| [^|]*\((%-points|kg|%|mL|points|mm)\) \|", line)
    if label is not None:
        for other in UNITS[label[1]]:
            yield Mutant("unit", head, line, _put(line, label.start(1), label.end(1), other))


def flipped_signs(case: Case, head: str, line: str) -> Iterator[Mutant]:
    """A minus taken away or put in, and words of direction turned round."""
    for match in _numbers(line):
        if float(match["n"]) == 0:
            continue
        if match["sign"]:
            yield Mutant("sign", head, line, _put(line, match.start("sign"), match.end("sign"), ""))
        elif (line.startswith("|") and "minus" in line + head) or re.search(
            r"would report (?:−?[\d.]+ to )?$", line[: match.start()]
        ):
            yield Mutant("sign", head, line, _put(line, match.start(), match.start(), "−"))
    for word, other in TURNED.items():
        for match in re.finditer(rf"\b{word}\b", line):
            if word == "fewer" and line[: match.start()].casefold().endswith("for one "):
                continue
            yield Mutant("direction", head, line, _put(line, match.start(), match.end(), other))


def swapped_arms(case: Case, head: str, line: str) -> Iterator[Mutant]:
    """Figures of treatment and control exchanged; treatments of a comparison exchanged."""
    cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
    if len(cells) == 4 and cells[1] != cells[2] and "Difference" in head:
        for first, second in ((1, 2), (1, 3), (2, 3)):
            other = list(cells)
            other[first], other[second] = other[second], other[first]
            if _digits(cells[first]) != _digits(cells[second]):
                yield Mutant("arm", head, line, f"| {' | '.join(other)} |")
    for match in BESIDE_CONTROL.finditer(line):
        if match["a"] != match["b"]:
            yield Mutant("arm", head, line, _put(line, *match.span(), match["b"] + match["between"] + match["a"]))
    arms = [e.arm for e in case.estimates if e.id.count(".mean.") or e.id.endswith(".mean")]
    arms = list(dict.fromkeys(arm for arm in arms if arm and " minus " not in arm))
    if len(arms) == 2 and all(arm in line for arm in arms):
        swapped = line.replace(arms[0], "\0").replace(arms[1], arms[0]).replace("\0", arms[1])
        if len(set(re.findall(r"by about ([\d.]+)", line))) != 1 and not line.startswith("## "):
            yield Mutant("arm", head, line, swapped)
    if len(arms) == 2 and len(cells) == 3:
        for arm, other in (arms, arms[::-1]):
            twin = next(
                (text for h, text in case.lines() if h == head and text.startswith(f"| {cells[0]} | {other} |")), ""
            )
            if cells[1] == arm and twin and _digits(twin.split("|")[3]) != _digits(cells[2]):
                yield Mutant("arm", head, line, line.replace(arm, other))


def _digits(text: str) -> str:
    return " ".join(re.findall(r"[\d.]+", text))


def swapped_outcomes(case: Case, head: str, line: str) -> Iterator[Mutant]:
    """The figures of a row, or of a sentence, told of another outcome."""
    if line.startswith("|") and ("Difference" in head or "Cohort mean" in head):
        rows = [text for h, text in case.lines() if h == head]
        for other in rows:
            mine, theirs = (text.strip("|").split("|") for text in (line, other))
            if mine[0] != theirs[0] and _digits("|".join(mine[1:])) != _digits("|".join(theirs[1:])):
                yield Mutant("outcome", head, line, f"|{'|'.join([theirs[0], *mine[1:]])}|")
    stopping, breath = "stop treatment because of adverse events", "trough FEV1 change (before dose or bronchodilator)"
    names = ("nausea", "HbA1c", "body weight", stopping, breath)
    if line.startswith("**"):
        for name in names:
            for other in names:
                if name != other and name in line and other in line:
                    yield Mutant(
                        "outcome", head, line, line.replace(name, "\0").replace(other, name).replace("\0", other)
                    )


def wrong_citations(case: Case, head: str, line: str) -> Iterator[Mutant]:
    """Each citation exchanged for every other of the run, and for one that does not exist."""
    for match in MARK.finditer(line):
        yield Mutant("citation invented", head, line, _put(line, match.start(1), match.end(1), "pmid-99999901"))
        words = _words(line)
        own = len(words & _words(case.sources.get(match[1], "")))
        for name, text in case.sources.items():
            if name != match[1] and len(words & _words(text)) < 0.8 * own:
                yield Mutant("citation exchanged", head, line, _put(line, match.start(1), match.end(1), name))


def _words(text: str) -> set[str]:
    return {word[:5] for word in re.findall(r"[a-z]{4,}|\d+(?:\.\d+)?", MARK.sub("", text).casefold())}


def wrong_treatments(case: Case, head: str, line: str) -> Iterator[Mutant]:
    """Another drug, or another dose, in the place of the one asked about."""
    if MARK.search(line):
        return
    for match in re.finditer(r"\b(?P<drug>[a-z]{6,}) (?P<dose>\d+(?:\.\d+)?) (?P<unit>mg|ug)\b", line):
        yield Mutant("drug", head, line, _put(line, match.start("drug"), match.end("drug"), "pioglitazone"))
        yield Mutant(
            "dose", head, line, _put(line, match.start("dose"), match.end("dose"), f"{float(match['dose']) * 3:g}")
        )


MUTATIONS = (
    wrong_numbers, swapped_units, flipped_signs, swapped_arms, swapped_outcomes, wrong_citations, wrong_treatments,
)  # fmt: skip


def answer_of(question: str, assistant: Assistant) -> Case:
    """The offline answer before anything is taken out of it, and its verifier."""
    planner = OfflinePlanner(knowledge=assistant.knowledge, personas=assistant.personas)
    draft = planner.draft(question)
    assert not draft.reply, draft.reply
    results: list[Any] = []
    failures: list[str] = []
    for call in draft.calls:
        declared = assistant.registry[call.tool]
        try:
            results.append(declared(declared.parse(call.arguments), assistant.context()))
        except CohortTwinError as error:
            failures.append(json.dumps({"message": str(error)}))
    text, _ = compose_answer(draft, results, failures, assistant.knowledge)
    return case_of(question, text, results, [call.arguments for call in draft.calls], failures, assistant)


def case_of(
    question: str, text: str, results: list[Any], arguments: list[Any], failures: list[str], assistant: Any
) -> Case:
    """A case from its parts."""
    verifier = Verifier(
        question,
        results,
        arguments,
        assistant.knowledge.vocabulary,
        told=failures,
        people=people_of(assistant.personas),
    )
    sources: dict[str, str] = defaultdict(str)
    for result in results:
        for hit in result.passages:
            sources[hit.source.source_id] += f" {hit.passage.text} {hit.source.title}"
        for statement in getattr(result, "preferences", ()):
            if statement.source_id:
                sources[statement.source_id] += f" {statement.statement}"
    return Case(question, text, results, verifier, dict(sources))


def people_of(library: PersonaLibrary) -> Any:
    return lambda text: list(cohort_spans(text, library))


def mutants(case: Case, fixed: frozenset[str]) -> Iterator[Mutant]:
    """All mutants of an answer; `fixed` lines explain how to read it and say nothing that goes up or down."""
    for head, line in case.lines():
        for mutate in MUTATIONS:
            for mutant in mutate(case, head, line):
                if mutant.kind != "direction" or line not in fixed:
                    yield mutant


def survivors(cases: Sequence[Case]) -> tuple[Counter[str], list[tuple[str, Mutant]]]:
    """How many mutants there are of each kind, and those that were not noticed."""
    counts: Counter[str] = Counter()
    missed = []
    lines = Counter(line for case in cases for line in {line for _, line in case.lines()})
    fixed = frozenset(line for line, n in lines.items() if n >= 3 and not MARK.search(line))
    for case in cases:
        for mutant in mutants(case, fixed):
            counts[mutant.kind] += 1
            if not case.verifier.faults(mutant.head + mutant.changed):
                missed.append((case.question, mutant))
    return counts, missed


def _filled(template: str, case: Case) -> str:
    """'{hba1c_change.mean:1}' is the figure without its sign, '{~x:1}' with it, '{x/lower:1}' an end, '{x:words}' in words."""
    by_id = {estimate.id: estimate for estimate in case.estimates}

    def figure(match: re.Match[str]) -> str:
        value = getattr(by_id[match["id"]], match["part"] or "point")
        if match["form"] == "words":
            return _in_words(value)
        text = f"{abs(value):.{int(match['form'])}f}"
        return f"−{text}" if match["signed"] and value < 0 and float(text) else text

    return re.sub(r"\{(?P<signed>~?)(?P<id>[\w.-]+)(?:/(?P<part>\w+))?:(?P<form>\w+)\}", figure, template)


def _in_words(percent: float) -> str:
    words = {
        100 / 3: "about a third",
        50: "about half",
        20: "one in five",
        25: "a quarter",
        75: "three in four",
        200 / 3: "two thirds",
    }
    near = min(words, key=lambda value: abs(value - percent))
    return words[near] if abs(near - percent) < 1.5 else f"{percent:.0f} %"


@pytest.fixture(scope="module")
def cases(assistant: Assistant) -> list[Case]:
    return [answer_of(question, assistant) for question in QUESTIONS]


def test_true_answers_raise_no_alarm(cases: list[Case], assistant: Assistant) -> None:
    everything = [*cases, *(answer_of(question, assistant) for question in MORE_QUESTIONS)]
    assert len(everything) >= 25
    alarms = [(case.question, fault) for case in everything for fault in case.verifier.faults(case.text)]
    assert alarms == []


def test_honest_paraphrases_raise_no_alarm(cases: list[Case]) -> None:
    told = yaml.safe_load(PARAPHRASES.read_text(encoding="utf-8"))
    sentences = [(cases[int(number)], line) for number, lines in told.items() for line in lines]
    assert len(sentences) >= 60
    alarms = [
        (text, fault.numeral)
        for case, line in sentences
        for text in [_filled(line, case)]
        for fault in case.verifier.faults(text)
    ]
    assert alarms == []


def test_mutants_are_caught(cases: list[Case]) -> None:
    counts, missed = survivors(cases)
    assert sum(counts.values()) >= 2_000
    lost = Counter(mutant.kind for _, mutant in missed)
    for kind, n in counts.items():
        examples = [mutant.changed for _, mutant in missed if mutant.kind == kind][:5]
        assert n >= 25, kind
        assert lost[kind] <= 0.01 * n, (kind, n, lost[kind], examples)
