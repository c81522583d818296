"""Why a prediction is what it is: which trials, which covariates, which uncertainties. Arrays in, arrays out.

* Leaving out a trial g, at given hyperparameters, moves the posterior mean by `-w_g' r_g`: `w_g` are the weights of the
  trial's figures, `r_g = (K^-1_gg)^-1 (K^-1 y)_g` is what they report beyond what all other trials foretell. It is exact
  (Sundararajan and Keerthi 2001, for groups). The nodes of the hyperparameters are then reweighted by
  `1 / p(y_g | y_-g, node)`, so that they forget the trial too (importance sampling, its weights truncated as
  in `tools.response.integration`).
* A covariate contributes its slope times the cohort's distance from the average trial.
* The variance of a sum is the sum of its parts' covariances with it, so shares add up to the whole. One may be negative:
  a part that offsets the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tools.response.assemble import Prepared
from tools.response.designs import Design, to_arms
from tools.response.features import Arms, FloatArray, IntArray
from tools.response.fit import link_of
from tools.response.integration import truncated_weights
from tools.response.mixture import Prediction, mixture_quantiles
from tools.response.model import ResponseModel
from tools.response.parameters import load_priors
from tools.response.posterior import Posterior

# Joint draws where a combination has no closed form, and the quantiles of a 90 % interval with its middle.
DRAWS = 2000
TAILS = np.array([0.05, 0.5, 0.95])


@dataclass(frozen=True)
class TrialMoves:
    """What leaving out each trial would do to the predicted means of m designs.

    Attributes
    ----------
    trials : names of the G trials (one registration may have several); sources : source ids of each trial's figures.
    figures : (G,) how many figures each has.
    centre : (m,) predicted means on the model's scale.
    fixed : (G, m) moves of the means at the mode of the hyperparameters, which stay; exact.
    foretold : (G, m) moves with the hyperparameters' weights changed as well.
    weight : (G,) share (0-1) of the trial's figures in the sum of absolute weights of the combination asked about.
    nodes : (G,) effective number of nodes that carry `foretold`; near 1 it is rough.
    """

    trials: tuple[tuple[str, ...], ...]
    sources: tuple[tuple[str, ...], ...]
    figures: tuple[int, ...]
    centre: FloatArray
    fixed: FloatArray
    foretold: FloatArray
    weight: FloatArray
    nodes: FloatArray


@dataclass(frozen=True)
class Shift:
    """What one covariate of the cohort does to a combination of means, beside the average trial.

    `value` and `average` are in the covariate's own unit; `point`, `lower`, `upper` (a 90 % credible interval) in the
    endpoint's unit.
    """

    covariate: str
    value: float
    average: float
    point: float
    lower: float
    upper: float


def leave_trials_out(prepared: Prepared, posterior: Posterior, arms: Arms, combination: FloatArray) -> TrialMoves:
    """Moves of the means of m designs as each trial is left out; nothing is refitted.

    Parameters
    ----------
    prepared, posterior : the fit of one endpoint.
    arms : m designs.
    combination : (m,) the combination of means whose weights are reported.
    """
    data = prepared.data
    model = ResponseModel(data, prepared.layout, load_priors(link_of(prepared), data.individual_sd))
    members = _trials(prepared)
    rows = [[prepared.selection.rows[i].arm for i in group] for group in members]
    at_mode = _node_moves(model, posterior, posterior.mode, arms, members)
    every = [_node_moves(model, posterior, eta, arms, members) for eta in posterior.eta]
    centres, moves = np.array([node.centre for node in every]), np.array([node.moves for node in every])
    centre = posterior.weights @ centres
    fit = np.array([node.log_density for node in every])
    foretold, nodes = [], []
    for index in range(len(members)):
        weights = truncated_weights(np.log(posterior.weights) - fit[:, index])
        foretold.append(weights @ (centres + moves[:, index]) - centre)
        nodes.append(1.0 / float(np.sum(weights**2)))
    absolute = np.abs(combination @ at_mode.weights)
    total = max(float(absolute.sum()), np.finfo(float).tiny)
    return TrialMoves(
        trials=tuple(tuple(dict.fromkeys(arm.trial for arm in of_trial)) for of_trial in rows),
        sources=tuple(tuple(dict.fromkeys(arm.source_id for arm in of_trial)) for of_trial in rows),
        figures=tuple(len(group) for group in members),
        centre=centre,
        fixed=at_mode.moves,
        foretold=np.array(foretold),
        weight=np.array([absolute[group].sum() / total for group in members]),
        nodes=np.array(nodes),
    )


def _trials(prepared: Prepared) -> list[IntArray]:
    """Positions of the figures of each trial; names that share a registration are one trial."""
    group_of: dict[str, int] = {}
    groups: dict[int, list[int]] = {}
    for position, row in enumerate(prepared.selection.rows):
        keys = [f"name {row.arm.trial}", *([f"id {row.arm.registry_id}"] if row.arm.registry_id else [])]
        found = sorted({group_of[key] for key in keys if key in group_of})
        home = found[0] if found else position
        for other in found[1:]:
            groups[home] += groups.pop(other)
            group_of = {key: home if group == other else group for key, group in group_of.items()}
        groups.setdefault(home, []).append(position)
        group_of.update(dict.fromkeys(keys, home))
    return [np.array(sorted(members), dtype=np.int64) for members in groups.values()]


@dataclass(frozen=True)
class _NodeMoves:
    """At one set of hyperparameters: weights (m, N), centre (m,), moves (G, m), log p(trial | all others) (G,)."""

    weights: FloatArray
    centre: FloatArray
    moves: FloatArray
    log_density: FloatArray


def _node_moves(
    model: ResponseModel, posterior: Posterior, eta: FloatArray, arms: Arms, members: Sequence[IntArray]
) -> _NodeMoves:
    y = model.data.y
    # The model's covariance of the figures; everything else about leaving out follows from its inverse.
    precision = np.linalg.inv(model._covariance(eta)[1])
    there = replace(posterior, mode=eta, gain=model.node(eta).gain)
    weights = there.influence(arms, np.eye(len(arms)))
    pulled = precision @ y
    moves, densities = [], []
    for group in members:
        own = precision[np.ix_(group, group)]
        surprise = np.linalg.solve(own, pulled[group])
        moves.append(-weights[:, group] @ surprise)
        densities.append(0.5 * float(np.linalg.slogdet(own)[1]) - 0.5 * float(surprise @ own @ surprise))
    return _NodeMoves(weights, weights @ y, np.array(moves), np.array(densities))


def on_endpoint(latent: FloatArray, prediction: Prediction, combination: FloatArray) -> FloatArray:
    """A combination (…,) of means (…, m) given on the model's scale, in the endpoint's unit.

    %-points for shares; on the log scale a difference is the ratio.
    """
    return combined(prediction.to_endpoint(latent), prediction, combination)


def combined(values: FloatArray, prediction: Prediction, combination: FloatArray) -> FloatArray:
    """A combination (…,) of means (…, m) in the endpoint's unit; on the log scale of their logarithms."""
    if not prediction.log:
        return np.asarray(values @ combination)
    scale = prediction.scale ** (1.0 if combination.sum() else 0.0)
    return np.asarray(scale * np.exp(np.log(values / prediction.scale) @ combination))


