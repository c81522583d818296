"""`simulate_stopping`: what is left of a treatment's effect after its last dose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from knowledge.errors import InvalidInput, NoEvidence
from knowledge.schemas import Endpoint, Family
from personas.cohort import Cohort
from tools.context import ToolContext
from tools.registry import tool
from tools.response.asking import Question, read_question, read_treatment
from tools.response.cohorts import cohort_covariates
from tools.response.engine import EndpointPrediction, ResponseEngine, engine_for
from tools.response.estimates import DRAWS, LEVEL, TAILS, VALIDATION, significant
from tools.response.features import FloatArray
from tools.response.schemas import MissingEndpoint, TreatmentInput
from tools.response.stopping import returned
from tools.response.stopping_evidence import Return, nobody_stopped, quantity_of, return_of, stopped_arms
from tools.response.stopping_schemas import StoppingInput, StoppingResult, WithdrawalFigure
from tools.response.threads import one_thread
from tools.response.treatments import Treatment
from tools.schemas import Chart, Estimate, Kind, Level, Point, Series

# Times drawn before and after the last dose.
CHART_POINTS = 8
# Said when the time asked about lies this many times beyond, or short of, what the trials cover.
BEYOND = 1.25
HALF = 0.5
PERCENT = "%"


@dataclass(frozen=True)
class Stopped:
    """One endpoint after stopping, as draws in the endpoint's unit.

    Attributes
    ----------
    endpoint : what. back : the fitted return.
    share, at_stop, after : (K,) share that has come back, change at the last dose, change afterwards.
    going_on : the prediction had treatment gone on.
    half_life : (3,) median and 90 % limits, weeks.
    """

    endpoint: Endpoint
    back: Return
    share: FloatArray
    at_stop: FloatArray
    after: FloatArray
    going_on: EndpointPrediction
    half_life: FloatArray
    chart: Chart
    source_ids: tuple[str, ...]
    warnings: tuple[str, ...]


@tool("simulate_stopping", input=StoppingInput, result=StoppingResult, validation=VALIDATION)
@one_thread()
def simulate_stopping(request: StoppingInput, context: ToolContext) -> StoppingResult:
    """Predict what is left when a cohort stops a treatment: how much of the change comes back, and how fast.

    For each endpoint (mean change, in its own unit): the change at the last dose after `weeks_on` weeks of treatment,
    the change that is left `weeks_off` weeks later, what it would be had treatment gone on, each with a 90 % predictive
    interval; the share (%) of the change that has come back; and the half-life (weeks) of the return. Fitted to
    randomised withdrawal trials and off-treatment follow-ups: exponential return to a plateau (as Budini et al 2026 for
    weight after incretins) that varies by class, drug and trial. A drug that no trial stopped borrows from its class,
    with a wider interval; where no trial of the class was stopped the endpoint is refused.
    """
    engine = engine_for(context.knowledge, context.view)
    placebo = TreatmentInput(intervention="placebo")
    stopped_one = read_treatment(engine, request.treatment)
    if stopped_one.drug_class is None:
        raise InvalidInput(
            f"There is nothing to stop in {stopped_one.name}: it has no effect of its own.", "Name a drug."
        )
    asked = request.endpoints or _default_endpoints(engine, stopped_one)
    question = read_question(engine, (request.treatment, placebo), asked, request.cohort, context)
    treatment, cohort = question.treatments[0], question.cohort
    found: list[Stopped] = []
    missing: list[MissingEndpoint] = []
    first: NoEvidence | None = None
    for position, name in enumerate(question.choice.endpoints):
        context.progress(position / len(question.choice.endpoints), f"stopping {treatment.name}")
        try:
            found.append(_stopped(engine, name, treatment, cohort, request, context.seed))
        except NoEvidence as error:
            first = first or error
            missing.append(MissingEndpoint(endpoint=name, reason=f"{error.message} {error.hint}".strip()))
    if first is not None and not found:
        raise first
    return StoppingResult(
        title=(
            f"{cohort.label}: {treatment.label} for {request.weeks_on:g} weeks, then stopped; "
            f"{request.weeks_off:g} weeks later"
        ),
        estimates=tuple(one for stopped in found for one in _estimates(stopped, treatment, cohort, request)),
        charts=tuple(stopped.chart for stopped in found),
        assumptions=_assumptions(question, request),
        warnings=tuple(dict.fromkeys(warning for stopped in found for warning in stopped.warnings)),
        source_ids=tuple(dict.fromkeys(source for stopped in found for source in stopped.source_ids)),
        treatment=treatment.label,
        weeks_on=request.weeks_on,
        weeks_off=request.weeks_off,
        trials=tuple(figure for stopped in found for figure in _figures(stopped)),
        missing_endpoints=tuple(missing),
    )


def _default_endpoints(engine: ResponseEngine, treatment: Treatment) -> tuple[str, ...]:
    """Endpoints that withdrawal trials of the drug's class report; NoEvidence when there is none."""
    arms = stopped_arms(engine.knowledge.arms.view(engine.view).arms, engine.knowledge.vocabulary)
    own = tuple(dict.fromkeys(one.endpoint for one in arms if one.drug_class == treatment.drug_class))
    if not own:
        raise nobody_stopped(treatment, arms, engine.knowledge.vocabulary)
    return own


