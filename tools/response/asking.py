"""What both response tools do first: read treatments, choose endpoints, say what was assumed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from knowledge.errors import InvalidInput, NoEvidence
from knowledge.schemas import Family
from personas.cohort import Cohort
from tools.response.cohorts import cohort_covariates
from tools.response.engine import ResponseEngine
from tools.response.estimates import EndpointResult, predict_endpoint
from tools.response.reach import extrapolation_warnings
from tools.response.schemas import MissingEndpoint, TreatmentInput
from tools.response.treatments import Treatment

# Shown when nobody names endpoints, where the treatment has evidence on them.
MAIN_ENDPOINTS = ("hba1c_change", "weight_change", "weight_percent_change", "nausea", "discontinuation_adverse_event")
WEIGHT = ("weight_change", "weight_percent_change")
MAX_DEFAULT = 4


def read_treatment(engine: ResponseEngine, asked: TreatmentInput) -> Treatment:
    """A checked treatment (UnknownDrug, InvalidInput, ImpossibleDose)."""
    return engine.treatment(asked.intervention, asked.dose, asked.dose_unit or "", asked.frequency or "")


def refuse_doubles(treatments: Sequence[Treatment]) -> None:
    """InvalidInput when a treatment is to be compared with itself."""
    labels = [(treatment.name, treatment.dose) for treatment in treatments]
    for position, one in enumerate(labels):
        if one in labels[:position]:
            raise InvalidInput(
                f"{treatments[position].label} is compared with itself.", "Name two different treatments or doses."
            )


def choose_endpoints(
    engine: ResponseEngine, treatments: Sequence[Treatment], asked: Sequence[str], cohort: Cohort
) -> tuple[str, ...]:
    """Endpoint ids: those asked for, else the main ones with evidence on the first active treatment.

    Trials in people like the cohort (with or without diabetes) decide, where there are any. UnknownEndpoint for a name
    that the vocabulary does not have.
    """
    if asked:
        ids = [engine.knowledge.vocabulary.endpoint(name).endpoint_id for name in asked]
        return tuple(dict.fromkeys(ids))
    known = engine.knowledge.vocabulary.endpoints
    active = next((treatment for treatment in treatments if treatment.drug_class is not None), treatments[0])
    main = [name for name in MAIN_ENDPOINTS if name in known]
    trials = {name: len(engine.trials(name, active)) for name in main}
    share = cohort_covariates(cohort, known[main[0]])["diabetes"] if main else None
    if share is not None:
        alike = {name: len(engine.trials(name, active, diabetes=share >= 0.5)) for name in main}
        trials = alike if any(alike.values()) else trials
    if not any(trials.values()):
        # Not a drug of these areas: the endpoints it was studied on most.
        families = (Family.CONTINUOUS, Family.PROPORTION)
        studied = [name for name in engine.endpoints_of(active) if known[name].family in families]
        counted = {name: len(engine.trials(name, active)) for name in studied}
        found = sorted((name for name in counted if counted[name]), key=lambda name: (-counted[name], name))
        if found:
            return tuple(found[:MAX_DEFAULT])
        trials = {name: len(engine.trials(name, active, by_class=True)) for name in main}
    # Weight once: in the unit in which more trials report it.
    weights = [name for name in WEIGHT if trials.get(name)]
    drop = set(weights) - {max(weights, key=lambda name: trials[name])} if weights else set()
    chosen = tuple(name for name in trials if trials[name] and name not in drop)
    return chosen or tuple(main[:1])


def predict_endpoints(
    engine: ResponseEngine,
    endpoints: Sequence[str],
    treatments: Sequence[Treatment],
    cohort: Cohort,
    weeks: float,
    progress: Callable[[float, str], None],
) -> tuple[list[EndpointResult], tuple[MissingEndpoint, ...]]:
    """Predictions of those endpoints that have evidence, and reasons for the others; NoEvidence when none has."""
    results: list[EndpointResult] = []
    missing: list[MissingEndpoint] = []
    first_error: NoEvidence | None = None
    for position, name in enumerate(endpoints):
        progress(position / len(endpoints), f"predicting {engine.knowledge.vocabulary.endpoint(name).label}")
        try:
            results.append(predict_endpoint(engine, name, treatments, cohort, weeks))
        except NoEvidence as error:
            first_error = first_error or error
            missing.append(MissingEndpoint(endpoint=name, reason=error.message))
    if first_error is not None and not results:
        raise first_error
    return results, tuple(missing)


def assumptions_of(
    engine: ResponseEngine, results: Sequence[EndpointResult], treatments: Sequence[Treatment]
) -> tuple[str, ...]:
    """What was assumed, in full sentences."""
    found = [note for treatment in treatments for note in treatment.notes]
    found.append(
        "The prediction is for a new double-blind trial like the most recent ones; where the cohort does not say what "
        "other treatment people have, it is that of the average trial. Estimands are as published, treatment policy "
        "first where a trial gives several."
    )
    selections = [engine.prepared(result.endpoint.endpoint_id).selection for result in results]
    imputed = [
        f"{selection.imputed} of {len(selection.rows)} for {result.endpoint.label} "
        f"(SD {selection.individual_sd:.3g} {result.endpoint.unit})"
        for result, selection in zip(results, selections, strict=True)
        if selection.imputed
    ]
    if imputed:
        found.append(
            "Figures published without a standard error got one from the number of participants and the typical "
            f"person-to-person SD: {'; '.join(imputed)}."
        )
    skipped: Counter[str] = Counter()
    for selection in selections:
        skipped.update(selection.skipped)
    if skipped:
        used = sum(len(selection.rows) for selection in selections)
        reasons = "; ".join(f"{count}: {reason}" for reason, count in skipped.most_common())
        found.append(f"{used} published figures on these outcomes were used, {skipped.total()} were not ({reasons}).")
    return tuple(dict.fromkeys(found))


def warnings_of(results: Sequence[EndpointResult]) -> tuple[str, ...]:
    """Warnings of all endpoints, each said once."""
    said = dict.fromkeys(warning for result in results for warning in result.predicted.warnings)
    outside = [(result.endpoint, item) for result in results for item in result.predicted.outside]
    return (*said, *extrapolation_warnings(outside))