def average_design(design: Design, prepared: Prepared) -> Design:
    """The same design in the average trial: covariates that are known get the trials' mean, the others stay unknown."""
    means = {scale.name: scale.mean for scale in prepared.scales.scales}
    values = {
        name: means[name] if name in means and value is not None else value for name, value in design.covariates.items()
    }
    return replace(design, covariates=values)


def covariate_shifts(
    prepared: Prepared, posterior: Posterior, designs: Sequence[Design], combination: FloatArray
) -> tuple[Shift, ...]:
    """What each covariate moves a combination of the designs' means by, largest first.

    On the identity link the shifts add up to the distance from the average trial. On the logit and the log link each is
    the change of the percentage or the ratio when this covariate alone is put to the trials' mean; they add up roughly.
    """
    count = len(designs)
    known = {
        scale.name: (value, scale.mean)
        for scale in prepared.scales.scales
        if (value := designs[0].covariates.get(scale.name)) is not None
    }
    without = [
        replace(design, covariates={**design.covariates, name: average})
        for name, (_, average) in known.items()
        for design in designs
    ]
    joint = posterior.predict(to_arms([*designs, *without], prepared), new_trial=False)
    draws = joint.draws(DRAWS) if joint.proportion or joint.log else None
    here = None if draws is None else combined(draws[:, :count], joint, combination)
    shifts = []
    for position, (name, (value, average)) in enumerate(known.items(), start=1):
        own = slice(position * count, (position + 1) * count)
        if draws is not None and here is not None:
            moved = here - combined(draws[:, own], joint, combination)
            low, point, high = np.where(np.abs(found := np.quantile(moved, TAILS)) < 1e-7, 0.0, found)
        else:
            contrast = np.zeros(count * (1 + len(known)))
            contrast[:count], contrast[own] = combination, -combination
            low, point, high = _combined_quantiles(joint, contrast)
        if value != average and (low, high) != (0.0, 0.0):
            shifts.append(Shift(name, value, average, float(point), float(low), float(high)))
    return tuple(sorted(shifts, key=lambda shift: -abs(shift.point)))


