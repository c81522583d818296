"""Inputs and results of `interview` and `focus_group`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from knowledge.schemas import Frozen
from personas.schemas import CohortSpec
from tools.cohort.tool import Statement
from tools.schemas import ToolInput, ToolResult

Option = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=200)]


class FocusGroupInput(ToolInput):
    """A question with options, put to people of a cohort."""

    cohort: CohortSpec
    options: tuple[Option, ...] = Field(
        min_length=2,
        max_length=6,
        description="what they choose from, each in words, e.g. 'a daily tablet', 'a weekly injection'; all else equal",
    )
    question: str = Field("", max_length=500, description="the question as it was asked; it changes no choice")
    people: int = Field(12, ge=2, le=200, description="simulated participants")
    quotes: int = Field(6, ge=0, le=20, description="of how many of them a line is given")


class InterviewInput(ToolInput):
    """People of a cohort to talk to."""

    cohort: CohortSpec
    about: str = Field("", max_length=300, description="what the talk is about, e.g. 'stopping semaglutide'")
    people: int = Field(3, ge=1, le=8, description="simulated people")
    options: tuple[Option, ...] = Field(
        (), max_length=6, description="two or more options to choose from; none: they are put no choice"
    )


class Share(Frozen):
    """Share (%) that chooses an option, with its interval."""

    option: str
    point: float
    lower: float
    upper: float


class ExperimentShares(Frozen):
    """What the options would get by one published experiment."""

    experiment: str
    name: str
    source_id: str
    locator: str
    population: str
    read_as: tuple[str, ...] = Field(description="each option in the experiment's own terms")
    shares: tuple[Share, ...]


class SimulatedLine(Frozen):
    """A line of a simulated person. Nobody said it."""

    asked: str = ""
    said: str
    rests_on: Literal["own attribute", "published statement", "preference model", "nothing known"]
    source_id: str = ""
    simulated: Literal[True] = True


class SimulatedPerson(Frozen):
    """A virtual patient of the cohort and what it says. Its choice is the model's, never a text's."""

    name: str = Field(description="a letter: nobody is counted by it")
    who: str = Field(description="e.g. 'woman in her seventies'")
    choice: str = ""
    lines: tuple[SimulatedLine, ...] = ()
    simulated: Literal[True] = True


class FocusGroupResult(ToolResult):
    """Shares by each experiment that tells of the options, and one simulated group."""

    options: tuple[str, ...]
    people: int
    counts: tuple[int, ...] = Field(description="how many of the simulated participants chose each option")
    counts_lower: tuple[int, ...] = Field(description="5th percentile of that count over such groups")
    counts_upper: tuple[int, ...]
    by_experiment: tuple[ExperimentShares, ...]
    who_chooses: tuple[str, ...]
    participants: tuple[SimulatedPerson, ...]
    preferences: tuple[Statement, ...] = Field((), description="published statements about such people")
    not_weighed: tuple[str, ...] = ()
    summary: str = Field("", description="the sentences above that hold figures")


class InterviewResult(ToolResult):
    """Simulated people of a cohort and what they say."""

    about: str
    participants: tuple[SimulatedPerson, ...]
    preferences: tuple[Statement, ...] = Field((), description="published statements about such people")
    choice_note: str = Field("", description="which published experiment their choice is from, or that there is none")
    summary: str = Field("", description="the lines above as text")
