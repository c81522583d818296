"""`assess_coverage_policy`: one chain from a coverage rule to starters, response, cost per QALY and clinic visits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tools.context import ToolContext
from tools.policy import charts
from tools.policy.cost_link import COST, VISITS, Cost, Visits, run_cost, run_visits
from tools.policy.figures import (
    VALIDATION,
    Frame,
    cost_figures,
    response_figures,
    response_key,
    rule_figures,
    uptake_figures,
    visit_figures,
)
from tools.policy.filling import Matrix
from tools.policy.model import Driver, first_order
from tools.policy.response_link import LINK as RESPONSE
from tools.policy.response_link import WEEKS_A_YEAR, Response, read_policy, run_response
from tools.policy.schemas import DriverShare, Link, PolicyInput, PolicyResult, RuleOutcome
from tools.policy.uptake_link import LINK as UPTAKE
from tools.policy.uptake_link import Uptake, run_uptake
from tools.registry import tool
from tools.response.estimates import significant
from tools.schemas import Chart, Estimate
from tools.uptake.report import Frame as UptakeFrame
from tools.uptake.report import funnel_charts

FloatArray = npt.NDArray[np.float64]


@tool(
    "assess_coverage_policy", input=PolicyInput, result=PolicyResult, validation=VALIDATION, offered=False,
)  # fmt: skip
def assess_coverage_policy(request: PolicyInput, context: ToolContext) -> PolicyResult:
    """Follow a coverage decision through: how many start, how they respond, cost per QALY, clinic visits added.

    Give a treatment, a cohort, the population of a state or plan and the payer. One matrix of parameter draws goes
    through four links: uptake (eligible, covered, started, still on), response (change of weight or another endpoint, of
    those who stay and those who stop), cost-effectiveness (drug and visits against QALYs) and clinic visits. Each link
    lists its inputs with their source or assumption; the tornado tells which of them the uncertainty comes from. Several
    coverage rules (prior authorisation, copays) can be compared. What no source gives is asked for, or the figure that
    needs it is left out and said to be missing.
    """
    months = max(1, round(request.horizon_weeks / WEEKS_A_YEAR * 12))
    engine, question, endpoint = read_policy(request, context)
    drug = question.treatments[0].name
    matrix = Matrix(context.seed, request.draws)
    uptake = run_uptake(request, drug, months, matrix, context)
    context.progress(0.5, "predicting the response of those who start")
    response = run_response(request, engine, question, endpoint, uptake.persistence, months / 12, matrix)
    visits = run_visits(request, uptake, response.cohort.persona.area, months, matrix)
    context.progress(0.8, "weighing cost against health")
    cost = run_cost(request, uptake, response, visits, months, drug, matrix)
    started = uptake.counts[0].started.sum(axis=(-1, -2)).astype(np.float64)
    frames = {
        link: Frame(question.cohort.label, response.treatment, request.level, months, request.horizon_weeks, sources)
        for link, sources in _sources(matrix, uptake, response).items()
    }
    groups: dict[str, list[Estimate]] = {
        UPTAKE: uptake_figures(frames[UPTAKE], uptake),
        RESPONSE: response_figures(frames[RESPONSE], response),
    }
    groups[COST], missing = cost_figures(frames[COST], cost, started)
    groups[VISITS] = visit_figures(frames[VISITS], request, visits, matrix)
    estimates = [one for group in groups.values() for one in group]
    outcomes = _outcomes(uptake, response, cost, visits)
    drivers = {name: first_order(_varying(matrix, response), values) for name, values in outcomes.items()}
    rules = _rules(request, uptake, visits, cost)
    if len(rules) > 1:
        estimates += rule_figures(frames[COST], request, uptake, visits, cost)
    found = {one.id: one for one in estimates}
    return PolicyResult(
        title=_title(request, found, response, months),
        estimates=tuple(estimates),
        charts=(
            *funnel_charts(
                UptakeFrame(question.cohort.label, response.treatment, request.level, ()),
                (request.payer,),
                uptake.counts[0],
            ),
            charts.response_chart(frames[RESPONSE], response),
            *charts.cost_charts(frames[COST], cost),
            charts.visits_chart(frames[VISITS], visits),
            *_driver_charts(found, drivers),
            *charts.rules_charts(rules),
        ),
        assumptions=tuple(dict.fromkeys([*_general(request, months, cost), *matrix.assumptions])),
        warnings=tuple(dict.fromkeys(filter(None, [*matrix.warnings, missing]))),
        source_ids=tuple(matrix.source_ids),
        treatment=response.treatment,
        payer=request.payer,
        months=months,
        links=_links(matrix, groups, missing, response),
        drivers=tuple(
            DriverShare(outcome=name, input=one.name, share=min(one.share, 1.0), low=one.low, high=one.high)
            for name, group in drivers.items()
            for one in group
        ),
        rules=rules,
        draws={name: tuple(significant(float(one)) for one in values) for name, values in outcomes.items()},
    )


def _sources(matrix: Matrix, uptake: Uptake, response: Response) -> dict[str, tuple[str, ...]]:
    """Sources of each link: its own, and those of the links before it."""
    own = {link: [s for one in rows for s in one.source_ids] for link, rows in matrix.inputs.items()}
    own[UPTAKE] = [*uptake.shares.source_ids, *own.get(UPTAKE, [])]
    stay = [s for one in matrix.inputs[UPTAKE] if "after a year" in one.name for s in one.source_ids]
    found = {
        UPTAKE: own[UPTAKE],
        RESPONSE: [*own.get(RESPONSE, []), *stay],
        VISITS: [*own.get(VISITS, []), *own[UPTAKE]],
        COST: [*own.get(COST, []), *own.get(VISITS, []), *response.source_ids, *own[UPTAKE]],
    }
    return {link: tuple(dict.fromkeys(names)) for link, names in found.items()}


def _outcomes(uptake: Uptake, response: Response, cost: Cost, visits: Visits) -> dict[str, FloatArray]:
    """Main outcome of each link by draw, (D,), by estimate id."""

    def mean(counts: FloatArray) -> FloatArray:
        return np.asarray(counts.reshape(len(counts), -1, counts.shape[-1]).sum(axis=-1).mean(axis=1))

    added = visits.by_month[0] if visits.before is None else visits.by_month[0] - visits.before
    found = {
        "policy.uptake.started": mean(uptake.counts[0].started[:, :, 0].astype(np.float64)),
        f"policy.{response_key(response)}": response.course.everyone[:, -1],
    }
    if cost.cost is not None:
        found["policy.cost.per_starter"] = cost.cost
    if cost.qaly is not None:
        found["policy.cost.qaly"] = cost.qaly
    if cost.cost is not None and cost.qaly is not None:
        found["policy.cost.net_benefit"] = cost.threshold * cost.qaly - cost.cost
        if (cost.qaly > 0).all() and (cost.cost > 0).all():
            found["policy.cost.icer"] = cost.cost / cost.qaly
    if cost.budget:
        found["policy.cost.budget"] = mean(cost.budget[0] if cost.before is None else cost.budget[0] - cost.before)
    found["policy.visits.added"] = mean(added)
    return found


def _varying(matrix: Matrix, response: Response) -> dict[str, FloatArray]:
    """Uncertain inputs; the drug's own effect stands for the change on treatment, of which the rest is background."""
    columns = dict(matrix.columns)
    columns.pop("change on treatment at the horizon", None)
    columns["effect of the drug at the horizon"] = response.on - response.without
    return columns


