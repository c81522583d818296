"""The test at the end of a two-arm trial, whatever it measures: power, size and standard error in one shape."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from knowledge.errors import InvalidInput
from tools.trial_design import model
from tools.trial_design.schemas import Assumed, DesignTrialInput, FollowUp, OutcomeKind

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """A test of treated against control.

    Attributes
    ----------
    target : effect that the trial is designed for: difference of means or shares, or hazard ratio.
    power : (effects, treated, control, alpha, sides) → power by the size of the effect, whatever its direction.
    size : (power, alpha, sides) → participants to be analysed (treated, control); None where only events are known.
    standard_error : (treated, control) → standard error of the estimated effect; of hazard ratios of their logarithm.
    scale : turns an effect into what is tested (identity, or the logarithm), 0 meaning no effect.
    events : (treated, control) → expected events; None where there are none.
    events_needed : (power, alpha, sides) → events; None likewise.
    """

    target: float
    power: Callable[[FloatArray, float, float, float, int], FloatArray]
    size: Callable[[float, float, int], tuple[int, int]] | None
    standard_error: Callable[[float, float], float]
    scale: Callable[[FloatArray], FloatArray]
    events: Callable[[float, float], float] | None = None
    events_needed: Callable[[float, float, int], int] | None = None

    def z(self, effects: FloatArray, treated: float, control: float) -> FloatArray:
        """Mean of the test statistic at the final analysis, positive in the direction of the target."""
        sign = math.copysign(1.0, float(self.scale(np.array(self.target))))
        return np.asarray(sign * self.scale(effects) / self.standard_error(treated, control))


def comparison_for(
    request: DesignTrialInput, assumed: Assumed, *, treated_mean: float | None = None, control_mean: float | None = None
) -> Comparison:
    """The comparison that a request is about (InvalidInput says which numbers are missing).

    `treated_mean`, `control_mean` are the shares that the evidence predicts, for binary outcomes.
    """
    if request.outcome is OutcomeKind.CONTINUOUS:
        return _continuous(request, assumed)
    if request.outcome is OutcomeKind.BINARY:
        treated = assumed.treated_share if assumed.treated_share is not None else treated_mean
        control = assumed.control_share if assumed.control_share is not None else control_mean
        return _binary(request, treated, control)
    return _survival(request, assumed.hazard_ratio)


def _continuous(request: DesignTrialInput, assumed: Assumed) -> Comparison:
    if assumed.difference is None or assumed.sd is None:
        raise InvalidInput(
            "A continuous outcome needs `difference` and `sd`.", "Give both in `assumed`, or `expected` with a cohort."
        )
    residual = math.sqrt(1 - request.prognostic_r_squared)
    sd = assumed.sd * residual
    if request.margin:
        benefit = -assumed.difference if request.lower_is_better else assumed.difference
        if benefit + request.margin <= 0:
            raise InvalidInput(
                "The assumed difference already lies beyond the non-inferiority margin.",
                "No trial can show non-inferiority then.",
            )
    flip = -1.0 if request.margin and request.lower_is_better else 1.0

    def distance(effects: FloatArray) -> FloatArray:
        return np.asarray(flip * np.asarray(effects) + request.margin)

    def power(effects: FloatArray, treated: float, control: float, alpha: float, sides: int) -> FloatArray:
        return model.t_test_power(np.abs(distance(effects)) / sd, treated, control, alpha, sides)

    def size(goal: float, alpha: float, sides: int) -> tuple[int, int]:
        standardised = float(distance(np.array(assumed.difference))) / sd
        return model.t_test_size(standardised, goal, alpha, sides, request.ratio)

    return Comparison(
        target=assumed.difference,
        power=power,
        size=size,
        standard_error=lambda treated, control: sd * math.sqrt(1 / treated + 1 / control),
        scale=distance,
    )


def _binary(request: DesignTrialInput, treated_share: float | None, control_share: float | None) -> Comparison:
    if treated_share is None or control_share is None:
        raise InvalidInput(
            "A binary outcome needs `treated_share` and `control_share`.",
            "Give both in `assumed`, as shares from 0 to 1, or `expected` with a cohort.",
        )

    def power(effects: FloatArray, treated: float, control: float, alpha: float, sides: int) -> FloatArray:
        shares = np.clip(control_share + np.asarray(effects), 0.0, 1.0)
        return model.proportions_power(shares, control_share, treated, control, alpha, sides)

    def error(treated: float, control: float) -> float:
        return math.sqrt(
            treated_share * (1 - treated_share) / treated + control_share * (1 - control_share) / control
        ) or math.sqrt(0.25 / min(treated, control) ** 2)

    return Comparison(
        target=treated_share - control_share,
        power=power,
        size=lambda goal, alpha, sides: model.proportions_size(
            treated_share, control_share, goal, alpha, sides, request.ratio
        ),
        standard_error=error,
        scale=lambda effects: np.asarray(effects, dtype=np.float64),
    )


def _survival(request: DesignTrialInput, hazard_ratio: float | None) -> Comparison:
    if hazard_ratio is None:
        raise InvalidInput(
            "A time to an event needs `hazard_ratio`.", "Give it in `assumed`, or `expected` with a cohort."
        )
    share = request.ratio / (1 + request.ratio)
    chances = _event_chances(request.follow_up, hazard_ratio) if request.follow_up else None

    def events(treated: float, control: float) -> float:
        if chances is None:
            raise InvalidInput(
                "Without `follow_up` nobody knows how many events the participants bring.",
                "Give control_event_share_per_year, accrual_years and follow_up_years.",
            )
        return treated * chances[0] + control * chances[1]

    def needed(goal: float, alpha: float, sides: int) -> int:
        return model.logrank_events(hazard_ratio, goal, alpha, sides, share)

    def size(goal: float, alpha: float, sides: int) -> tuple[int, int]:
        if chances is None:
            raise InvalidInput("Participants cannot be counted without `follow_up`.")
        control = math.ceil(needed(goal, alpha, sides) / (request.ratio * chances[0] + chances[1]) - 1e-9)
        return math.ceil(request.ratio * control), control

    def error(treated: float, control: float) -> float:
        return 1 / math.sqrt(events(treated, control) * share * (1 - share))

    def power(effects: FloatArray, treated: float, control: float, alpha: float, sides: int) -> FloatArray:
        critical = stats.norm.ppf(1 - alpha / sides)
        z = np.log(np.asarray(effects)) / error(treated, control)
        return np.asarray(
            stats.norm.cdf(np.abs(z) - critical) + (stats.norm.cdf(-np.abs(z) - critical) if sides == 2 else 0)
        )

    return Comparison(
        target=hazard_ratio,
        power=power,
        size=size if chances is not None else None,
        standard_error=error,
        scale=lambda effects: np.asarray(np.log(effects)),
        events=events if chances is not None else None,
        events_needed=needed,
    )


def _event_chances(follow_up: FollowUp, hazard_ratio: float) -> tuple[float, float]:
    """Chance that the event of a (treated, control) participant is seen."""
    hazard = -math.log1p(-follow_up.control_event_share_per_year)
    dropout = -math.log1p(-follow_up.dropout_per_year)
    times = (follow_up.accrual_years, follow_up.follow_up_years)
    return (
        model.event_probability(hazard * hazard_ratio, *times, dropout),
        model.event_probability(hazard, *times, dropout),
    )
