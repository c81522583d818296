"""Leaving trials out for real: everything fitted again without a trial, until those that move most are known.

The closed form (`tools.response.explain`) holds covariates and their scales where they are. A refit without the trial
makes them anew, and may even lose a covariate that too few other trials report. So the trials that head the list are
fitted again, and the list is put in the order that this gives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from knowledge.errors import ImpossibleDose, NoEvidence
from knowledge.schemas import EvidenceView
from tools.context import ToolContext
from tools.response.engine import ResponseEngine, engine_for
from tools.response.estimates import EndpointResult, significant
from tools.response.explain import TrialMoves, combined, on_endpoint
from tools.response.explain_schemas import LeftOut, TrialInfluence
from tools.response.features import FloatArray
from tools.response.treatments import Treatment

# Refits may change the order, and then others head the list: at most this many times as many as asked for.
MORE_REFITS = 2


@dataclass(frozen=True)
class Asked:
    """What is explained: the prediction, how it was made, and the combination of its means that is looked at."""

    engine: ResponseEngine
    context: ToolContext
    treatments: Sequence[Treatment]
    covariates: Mapping[str, float | None]
    result: EndpointResult
    combination: FloatArray
    unit: str
    participants: int | None = None


@dataclass(frozen=True)
class Influences:
    """Trials by how far leaving them out moves the prediction, furthest first.

    Attributes
    ----------
    trials : the listed ones. refits : of those fitted again, in the same order.
    impossible : for trials without which nothing could be predicted, why.
    """

    trials: tuple[TrialInfluence, ...]
    refits: tuple[LeftOut, ...]
    impossible: Mapping[str, str]


def influences_of(asked: Asked, moves: TrialMoves, listed: int, refits: int) -> Influences:
    """The trials that move the prediction most; of those at the head at least `refits` have been fitted again.

    Trials without any weight are left out. Beyond the first `listed` only those are given that were fitted again, and
    the one of most weight.
    """
    foretold = _foretold(moves, asked)
    left_out: dict[str, LeftOut] = {}
    impossible: dict[str, str] = {}

    def moved(one: TrialInfluence) -> float:
        if one.trial in impossible:
            return float("inf")
        return abs(left_out[one.trial].actual if one.trial in left_out else one.move)

    order = sorted(foretold, key=moved, reverse=True)
    budget = MORE_REFITS * refits
    while budget:
        tried = {*left_out, *impossible}
        one = next((one for one in order[:refits] if one.trial not in tried), None)
        if one is None:
            break
        asked.context.progress(len(tried) / (refits + 1), f"fitting again without {one.trial}")
        found = _without(asked, _names(moves, one.trial), one, moves)
        if isinstance(found, str):
            impossible[one.trial] = found
        else:
            left_out[one.trial] = found
        order = sorted(foretold, key=moved, reverse=True)
        budget -= 1
    heaviest = max(foretold, key=lambda one: one.weight).trial if foretold else ""
    trials = tuple(
        one.model_copy(update={"move_refitted": left_out[one.trial].actual}) if one.trial in left_out else one
        for position, one in enumerate(order)
        if position < listed or one.trial in left_out or one.trial == heaviest
    )
    kept = tuple(left_out[one.trial] for one in trials if one.trial in left_out)
    return Influences(trials, kept, impossible)


def _foretold(moves: TrialMoves, asked: Asked) -> list[TrialInfluence]:
    prediction, combination = asked.result.predicted.prediction, asked.combination
    centre = on_endpoint(moves.centre, prediction, combination)
    foretold = on_endpoint(moves.centre + moves.foretold, prediction, combination) - centre
    fixed = on_endpoint(moves.centre + moves.fixed, prediction, combination) - centre
    return [
        TrialInfluence(
            trial=" / ".join(names),
            source_ids=moves.sources[i],
            figures=moves.figures[i],
            weight=significant(100.0 * float(moves.weight[i])),
            move=significant(float(foretold[i])),
            move_fixed=significant(float(fixed[i])),
        )
        for i, names in enumerate(moves.trials)
        if moves.weight[i] > 0
    ]


def _names(moves: TrialMoves, label: str) -> tuple[str, ...]:
    return next(names for names in moves.trials if " / ".join(names) == label)


def _without(asked: Asked, trials: Sequence[str], one: TrialInfluence, moves: TrialMoves) -> LeftOut | str:
    """The prediction fitted again without a trial; or why there is none."""
    engine, context, result = asked.engine, asked.context, asked.result
    name = result.endpoint.endpoint_id
    prepared = engine.prepared(name)
    rows = [row.arm for row in prepared.selection.rows if row.arm.trial in trials]
    hidden = sorted({*trials, *(arm.registry_id for arm in rows if arm.registry_id)})
    view = EvidenceView(as_of=context.view.as_of, exclude=(*context.view.exclude, *hidden))
    try:
        other = engine_for(context.knowledge, view)
        # Reference doses are medians over arms, so doses are put on the scale of what is left.
        same = [
            treatment
            if treatment.drug_class is None or treatment.dose is None
            else other.treatment(treatment.name, treatment.dose)
            for treatment in asked.treatments
        ]
        prediction = other.predict(name, same, asked.covariates, result.predicted.weeks, asked.participants).prediction
    except (NoEvidence, ImpossibleDose) as error:
        return f"Without {one.trial} nothing could be predicted: {error.message}"
    centre = float(on_endpoint(prediction.weights @ prediction.means, prediction, asked.combination))
    before = float(on_endpoint(moves.centre, result.predicted.prediction, asked.combination))
    drawn = combined(prediction.draws(len(result.draws)), prediction, asked.combination)
    lower, upper = np.quantile(drawn, [0.05, 0.95])
    scales, left = prepared.scales, other.prepared(name).scales
    kept = {scale.name for scale in left.scales}
    slopes = {scale.name for scale in left.modifiers}
    lost = [scale.name for scale in scales.scales if scale.name not in kept]
    lost += [scale.name for scale in scales.modifiers if scale.name not in slopes and scale.name not in lost]
    return LeftOut(
        trial=one.trial,
        foretold=one.move,
        foretold_fixed=one.move_fixed,
        actual=significant(centre - before),
        point=significant(centre),
        lower=significant(float(lower)),
        upper=significant(float(upper)),
        unit=asked.unit,
        no_longer_used=tuple(lost),
    )