def _stopped(
    engine: ResponseEngine, name: str, treatment: Treatment, cohort: Cohort, request: StoppingInput, seed: int
) -> Stopped:
    """One endpoint after stopping (NoEvidence)."""
    endpoint = engine.knowledge.vocabulary.endpoint(name)
    if endpoint.family is not Family.CONTINUOUS:
        raise NoEvidence(
            f"What returns after stopping is predicted for mean changes; {endpoint.label} is not one.",
            "Ask about body weight, HbA1c or blood pressure.",
        )
    back = return_of(engine, name, treatment)
    covariates = cohort_covariates(cohort, endpoint)
    pair = (treatment, engine.treatment("placebo"))
    at_stop = engine.predict(name, pair, covariates, request.weeks_on)
    going_on = engine.predict(name, pair, covariates, request.weeks_on + request.weeks_off)
    draws = at_stop.prediction.draws(DRAWS)[:, 0]
    plateau, rate = back.posterior.draws(DRAWS, seed)
    share = returned(plateau, rate, request.weeks_off)
    own = [one for one in back.arms if one.drug_class == back.drug_class]
    return Stopped(
        endpoint=endpoint,
        back=back,
        share=share,
        at_stop=draws,
        after=draws * (1.0 - share),
        going_on=going_on,
        half_life=back.posterior.half_life(TAILS),
        chart=_chart(engine, endpoint, pair, covariates, request, draws, plateau, rate),
        source_ids=tuple(dict.fromkeys(source for one in own for source in one.source_ids)),
        warnings=(*at_stop.warnings, *_warnings(back, endpoint, treatment, cohort, request)),
    )


def _estimates(stopped: Stopped, treatment: Treatment, cohort: Cohort, request: StoppingInput) -> list[Estimate]:
    name, label, unit = stopped.endpoint.endpoint_id, stopped.endpoint.label, stopped.endpoint.unit
    end = request.weeks_on + request.weeks_off
    off = f"{request.weeks_off:g} weeks after the last dose"
    trials = stopped.back.of_drug or stopped.back.of_class
    note = "" if stopped.back.of_drug else "borrowed from other drugs of the class"

    def made(suffix: str, what: str, values: FloatArray, weeks: float, of: Level, its_unit: str) -> Estimate:
        point, lower, upper = (significant(float(value)) for value in values)
        return Estimate(
            id=f"{name}.{suffix}", quantity=what, endpoint=name, arm=treatment.label, unit=its_unit,
            horizon_weeks=weeks, population=cohort.label, point=point, lower=lower, upper=upper, level=LEVEL,
            kind=Kind.PREDICTIVE, of=of, validation=VALIDATION, source_ids=stopped.source_ids, n_trials=trials, note=note,
        )  # fmt: skip

    mean = Level.COHORT_MEAN
    going_on = stopped.going_on.prediction.quantiles(TAILS)[:, 0]
    return [
        made("after", f"{label} {off}, from the untreated start", np.quantile(stopped.after, TAILS), end, mean, unit),
        made("at_stop", f"{label} at the last dose", np.quantile(stopped.at_stop, TAILS), request.weeks_on, mean, unit),
        made("going_on", f"{label} had treatment gone on", going_on, end, mean, unit),
        made("regained", f"{label}, {off}, from the last dose", np.quantile(stopped.after - stopped.at_stop, TAILS), end, mean, unit),
        made("returned", f"share of the {label} that has come back {off}", 100.0 * np.quantile(stopped.share, TAILS), end, mean, PERCENT),
        made("half_life", f"weeks until half of what returns of the {label} is back", stopped.half_life, end, mean, "weeks"),
    ]  # fmt: skip


