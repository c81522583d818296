"""An explanation as `Estimate`s and charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from knowledge.schemas import Endpoint, Family
from personas.units import attribute_info, attribute_label
from tools.response.estimates import EndpointResult, ratio_unit, significant
from tools.response.explain import PARTS, Shift, combined, on_endpoint
from tools.response.explain_schemas import Contribution, LeftOut, TrialInfluence, VariancePart
from tools.response.features import FloatArray
from tools.response.mixture import Prediction
from tools.response.ranking import slug
from tools.response.reach import SHARES
from tools.schemas import Chart, Estimate, Kind, Level, Point, Series

# Covariates that are of the trial, not of people.
OF_THE_TRIAL = {
    "year": "year of publication",
    "log_weeks": "time of the visit (weeks)",
    "untreated_background": "whether people had no other treatment",
}


def difference_unit(result: EndpointResult) -> str:
    """Unit of a difference: percentages differ by %-points, hazards and rates by a ratio."""
    if result.predicted.prediction.log:
        return ratio_unit(result.endpoint)
    return "%-points" if result.endpoint.family is Family.PROPORTION else result.endpoint.unit


def trial_estimates(one: TrialInfluence, difference: Estimate) -> list[Estimate]:
    """A trial's weight, and the move of the prediction that leaving it out would make, as foretold."""
    blank = {"lower": None, "upper": None, "kind": Kind.DESCRIPTIVE, "source_ids": one.source_ids, "n_trials": None}
    return [
        difference.model_copy(
            update=blank
            | {
                "id": f"{difference.endpoint}.weight.{slug(one.trial)}",
                "quantity": f"weight of {one.trial} in the predicted {difference.quantity}",
                "unit": "%",
                "of": Level.SHARE,
                "point": one.weight,
                "note": "share of the sum of absolute weights of all figures",
            }
        ),
        difference.model_copy(
            update=blank
            | {
                "id": f"{difference.endpoint}.move.{slug(one.trial)}",
                "quantity": f"move of the predicted {difference.quantity} without {one.trial}",
                "point": one.move,
                "note": "foretold from the weights of its figures, nothing fitted again",
            }
        ),
    ]


def average_estimate(
    average: Prediction, combination: FloatArray, result: EndpointResult, difference: Estimate
) -> Estimate:
    """The same difference for people like those of the average trial: what the cohort itself changes is left out."""
    drawn = combined(average.draws(len(result.draws)), average, combination)
    point = float(on_endpoint(average.weights @ average.means, average, combination))
    lower, upper = np.quantile(drawn, [0.05, 0.95])
    return difference.model_copy(
        update={
            "id": f"{difference.endpoint}.average_trial",
            "quantity": f"{difference.quantity}, in people like those of the average trial",
            "population": "people like those of the average trial",
            "point": significant(point),
            "lower": significant(float(lower)),
            "upper": significant(float(upper)),
            "note": "all covariates at the mean of the trials",
        }
    )


def refit_estimates(left_out: LeftOut, difference: Estimate) -> list[Estimate]:
    """The difference fitted without the trial, and how far it moved."""
    where = f"{difference.endpoint}.refit.{slug(left_out.trial)}"
    made = difference.model_copy(
        update={
            "id": f"{where}.difference",
            "quantity": f"{difference.quantity}, fitted without {left_out.trial}",
            "point": left_out.point,
            "lower": left_out.lower,
            "upper": left_out.upper,
            "n_trials": None,
            "note": "everything fitted again without the trial",
        }
    )
    moved = made.model_copy(
        update={
            "id": f"{where}.move",
            "quantity": f"move of the predicted {difference.quantity} when fitted without {left_out.trial}",
            "point": left_out.actual,
            "lower": None,
            "upper": None,
            "kind": Kind.DESCRIPTIVE,
        }
    )
    return [made, moved]


def covariate_words(name: str, endpoint: Endpoint) -> tuple[str, str]:
    """A covariate of the model in words, and its unit."""
    if name in SHARES:
        return SHARES[name], "%"
    if name in OF_THE_TRIAL:
        return OF_THE_TRIAL[name], ""
    attribute = endpoint.baseline if name == "baseline" else name
    info = attribute_info(attribute)
    return attribute_label(attribute), info.unit if info else ""


