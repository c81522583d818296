"""Forecasts of held-out figures as quantiles, and how the engine's prediction becomes one. Arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import expit

from tools.response.features import FloatArray, IntArray
from tools.response.mixture import Prediction
from tools.response.tables.rivals import RIVALS, Figures, StudentT
from tools.response.tables.scoring import PROBABILITIES
from tools.response.tables.table import CONTINUITY, ArmTable, Names

ENGINE: Final = "response_engine"
METHODS: Final = (ENGINE, *RIVALS)
# Joint draws of the figures of held-out proportions.
DRAWS: Final = 4000
# Figures that a forecast is learned from at the least.
SMALLEST_FIT: Final = 3


@dataclass(frozen=True)
class Forecasts:
    """Forecasts of m held-out figures.

    Attributes
    ----------
    study, arm : (m,) names; `group` : what was held out with them.
    observed : (m,) endpoint's unit (percent, half an event added; log odds ratio for differences of proportions).
    quantiles : method -> (q, m) at `scoring.PROBABILITIES`; NaN where a method had too little to learn from.
    """

    study: Names
    arm: Names
    group: Names
    observed: FloatArray
    quantiles: dict[str, FloatArray]

    def __len__(self) -> int:
        return len(self.observed)

    def take(self, rows: IntArray) -> Forecasts:
        """The forecasts of these figures."""
        return Forecasts(
            self.study[rows],
            self.arm[rows],
            self.group[rows],
            self.observed[rows],
            {name: values[:, rows] for name, values in self.quantiles.items()},
        )


def joined(parts: Sequence[Forecasts]) -> Forecasts:
    """All of them, in order."""
    if not parts:
        nobody = np.empty(0, dtype=str)
        return Forecasts(nobody, nobody, nobody, np.empty(0), {m: np.empty((len(PROBABILITIES), 0)) for m in METHODS})
    return Forecasts(
        study=np.concatenate([part.study for part in parts]),
        arm=np.concatenate([part.arm for part in parts]),
        group=np.concatenate([part.group for part in parts]),
        observed=np.concatenate([part.observed for part in parts]),
        quantiles={name: np.hstack([part.quantiles[name] for part in parts]) for name in METHODS},
    )


def figures_drawn(prediction: Prediction, sizes: FloatArray) -> FloatArray:
    """Joint draws (K, m) of the log odds that arms of these sizes would report, half an event added."""
    shares = np.clip(prediction.draws(DRAWS) / 100.0, 0.0, 1.0)
    whole = sizes.astype(np.int64)
    events = np.random.Generator(np.random.PCG64(20261123)).binomial(whole, shares)
    return np.asarray(np.log((events + CONTINUITY) / (whole - events + CONTINUITY)))


def engine_arms(prediction: Prediction, draws: FloatArray | None) -> FloatArray:
    """Quantiles (q, m) of the arms' figures; `draws` for proportions."""
    if draws is None:
        return prediction.quantiles(PROBABILITIES)
    return np.asarray(100.0 * np.quantile(expit(draws), PROBABILITIES, axis=0))


def engine_differences(
    prediction: Prediction, draws: FloatArray | None, pairs: Sequence[tuple[int, int]]
) -> FloatArray:
    """Quantiles (q, p) of differences of two arms of one trial."""
    if draws is None:
        parts = [prediction.difference(a, b).quantiles(PROBABILITIES)[:, 0] for a, b in pairs]
    else:
        parts = [np.quantile(draws[:, a] - draws[:, b], PROBABILITIES) for a, b in pairs]
    return np.column_stack(parts)


def rival_quantiles(known: Figures, asked: ArmTable, scale: str) -> dict[str, FloatArray]:
    """Quantiles (q, m) of all rivals.

    Parameters
    ----------
    scale : 'percent' turns log odds into percentages, 'same' leaves the figures' own scale.
    """
    found = {}
    for name, rival in RIVALS.items():
        if len(known.y) < SMALLEST_FIT:
            found[name] = np.full((len(PROBABILITIES), len(asked)), np.nan)
            continue
        forecast: StudentT = rival(known, asked)
        latent = forecast.quantiles(PROBABILITIES)
        found[name] = np.asarray(100.0 * expit(latent)) if scale == "percent" else latent
    return found


def as_differences(table: ArmTable, pairs: Sequence[tuple[int, int]]) -> ArmTable:
    """Designs of differences: the first arm's, class and agent told apart by what they are compared with."""
    from dataclasses import replace

    first, second = _sides(pairs)
    own = table.take(first)
    group = np.where(table.control[second], "", np.char.add(" vs ", table.group[second].astype(str)))
    agent = np.where(table.control[second], "", np.char.add(" vs ", table.agent[second].astype(str)))
    return replace(
        own,
        drug_class=np.char.add(own.group.astype(str), group),
        agent=np.char.add(own.agent.astype(str), agent),
    )


def differences_of(table: ArmTable, pairs: Sequence[tuple[int, int]]) -> Figures:
    """Differences of arms as figures that rivals learn from."""
    first, second = _sides(pairs)
    y = table.response[first] - table.response[second]
    return Figures(as_differences(table, pairs), y, np.hypot(table.response_se[first], table.response_se[second]))


def _sides(pairs: Sequence[tuple[int, int]]) -> tuple[IntArray, IntArray]:
    both = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]
