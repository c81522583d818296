"""Which treatments can be ranked in a cohort, and their ranks from joint draws.

Ranks are those of one new trial with all treatments as arms: the same virtual patients, the same trial's deviation. The
surface under the cumulative ranking curve is `(a - expected rank) / (a - 1)` for `a` treatments: 100 % when certainly
best, 0 % when certainly worst (Salanti, Ades and Ioannidis 2011).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from knowledge.errors import ImpossibleDose, NoEvidence
from knowledge.schemas import Endpoint, TrialArm
from personas.cohort import Cohort
from tools.response.engine import ResponseEngine
from tools.response.features import FloatArray
from tools.response.relevance import HARMS, Choice, choose_endpoints
from tools.response.treatments import Treatment


def slug(text: str) -> str:
    """A text as part of an estimate's id."""
    return re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")


@dataclass(frozen=True)
class Ranks:
    """Ranks of m treatments, 1 is best.

    Attributes
    ----------
    probabilities : (m, m) of each rank for each treatment.
    expected : (m,); lower, upper : (m,) 5th and 95th percentile of the rank.
    sucra : (m,) 0-1.
    """

    probabilities: FloatArray
    expected: FloatArray
    lower: FloatArray
    upper: FloatArray
    sucra: FloatArray

    @property
    def best(self) -> FloatArray:
        """Probability (m,) of being best."""
        return self.probabilities[:, 0]


def ranks_of(benefit: FloatArray) -> Ranks:
    """Ranks from K joint draws of benefit (K, m), higher is better.

    Raises
    ------
    ValueError : fewer than two treatments.
    """
    count = benefit.shape[1]
    if count < 2:
        raise ValueError("one treatment has no rank")
    order = np.argsort(-benefit, axis=1, kind="stable")
    places = np.empty_like(order)
    np.put_along_axis(places, order, np.broadcast_to(np.arange(1, count + 1), order.shape), axis=1)
    probabilities = np.array([np.bincount(places[:, arm], minlength=count + 1)[1:] for arm in range(count)])
    expected = places.mean(axis=0)
    # A rank is a whole number, and so are the ends of its interval.
    lower, upper = np.quantile(places, [0.05, 0.95], axis=0, method="inverted_cdf")
    return Ranks(
        probabilities / len(benefit),
        expected,
        lower.astype(float),
        upper.astype(float),
        (count - expected) / (count - 1),
    )


@dataclass(frozen=True)
class Refusal:
    """Treatments that are not ranked, and why."""

    reason: str
    treatments: tuple[str, ...]


@dataclass(frozen=True)
class Contenders:
    """Who is in the race.

    Attributes
    ----------
    treatments : sorted by label, without the comparator.
    carried_over : names of those whose trials are all in people of another area, near the cohort's.
    refused : by reason.
    choice : endpoints to rank on (no others), area and remarks.
    """

    treatments: tuple[Treatment, ...]
    carried_over: frozenset[str]
    refused: tuple[Refusal, ...]
    choice: Choice


