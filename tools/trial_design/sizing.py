"""From a request to a designed two-arm trial: size or power, interim looks, assurance, external control, charts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from knowledge.errors import InvalidInput
from knowledge.schemas import Family
from tools.context import ToolContext
from tools.schemas import Chart, Estimate, Kind, Level, Point, Series, Validation
from tools.trial_design.borrowing import ControlPrior, simulate_borrowing
from tools.trial_design.comparison import Comparison, comparison_for
from tools.trial_design.model import assurance, normal_power
from tools.trial_design.prior_effect import Expected
from tools.trial_design.schemas import Assumed, DesignTrialInput, OutcomeKind, TrialDesign
from tools.trial_design.sequential import (
    Boundaries,
    expected_fraction,
    group_sequential,
    inflation,
    sequential_power,
)
from tools.uncertainty import FloatArray, spread

FAMILY = {
    Family.CONTINUOUS: OutcomeKind.CONTINUOUS,
    Family.PROPORTION: OutcomeKind.BINARY,
    Family.TIME_TO_EVENT: OutcomeKind.TIME_TO_EVENT,
}
REPLICATES = 20
CURVE = 25
DRIFTS = np.linspace(-4.0, 12.0, 129)
BORROWING_TRIALS = 20_000


@dataclass(frozen=True)
class Sized:
    """A trial of these analysed participants.

    Attributes
    ----------
    boundaries : of its looks, None with one.
    """

    comparison: Comparison
    request: DesignTrialInput
    treated: int
    control: int
    boundaries: Boundaries | None

    @cached_property
    def _powers_of_drifts(self) -> FloatArray:
        """Sequential power, in the target's direction, at each of DRIFTS."""
        assert self.boundaries is not None
        one_side = Boundaries(self.boundaries.fractions, self.boundaries.critical, self.boundaries.spent, 1)
        return np.array([sequential_power(one_side, drift) for drift in DRIFTS])

    def power(self, effects: FloatArray, treated: float, control: float) -> FloatArray:
        """Probability of success in the target's direction, at each true effect."""
        request = self.request
        z = self.comparison.z(effects, treated, control)
        if self.boundaries is not None:
            return np.asarray(np.interp(z, DRIFTS, self._powers_of_drifts))
        tail = request.alpha / request.sides
        # The comparison's power goes by the size of an effect; one in the wrong direction is hardly ever a success.
        right = self.comparison.power(effects, treated, control, tail, 1)
        return np.asarray(np.where(z > 0, right, normal_power(z, tail, 1)))


def design(request: DesignTrialInput, expected: Expected | None, context: ToolContext) -> TrialDesign:
    """Design the trial (InvalidInput says what is missing or cannot be)."""
    assumed, notes = _assumed(request, expected)
    comparison = comparison_for(
        request,
        assumed,
        treated_mean=float(np.median(expected.treated)) if expected else None,
        control_mean=float(np.median(expected.control)) if expected else None,
    )
    boundaries = (
        group_sequential(request.looks, request.alpha, request.boundary, request.sides) if request.looks > 1 else None
    )
    if comparison.size is None and request.n_per_arm is None:
        return _events_only(request, comparison, boundaries, notes)
    sized = Sized(comparison, request, *_participants(request, comparison, boundaries), boundaries)
    context.progress(0.5, "computing power")
    estimates = _sizes(sized) + _looks(sized)
    estimates += _expected(sized, expected, context) if expected is not None else []
    estimates += _borrowed(sized, expected, context) if expected is not None else []
    return TrialDesign(
        title=_title(request, expected),
        estimates=tuple(estimates),
        charts=_charts(sized, expected),
        assumptions=(_tested(request), *notes, *(expected.assumptions if expected else ())),
        warnings=expected.warnings if expected else (),
        source_ids=expected.source_ids if expected else (),
        participants_treated=_enrolled(sized.treated, request),
        participants_control=_enrolled(sized.control, request),
        events=math.ceil(comparison.events(sized.treated, sized.control) - 1e-9) if comparison.events else None,
        critical_values=tuple(boundaries.critical) if boundaries else (),
        information_fractions=tuple(boundaries.fractions) if boundaries else (),
    )


