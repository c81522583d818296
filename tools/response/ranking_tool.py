"""`rank_treatments`: which of all treatments does best in a cohort, with its harms beside the benefit."""

from __future__ import annotations

from collections.abc import Sequence

from knowledge.errors import InvalidInput, NoEvidence
from personas.cohort import Cohort
from tools.context import ToolContext
from tools.registry import tool
from tools.response.asking import Question, assumptions_of, read_treatment, refuse_doubles
from tools.response.engine import ResponseEngine, engine_for
from tools.response.estimates import VALIDATION
from tools.response.ranking import Contenders, choose_contenders, harms_beside
from tools.response.ranking_race import Race, refuse_neutral, run_harms, run_race
from tools.response.ranking_report import (
    harm_chart,
    harm_estimates,
    race_charts,
    race_estimates,
    ranking_rows,
    verdict_on,
)
from tools.response.ranking_schemas import NotRanked, RankInput, RankResult
from tools.response.reach import early_warnings, extrapolation_warnings, warnings_beyond
from tools.response.schemas import MissingEndpoint, TreatmentInput
from tools.response.threads import one_thread
from tools.response.treatments import Treatment

# Treatments named for each reason why they are not ranked.
NAMED_REFUSALS = 40


@tool("rank_treatments", input=RankInput, result=RankResult, validation=VALIDATION)
@one_thread()
def rank_treatments(request: RankInput, context: ToolContext) -> RankResult:
    """Rank all treatments that have trials, or those named, in a cohort: which is probably best, who ties, at what cost.

    For each endpoint at `horizon_weeks`: each treatment's cohort mean and difference from the comparator (90 %
    predictive intervals, endpoint's unit; for times to event the hazard ratio), the probability (%) of being best, and
    of being best or behind by less than the minimal important difference, the expected rank and the surface under the
    cumulative ranking curve (SUCRA, %; Salanti, Ades and Ioannidis 2011), whether it ties with the first, the
    probability of being better than the comparator, the number of trials behind it, and nausea and stopping for adverse
    events (% of people) beside it. All are arms of one new trial with the same virtual patients, from joint draws. Named
    treatments without trials of their own borrow from their class and are marked; what is not ranked is listed with the
    reason. One treatment alone is refused.
    """
    engine = engine_for(context.knowledge, context.view)
    comparator = read_treatment(engine, request.comparator or TreatmentInput(intervention="placebo"))
    refuse_neutral([context.knowledge.vocabulary.endpoint(name) for name in request.endpoints])
    if len(request.treatments) == 1:
        only = read_treatment(engine, request.treatments[0])
        raise InvalidInput(
            f"Only {only.name} is named, and one treatment alone has no rank.",
            "Name two or more, or none to rank all that have trials; ask what it does instead.",
        )
    cohort = Cohort.build(request.cohort, context.personas, seed=context.seed)
    named = [(read_treatment(engine, one), one.dose is not None) for one in request.treatments]
    contenders = choose_contenders(
        engine,
        named,
        comparator,
        request.endpoints,
        cohort,
        {persona.area for persona in context.personas},
        context.knowledge.arms.view(context.view).arms,
    )
    choice = contenders.choice
    if request.comparator is not None and request.comparator.dose is None:
        comparator = engine.treatment(comparator.name, area=choice.area, endpoints=choice.endpoints)
    rivals = [one for one in contenders.treatments if (one.name, one.dose) != (comparator.name, comparator.dose)]
    refuse_doubles([*rivals, comparator])
    if len(rivals) < 2:
        left = f"Only {rivals[0].label} can be ranked in this cohort." if rivals else "Nothing is left to rank."
        reasons = [f"{', '.join(one.treatments)}: {one.reason}" for one in contenders.refused] if named else []
        raise NoEvidence(" ".join([left, *reasons]), "Name other treatments, another endpoint, or another cohort.")
    races: list[Race] = []
    missing: list[MissingEndpoint] = []
    for position, name in enumerate(choice.endpoints):
        context.progress(
            position / len(choice.endpoints), f"ranking on {context.knowledge.vocabulary.endpoint(name).label}"
        )
        try:
            races.append(run_race(engine, name, rivals, comparator, cohort, request.horizon_weeks, own=not named))
        except NoEvidence as error:
            missing.append(MissingEndpoint(endpoint=name, reason=error.message))
    if not races:
        raise NoEvidence(missing[0].reason, "Rank on another endpoint, or in another cohort.")
    beside = harms_beside(engine, {race.endpoint.endpoint_id for race in races})
    harms = run_harms(engine, beside, rivals, comparator, cohort, request.horizon_weeks)
    shown = {race.treatments[i].label for race in races for i in race.shown(request.shown)}
    estimates = [one for race in races for one in race_estimates(race, cohort, request.shown)]
    estimates += [one for harm in harms for one in harm_estimates(harm, shown, cohort)]
    question = Question(tuple(one for one in (*rivals, comparator) if one.label in shown), cohort, choice)
    return RankResult(
        title=(
            f"{cohort.label}: {len({one for race in races for one in race.treatments}) - 1} treatments and "
            f"{comparator.label} ranked on "
            f"{' and '.join(race.endpoint.label for race in races)}, {request.horizon_weeks:g} weeks"
        ),
        estimates=tuple(estimates),
        charts=(
            *(chart for race in races for chart in race_charts(race, cohort, request.shown)),
            *(harm_chart(harm, shown, cohort) for harm in harms),
        ),
        assumptions=(
            *assumptions_of(engine, [race.results[0] for race in races], question),
            "Ranks are those of cohort means in one new trial: they include how trials differ, and say nothing about "
            "which treatment suits a person. Treatments were not all compared head to head; they are joined by the model.",
        ),
        warnings=_warnings(engine, races, contenders, rivals, shown),
        source_ids=tuple(dict.fromkeys(source for one in estimates for source in one.source_ids)),
        comparator=comparator.label,
        verdicts=tuple(verdict_on(race, request.shown) for race in races),
        ranking=tuple(row for race in races for row in ranking_rows(race, harms, contenders, cohort)),
        not_ranked=tuple(
            NotRanked(reason=one.reason, count=len(one.treatments), treatments=one.treatments[:NAMED_REFUSALS])
            for one in contenders.refused
        ),
        missing_endpoints=tuple(missing),
    )


