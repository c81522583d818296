"""The exact posterior against independent formulas: closed forms, brute-force conditioning, finite differences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tools.response.features import Arms, Layout, ResponseData, departure_kernel
from tools.response.model import ResponseModel
from tools.response.parameters import Priors, load_priors
from tools.response.posterior import Posterior
from tools.response.solve import fit

Floats = NDArray[np.float64]


def ints(values: list[int]) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


def make_arms(
    drug_class: list[int], drug: list[int], ratio: list[float], weeks: list[float], covariate: list[float]
) -> Arms:
    column = np.array(covariate)[:, None]
    return Arms(ints(drug_class), ints(drug), np.array(ratio), np.array(weeks), column, column.copy())


def fixed(priors: Priors, **values: float) -> Priors:
    """Priors with every hyperparameter fixed, some at the given values."""
    mean = priors.mean.copy()
    for name, value in values.items():
        mean[priors.names.index(name)] = np.log(value)
    return replace(priors, mean=mean, sd=np.zeros_like(priors.sd))


@pytest.fixture
def problem() -> tuple[ResponseData, Layout, Priors]:
    """Eight figures of four trials: two visits of one arm, a difference, three drugs of two classes, doses."""
    weeks = [12.0, 26.0, 26.0, 26.0, 26.0, 52.0, 52.0, 30.0]
    plus = make_arms(
        [-1, -1, 0, 0, 1, -1, 0, 1],
        [-1, -1, 0, 1, 2, -1, 0, 2],
        [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 2.0],
        weeks,
        [0.2, 0.2, 0.2, -1.0, -1.0, 0.7, 0.7, 1.4],
    )
    minus = make_arms(
        [-1] * 7 + [0], [-1] * 7 + [0], [1.0] * 7 + [0.5], weeks, [0.2, 0.2, 0.2, -1.0, -1.0, 0.7, 0.7, 1.4]
    )
    contrast = np.array([False] * 7 + [True])
    sampling = np.diag([0.01, 0.02, 0.02, 0.03, 0.01, 0.02, 0.05, 0.04])
    sampling[0, 1] = sampling[1, 0] = 0.006
    data = ResponseData(
        y=np.array([-0.1, -0.2, -1.3, -0.8, -1.1, 0.1, -0.6, -0.4]),
        sampling=sampling,
        plus=plus,
        minus=minus,
        contrast=contrast,
        trial=ints([0, 0, 0, 1, 1, 2, 2, 3]),
        study=ints([0, 0, 0, 1, 1, 2, 2, 3]),
        arm_plus=ints([0, 0, 1, 2, 3, 4, 5, 6]),
        arm_minus=ints([0, 0, 1, 2, 3, 4, 5, 7]),
        visit_plus=ints([0, 1, 2, 3, 4, 5, 6, 7]),
        visit_minus=ints([0, 1, 2, 3, 4, 5, 6, 8]),
        study_drug_plus=ints([-1, -1, 0, 1, 2, -1, 3, 4]),
        study_drug_minus=ints([-1, -1, 0, 1, 2, -1, 3, 5]),
        scale=0.7,
    )
    knots = (np.log(np.array([0.5])), np.empty(0), np.log(np.array([2.0])))
    layout = Layout(2, 3, 1, 1, knots, (0,), starts_at_zero=True)
    return data, layout, load_priors("identity", 1.5)


Cell = tuple[int, int, float, float, float, int, int, int]


def cells(data: ResponseData) -> tuple[list[Cell], list[list[tuple[float, int]]]]:
    """Arms x visits as plain tuples, and each figure as signed cells."""
    found: list[Cell] = []
    figures: list[list[tuple[float, int]]] = []
    for i in range(len(data)):
        sides = [(1.0, data.plus, data.arm_plus)] + ([(-1.0, data.minus, data.arm_minus)] if data.contrast[i] else [])
        figure = []
        for sign, arms, arm_index in sides:
            found.append(
                (
                    int(arms.drug_class[i]),
                    int(arms.drug[i]),
                    float(arms.dose_ratio[i]),
                    float(arms.weeks[i]),
                    float(arms.background[i, 0]),
                    int(data.study[i]),
                    int(arm_index[i]),
                    int((data.visit_plus if sign > 0 else data.visit_minus)[i]),
                )
            )
            figure.append((sign, len(found) - 1))
        figures.append(figure)
    return found, figures


def prior_covariance(a: Cell, b: Cell, sd: dict[str, float], priors: Priors) -> float:
    """Prior covariance of the true means of two arms x visits, written out from the model's definition."""

    def course(cell: Cell) -> float:
        return 1 - float(np.exp(-sd["rate"] * cell[3]))

    def strength(cell: Cell) -> float:
        return 0.0 if cell[0] < 0 else course(cell) * cell[2] * (1 + sd["half_dose"]) / (cell[2] + sd["half_dose"])

    background = priors.intercept_sd**2 + sd["background_slope"] ** 2 * a[4] * b[4]
    background += sd["study"] ** 2 * (a[5] == b[5]) + sd["arm"] ** 2 * (a[6] == b[6])
    effect = priors.active_sd**2 + sd["modifier"] ** 2 * a[4] * b[4]
    effect += (a[0] == b[0]) * (sd["class"] ** 2 + sd["class_modifier"] ** 2 * a[4] * b[4])
    if a[1] == b[1]:
        shape = departure_kernel(np.log([a[2]]), np.log([b[2]]))[0, 0]
        effect += sd["drug"] ** 2 + sd["dose"] ** 2 * shape + sd["study_drug"] ** 2 * (a[5] == b[5])
    total = course(a) * course(b) * background + strength(a) * strength(b) * effect
    return total + sd["row"] ** 2 * (a[5:] == b[5:])


