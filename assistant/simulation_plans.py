"""Questions for a simulation tool: from what was read to a plan and a tool call, or to all that is missing at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assistant import calls, language
from assistant.calls import Call, cohort_arguments, treatment_arguments
from assistant.schemas import Plan, Status
from assistant.simulation_arguments import Filled, fill
from assistant.simulation_numbers import currency
from assistant.simulation_pages import GIVEN, Page
from assistant.simulation_reading import Simulation
from assistant.understanding import CONTROLS, PLACEBO, Understanding
from knowledge.base import KnowledgeBase
from knowledge.schemas import Family

_OUTCOME_KIND = {Family.CONTINUOUS: "continuous", Family.PROPORTION: "binary", Family.TIME_TO_EVENT: "time_to_event"}
_OF_PAYER = ("payer", "insurance")
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
MOST_IN_TITLE = 4


PER = "per"  # a slot of this name is the unit of the one before it


@dataclass(frozen=True)
class SimulationPlan:
    """A plan with its call; or, in `reply`, what has to be asked back."""

    plan: Plan
    calls: tuple[Call, ...] = ()
    reply: str = ""
    status: Status = Status.ANSWERED


def simulation_plan(asked: Understanding, read: Simulation, knowledge: KnowledgeBase) -> SimulationPlan:
    """What to call for a question that a simulation answers."""
    page = read.page
    values, units = _values(read)
    values |= {name: value for name, value in _of_question(asked, knowledge).items() if name in page.slots}
    filled = fill(page, values, read.text, units, currency(read.text.casefold()))
    named = _named(asked, values, filled, knowledge)
    told, given = [*named, *_told(read)], [*named, *_told(read, whole=True)]
    plan = Plan(
        population=_heading(page, told),
        steps=(page.step,),
        notes=(
            *([f"{GIVEN}: {'; '.join(f'{name} {said}'.strip() for name, said in given)}"] if given else []),
            *filled.notes,
            *(f"taken over from the question before: {page.slots[name].name}" for name in sorted(read.carried)),
        ),
    )
    if filled.faults:
        return SimulationPlan(plan, reply=_out_of_reach(page, " ".join(filled.faults)), status=Status.NEEDS_INPUT)
    if filled.missing:
        return SimulationPlan(plan, reply=_ask(page, filled, told), status=Status.NEEDS_INPUT)
    call = Call(page.tool, filled.arguments)
    fault = calls.fault_of(call)
    if fault:
        return SimulationPlan(plan, reply=_out_of_reach(page, f"{fault}."), status=Status.NEEDS_INPUT)
    return SimulationPlan(plan, calls=(call,))


def _values(read: Simulation) -> tuple[dict[str, Any], dict[str, str]]:
    values: dict[str, Any] = {}
    units: dict[str, str] = {}
    for name, found in read.values.items():
        many = read.page.slots[name].many
        values[name] = [one.value for one in found] if many else found[0].value
        units[name] = found[0].unit
        if many:
            values[f"{name}_at"] = [one.start for one in found]
    return values, units


def _of_question(asked: Understanding, knowledge: KnowledgeBase) -> dict[str, Any]:
    """Who, which treatment and which outcome, where the question names them."""
    found: dict[str, Any] = {}
    if asked.cohort is not None:
        kept = tuple(r for r in asked.cohort.restrictions if not r.attribute.startswith(_OF_PAYER))
        cohort = asked.cohort.model_copy(update={"restrictions": kept})
        found["cohort"] = cohort_arguments(cohort)
        if len(kept) < len(asked.cohort.restrictions):
            found["cohort"] |= {"label": "", "understood": ""}
    if asked.active:
        found["treatment"] = treatment_arguments(asked.active[0])
        control = next((one for one in asked.treatments if one.name in CONTROLS and one.name != PLACEBO), None)
        second = asked.active[1] if len(asked.active) > 1 else control
        if second is not None:
            found["comparator"] = treatment_arguments(second)
    if asked.endpoints:
        endpoint = asked.endpoints[0]
        kind = _OUTCOME_KIND.get(knowledge.vocabulary.endpoints[endpoint].family)
        if kind is not None:
            found |= {"endpoint": endpoint, "kind": kind}
    if asked.horizon_weeks is not None:
        found["horizon_weeks"] = asked.horizon_weeks
    return found


def _told(read: Simulation, *, whole: bool = False) -> list[tuple[str, str]]:
    """(name, words) of what was read, in the order of the page."""
    slots = read.page.slots
    return [
        (slots[name].name, "" if slots[name].becomes is not None else read.said(name, whole=whole))
        for name in slots
        if name in read.values
    ]


def _named(
    asked: Understanding, values: Mapping[str, Any], filled: Filled, knowledge: KnowledgeBase
) -> list[tuple[str, str]]:
    """The same of people, treatment, outcome and time, where the calculation uses them."""
    used, told = str(filled.form.arguments), []
    if "cohort" in values and "$cohort" in used and asked.cohort is not None:
        label = asked.cohort.label
        told.append(("cohort", label if values["cohort"]["restrictions"] else label.partition(", limited to")[0]))
    if "treatment" in values and "$treatment" in used:
        told.append(("treatment", language.joined([treatment.label for treatment in asked.active[:2]], "versus")))
    if "endpoint" in values and "$endpoint" in used:
        told.append(("outcome", knowledge.vocabulary.endpoint(values["endpoint"]).label))
    if "horizon_weeks" in values and "$horizon_weeks" in used:
        told.append(("over", language.weeks(values["horizon_weeks"])))
    return told


def _heading(page: Page, told: list[tuple[str, str]]) -> str:
    """'An outbreak · R0 2.5 · people 50,000'."""
    parts = [page.title]
    for name, said in told[:MOST_IN_TITLE]:
        words = f"{name} {said}".strip()
        if name == PER and len(parts) > 1:
            parts[-1] += f" {words}"
        else:
            parts.append(words)
    return " · ".join(parts)


def _ask(page: Page, filled: Filled, told: list[tuple[str, str]]) -> str:
    """Everything that is missing, at once, with an example that works."""
    wanted = list(dict.fromkeys(page.slots[slot].ask for slot in filled.missing))
    many = len(wanted)
    count = _NUMBERS[many] if many < len(_NUMBERS) else str(many)
    lines = "\n".join(f"- {ask}" for ask in wanted)
    so_far = "; ".join(f"{name} {said}".strip() for name, said in told)
    read = f"Read so far: {so_far}. " if so_far else ""
    return (
        f"## {page.title}: {count} thing{'s are' if many != 1 else ' is'} missing\n\nTo compute this I need:\n\n{lines}\n\n"
        f"{read}Nothing was assumed in place of what is missing; you can answer with it alone.\n\n"
        f"### For example\n\n“{page.example}”"
    )


def _out_of_reach(page: Page, why: str) -> str:
    return (
        f"## {page.title}: this cannot be computed as it is\n\nThe question was read, but a value is out of reach. "
        f"{language.sentence_case(why)}\n\n### For example\n\n“{page.example}”"
    )


__all__ = ["SimulationPlan", "simulation_plan"]