def choose_contenders(
    engine: ResponseEngine,
    named: Sequence[tuple[Treatment, bool]],
    comparator: Treatment,
    asked: Sequence[str],
    cohort: Cohort,
    archetype_areas: Collection[str],
    arms: Sequence[TrialArm],
) -> Contenders:
    """The treatments to rank, and the endpoints to rank them on.

    Parameters
    ----------
    named : treatments asked about and whether a dose was stated. When there are none, all that have trials of their own
        on one of the endpoints in people like the cohort or near to them.
    comparator : what all are compared with.
    asked : endpoint ids; the main ones of the most studied treatment when there are none.
    arms : rows of the evidence view.

    Raises
    ------
    UnknownEndpoint : not in the vocabulary.
    NoEvidence : nothing can be ranked.
    """
    known = engine.knowledge.vocabulary.drugs
    if named:
        pool, stated = [treatment for treatment, _ in named], {treatment.name for treatment, dose in named if dose}
    else:
        names = sorted({arm.intervention for arm in arms if not arm.arm_role.is_control and arm.intervention in known})
        pool, stated = [engine.treatment(name) for name in names], set()
    actives = [treatment for treatment in pool if treatment.drug_class is not None]
    refusals: dict[str, list[str]] = {}
    carried: set[str] = set()
    fitting: list[Treatment] = []
    for treatment in actives:
        try:
            # Whether its trials speak about people like these; which endpoint is asked about plays no part in that.
            remarks = choose_endpoints(
                engine, [treatment], list(_any_endpoint(engine)), cohort, archetype_areas
            ).warnings
        except NoEvidence as error:
            refusals.setdefault(error.message if named else OTHER_PEOPLE, []).append(treatment.name)
            continue
        fitting.append(treatment)
        carried |= {treatment.name} if remarks else set()
    if not fitting:
        why = f"No treatment in this evidence base has trials in people like this cohort ({cohort.label})."
        if named:
            why = " ".join(refusals) or "None of these is a treatment: they give nothing of their own."
        raise NoEvidence(why, "Ask about another cohort, or name treatments of its disease.")
    choice = _choice(engine, fitting, bool(named), asked, cohort, archetype_areas, arms)
    kept = []
    for treatment in fitting:
        missing = _missing(engine, treatment, choice.endpoints, comparator)
        if missing is None and not named and not _studied(engine, treatment, choice.endpoints):
            missing = BORROWED
        if missing is not None:
            refusals.setdefault(missing, []).append(treatment.name)
            continue
        if treatment.name in stated:
            kept.append(treatment)
            continue
        kept.append(engine.treatment(treatment.name, area=choice.area, endpoints=choice.endpoints))
    return Contenders(
        tuple(sorted(kept, key=lambda treatment: treatment.label)),
        frozenset(carried),
        tuple(Refusal(reason, tuple(sorted(names))) for reason, names in refusals.items()),
        choice,
    )


OTHER_PEOPLE = "All trials of the treatment are in other people than this cohort."
BORROWED = "No trial of the treatment reports the outcome; named, it is predicted from other drugs of its class."


def _any_endpoint(engine: ResponseEngine) -> tuple[str, ...]:
    """Any one endpoint of the vocabulary."""
    return tuple(engine.knowledge.vocabulary.endpoints)[:1]


def harms_beside(engine: ResponseEngine, ranked: Collection[str]) -> tuple[str, ...]:
    """Harms to show beside the endpoints that are ranked on."""
    return tuple(name for name in HARMS if name in engine.knowledge.vocabulary.endpoints and name not in ranked)


def predictable(
    engine: ResponseEngine, endpoint_id: str, treatments: Sequence[Treatment], comparator: Treatment, *, own: bool
) -> tuple[Treatment, ...]:
    """Those of the treatments that can be predicted on an endpoint; with `own` only those with trials of their own."""
    return tuple(
        treatment
        for treatment in treatments
        if _missing(engine, treatment, (endpoint_id,), comparator) is None
        and not (own and not _studied(engine, treatment, (endpoint_id,)))
    )


def _studied(engine: ResponseEngine, treatment: Treatment, endpoints: Sequence[str]) -> bool:
    return any(engine.trials(name, treatment) for name in endpoints)


def _choice(
    engine: ResponseEngine,
    fitting: Sequence[Treatment],
    named: bool,
    asked: Sequence[str],
    cohort: Cohort,
    archetype_areas: Collection[str],
    arms: Sequence[TrialArm],
) -> Choice:
    """Endpoints as for the leading treatment: the first one named, or the one with most trials in the cohort's area."""
    trials: dict[str, set[str]] = {treatment.name: set() for treatment in fitting}
    for arm in arms:
        if arm.area == cohort.persona.area and arm.intervention in trials:
            trials[arm.intervention].add(arm.trial)
    lead = fitting[0] if named else max(fitting, key=lambda treatment: len(trials[treatment.name]))
    found = choose_endpoints(engine, [lead], asked, cohort, archetype_areas)
    benefits = tuple(name for name in found.endpoints if asked or name not in HARMS) or found.endpoints
    return Choice(benefits, found.area, found.assumptions)


def _missing(
    engine: ResponseEngine, treatment: Treatment, endpoints: Sequence[str], comparator: Treatment
) -> str | None:
    """Why none of the endpoints can be predicted; None when one can."""
    labels: list[Endpoint] = []
    for name in endpoints:
        labels.append(engine.knowledge.vocabulary.endpoint(name))
        try:
            engine.check(name, [treatment, comparator])
        except (NoEvidence, ImpossibleDose):
            continue
        return None
    outcomes = " or ".join(dict.fromkeys(endpoint.label for endpoint in labels))
    return f"No usable figure joins the treatment, or two trials of its class, with {outcomes}."
