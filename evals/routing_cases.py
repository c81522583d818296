"""Questions with the plan that is right for each; and which half of them may be looked at."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, field_validator

from knowledge.base import KnowledgeBase
from knowledge.errors import CohortTwinError, DataError
from knowledge.schemas import Frozen
from personas.library import PersonaLibrary

CASES = Path(__file__).parent / "cases" / "routing.yaml"
SIMULATION = Path(__file__).parent / "cases" / "routing_simulation.yaml"
FIRST = Path(__file__).parent / "cases" / "routing_first.yaml"
_WHO = re.compile(r"^(?P<persona>[a-z0-9_]+(?:\+[a-z0-9_]+)*)(?:\s*\[(?P<restrictions>[^\]]*)\])?$")
_TREATMENT = re.compile(r"^(?P<name>.+?)(?:\s+(?:(?P<dose>\d+(?:\.\d+)?)\s+(?P<unit>mg|g|ug|U)|(?P<any>\?)))?$")


class Half(StrEnum):
    """Development: may be looked at while rules are changed. Test: is only counted."""

    DEVELOPMENT = "development"
    TEST = "test"


class Act(StrEnum):
    """What a plan can do."""

    SIMULATE = "simulate"
    COMPARE = "compare"
    RANK = "rank"
    RESPONDERS = "responders"
    EXPLAIN = "explain"
    STOP = "stop"
    DESCRIBE = "describe"
    SEARCH = "search"
    ABSTAIN = "abstain"
    ASK = "ask"
    REDIRECT = "redirect"
    EMERGENCY = "emergency"
    COMPUTE = "compute"

    @property
    def refuses(self) -> bool:
        """True when the question is not answered."""
        return self in (Act.ABSTAIN, Act.ASK, Act.REDIRECT, Act.EMERGENCY)


class Cohort(Frozen):
    """An archetype ('a+b': a mixture of two) and the restrictions beyond it, as they are compared: 'age>=65'."""

    persona_id: str
    restrictions: frozenset[str] = frozenset()


class Dosed(Frozen):
    """A treatment; `dose` in `unit`, None when none was written; `scored` is False where the dose may be anything."""

    name: str
    dose: float | None = None
    unit: str = ""
    scored: bool = True


class Wanted(Frozen):
    """One endpoint of a question: at least one of `names` must be planned for unless `optional`."""

    names: frozenset[str]
    optional: bool = False


class RoutingCase(Frozen):
    """A question and the plan that is right for it. Empty `who` and `drugs` are not scored, nor are 0 `weeks`.

    `after` are the questions before it, the oldest first. `tool`: the simulation that computes it, or asks back ('a|b': any
    is right); `given`: some of its arguments, by their path ('groups.0.people').
    """

    question: str = Field(min_length=1)
    after: tuple[str, ...] = ()
    kind: str
    do: tuple[Act, ...]
    who: tuple[Cohort, ...] = ()
    drugs: tuple[Dosed, ...] = ()
    see: tuple[Wanted, ...] = ()
    weeks: float | None = Field(None, ge=0)
    tool: tuple[str, ...] = ()
    given: dict[str, float | str] = Field(default_factory=dict)

    @property
    def half(self) -> Half:
        """By the first hexadecimal digit of the SHA-256 of all that was asked: even is development, odd is test."""
        digit = int(hashlib.sha256("\n".join((*self.after, self.question)).encode("utf-8")).hexdigest()[0], 16)
        return Half.TEST if digit % 2 else Half.DEVELOPMENT

    @property
    def refused(self) -> bool:
        """True when no answer at all would be right."""
        return all(act.refuses for act in self.do)

    @field_validator("do", mode="before")
    @classmethod
    def _acts(cls, value: str) -> tuple[str, ...]:
        return tuple(value.split("|"))

    @field_validator("tool", mode="before")
    @classmethod
    def _tools(cls, value: str) -> tuple[str, ...]:
        return tuple(value.split("|"))

    @field_validator("after", mode="before")
    @classmethod
    def _before(cls, value: str | list[str]) -> tuple[str, ...]:
        return (value,) if isinstance(value, str) else tuple(value)

    @field_validator("who", mode="before")
    @classmethod
    def _cohorts(cls, value: str) -> tuple[Cohort, ...]:
        return tuple(_cohort(part.strip()) for part in value.split("|"))

    @field_validator("drugs", mode="before")
    @classmethod
    def _treatments(cls, value: list[str]) -> tuple[Dosed, ...]:
        return tuple(_dosed(str(text)) for text in value)

    @field_validator("see", mode="before")
    @classmethod
    def _endpoints(cls, value: list[str]) -> tuple[Wanted, ...]:
        return tuple(
            Wanted(names=frozenset(text.removeprefix("~").split("+")), optional=text.startswith("~")) for text in value
        )


def comparable(restriction: str) -> str:
    """'over 65' and 'at least 65' are the same here: 'age>65' becomes 'age>=65'."""
    return re.sub(r"([<>])(?!=)", r"\1=", restriction.replace(" ", ""))


def load_routing_cases(*paths: Path) -> list[RoutingCase]:
    """All cases, in file order (DataError names kind and position, or a question that is there twice); left out: both files."""
    cases: list[RoutingCase] = []
    for path in paths or (CASES, SIMULATION):
        content: dict[str, list[dict[str, Any]]] = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        for kind, entries in content.items():
            for position, entry in enumerate(entries, start=1):
                try:
                    cases.append(RoutingCase.model_validate({"kind": kind, "question": entry.pop("q", ""), **entry}))
                except (ValidationError, TypeError, ValueError) as error:
                    raise DataError(f"{path.name}, {kind} {position}: {error}") from error
    questions = [" / ".join((*case.after, case.question)) for case in cases]
    twice = sorted({question for question in questions if questions.count(question) > 1})
    if twice:
        raise DataError(f"{(paths or (CASES,))[0].name}: questions that are there twice: {'; '.join(twice)}.")
    return cases


def check_names(cases: Sequence[RoutingCase], knowledge: KnowledgeBase, personas: PersonaLibrary) -> list[str]:
    """Archetypes, treatments and endpoints that the cases name and that do not exist; each once, with its question."""
    faults: list[str] = []
    for case in cases:
        named: list[tuple[Callable[[str], object], str]] = []
        named += [(personas.get, name) for cohort in case.who for name in cohort.persona_id.split("+")]
        named += [(knowledge.vocabulary.drug, dosed.name) for dosed in case.drugs]
        named += [(knowledge.vocabulary.endpoint, name) for wanted in case.see for name in wanted.names]
        for look_up, name in named:
            try:
                look_up(name)
            except CohortTwinError as error:
                faults.append(f"{case.question}: {error.message}")
    return faults


def _cohort(text: str) -> Cohort:
    match = _WHO.match(text)
    if match is None:
        raise ValueError(f"'{text}' is not 'archetype [restriction, …]'")
    restrictions = (match["restrictions"] or "").split(",")
    return Cohort(
        persona_id=match["persona"],
        restrictions=frozenset(comparable(part) for part in restrictions if part.strip()),
    )


def _dosed(text: str) -> Dosed:
    match = _TREATMENT.match(text)
    assert match is not None, "the pattern matches any text"
    dose = float(match["dose"]) if match["dose"] else None
    return Dosed(name=match["name"], dose=dose, unit=match["unit"] or "", scored=match["any"] is None)