def _driver_charts(found: dict[str, Estimate], drivers: dict[str, tuple[Driver, ...]]) -> list[Chart]:
    ratio = "policy.cost.icer" if drivers.get("policy.cost.icer") else "policy.cost.net_benefit"
    made = []
    for name in (ratio, "policy.visits.added"):
        group, outcome = drivers.get(name, ()), found.get(name)
        if group and outcome is not None:
            told = tuple(one for one in group if one.share > 0)
            made += [charts.tornado(outcome, outcome.point, group), charts.variance_chart(outcome, told)]
    return made


def _rules(request: PolicyInput, uptake: Uptake, visits: Visits, cost: Cost) -> tuple[RuleOutcome, ...]:
    """Every rule against no coverage, from the same draws and chance."""
    made = []
    for place, (rule, counts) in enumerate(zip(request.rules, uptake.counts, strict=True)):
        people = counts.started.sum(axis=(-1, -2)).astype(np.float64)
        made.append(
            RuleOutcome(
                name=rule.name,
                started=float(people.mean()),
                visits=float(visits.by_month[place].sum(axis=-1).mean()),
                budget=float(cost.budget[place].sum(axis=-1).mean()) if cost.budget else None,
                qalys=None if cost.qaly is None else float((cost.qaly[:, None] * people).mean()),
            )
        )
    return tuple(made)