def contribution_of(shift: Shift, of: str, result: EndpointResult) -> Contribution:
    """A shift in words, its values as people say them."""
    words, unit = covariate_words(shift.covariate, result.endpoint)
    value, average = shift.value, shift.average
    if shift.covariate in SHARES:
        value, average = 100.0 * value, 100.0 * average
    elif shift.covariate == "log_weeks":
        value, average = float(np.exp(value)), float(np.exp(average))
    return Contribution(
        covariate=words,
        unit=unit,
        cohort=significant(value),
        trials=significant(average),
        of=of,
        point=significant(shift.point),
        lower=significant(shift.lower),
        upper=significant(shift.upper),
    )


def contribution_estimate(one: Contribution, whole: Estimate) -> Estimate:
    """A covariate's part of the mean or the difference."""
    return whole.model_copy(
        update={
            "id": f"{whole.endpoint}.contribution.{one.of}.{slug(one.covariate)}",
            "quantity": f"part of the {whole.unit if whole.unit.endswith('ratio') else one.of} due to {one.covariate}",
            "point": one.point,
            "lower": one.lower,
            "upper": one.upper,
            "kind": Kind.CONFIDENCE,
            "n_trials": None,
            "note": (
                f"cohort {one.cohort:.4g} {one.unit}".rstrip()
                + f", mean of the trials {one.trials:.4g} {one.unit}".rstrip()
            ),
        }
    )


def variance_shares(parts: Mapping[str, float]) -> tuple[VariancePart, ...]:
    """Shares in %, largest first; parts that are nought are left out."""
    total = sum(parts.values())
    shares = {name: 100.0 * part / total for name, part in parts.items() if abs(part) > 1e-9 * total}
    return tuple(
        VariancePart(part=name, words=PARTS[name][0], remedy=PARTS[name][1], share=significant(shares[name]))
        for name in sorted(shares, key=lambda name: -shares[name])
    )


def variance_estimate(part: VariancePart, difference: Estimate) -> Estimate:
    """A part's share of the variance."""
    return difference.model_copy(
        update={
            "id": f"{difference.endpoint}.variance.{part.part}",
            "quantity": f"share of the variance of the predicted difference: {part.words}",
            "unit": "%",
            "point": part.share,
            "lower": None,
            "upper": None,
            "of": Level.SHARE,
            "kind": Kind.DESCRIPTIVE,
            "n_trials": None,
            "note": part.remedy,
        }
    )


def explanation_charts(
    result: EndpointResult,
    trials: Sequence[TrialInfluence],
    contributions: Sequence[Contribution],
    variances: Sequence[VariancePart],
    difference: Estimate,
) -> tuple[Chart, ...]:
    """Trials, covariates and parts of the variance, each as bars or forest."""
    unit = difference.unit
    label = result.endpoint.label
    drawn = tuple(Point(x=one.trial, y=one.known_move) for one in trials)
    charts = [
        Chart(
            kind="bars",
            title=f"{label}: what leaving out a trial would do to the predicted difference",
            x_label="trial left out",
            y_label=f"move ({unit})",
            series=(Series(name="move", points=drawn),),
        )
    ]
    for of in ("difference", "mean"):
        points = tuple(
            Point(x=c.covariate, y=c.point, lower=c.lower, upper=c.upper) for c in contributions if c.of == of
        )
        if points:
            charts.append(
                Chart(
                    kind="forest",
                    title=f"{label}: what the cohort's covariates add to the {of}, beside the average trial",
                    x_label=f"{label} ({unit if of == 'difference' else result.endpoint.unit}), 90 % intervals",
                    y_label="",
                    series=(Series(name=of, points=points),),
                )
            )
    charts.append(
        Chart(
            kind="bars",
            title=f"{label}: what the spread of the predicted difference is made of",
            x_label="",
            y_label="% of the variance",
            series=(Series(name="share", points=tuple(Point(x=part.words, y=part.share) for part in variances)),),
        )
    )
    return tuple(charts)
