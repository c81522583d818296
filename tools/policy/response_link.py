"""Link 2: how the endpoint changes in those who start, through the response engine and what it knows of stopping."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput, NoEvidence
from knowledge.schemas import Direction, Endpoint, Family
from personas.cohort import Cohort
from tools.context import ToolContext
from tools.policy.filling import Matrix
from tools.policy.model import Course, change_course, grid
from tools.policy.schemas import PolicyInput
from tools.response.asking import Question, read_question
from tools.response.cohorts import cohort_covariates
from tools.response.engine import ResponseEngine, engine_for
from tools.response.estimates import sources_carrying
from tools.response.reach import early_warnings, extrapolation_warnings
from tools.response.relevance import HARMS, WEIGHT_PERCENT
from tools.response.schemas import TreatmentInput
from tools.response.stopping_evidence import return_of
from tools.response.stopping_tool import BEYOND
from tools.response.threads import one_thread

FloatArray = npt.NDArray[np.float64]
LINK = "response"
WEEKS_A_YEAR = 365.25 / 7
COURSE_POINTS = 12
# What a user may give as the share that comes back: nothing, everything, or an overshoot.
PLATEAU = (0.0, 2.0)
ON, WITHOUT = "change on treatment at the horizon", "change without the drug at the horizon"
BACK, SPEED = "share of the change that comes back after stopping", "speed of return after stopping"


@dataclass(frozen=True)
class Response:
    """Change of one endpoint as draws; `course` of the whole change, `gain` of the difference from no drug."""

    endpoint: Endpoint
    cohort: Cohort
    treatment: str
    on: FloatArray
    without: FloatArray
    course: Course
    gain: Course
    source_ids: tuple[str, ...]

    @property
    def sign(self) -> float:
        """+1 when a higher value is better, -1 when a lower one is (InvalidInput when neither is)."""
        if self.endpoint.direction is Direction.NEUTRAL:
            raise InvalidInput(f"Neither more nor less of {self.endpoint.label} is better.", "Name another 'endpoint'.")
        return 1.0 if self.endpoint.direction is Direction.HIGHER_IS_BETTER else -1.0


def read_policy(request: PolicyInput, context: ToolContext) -> tuple[ResponseEngine, Question, Endpoint]:
    """The treatment beside placebo, the cohort and the one endpoint that the chain is about.

    Raises
    ------
    InvalidInput, UnknownDrug, UnknownEndpoint, NoEvidence
        An endpoint that is not a mean change, or a question the engine cannot answer.
    """
    engine = engine_for(context.knowledge, context.view)
    inputs = (request.treatment, TreatmentInput(intervention="placebo"))
    asked: tuple[str, ...] = (request.endpoint,) if request.endpoint else ()
    persona = context.personas.get(request.cohort.persona_id)
    if not asked and persona.area == "obesity":
        asked = (WEIGHT_PERCENT,)
    question = read_question(engine, inputs, asked, request.cohort, context)
    if question.treatments[0].drug_class is None:
        raise InvalidInput(f"{question.treatments[0].name} has no effect of its own.", "Name a drug.")
    known = [context.knowledge.vocabulary.endpoint(name) for name in question.choice.endpoints if name not in HARMS]
    fitting = [one for one in known if one.family is Family.CONTINUOUS]
    if not fitting:
        raise InvalidInput(
            "The chain follows a mean change, such as of body weight or HbA1c.", "Name such an 'endpoint'."
        )
    return engine, question, fitting[0]


@one_thread()
def run_response(
    request: PolicyInput,
    engine: ResponseEngine,
    question: Question,
    endpoint: Endpoint,
    persistence: FloatArray,
    years: float,
    matrix: Matrix,
) -> Response:
    """Draws of the change in those who stay, who stop, and all who start (NoEvidence where nothing tells it)."""
    times = grid(years)
    unit = endpoint.unit
    if request.effect is not None:
        on = matrix.given(LINK, ON, request.effect, unit, -1e6, 1e6)
        without = matrix.given(LINK, WITHOUT, request.effect_without or 0.0, unit, -1e6, 1e6)
        shape = times / times[-1]
        sources: tuple[str, ...] = ()
        matrix.assumptions.append("The change that was given grows evenly from the start to the horizon.")
    else:
        on, without, shape, sources = _predicted(engine, question, endpoint, times, request.horizon_weeks, matrix)
    plateau, rate = _return(request, engine, question, endpoint, matrix)
    return Response(
        endpoint=endpoint,
        cohort=question.cohort,
        treatment=question.treatments[0].label,
        on=on,
        without=without,
        course=change_course(on, shape, persistence, plateau, rate, times),
        gain=change_course(on - without, shape, persistence, plateau, rate, times),
        source_ids=sources,
    )


def _predicted(
    engine: ResponseEngine, question: Question, endpoint: Endpoint, times: FloatArray, weeks: float, matrix: Matrix
) -> tuple[FloatArray, FloatArray, FloatArray, tuple[str, ...]]:
    name, pair, cohort = endpoint.endpoint_id, question.treatments, question.cohort
    covariates = cohort_covariates(cohort, endpoint)
    predicted = engine.predict(name, pair, covariates, weeks)
    # The engine's draws are the same ones every time; another order keeps them free of the other columns.
    joint = predicted.prediction.draws(matrix.draws)[matrix.rng("order of response").permutation(matrix.draws)]
    combination = np.array([1.0, -1.0])
    sources = sources_carrying(engine.influence(name, pair, covariates, weeks, combination))
    shape = _shape(engine, question, endpoint, covariates, times, weeks)
    matrix.warnings += [*question.choice.warnings, *predicted.warnings]
    matrix.warnings += extrapolation_warnings([(endpoint, one) for one in predicted.outside])
    if predicted.early is not None:
        matrix.warnings += early_warnings([(endpoint, predicted.early)], weeks)
    matrix.assumptions += [note for one in pair for note in one.notes]
    matrix.assumptions += [
        "Those who stay on treatment change as a new trial in this cohort would report on average; trials count some who "
        "stopped, so this is somewhat too little for people who all take it.",
        "Without the drug people change as on placebo, which in trials comes with advice on diet and activity.",
        "The change comes about over time as the median prediction does.",
    ]
    known = f"predicted from {predicted.trials_of_drug[0]} trials of the drug"
    matrix.note(LINK, ON, joint[:, 0], endpoint.unit, sources, known)
    matrix.note(LINK, WITHOUT, joint[:, 1], endpoint.unit, sources, "predicted from the trials' placebo arms")
    return joint[:, 0], joint[:, 1], shape, sources


def _shape(
    engine: ResponseEngine,
    question: Question,
    endpoint: Endpoint,
    covariates: dict[str, float | None],
    times: FloatArray,
    weeks: float,
) -> FloatArray:
    """(G,) share of the change at the horizon that is reached at each time."""
    when = [weeks * (step + 1) / COURSE_POINTS for step in range(COURSE_POINTS)]
    course = engine.course(endpoint.endpoint_id, question.treatments, covariates, when)
    medians = np.array([float(one.median()[0]) for one in course])
    if abs(medians[-1]) < 1e-9:
        return np.asarray(times / times[-1])
    known = np.array([0.0, *(w / weeks * times[-1] for w in when)])
    return np.asarray(np.interp(times, known, np.array([0.0, *(medians / medians[-1])])), dtype=np.float64)


def _return(
    request: PolicyInput, engine: ResponseEngine, question: Question, endpoint: Endpoint, matrix: Matrix
) -> tuple[FloatArray, FloatArray]:
    """Plateau (D,) and rate per year (D,) of what comes back after stopping."""
    if request.returned is not None:
        plateau = matrix.given(LINK, BACK, request.returned, "share", *PLATEAU)
        if request.return_half_life_weeks is None:
            return plateau, _at_once(matrix)
        half = matrix.given(
            LINK, "weeks until half of what returns is back", request.return_half_life_weeks, "weeks", 1e-6, 1e4
        )
        return plateau, np.asarray(np.log(2.0) / half * WEEKS_A_YEAR)
    drug = question.treatments[0]
    try:
        back = return_of(engine, endpoint.endpoint_id, drug)
    except NoEvidence:
        matrix.assumptions.append(
            f"No trial here tells what returns of {endpoint.label} after stopping {drug.name}: all of it is taken to "
            "come back at once; 'returned' and 'return_half_life_weeks' change that."
        )
        plateau = matrix.note(LINK, BACK, np.ones(matrix.draws), "share", assumption="no withdrawal trial of the class")
        return plateau, _at_once(matrix)
    plateau, rate = back.posterior.draws(matrix.draws, matrix.seed)
    own = [one for one in back.arms if one.drug_class == back.drug_class]
    sources = tuple(dict.fromkeys(source for one in own for source in one.source_ids))
    if not back.of_drug:
        matrix.warnings.append(
            f"What returns after stopping is borrowed from other drugs of the class {back.drug_class}."
        )
    longest = max(one.weeks_off for one in own)
    if request.horizon_weeks > BEYOND * longest:
        matrix.warnings.append(
            f"After stopping, {endpoint.label} was followed for at most {longest:g} weeks; that a part of the change then "
            "stays for good is an assumption, which makes the treatment look better over this horizon."
        )
    matrix.assumptions.append(
        "After stopping, a share of the whole change comes back as in withdrawal trials, exponentially to a plateau, "
        "however long people had taken the drug."
    )
    matrix.note(LINK, BACK, plateau, "share", sources, "fitted to withdrawal trials")
    matrix.note(LINK, SPEED, rate * WEEKS_A_YEAR, "per year", sources, "fitted to withdrawal trials")
    return matrix.columns[BACK], matrix.columns[SPEED]


def _at_once(matrix: Matrix) -> FloatArray:
    return np.full(matrix.draws, np.inf)