def _chart(
    engine: ResponseEngine,
    endpoint: Endpoint,
    pair: Sequence[Treatment],
    covariates: dict[str, float | None],
    request: StoppingInput,
    at_stop: FloatArray,
    plateau: FloatArray,
    rate: FloatArray,
) -> Chart:
    """Median and 90 % band: on treatment, then off it; and had it gone on."""
    end = request.weeks_on + request.weeks_off
    before = [request.weeks_on * step / CHART_POINTS for step in range(1, CHART_POINTS + 1)]
    later = [request.weeks_off * step / CHART_POINTS for step in range(1, CHART_POINTS + 1)]
    course = engine.course(endpoint.endpoint_id, pair, covariates, [*before, *(request.weeks_on + w for w in later)])
    bands = [prediction.quantiles(TAILS)[:, 0] for prediction in course]
    start = Point(x=0.0, y=0.0, lower=0.0, upper=0.0)
    on = [start, *(_point(week, band) for week, band in zip(before, bands, strict=False))]
    kept = [_point(request.weeks_on + w, band) for w, band in zip(later, bands[CHART_POINTS:], strict=True)]
    off = [
        _point(request.weeks_on + w, np.quantile(at_stop * (1.0 - returned(plateau, rate, w)), TAILS)) for w in later
    ]
    return Chart(
        kind="fan",
        title=f"{endpoint.label}: {pair[0].label} for {request.weeks_on:g} weeks and {end - request.weeks_on:g} after it",
        x_label="weeks",
        y_label=f"{endpoint.label} ({endpoint.unit})",
        series=(
            Series(name="stopped", points=(*on, *off)),
            Series(name="gone on", points=(on[-1], *kept)),
        ),
    )


def _point(week: float, band: FloatArray) -> Point:
    y, lower, upper = (significant(float(value)) for value in band)
    return Point(x=round(week, 3), y=y, lower=lower, upper=upper)


def _warnings(
    back: Return, endpoint: Endpoint, treatment: Treatment, cohort: Cohort, request: StoppingInput
) -> list[str]:
    own = [one for one in back.arms if one.drug_class == back.drug_class]
    found = []
    if not back.of_drug:
        drugs = ", ".join(sorted({one.drug for one in own}))
        found.append(
            f"No trial in this evidence base stopped {treatment.name} and reported {endpoint.label}; what returns is taken "
            f"from {drugs}, of the same class ({back.drug_class}), and the interval is wider for that."
        )
    if (back.of_drug or back.of_class) == 1:
        found.append(f"A single withdrawal trial ({own[0].trial}) tells how much {endpoint.label} returns.")
    longest = max(one.weeks_off for one in own)
    if request.weeks_off > BEYOND * longest:
        found.append(
            f"After stopping, {endpoint.label} was followed for at most {longest:g} weeks; {request.weeks_off:g} weeks is "
            "beyond that, on the assumption that the return levels off."
        )
    shortest, most = min(one.weeks_on for one in own), max(one.weeks_on for one in own)
    if not shortest / BEYOND <= request.weeks_on <= BEYOND * most:
        found.append(
            f"The trials stopped treatment after {_span(shortest, most)} weeks, not after {request.weeks_on:g}; the share "
            "that returns is taken to be the same."
        )
    diabetes = cohort_covariates(cohort, endpoint)["diabetes"]
    if diabetes == 1.0 and all("no_diabetes" in one.tags for one in own):
        found.append(f"All withdrawal trials on {endpoint.label} were in people without diabetes; this cohort has it.")
    if diabetes is not None and diabetes < HALF and all("t2d" in one.tags for one in own):
        found.append(
            f"All withdrawal trials on {endpoint.label} were in type 2 diabetes; most of this cohort do not have it."
        )
    return found


def _span(low: float, high: float) -> str:
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _figures(stopped: Stopped) -> list[WithdrawalFigure]:
    return [
        WithdrawalFigure(
            endpoint=one.endpoint,
            trial=one.trial,
            drug=one.drug,
            drug_class=one.drug_class,
            weeks_on=one.weeks_on,
            weeks_off=one.weeks_off,
            change_at_stop=one.at_stop,
            change_after=significant(one.after),
            unit=stopped.back.unit,
            returned=significant(100.0 * one.share),
            n=one.n,
            source_ids=one.source_ids,
            own_class=one.drug_class == stopped.back.drug_class,
        )
        for one in stopped.back.arms
    ]


def _assumptions(question: Question, request: StoppingInput) -> tuple[str, ...]:
    found = [note for treatment in question.treatments for note in treatment.notes]
    found += [
        f"Everybody takes the treatment for {request.weeks_on:g} weeks and nobody takes it again.",
        "What returns is a share of the whole change at the last dose, that from diet and advice included, as the "
        "withdrawal trials report it; some of them went on with diet and advice after stopping, others ended both.",
        "The share that has come back grows as 1 - exp(-rate x weeks) to a plateau; rate and plateau are fitted together, "
        "and the plateau differs between classes, drugs and trials.",
    ]
    if any(quantity_of(name) != name for name in question.choice.endpoints):
        found.append("The share that returns of weight in kg and of body-mass index is that of weight in %.")
    return tuple(dict.fromkeys(found))