def _assumed(request: DesignTrialInput, expected: Expected | None) -> tuple[Assumed, list[str]]:
    """The effect to design for: what was given, and for the rest the median of what the evidence predicts."""
    assumed = request.assumed
    if expected is None:
        return assumed, []
    if FAMILY[expected.endpoint.family] is not request.outcome:
        kind = FAMILY[expected.endpoint.family].value
        raise InvalidInput(f"{expected.endpoint.label} is a {kind} outcome.", f"Give outcome: {kind}.")
    notes = []
    given: dict[str, float | str] = {}
    middle = float(np.median(expected.effect))
    if request.outcome is OutcomeKind.CONTINUOUS:
        given["unit"] = expected.endpoint.unit
        if assumed.difference is None:
            given["difference"] = middle
            notes.append(
                f"The trial is sized for the middle of the predicted differences ({middle:.3g} {expected.endpoint.unit})."
            )
        if assumed.sd is None and expected.person_sd is not None:
            given["sd"] = expected.person_sd
            notes.append(
                f"The person-to-person standard deviation is that of published trials ({expected.person_sd:.3g} "
                f"{expected.endpoint.unit})."
            )
    elif request.outcome is OutcomeKind.TIME_TO_EVENT and assumed.hazard_ratio is None:
        given["hazard_ratio"] = middle
        notes.append(f"The trial is sized for the middle of the predicted hazard ratios ({middle:.3g}).")
    elif request.outcome is OutcomeKind.BINARY and assumed.treated_share is None:
        notes.append("The trial is sized for the middle of the predicted shares.")
    return assumed.model_copy(update=given), notes


def _participants(request: DesignTrialInput, comparison: Comparison, boundaries: Boundaries | None) -> tuple[int, int]:
    """Analysed (treated, control)."""
    if request.n_per_arm is not None:
        kept = max(math.floor(request.n_per_arm * (1 - request.dropout_share) + 1e-9), 2)
        return max(math.ceil(request.ratio * kept), 2), kept
    assert comparison.size is not None
    treated, control = comparison.size(request.power, request.alpha, request.sides)
    if boundaries is None:
        return treated, control
    factor = inflation(boundaries, request.power)
    control = math.ceil(control * factor - 1e-9)
    return math.ceil(control * request.ratio - 1e-9), control


def _enrolled(analysed: int, request: DesignTrialInput) -> int:
    return math.ceil(analysed / (1 - request.dropout_share) - 1e-9)


def _sizes(sized: Sized) -> list[Estimate]:
    request, comparison = sized.request, sized.comparison
    treated, control = _enrolled(sized.treated, request), _enrolled(sized.control, request)
    target = np.array([comparison.target])
    estimates = [
        _estimate("trial.participants", "participants to enrol", "people", treated + control),
        _estimate("trial.participants_treated", "participants to enrol for the treatment", "people", treated),
        _estimate("trial.participants_control", "participants to enrol as controls", "people", control),
        _estimate(
            "trial.power",
            "power at the assumed effect",
            "%",
            100 * float(sized.power(target, sized.treated, sized.control)[0]),
        ),
    ]
    if comparison.events is not None:
        events = math.ceil(comparison.events(sized.treated, sized.control) - 1e-9)
        estimates.append(_estimate("trial.events", "events expected", "events", events))
    if request.prognostic_r_squared and request.n_per_arm is None:
        plain = comparison_for(request.model_copy(update={"prognostic_r_squared": 0.0}), _given(sized))
        without = sum(_enrolled(n, request) for n in _participants(request, plain, sized.boundaries))
        estimates.append(
            _estimate("trial.participants_unadjusted", "participants without the prognostic score", "people", without)
        )
    return estimates


def _given(sized: Sized) -> Assumed:
    """The assumed numbers of a continuous outcome, read back from the comparison."""
    residual = sized.comparison.standard_error(2, 2) / math.sqrt(1 - sized.request.prognostic_r_squared)
    return sized.request.assumed.model_copy(update={"difference": sized.comparison.target, "sd": residual})