def _capital(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}"


def _general(request: PolicyInput, months: int, cost: Cost) -> list[str]:
    said = [f"Everything is counted over {months} months from the day the rule begins."]
    if "horizon_weeks" not in request.model_fields_set:
        said[0] = f"A year is counted, as none was named: {months} months from the day the rule begins."
    if "rules" not in request.model_fields_set:
        said.append(
            f"{_capital(request.payer)} is taken to pay for everybody in the cohort, without prior authorisation."
        )
    if "before" not in request.model_fields_set:
        said.append(f"{_capital(request.payer)} is taken to pay for nobody today, and who is not covered not to start.")
    if any(rule.copay is None for rule in request.rules) and request.start_within_year is None:
        said.append("Where no copay is given it is taken as that of the people in whom starting was observed.")
    said.append("Visits and costs of starters are counted to the horizon; those of people without the drug are none.")
    if cost.qaly is not None:
        said.append(
            "Cost per QALY counts quality of life within the horizon, for people from their start; no deaths, no illness "
            "avoided later, no side effects."
        )
    return said


def _links(matrix: Matrix, groups: dict[str, list[Estimate]], missing: str, response: Response) -> tuple[Link, ...]:
    told = {
        UPTAKE: (
            "Who starts and stays",
            "People × adults × prevalence × payer's share; eligible, covered, started each month and still on as binomial "
            "counts.",
            "forecast_uptake",
        ),
        RESPONSE: (
            f"How {response.endpoint.label} responds",
            "Predictive distribution of the mean change of a new trial in this cohort for those who stay; for those who "
            "stop, the share that comes back since then; weighted by who stays.",
            "simulate_treatment_response and simulate_stopping",
        ),
        COST: (
            "What it costs for the health it gives",
            "Cost of drug and visits of a starter over the horizon against the utility of the change beyond that without "
            "the drug; ratio, net benefit, acceptability, value of information; the payer's budget over all starters.",
            "evaluate_cost_effectiveness",
        ),
        VISITS: (
            "Which visits it adds",
            "Starters of each month × the visits of a starter up to the horizon, while on treatment; clinicians' hours "
            "from the length of a visit; waits by M/M/c where the clinic is given.",
            "simulate_clinic_capacity",
        ),
    }
    return tuple(
        Link(
            title=title,
            method=method,
            tool=whose,
            inputs=tuple(matrix.inputs.get(link, ())),
            estimate_ids=tuple(one.id for one in groups[link]),
            missing=missing if link == COST else "",
        )
        for link, (title, method, whose) in told.items()
    )


def _title(request: PolicyInput, found: dict[str, Estimate], response: Response, months: int) -> str:
    started, change = found["policy.uptake.started"], found[f"policy.{response_key(response)}"]
    parts = [
        f"{_capital(request.payer)} covers {response.treatment}: about {_two_digits(started.point)} "
        f"start within {months} months",
        f"{response.endpoint.label} {change.point:+.1f} {change.unit}",
    ]
    ratio = found.get("policy.cost.icer")
    if ratio is not None:
        parts.append(f"US$ {_two_digits(ratio.point)} per QALY")
    parts.append(f"{_two_digits(found['policy.visits.added'].point)} clinic visits")
    return ", ".join(parts)


def _two_digits(value: float) -> str:
    """No more digits than such intervals support."""
    return f"{float(f'{value:.2g}'):,.0f}"
