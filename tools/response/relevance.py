"""Which outcomes answer a question that names none, and whether the trials of a drug speak about the cohort at all."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from knowledge.errors import NoEvidence
from knowledge.schemas import Direction, Endpoint, Family
from personas.cohort import Cohort
from tools.response.cohorts import cohort_covariates
from tools.response.engine import ResponseEngine
from tools.response.outcomes import Groups, groups_of
from tools.response.treatments import Treatment

HBA1C = "hba1c_change"
WEIGHT_KG, WEIGHT_PERCENT = WEIGHT = ("weight_change", "weight_percent_change")
# Main outcomes by area; weight is shown once, in the unit in which more trials report it.
AREA_MAIN: Mapping[str, tuple[str, ...]] = {
    "type_2_diabetes": (HBA1C, *WEIGHT),
    "obesity": WEIGHT,
    "hypertension": ("systolic_bp_change",),
    "dyslipidaemia": ("ldl_percent_change",),
}
# Harms shown in every area.
HARMS = ("nausea", "discontinuation_adverse_event")
# Trials of the drug that an outcome needs to be shown unasked; one, where no outcome of the drug has so many.
ENOUGH_TRIALS = 2
# Areas whose trials are in people near enough to carry over, with a warning: the metabolic areas overlap.
METABOLIC = frozenset({"type_2_diabetes", "obesity", "hypertension", "dyslipidaemia", "heart_failure_ckd"})
NEAR: Mapping[str, frozenset[str]] = {
    "type_2_diabetes": METABOLIC,
    "obesity": METABOLIC,
    "general": frozenset({"type_2_diabetes", "obesity"}),
}
# Yes/no attributes that make a cohort one of an area when at least half of its people have them.
MARKS = {"hypertension": "hypertension", "heart_failure": "heart_failure_ckd", "ckd": "heart_failure_ckd"}
AREA_WORDS = {"heart_failure_ckd": "heart failure and chronic kidney disease", "copd_asthma": "COPD and asthma"}


@dataclass(frozen=True)
class Choice:
    """Endpoint ids to predict, area of the trials they come from, and what the reader must know about the choice."""

    endpoints: tuple[str, ...]
    area: str
    assumptions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def choose_endpoints(
    engine: ResponseEngine,
    treatments: Sequence[Treatment],
    asked: Sequence[str],
    cohort: Cohort,
    archetype_areas: Collection[str] = (),
) -> Choice:
    """Endpoints asked for, else those of the first active treatment's own area that its trials report.

    Parameters
    ----------
    engine, treatments, asked, cohort : the question.
    archetype_areas : areas for which there is a cohort to ask about.

    Raises
    ------
    UnknownEndpoint : a name that the vocabulary does not have.
    NoEvidence : no trial of a treatment is in people like the cohort, or none has a figure that can be used.
    """
    ids = tuple(dict.fromkeys(engine.knowledge.vocabulary.endpoint(name).endpoint_id for name in asked))
    actives = [treatment for treatment in treatments if treatment.drug_class is not None]
    own, marked = {cohort.persona.area}, _marked_areas(cohort)
    warnings = []
    for treatment in actives:
        studied = engine.areas_of(treatment)
        if not studied or own & set(studied):
            continue
        words = _listed([area_words(area) for area in studied])
        where = f"The trials of {treatment.name} in this evidence base are in {words}"
        near = NEAR.get(cohort.persona.area, frozenset()) & set(studied)
        if marked & set(studied):
            continue
        if not near:
            raise NoEvidence(
                f"{where}, none in people like this cohort ({cohort.label}).", _hint(studied, archetype_areas)
            )
        warnings.append(f"{where}, none in people like this cohort: the prediction carries over from there.")
    if not actives:
        return Choice(ids or tuple(name for name in (HBA1C,) if name in engine.knowledge.vocabulary.endpoints), "")
    active = actives[0]
    area = _area(engine.areas_of(active), own, marked | NEAR.get(cohort.persona.area, frozenset()))
    if ids:
        return _one_weight(engine, active, ids, area, cohort, tuple(warnings))
    return Choice(_unasked(engine, active, area, cohort), area, warnings=tuple(warnings))


def area_words(area: str) -> str:
    """`type 2 diabetes` of `type_2_diabetes`."""
    return AREA_WORDS.get(area, area.replace("_", " "))


def _unasked(engine: ResponseEngine, active: Treatment, area: str, cohort: Cohort) -> tuple[str, ...]:
    """Main outcomes of the area and common harms, where the drug itself has trials on them."""
    known = engine.knowledge.vocabulary.endpoints
    diabetes = _with_diabetes(engine, cohort)
    main = AREA_MAIN.get(area, ()) or _best_of_groups(engine, active, groups_of(area, cohort))
    if area == "obesity" and diabetes:
        main = (*main, HBA1C)
    wanted = [name for name in (*main, *HARMS) if name in known]
    of_drug = {name: len(engine.trials(name, active)) for name in wanted}
    alike = (
        {name: len(engine.trials(name, active, diabetes=diabetes)) for name in wanted} if area in AREA_MAIN else of_drug
    )
    # Trials in people like the cohort (with or without diabetes) decide, where there are any on a main outcome.
    trials = {name: alike[name] if name in main else of_drug[name] for name in wanted}
    if not any(alike.get(name) for name in main):
        trials = of_drug
    if not any(trials.get(name) for name in main):
        best = _most_studied_benefit(engine, active, area)
        if best is not None:
            trials = {best[0]: best[1], **{name: of_drug[name] for name in HARMS if name in known}}
        elif not any(trials.values()):
            return _borrowed(engine, active, main)
    benefits = [count for name, count in trials.items() if name not in HARMS and count]
    # Where one trial is all there is on benefit or harm, one has to do; and large trials of events are few.
    need = min(ENOUGH_TRIALS, max(benefits or trials.values())) if area in AREA_MAIN else 1
    chosen = [
        name for name, count in trials.items() if count >= (ENOUGH_TRIALS if name in HARMS and benefits else need)
    ]
    weights = [name for name in WEIGHT if name in chosen]
    drop = set(weights) - {max(weights, key=lambda name: trials[name])} if weights else set()
    return tuple(name for name in chosen if name not in drop)


def _best_of_groups(engine: ResponseEngine, active: Treatment, groups: Groups) -> tuple[str, ...]:
    """Of each group of definitions the one that most trials of the drug report."""
    known = engine.knowledge.vocabulary.endpoints
    found = []
    for group in groups:
        trials = {name: len(engine.trials(name, active)) for name in group if name in known}
        best = max(trials, key=lambda name: trials[name], default=None)
        if best is not None and trials[best]:
            found.append(best)
    return tuple(found)


def _most_studied_benefit(engine: ResponseEngine, active: Treatment, area: str) -> tuple[str, int] | None:
    """The outcome of the area that most trials of the drug report, a benefit rather than a harm, and their number."""
    known = engine.knowledge.vocabulary.endpoints
    studied = [name for name in engine.endpoints_of(active) if _is_benefit(known[name])]
    counted = {name: len(engine.trials(name, active, area=area)) for name in studied}
    best = min(counted, key=lambda name: (-counted[name], name), default=None)
    return None if best is None or not counted[best] else (best, counted[best])


def _borrowed(engine: ResponseEngine, active: Treatment, main: Sequence[str]) -> tuple[str, ...]:
    """Main outcomes on which the class has trials, for a drug without a usable figure of its own (NoEvidence)."""
    known = engine.knowledge.vocabulary.endpoints
    trials = {name: len(engine.trials(name, active, by_class=True)) for name in main if name in known}
    best = max(trials, key=lambda name: trials[name], default=None)
    if best is not None and trials[best] >= ENOUGH_TRIALS:
        return (best,)
    named = list(dict.fromkeys(known[name].label for name in engine.endpoints_of(active)))
    if not named:
        raise NoEvidence(
            f"No trial of {active.name} is in this evidence base.",
            "Ask about another drug, or widen the evidence view.",
        )
    raise NoEvidence(
        f"The trials of {active.name} in this evidence base report {_listed(named)}, but no figure that this engine can "
        "use: it needs a standard error, an interval or the number of participants.",
        "Ask what is published about it, or ask about another drug.",
    )


def _one_weight(
    engine: ResponseEngine,
    active: Treatment,
    ids: tuple[str, ...],
    area: str,
    cohort: Cohort,
    warnings: tuple[str, ...],
) -> Choice:
    """Weight in % instead of kg where a cohort without diabetes is asked about and more trials report it so.

    Two models of one quantity would contradict each other.
    """
    known = engine.knowledge.vocabulary.endpoints
    if WEIGHT_KG in ids and WEIGHT_PERCENT in known and not _with_diabetes(engine, cohort):
        alike = {name: len(engine.trials(name, active, diabetes=False)) for name in WEIGHT}
        if alike[WEIGHT_PERCENT] > alike[WEIGHT_KG]:
            ids = tuple(dict.fromkeys(WEIGHT_PERCENT if name == WEIGHT_KG else name for name in ids))
            note = (
                f"Weight change is predicted in % of body weight, not in kg: more trials of {active.name} in people "
                "without diabetes report it so, and two models of one quantity would contradict each other."
            )
            return Choice(ids, area, (note,), warnings)
    return Choice(ids, area, warnings=warnings)


def _marked_areas(cohort: Cohort) -> frozenset[str]:
    """Areas that most people of the cohort belong to by what else they have."""
    return frozenset(area for attribute, area in MARKS.items() if (cohort.mean(attribute) or 0.0) >= 0.5)


def _area(studied: Mapping[str, int], own: Collection[str], near: Collection[str]) -> str:
    """Area of the trials to speak from: the cohort's own, one near it, else the one with most trials."""
    for wanted in (own, near, studied):
        found = [area for area in studied if area in wanted]
        if found:
            return found[0]
    return ""


def _with_diabetes(engine: ResponseEngine, cohort: Cohort) -> bool:
    endpoint = next(iter(engine.knowledge.vocabulary.endpoints.values()))
    share = cohort_covariates(cohort, endpoint)["diabetes"]
    return share is not None and share >= 0.5


def _is_benefit(endpoint: Endpoint) -> bool:
    if endpoint.family is Family.PROPORTION:
        return endpoint.direction is Direction.HIGHER_IS_BETTER
    return endpoint.family is Family.CONTINUOUS


def _hint(studied: Mapping[str, int], archetype_areas: Collection[str]) -> str:
    without = [area_words(area) for area in studied if area not in archetype_areas]
    if len(without) < len(studied):
        there = [area_words(area) for area in studied if area in archetype_areas]
        return f"Ask about people with {_listed(there)}."
    return f"No archetype for {_listed(without)} exists yet, so ask what is published about it instead."


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + f" and {words[-1]}" if len(words) > 1 else "".join(words)