def brute_force(
    data: ResponseData, queries: list[Cell], sd: dict[str, float], priors: Priors
) -> tuple[Floats, Floats, Floats]:
    """Conditional mean and covariance of the queries given the figures, by dense multivariate-normal conditioning."""
    known, figures = cells(data)
    everything = [*known, *queries]
    joint = np.array([[prior_covariance(a, b, sd, priors) for b in everything] for a in everything])
    pick = np.zeros((len(figures) + len(queries), len(everything)))
    for row, figure in enumerate(figures):
        for sign, column in figure:
            pick[row, column] = sign
    for index in range(len(queries)):
        pick[len(figures) + index, len(known) + index] = 1.0
    covariance = pick @ joint @ pick.T
    n = len(figures)
    observed = covariance[:n, :n] + data.sampling
    cross = covariance[n:, :n]
    gain = np.linalg.solve(observed, cross.T).T
    return gain @ data.y, covariance[n:, n:] - gain @ cross.T, gain


def test_prediction_equals_dense_conditioning(problem: tuple[ResponseData, Layout, Priors]) -> None:
    data, layout, priors = problem
    priors = fixed(priors, **{"class": 0.6, "study": 0.3, "arm": 0.2, "row": 0.15, "study_drug": 0.25})
    posterior = fit(data, layout, priors)
    sd = dict(zip(priors.names, np.exp(priors.mean), strict=True))
    # A control, a studied dose, a dose nobody studied, a new drug of class 1 at two doses; all in one new trial (9).
    arms = make_arms([-1, 0, 0, 1, 1], [-1, 0, 1, 3, 3], [1.0, 0.5, 1.7, 1.0, 3.0], [40.0] * 5, [0.5] * 5)
    queries = [
        (
            int(arms.drug_class[i]),
            int(arms.drug[i]),
            float(arms.dose_ratio[i]),
            40.0,
            0.5,
            9,
            90 + i,
            900 + i,
        )
        for i in range(5)
    ]
    mean, covariance, gain = brute_force(data, queries, sd, priors)
    predicted = posterior.predict(arms)
    np.testing.assert_allclose(predicted.means[0], mean, rtol=0, atol=1e-5)
    np.testing.assert_allclose(predicted.covariances[0], covariance, rtol=0, atol=1e-5)
    weights = posterior.influence(arms, np.array([0.0, 1.0, 0.0, 0.0, 0.0]))
    np.testing.assert_allclose(weights, gain[1], rtol=0, atol=1e-5)
    assert weights @ data.y == pytest.approx(mean[1], abs=1e-5)
    np.testing.assert_allclose(posterior.expected(arms), mean, rtol=0, atol=1e-5)


def test_leave_one_out_equals_refitting_without_the_row(problem: tuple[ResponseData, Layout, Priors]) -> None:
    data, layout, priors = problem
    priors = fixed(priors)
    sd = dict(zip(priors.names, np.exp(priors.mean), strict=True))
    model = ResponseModel(data, layout, priors)
    node = model.node(model.priors.mean)
    known, figures = cells(data)
    joint = np.array([[prior_covariance(a, b, sd, priors) for b in known] for a in known])
    pick = np.zeros((len(figures), len(known)))
    for row, figure in enumerate(figures):
        for sign, column in figure:
            pick[row, column] = sign
    covariance = pick @ joint @ pick.T + data.sampling
    for left_out in range(len(data)):
        rest = [i for i in range(len(data)) if i != left_out]
        gain = np.linalg.solve(covariance[np.ix_(rest, rest)], covariance[rest, left_out])
        assert node.residual[left_out] == pytest.approx(data.y[left_out] - gain @ data.y[rest], abs=1e-5)
        variance = covariance[left_out, left_out] - gain @ covariance[rest, left_out]
        assert node.leave_one_out_sd[left_out] == pytest.approx(np.sqrt(variance), abs=1e-5)