def _combined_quantiles(prediction: Prediction, contrast: FloatArray) -> FloatArray:
    """5 %, 50 % and 95 % of a linear combination on the identity link, in the endpoint's unit."""
    means = prediction.means @ contrast
    variances = np.einsum("a,jab,b->j", contrast, prediction.covariances, contrast)
    sds = np.sqrt(np.maximum(variances, 1e-18))
    found = mixture_quantiles(prediction.weights, means[:, None], sds[:, None], TAILS)
    # A covariate that touches neither arm differently has no spread at all; rounding noise is not a number to show.
    return np.asarray(np.where(np.abs(found) < 1e-7, 0.0, found)[:, 0] * prediction.scale)


# What the variance of a prediction is made of, and what would make each part smaller.
PARTS: Mapping[str, tuple[str, str]] = {
    "trials_differ": (
        "how much one trial differs from another",
        "No further trial makes this smaller: it is how far a new trial may fall from the mean of all.",
    ),
    "effect": (
        "what the treatment does in the average trial",
        "More trials of this drug, at this dose, would make it smaller.",
    ),
    "carrying_over": (
        "carrying over from the average trial to this cohort",
        "Trials in people like this cohort would make it smaller.",
    ),
    "published_sampling": (
        "the finite number of participants in the published trials",
        "Larger trials would make it smaller.",
    ),
    "heterogeneity_unknown": (
        "how variable trials, drugs and slopes are is itself not known exactly",
        "More trials of any drug would make it smaller.",
    ),
    "held_out_errors": (
        "widening, because trials that were held out erred by more than the model expected",
        "A model that errs less would make it smaller.",
    ),
    "new_sampling": (
        "the number of participants asked about",
        "More participants in each arm would make it smaller.",
    ),
}


def variance_parts(
    prepared: Prepared,
    posterior: Posterior,
    designs: Sequence[Design],
    combination: FloatArray,
    sampling_variance: FloatArray | None = None,
) -> dict[str, float]:
    """Variance of a combination of the predicted means, on the model's scale, by where it is from.

    The values sum to the variance of `posterior.predict(…)` with the same sampling variance; keys as in `PARTS`.
    """
    arms = to_arms(designs, prepared)
    average = to_arms([average_design(design, prepared) for design in designs], prepared)
    both = to_arms([*designs, *(average_design(design, prepared) for design in designs)], prepared)
    here, there = np.concatenate([combination, 0 * combination]), np.concatenate([0 * combination, combination])

    def within(prediction: Prediction, first: FloatArray, second: FloatArray) -> float:
        return float(prediction.weights @ np.einsum("a,jab,b->j", first, prediction.covariances, second))

    known = posterior.predict(both, new_trial=False)
    new = posterior.predict(arms)
    centres = new.means @ combination
    settings = float(new.weights @ (centres - new.weights @ centres) ** 2)
    parameters, effect = within(known, here, here), within(known, there, here)
    unwidened = within(new, combination, combination) / posterior.widening**2
    weights, averaged = posterior.influence(arms, combination), posterior.influence(average, combination)
    noise = prepared.data.sampling @ weights
    published, published_effect = float(weights @ noise), float(averaged @ noise)
    parts = {
        "trials_differ": unwidened - parameters,
        "effect": effect - published_effect,
        "carrying_over": (parameters - effect) - (published - published_effect),
        "published_sampling": published,
        "heterogeneity_unknown": settings,
        "held_out_errors": unwidened * (posterior.widening**2 - 1.0),
    }
    if sampling_variance is not None:
        with_sampling = posterior.predict(arms, sampling_variance=sampling_variance)
        parts["new_sampling"] = within(with_sampling, combination, combination) - unwidened * posterior.widening**2
    return parts
