"""Which sub-cohort gains most: pre-declared splits, joint posterior draws, simultaneous intervals. Arrays in, arrays out.

Splits are declared before anything is seen of the effect: each covariate that modifies the effect in the fit, cut into
thirds of the cohort's virtual patients, or yes and no. No cut is searched for. Slopes of the effect share one prior whose
width is itself learnt, so that chance differences are shrunk. A sub-cohort is told apart when a 90 % interval that holds
for all of them at once excludes the margin, as in the credible-subgroups approach (e.g. PMC8796253).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tools.response.assemble import Prepared
from tools.response.designs import Design, to_arms
from tools.response.features import FloatArray
from tools.response.mixture import Prediction
from tools.response.posterior import Posterior

# A sub-cohort of fewer virtual patients than this share is not looked at.
MIN_SHARE = 0.05
THIRDS = (1.0 / 3.0, 2.0 / 3.0)
# Joint draws, and the level of the simultaneous intervals.
DRAWS = 4000
LEVEL = 0.9


@dataclass(frozen=True)
class Group:
    """One side of a split.

    Attributes
    ----------
    level : 'lower', 'middle', 'upper', 'no' or 'yes'.
    members : (M,) which virtual patients.
    share : of the patients, 0-1; low, high : range of the covariate in it.
    """

    level: str
    members: np.ndarray
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Split:
    """A covariate and the sub-cohorts it makes, which together are the cohort."""

    covariate: str
    groups: tuple[Group, ...]


def declared_splits(
    prepared: Prepared, columns: Mapping[str, FloatArray | None]
) -> tuple[tuple[Split, ...], dict[str, str]]:
    """The splits that the fit can speak about, and why other covariates make none.

    Parameters
    ----------
    columns : covariates (M,) of the virtual patients, None where the cohort does not say.
    """
    splits, reasons = [], {}
    modifiers = {scale.name for scale in prepared.scales.modifiers}
    for name, column in columns.items():
        if column is None:
            if name in modifiers:
                reasons[name] = "the cohort does not say"
            continue
        if name not in modifiers:
            if name != prepared.endpoint.baseline:
                reasons[name] = "no slope of the effect on it in the model"
            continue
        groups = _groups(column)
        if len(groups) < 2:
            reasons[name] = "the cohort does not vary in it"
        else:
            splits.append(Split(name, groups))
    return tuple(splits), reasons


def _groups(column: FloatArray) -> tuple[Group, ...]:
    values = np.unique(column)
    if len(values) <= 2:
        named = [("no", column == values[0]), ("yes", column == values[-1])] if len(values) == 2 else []
    else:
        first, second = np.quantile(column, THIRDS)
        named = [
            ("lower", column < first),
            ("middle", (column >= first) & (column < second)),
            ("upper", column >= second),
        ]
    found = [
        Group(level, members, float(members.mean()), float(column[members].min()), float(column[members].max()))
        for level, members in named
        if members.mean() >= MIN_SHARE
    ]
    return tuple(found) if sum(group.share for group in found) > 1.0 - 1e-9 else ()


def group_covariates(columns: Mapping[str, FloatArray | None], members: np.ndarray) -> dict[str, float | None]:
    """Means of all covariates in a sub-cohort: the older ones also have their own kidney function."""
    return {name: None if column is None else float(column[members].mean()) for name, column in columns.items()}


def effect_draws(prepared: Prepared, posterior: Posterior, pairs: Sequence[tuple[Design, Design]]) -> FloatArray:
    """Joint draws (K, S) of treatment minus comparator in S sub-cohorts, endpoint's unit, averaged over trials.

    Of times to event and rates they are ratios.

    Parameters
    ----------
    pairs : treatment and comparator in each sub-cohort.
    """
    designs = [treatment for treatment, _ in pairs] + [comparator for _, comparator in pairs]
    joint = posterior.predict(to_arms(designs, prepared), new_trial=False)
    count = len(pairs)
    if joint.proportion:
        draws = joint.draws(DRAWS)
        return np.asarray(draws[:, :count] - draws[:, count:])
    # Differences first: half as many dimensions to draw in.
    minus = np.hstack([np.eye(count), -np.eye(count)])
    covariances = minus @ joint.covariances @ minus.T
    scale = 1.0 if joint.log else joint.scale
    return Prediction(joint.weights, joint.means @ minus.T, covariances, scale, False, joint.log).draws(DRAWS)


@dataclass(frozen=True)
class Gaps:
    """How much more each of S sub-cohorts gains than the rest of the cohort.

    Attributes
    ----------
    draws : (K, S) benefit in the sub-cohort minus benefit in the others of its split.
    mean, lower, upper : (S,); the intervals hold for all S at once with probability `LEVEL`.
    """

    draws: FloatArray
    mean: FloatArray
    lower: FloatArray
    upper: FloatArray


def gaps_of(benefit: FloatArray, splits: Sequence[Split]) -> Gaps:
    """Gaps from joint draws of benefit (K, S), sub-cohorts in the order of the splits."""
    columns, start = [], 0
    for split in splits:
        own = benefit[:, start : start + len(split.groups)]
        shares = np.array([group.share for group in split.groups])
        for position in range(len(shares)):
            others = np.delete(np.arange(len(shares)), position)
            rest = own[:, others] @ shares[others] / shares[others].sum()
            columns.append(own[:, position] - rest)
        start += len(split.groups)
    draws = np.column_stack(columns)
    mean, sd = draws.mean(axis=0), draws.std(axis=0)
    scaled = np.abs(draws - mean) / np.maximum(sd, np.finfo(float).tiny)
    reach = float(np.quantile(scaled.max(axis=1), LEVEL)) * sd
    return Gaps(draws, mean, mean - reach, mean + reach)
