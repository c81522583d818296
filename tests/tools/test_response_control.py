"""An observed control arm: exact conditioning, and what it does to the forecast of the treated arm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from knowledge.errors import InvalidInput, UnknownEndpoint
from knowledge.vocabulary import Vocabulary
from tools.context import ToolContext
from tools.response.control import given_arm
from tools.response.mixture import Prediction
from tools.response.schemas import ResponseResult
from tools.response.tool import simulate_treatment_response
from tools.schemas import Estimate


def two_arms(means: list[list[float]], weights: list[float]) -> Prediction:
    """Arms that share a trial's deviation (SD 0.5); the treated one has a deviation of its own (SD 0.3)."""
    covariance = np.array([[0.25 + 0.09, 0.25], [0.25, 0.25]])
    return Prediction(np.array(weights), np.array(means), np.repeat(covariance[None], len(weights), axis=0), 2.0, False)


def test_it_is_what_importance_sampling_gives() -> None:
    prediction = two_arms([[-1.0, 0.0], [-1.6, 0.3]], [0.4, 0.6])
    found = given_arm(prediction, 1, 0.8, 0.04)
    generator = np.random.default_rng(6)
    node = generator.choice(2, 400_000, p=prediction.weights)
    root = np.linalg.cholesky(prediction.covariances[0])
    drawn = prediction.means[node] + generator.standard_normal((len(node), 2)) @ root.T
    weight = np.exp(-0.5 * (0.8 - drawn[:, 1]) ** 2 / 0.04)
    weight /= weight.sum()
    mean = weight @ drawn
    assert found.mean() / found.scale == pytest.approx(mean, abs=0.01)
    assert found.weights[1] == pytest.approx(weight[node == 1].sum(), abs=0.01)
    sd = np.sqrt(weight @ (drawn[:, 0] - mean[0]) ** 2)
    spread = np.sqrt(found.weights @ (found.covariances[:, 0, 0] + (found.means[:, 0] - mean[0]) ** 2))
    assert spread == pytest.approx(sd, abs=0.01)


def test_the_treated_arm_follows_and_narrows() -> None:
    prediction = two_arms([[-1.0, 0.0]], [1.0])
    found = given_arm(prediction, 1, 0.8, 1e-9)
    assert found.means[0, 1] == pytest.approx(0.8)
    assert found.means[0, 0] == pytest.approx(-0.2)
    assert found.covariances[0, 0, 0] == pytest.approx(0.09, abs=1e-6)
    vague = given_arm(prediction, 1, 0.8, 1e9)
    assert vague.means == pytest.approx(prediction.means, abs=1e-6)


@pytest.mark.parametrize(("value", "variance"), [(np.nan, 0.1), (0.0, 0.0), (0.0, -1.0), (0.0, np.nan)])
def test_nonsense_is_refused(value: float, variance: float) -> None:
    with pytest.raises(ValueError, match="observed arm"):
        given_arm(two_arms([[-1.0, 0.0]], [1.0]), 1, value, variance)


# Through the tool ---------------------------------------------------------------------------------------------------


def context_of(made_up: Callable[..., ToolContext]) -> ToolContext:
    return made_up(
        trials=("ace", "bee") * 6, effect=lambda name, _: {"ace": -1.0, "bee": -0.5}[name], nausea={"placebo": 5.0, "ace": 15.0}
    )  # fmt: skip


def simulate(context: ToolContext, *observed: dict[str, Any], **fields: Any) -> ResponseResult:
    arguments = {
        "cohort": {"persona_id": "t2d_adults"}, "treatment": {"intervention": "ace"},
        "endpoints": ["hba1c_change", "nausea"], "horizon_weeks": 26, "observed_control": list(observed), **fields,
    }  # fmt: skip
    return simulate_treatment_response(simulate_treatment_response.parse(arguments), context)


def estimates(result: ResponseResult) -> dict[str, Estimate]:
    return {one.id: one for one in result.estimates}


def width(estimate: Estimate) -> float:
    assert estimate.lower is not None
    assert estimate.upper is not None
    return estimate.upper - estimate.lower