def _warnings(
    engine: ResponseEngine,
    races: Sequence[Race],
    contenders: Contenders,
    rivals: Sequence[Treatment],
    shown: set[str],
) -> tuple[str, ...]:
    """What the reader must know, said once for all treatments it concerns."""
    said: dict[str, None] = {}
    said |= dict.fromkeys(warning for one in rivals if one.label in shown for warning in one.warnings)
    carried = [one.name for one in rivals if one.name in contenders.carried_over and one.label in shown]
    if carried:
        said[
            f"The trials of {', '.join(dict.fromkeys(carried))} in this evidence base are in people of another area: their "
            "predictions carry over from there."
        ] = None
    for race in races:
        predicted = race.results[0].predicted
        borrowed = [
            one.name
            for one, trials in zip(predicted.treatments, predicted.trials_of_drug, strict=True)
            if not trials and one.drug_class is not None and one.label in shown
        ]
        if borrowed:
            said[
                f"No trial in this evidence base reports {race.endpoint.label} with {', '.join(dict.fromkeys(borrowed))}; "
                "their predictions borrow from other drugs of the class, and their intervals are wider for that."
            ] = None
        visible = [one for one in predicted.treatments if one.label in shown]
        said |= dict.fromkeys(warnings_beyond(engine.prepared(race.endpoint.endpoint_id), visible, predicted.weeks))
    predictions = [race.results[0].predicted for race in races]
    early = [(one.endpoint, one.early) for one in predictions if one.early is not None]
    outside = [(one.endpoint, item) for one in predictions for item in one.outside]
    return (*said, *early_warnings(early, predictions[0].weeks), *extrapolation_warnings(outside))
