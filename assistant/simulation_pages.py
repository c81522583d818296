"""The pages of `assistant/simulations/`: for each simulation tool the words that ask for it, and what it must be told.

A page holds, as YAML, patterns (`says`; `maybe`, which need numbers beside them; `never`), slots with the patterns of
their values, and forms: which slots are needed for a calculation and how they become the tool's arguments.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, field_validator

from assistant.simulation_numbers import compiled
from knowledge.errors import DataError
from knowledge.schemas import Frozen
from tools.schemas import ToolResult

FOLDER = Path(__file__).parent / "simulations"
SHARED = "shared.yaml"
GIVEN = "from the question"  # begins the note of a plan that repeats what was given
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast; the first question waits for it


def _lines(value: object) -> object:
    return tuple(line for line in value.splitlines() if line.strip()) if isinstance(value, str) else value


class Slot(Frozen):
    """Something the question may say.

    Attributes
    ----------
    ask : what is asked for when it is missing, in a user's words; `name` : how it is called in the plan.
    unit : times are converted to it; `many` : all values in order, not only the first.
    one_minus : '40 % fewer contacts' is 0.6 of them; `whole` : rounded to a whole number.
    shares : the words that gave it may give another slot too, as the day of '20 a day' and the nurses of '2 nurses'.
    """

    name: str
    ask: str = ""
    patterns: tuple[str, ...]
    unit: str = ""
    many: bool = False
    one_minus: bool = False
    whole: bool = False
    shares: bool = False
    becomes: str | bool | None = Field(None, description="the value where the pattern has no placeholder")

    @field_validator("patterns", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return _lines(value)


class Form(Frozen):
    """One calculation that the tool can do.

    Attributes
    ----------
    when : words that choose it; without any, the form with the least missing is taken.
    required : slots; 'a|b' needs either. `along` : slot → further slots that it needs.
    arguments : of the tool; '$slot' stands for a value, what is missing falls away.
    """

    name: str
    when: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    along: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    arguments: dict[str, Any] = Field(default_factory=dict)
    rule: str = Field(
        "", description="a function of simulation_rules or simulation_operations that completes the arguments"
    )
    notes: tuple[str, ...] = ()

    @field_validator("when", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return _lines(value)


class Page(Frozen):
    """What the assistant knows of a simulation tool."""

    tool: str
    title: str = Field(description="the heading, e.g. 'An outbreak'")
    step: str
    says: tuple[str, ...] = ()
    maybe: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    enough: int = Field(2, description="values that must be read where only `maybe` matched")
    slots: dict[str, Slot]
    forms: tuple[Form, ...] = Field(min_length=1)
    example: str
    headline: tuple[str, ...] = ()
    alone: str = Field("", description="an estimate that is the whole answer where it is there")
    rows: tuple[str, ...] = Field((), description="ids of the table, in order; '*' ends what comes first")
    method: str
    evidence: str = Field(description="what the calculation is checked against")
    follow_ups: dict[str, str] = Field(default_factory=dict, description="question → estimate it is asked after, or *")
    first: bool = Field(False, description="goes before pages that fit as well")

    @field_validator("says", "maybe", "never", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return _lines(value)


@lru_cache(maxsize=1)
def pages() -> dict[str, Page]:
    """All pages by tool, in the order of their file names (DataError names what is wrong in which file)."""
    found: dict[str, Page] = {}
    shared = _read(FOLDER / SHARED)
    for path in sorted(FOLDER.glob("*.yaml")):
        if path.name == SHARED:
            continue
        content = _read(path)
        content["slots"] = {
            name: {**shared["slots"].get(name, {}), **(slot or {})} for name, slot in content.get("slots", {}).items()
        }
        try:
            page = Page.model_validate(content)
        except ValidationError as error:
            raise DataError(f"simulations/{path.name}: {error}") from error
        found[page.tool] = page
    return found


def simulated_pages(results: Sequence[ToolResult]) -> list[Page]:
    """The pages of the simulations among the results."""
    named = dict.fromkeys(one.provenance.tool for one in results if one.provenance is not None)
    return [pages()[name] for name in named if name in pages()]


@lru_cache(maxsize=1)
def never_at_all() -> re.Pattern[str]:
    """Words of questions that no simulation is meant by, such as those for publications."""
    return words(tuple(_read(FOLDER / SHARED)["never"].splitlines()))


@lru_cache(maxsize=128)
def words(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """Any of the patterns, as whole words and without regard to case."""
    return re.compile(rf"(?<!\w)(?:{'|'.join(patterns) or '(?!)'})(?!\w)", re.IGNORECASE)


@lru_cache(maxsize=2048)
def opened(pattern: str) -> tuple[re.Pattern[str], str]:
    """A slot's pattern, compiled once."""
    return compiled(pattern)


def _read(path: Path) -> dict[str, Any]:
    content = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)
    if not isinstance(content, dict):
        raise DataError(f"simulations/{path.name} is no page.")
    return content


def check(page: Page) -> None:
    """Compile all patterns of a page and look up the slots that it names (DataError); dear, so not at each start."""
    for slot in page.slots.values():
        for pattern in slot.patterns:
            opened(pattern)
    named = {
        name
        for form in page.forms
        for group in (*form.required, *form.along, *(n for names in form.along.values() for n in names))
        for name in group.split("|")
    }
    strange = sorted(named - page.slots.keys())
    if strange:
        raise DataError(f"The page of {page.tool} names slots that it does not have: {', '.join(strange)}.")
    silent = sorted(n for n in named if not page.slots[n].ask)
    if silent:
        raise DataError(f"The page of {page.tool} does not say how to ask for: {', '.join(silent)}.")