@pytest.mark.parametrize("weeks", [26.0, 20.0])
@pytest.mark.parametrize(
    "error", [{"sd": 1.0}, {"se": 0.05}, {}], ids=["from an SD", "a standard error", "from what is typical"]
)
def test_an_observed_control_moves_and_narrows_the_mean(
    made_up: Callable[..., ToolContext], weeks: float, error: dict[str, float]
) -> None:
    context = context_of(made_up)
    plain = estimates(simulate(context))
    seen = {"endpoint": "hba1c_change", "value": -0.3, "n": 400, "weeks": weeks, **error}
    result = simulate(context, seen)
    found = estimates(result)
    control, before = found["hba1c_change.control"], plain["hba1c_change.control"]
    assert abs(control.point + 0.3) < 0.6 * abs(before.point + 0.3)
    assert width(control) < 0.8 * width(before)
    assert width(found["hba1c_change.mean"]) < width(plain["hba1c_change.mean"])
    assert found["hba1c_change.mean"].point < plain["hba1c_change.mean"].point
    # What was not observed stays what it was.
    assert found["nausea.mean"] == plain["nausea.mean"]
    (said,) = [one for one in result.assumptions if "conditional on" in one]
    assert f"a placebo arm has reported (HbA1c change -0.3 %-points at {weeks:g} weeks in 400 people)" in said
    course = next(chart for chart in result.charts if chart.kind == "fan")
    assert course.series[0].points[-1].y == found["hba1c_change.mean"].point


def test_an_observed_share_moves_the_treated_share(made_up: Callable[..., ToolContext]) -> None:
    context = context_of(made_up)
    plain = estimates(simulate(context))
    found = estimates(simulate(context, {"endpoint": "nausea", "value": 9.0, "n": 1000, "weeks": 26}))
    assert plain["nausea.control"].point < found["nausea.control"].point < 9.5
    assert found["nausea.mean"].point > plain["nausea.mean"].point
    assert found["nausea.difference"].point > 0
    none = estimates(simulate(context, {"endpoint": "nausea", "value": 0.0, "n": 1000, "weeks": 26}))
    assert 0 < none["nausea.control"].point < plain["nausea.control"].point


def test_no_confidence_is_claimed_that_no_backtest_measured(made_up: Callable[..., ToolContext]) -> None:
    result = simulate(context_of(made_up), {"endpoint": "hba1c_change", "value": -0.3, "n": 400, "weeks": 26})
    assert result.confidence == ()


@pytest.mark.parametrize(
    ("seen", "message"),
    [
        ({"value": -30.0}, "observed control figure -30 %-points is impossible"),
        ({"value": 130.0, "endpoint": "nausea"}, "130 % is impossible for nausea"),
        ({"value": 5.0, "endpoint": "nausea", "se": 1.0}, "follows from n"),
        ({"endpoint": "steps"}, "steps, which is not predicted here"),
        ({"n": 0}, "n"),
        ({"n": 2.5}, "n"),
        ({"se": 0.0}, "se"),
        ({"sd": -1.0}, "sd"),
        ({"value": float("nan")}, "value"),
        ({"weeks": 0}, "weeks"),
        ({"arm": "placebo"}, "arm"),
    ],
)
def test_observed_figures_are_checked(made_up: Callable[..., ToolContext], seen: dict[str, Any], message: str) -> None:
    figure = {"endpoint": "hba1c_change", "value": -0.2, "n": 100, "weeks": 26, **seen}
    context = context_of(made_up)
    known = context.knowledge.vocabulary.endpoints["hba1c_change"].model_copy(update={"limits": (-8.0, 4.0)})
    narrow = Vocabulary(
        context.knowledge.vocabulary.drugs, {**context.knowledge.vocabulary.endpoints, "hba1c_change": known}
    )
    context = replace(context, knowledge=replace(context.knowledge, vocabulary=narrow))
    with pytest.raises(InvalidInput, match=message):
        simulate(context, figure)


def test_one_figure_for_each_endpoint_and_known_ones_only(made_up: Callable[..., ToolContext]) -> None:
    figure = {"endpoint": "hba1c_change", "value": -0.2, "n": 100, "weeks": 26}
    with pytest.raises(InvalidInput, match="Two observed control figures"):
        simulate(context_of(made_up), figure, {**figure, "weeks": 12})
    with pytest.raises(UnknownEndpoint):
        simulate(context_of(made_up), {**figure, "endpoint": "happiness"})
