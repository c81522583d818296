"""`simulate_epidemic`: how an infection spreads, what measures and vaccines change, whom to protect first."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from knowledge.errors import InvalidInput
from tools.context import ToolContext
from tools.epidemic import report
from tools.epidemic.filling import Drawn, Scene, draw_parameters, scene_of
from tools.epidemic.running import Scenario, run_scenarios
from tools.epidemic.schemas import EpidemicInput, EpidemicResult
from tools.parameter_sheet import read_parameters
from tools.registry import tool

SHEET = Path(__file__).with_name("parameters.yaml")


@tool("simulate_epidemic", input=EpidemicInput, result=EpidemicResult, validation=report.VALIDATION, offered=False)
def simulate_epidemic(request: EpidemicInput, context: ToolContext) -> EpidemicResult:
    """Simulate an epidemic: new infections over time, peak, attack rate by group, hospital stays, deaths, extinction.

    Give `population` or `groups` (with a `contacts` matrix), the reproduction number, and the latent and infectious
    period in days; without the periods the final size and the chance of extinction are all that is said. Stochastic
    age-structured SEIR(S) with superspreading (`dispersion` k), waning immunity, vaccination, `measures` that reduce
    contacts of some or all groups, `variants` that come from outside and `places` with mobility. Compares with doing
    nothing; with `protect_doses` it says which group to vaccinate first. A scenario, not a forecast: the parameters are
    the user's.
    """
    sheet = read_parameters(SHEET)
    scene = scene_of(request, context.personas, int(sheet["steps_per_day"].value), context.seed)
    drawn = draw_parameters(scene, context.seed)
    if not request.in_time:
        return _final_size(scene, drawn)
    acting = bool(request.measures) or (request.vaccine is not None and request.vaccine.doses_per_day > 0)
    scenarios = [Scenario("as planned", curves=True)]
    if acting and request.compare:
        scenarios.append(Scenario("without", act=False, curves=True))
    choices = _choices(scene) if request.protect_doses else {}
    scenarios += [Scenario(f"protect {name}", protected=doses) for name, doses in choices.items()]
    found = run_scenarios(scene, drawn, scenarios, context)
    planned, without = found["as planned"], found.get("without")

    frame = report.Frame(scene.population, request.days / 7, request.level)
    estimates = report.course_estimates(frame, scene, planned, sheet["minor_share"].value)
    estimates += report.closed_forms(frame, scene, drawn)
    charts = report.charts(scene, planned, without, request.level)
    order: tuple[str, ...] = ()
    if without is not None:
        estimates += report.averted_estimates(frame, scene, planned, without)
    if choices:
        protected = {name: found[f"protect {name}"] for name in choices}
        made, chart, order = report.protection(frame, scene, planned, protected)
        estimates += made
        charts.append(chart)
    infected = float(planned.infections.sum(axis=-1).mean())
    title = f"{request.infection}: about {infected:,.0f} infections in {request.days} days"
    return EpidemicResult(
        title=f"{title}; protect {order[0]} first" if order else title,
        estimates=tuple(estimates),
        charts=tuple(charts),
        assumptions=(*scene.assumptions, *sheet.assumed),
        warnings=scene.warnings + _warnings(scene, planned.ended),
        days=request.days,
        draws={what: tuple(planned.burden(what).mean(axis=1).tolist()) for what in report.told_outcomes(scene)},
        protect_order=order,
    )


def _final_size(scene: Scene, drawn: Drawn) -> EpidemicResult:
    """What follows from the reproduction number alone."""
    request = scene.request
    frame = report.Frame(scene.population, None, request.level)
    estimates = report.final_size(frame, scene, drawn)
    infected = next(one.point for one in estimates if one.id == "final_size.people")
    told = f"about {infected:,.0f} infections in a large epidemic" if infected >= 1 else "no large epidemic"
    return EpidemicResult(
        title=f"{request.infection}: {told} without measures",
        estimates=tuple(estimates),
        assumptions=(
            *scene.assumptions,
            "The epidemic takes off and runs its course: everybody mixes as given, immunity lasts, nothing is done.",
        ),
        warnings=(
            *scene.warnings,
            "Without the latent and infectious periods nothing is said of the course over time: peak, duration, measures.",
        ),
        days=0,
    )


def _choices(scene: Scene) -> dict[str, tuple[float, ...]]:
    """Doses (G,) by choice: each group first and what is left to the others, or everybody in proportion."""
    request, people = scene.request, scene.people.sum(axis=0).astype(float)
    if request.vaccine is None:
        raise InvalidInput("Which vaccine?", "Give 'vaccine'.")
    if len(people) < 2:
        raise InvalidInput("There is only one group to protect.", "Give two groups or more.")
    if request.protect_against not in report.told_outcomes(scene):
        raise InvalidInput(
            f"How many of the infected are counted in {request.protect_against}?",
            "Give each group's 'hospitalised' or 'died'.",
        )
    room = people * request.vaccine.coverage
    doses = min(float(request.protect_doses), float(room.sum()))
    made = {"everybody alike": tuple((doses * room / room.sum()).tolist())}
    for i, group in enumerate(scene.groups):
        given = np.zeros(len(people))
        given[i] = min(doses, room[i])
        others = np.where(np.arange(len(people)) == i, 0.0, room)
        given += (doses - given[i]) * others / others.sum()
        made[group.name] = tuple(given.tolist())
    return made


def _warnings(scene: Scene, ended: report.FloatArray) -> tuple[str, ...]:
    """What a reader must know about these numbers."""
    said = []
    goes_on = float((ended < 0).mean())
    if goes_on > 0.05:
        said.append(f"In {100 * goes_on:.0f} % of the runs the epidemic goes on after the last day; totals would grow.")
    if scene.request.first_cases > 0.1 * scene.people.sum():
        said.append("More than a tenth of the people are infected at the start.")
    return tuple(said)