def _looks(sized: Sized) -> list[Estimate]:
    if sized.boundaries is None:
        return []
    total = _enrolled(sized.treated, sized.request) + _enrolled(sized.control, sized.request)
    drift = float(sized.comparison.z(np.array([sized.comparison.target]), sized.treated, sized.control)[0])
    return [
        _estimate(
            "trial.expected_participants",
            "participants on average at the assumed effect",
            "people",
            total * expected_fraction(sized.boundaries, drift),
        ),
        _estimate(
            "trial.expected_participants_null",
            "participants on average without an effect",
            "people",
            total * expected_fraction(sized.boundaries, 0.0),
        ),
    ]


def _expected(sized: Sized, expected: Expected, context: ToolContext) -> list[Estimate]:
    """Assurance, what the trial would report, and its control arm."""
    effects = expected.effect
    treated, control = sized.treated, sized.control
    found, error = assurance(lambda values: sized.power(values, treated, control), effects)
    rng = np.random.default_rng(context.seed)
    noise = rng.standard_normal((len(effects), REPLICATES)) * sized.comparison.standard_error(treated, control)
    ratio = sized.request.outcome is OutcomeKind.TIME_TO_EVENT
    reported = np.exp(np.log(effects)[:, None] + noise) if ratio else effects[:, None] + noise
    factor, unit = _unit(expected)
    told = spread(reported * factor)
    arm = spread(expected.control * (1.0 if ratio else factor))
    common = {"population": expected.population, "horizon_weeks": expected.weeks, "source_ids": expected.source_ids}
    what = "hazard ratio" if ratio else f"difference in {expected.endpoint.label}"
    estimates = [
        _estimate("trial.assurance", "probability of success (assurance)", "%", 100 * found).model_copy(
            update={
                **common,
                "lower": 100 * max(found - 1.645 * error, 0),
                "upper": 100 * min(found + 1.645 * error, 1),
            }
        ),
        _estimate("trial.reported_effect", f"{what} that the trial would report", unit, told.mean).model_copy(
            update={
                **common,
                "lower": told.lower,
                "upper": told.upper,
                "kind": Kind.PREDICTIVE,
                "from_parameters": told.from_parameters,
                "of": Level.COHORT_MEAN,
            }
        ),
    ]
    if not ratio:
        estimates.append(
            _estimate(
                "trial.control_outcome", f"{expected.endpoint.label} in the control arm", unit, arm.mean
            ).model_copy(
                update={
                    **common,
                    "arm": expected.comparator,
                    "lower": arm.lower,
                    "upper": arm.upper,
                    "kind": Kind.PREDICTIVE,
                    "of": Level.COHORT_MEAN,
                    "from_parameters": 1.0,
                }
            )
        )
    return estimates


def _borrowed(sized: Sized, expected: Expected, context: ToolContext) -> list[Estimate]:
    """Operating characteristics with the predicted control arm borrowed."""
    wanted = sized.request.external_control
    if wanted is None:
        return []
    sd = sized.comparison.standard_error(2, 2)
    prior = ControlPrior(float(expected.control.mean()), float(expected.control.std(ddof=1)), sd, wanted.weight)
    # A treatment that lowers the outcome is mirrored, so that success always lies above.
    gap = abs(sized.comparison.target)
    rng = np.random.default_rng(context.seed)

    def share(difference: float, drift: float) -> float:
        truth = prior.mean + drift * prior.sd
        runs = simulate_borrowing(
            prior, sized.treated, wanted.n_control, difference, truth, BORROWING_TRIALS, rng, sized.request.alpha
        )
        return 100 * float(runs.success.mean())

    plain = float(sized.power(np.array([sized.comparison.target]), sized.treated, wanted.n_control)[0])
    controls = f"{wanted.n_control} randomised controls"
    worth = prior.effective_sample_size
    off = max(share(0.0, 2.0), share(0.0, -2.0))
    return [
        _estimate(
            "borrowing.effective_sample_size", "participants that the predicted controls are worth", "people", worth
        ),
        _estimate("borrowing.power", f"power with {controls} and borrowing", "%", share(gap, 0.0)),
        _estimate("borrowing.power_without", f"power with {controls} and no borrowing", "%", 100 * plain),
        _estimate("borrowing.false_positives", "false successes, controls as predicted", "%", share(0.0, 0.0)),
        _estimate("borrowing.false_positives_drift", "false successes, controls two standard deviations off", "%", off),
    ]