@pytest.mark.parametrize("starts_at_zero", [True, False])
def test_gradient_equals_finite_differences(problem: tuple[ResponseData, Layout, Priors], starts_at_zero: bool) -> None:
    data, layout, priors = problem
    model = ResponseModel(data, replace(layout, starts_at_zero=starts_at_zero), priors)
    eta = model.priors.mean + np.linspace(-0.5, 0.7, len(model.names))
    _, gradient = model.value_and_gradient(eta)
    steps = 1e-5 * np.eye(len(eta))
    numeric = [(model.value(eta + step) - model.value(eta - step)) / 2e-5 for step in steps]
    np.testing.assert_allclose(gradient, numeric, rtol=1e-5, atol=1e-6)
    assert np.abs(gradient).max() > 0.1


def controls(y: list[float], variance: list[float]) -> tuple[ResponseData, Layout]:
    """One control arm a trial on the logit scale: the ordinary random-effects meta-analysis."""
    count = len(y)
    index = np.arange(count)
    arms = Arms(
        np.full(count, -1), np.full(count, -1), np.ones(count), np.full(count, 26.0), np.empty((count, 0)),
        np.empty((count, 0)),
    )  # fmt: skip
    none = np.full(count, -1)
    data = ResponseData(
        np.array(y), np.diag(variance), arms, arms, np.zeros(count, dtype=bool), index, index, index, index, index, index,
        none, none,
    )  # fmt: skip
    return data, Layout(0, 0, 0, 0, (), (), starts_at_zero=False)


def test_special_case_is_the_random_effects_meta_analysis() -> None:
    """DerSimonian and Laird's weighted mean and its variance at a known tau, with the prediction of a new trial."""
    y, variance = [-1.2, -0.4, -0.9, -0.1, -1.5], [0.05, 0.2, 0.1, 0.02, 0.3]
    tau, row = 0.35, 0.2
    data, layout = controls(y, variance)
    priors = replace(fixed(load_priors("logit"), study=tau, row=row), intercept_sd=100.0)
    posterior = fit(data, layout, priors)
    # The prior of the mean is as wide as 1e4: next to flat, which is what the classical formula takes it to be.
    weight = 1 / (np.array(variance) + tau**2 + row**2)
    mean, squared = float(weight @ np.array(y) / weight.sum()), float(1 / weight.sum())
    new = data.plus.take(ints([0]))
    predicted = posterior.predict(new)
    assert predicted.means[0, 0] == pytest.approx(mean, abs=1e-5)
    # What a new trial would report is widened by what the held-out errors ask for; five trials ask for little.
    widened = posterior.widening**2
    assert 1.0 <= widened < 1.2
    assert predicted.covariances[0, 0, 0] == pytest.approx(widened * (squared + tau**2 + row**2), abs=1e-5)
    population = posterior.predict(new, new_trial=False)
    assert population.covariances[0, 0, 0] == pytest.approx(squared, abs=1e-5)
    sampled = posterior.predict(new, sampling_variance=np.array([0.4]))
    assert sampled.covariances[0, 0, 0] == pytest.approx(widened * (squared + tau**2 + row**2 + 0.4), abs=1e-5)
    shares = posterior.influence(new, np.ones(1))
    np.testing.assert_allclose(shares, weight / weight.sum(), atol=1e-5)


def test_trials_share_the_background_in_a_difference(problem: tuple[ResponseData, Layout, Priors]) -> None:
    """Trial heterogeneity moves both arms of a trial; only what is the drug's own or the arm's stays in a difference."""
    data, layout, priors = problem
    small = fit(data, layout, fixed(priors, study=0.1))
    large = fit(data, layout, fixed(priors, study=1.5))
    arms = make_arms([0, -1], [0, -1], [1.0, 1.0], [26.0, 26.0], [0.0, 0.0])

    def spread(posterior: Posterior) -> tuple[float, float]:
        predicted = posterior.predict(arms)
        return float(predicted.covariances[0, 0, 0]), float(predicted.difference(0, 1).covariances[0, 0, 0])

    assert spread(large)[0] > 3 * spread(small)[0]
    own = predicted_heterogeneity(fixed(priors), 26.0)
    assert spread(large)[1] > own
    assert spread(large)[1] < spread(large)[0]


def predicted_heterogeneity(priors: Priors, weeks: float) -> float:
    """Variance of a difference that no amount of evidence removes, at the reference dose."""
    sd = dict(zip(priors.names, np.exp(priors.mean), strict=True))
    course = 1 - float(np.exp(-sd["rate"] * weeks))
    return float(course**2 * (sd["study_drug"] ** 2 + 2 * sd["arm"] ** 2) + 2 * sd["row"] ** 2)