def _events_only(
    request: DesignTrialInput, comparison: Comparison, boundaries: Boundaries | None, notes: list[str]
) -> TrialDesign:
    assert comparison.events_needed is not None
    events = comparison.events_needed(request.power, request.alpha, request.sides)
    if boundaries is not None:
        events = math.ceil(events * inflation(boundaries, request.power) - 1e-9)
    return TrialDesign(
        title=_title(request, None),
        estimates=(_estimate("trial.events", "events needed", "events", events),),
        assumptions=(_tested(request), *notes),
        warnings=("Without `follow_up` the events are known but not the participants who bring them.",),
        events=events,
        critical_values=tuple(boundaries.critical) if boundaries else (),
        information_fractions=tuple(boundaries.fractions) if boundaries else (),
    )


def _charts(sized: Sized, expected: Expected | None) -> tuple[Chart, ...]:
    """Power and assurance over size; the boundaries."""
    totals = np.unique(np.geomspace(max(sized.control / 4, 3), sized.control * 3, CURVE).round())
    target = np.array([sized.comparison.target])

    def curve(effects: FloatArray) -> tuple[Point, ...]:
        return tuple(
            Point(
                x=float(math.ceil(n * sized.request.ratio) + n),
                y=100 * float(sized.power(effects, math.ceil(n * sized.request.ratio), n).mean()),
            )
            for n in totals
        )

    series = [Series(name="power at the assumed effect", points=curve(target))]
    if expected is not None:
        series.append(Series(name="assurance: effect uncertain", points=curve(expected.effect[::10])))
    charts = [
        Chart(
            kind="lines",
            title="Probability of success by size",
            x_label="participants analysed",
            y_label="probability of success (%)",
            series=tuple(series),
        )
    ]
    if sized.boundaries is not None:
        points = zip(sized.boundaries.fractions, sized.boundaries.critical, strict=True)
        charts.append(
            Chart(
                kind="lines",
                title="Stopping boundary",
                x_label="share of the information",
                y_label="critical value of Z",
                series=(
                    Series(name="stop for efficacy", points=tuple(Point(x=float(t), y=float(c)) for t, c in points)),
                ),
            )
        )
    return tuple(charts)


def _tested(request: DesignTrialInput) -> str:
    """How the trial will be analysed, in a sentence."""
    test = {
        OutcomeKind.CONTINUOUS: "a t test",
        OutcomeKind.BINARY: "a z test of two proportions",
        OutcomeKind.TIME_TO_EVENT: "a log-rank test with proportional hazards",
    }[request.outcome]
    if request.prognostic_r_squared:
        test = "an analysis of covariance with the prognostic score"
    looks = f" at {request.looks} looks, which takes the samples to be large" if request.looks > 1 else ""
    return f"The trial is analysed by {test}, {request.sides}-sided with alpha {request.alpha:g}{looks}."


def _unit(expected: Expected) -> tuple[float, str]:
    if expected.endpoint.family is Family.TIME_TO_EVENT:
        return 1.0, "hazard ratio"
    return (100.0, "%-points") if expected.endpoint.family is Family.PROPORTION else (1.0, expected.endpoint.unit)


def _title(request: DesignTrialInput, expected: Expected | None) -> str:
    if expected is None:
        return f"Two-arm trial of a {request.outcome.value.replace('_', ' ')} outcome"
    return (
        f"Trial of {expected.treatment} against {expected.comparator}: {expected.population}, {expected.endpoint.label}"
    )


def _estimate(name: str, quantity: str, unit: str, point: float) -> Estimate:
    return Estimate(
        id=name,
        quantity=quantity,
        unit=unit,
        population="the trial",
        point=float(point),
        kind=Kind.SCENARIO,
        of=Level.SHARE if unit == "%" else Level.COUNT,
        validation=Validation.VERIFIED,
    )
