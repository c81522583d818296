"""Persistence and drug cover against closed forms, another library, a simulation person by person, and their invariants."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from knowledge.errors import InvalidInput
from tools.adherence import model
from tools.uptake.model import monthly_stay

quick = settings(max_examples=60, deadline=None)
SHARE, SHAPE, AT = st.floats(0.02, 0.98), st.floats(0.3, 3.0), st.floats(10, 2000)


def test_half_after_a_year_with_shape_point_seven():
    found = model.weibull_through(0.5, 1.0, 0.7)
    assert found.scale == pytest.approx(np.log(2) ** (-1 / 0.7))
    assert found.median == pytest.approx(1.0)
    assert model.persistence(found, 2.0) == pytest.approx(0.5 ** (2**0.7))


@quick
@given(SHARE, AT, SHAPE)
def test_persistence_falls_from_one_through_the_given_share(share, at, shape):
    weibull = model.weibull_through(share, at, shape)
    t = np.linspace(0, 3 * at, 50)
    curve = model.persistence(weibull, t)
    assert curve[0] == 1
    assert (np.diff(curve) <= 0).all()
    assert model.persistence(weibull, at) == pytest.approx(share)
    np.testing.assert_allclose(curve, stats.weibull_min.sf(t, shape, scale=weibull.scale), atol=1e-12)
    assert (model.survival(t, shape, weibull.scale, 2.0) <= curve + 1e-15).all()


@quick
@given(SHARE, AT, SHAPE, st.floats(5, 3000))
def test_time_on_treatment_is_the_integral_of_persistence(share, at, shape, horizon):
    scale = float(model.weibull_scale(share, at, shape))
    first, second = model.time_on_treatment(horizon, shape, scale)
    area = integrate.quad(lambda t: np.exp(-((t / scale) ** shape)), 0, horizon, limit=200)[0]
    twice = integrate.quad(lambda t: 2 * t * np.exp(-((t / scale) ** shape)), 0, horizon, limit=200)[0]
    assert first == pytest.approx(area, rel=1e-6)
    assert second == pytest.approx(twice, rel=1e-6)


def test_nobody_stops():
    first, second = model.time_on_treatment(365, 0.5, 1e60)
    assert (float(first), float(second)) == (365, 365**2)


def test_the_funnel_of_uptake_has_the_same_persistence():
    stays = monthly_stay([0.4], 12, 0.7)[0]
    weibull = model.weibull_through(0.4, 12, 0.7)
    np.testing.assert_allclose(np.cumprod(stays), model.persistence(weibull, np.arange(1, 13)))


@quick
@given(SHARE, AT, SHAPE)
def test_a_weibull_is_found_back_from_its_points(share, at, shape):
    weibull = model.weibull_through(share, at, shape)
    times = at * np.array([0.9, 1.0, 1.1])
    shares = model.persistence(weibull, times)
    found = model.weibull_points(times, shares)
    assert found.shape == pytest.approx(shape, rel=1e-6)
    assert found.scale == pytest.approx(weibull.scale, rel=1e-6)


def test_a_weibull_is_found_back_from_censored_times():
    rng = np.random.default_rng(2)
    stop = 400 * rng.weibull(0.7, 4000)
    found = model.fit_weibull(np.minimum(stop, 365), stop <= 365)
    shapes, scales = found.draws(rng, 2000)
    assert abs(found.shape - 0.7) < 4 * shapes.std()
    assert abs(found.scale - 400) < 4 * scales.std()
    assert 0.005 < shapes.std() < 0.05


def test_cox_agrees_with_statsmodels():
    from statsmodels.duration.hazard_regression import PHReg

    rng = np.random.default_rng(3)
    x = rng.normal(size=(300, 2))
    stop = np.ceil(20 * rng.exponential(np.exp(-x @ [0.5, -0.3])))  # many ties
    seen = stop < 40
    times = np.minimum(stop, 40)
    ours = model.fit_cox(times, seen, {"age": x[:, 0], "copay": x[:, 1]})
    theirs = PHReg(times, x, status=seen, ties="efron").fit()
    np.testing.assert_allclose(ours.coefficients, theirs.params, atol=1e-4)
    np.testing.assert_allclose(ours.errors, theirs.bse, rtol=1e-3)
    assert ours.hazard_ratio({}) == pytest.approx(1)
    assert ours.hazard_ratio({"age": ours.means[0] + 1}) == pytest.approx(np.exp(ours.by_name["age"]))


@pytest.mark.parametrize(
    ("mean", "sd", "shape", "share"), [(0.85, 0.1, 0.7, 0.5), (0.7, 0.25, 1.0, 0.8), (0.95, 0.05, 2.0, 0.3)]
)
def test_cover_agrees_with_people_one_by_one(mean, sd, shape, share):
    rng = np.random.default_rng(4)
    n, horizon = 400_000, 365.0
    scale = float(model.weibull_scale(share, horizon, shape))
    alpha, beta = model.beta_of(mean, sd)
    taken, stop = rng.beta(alpha, beta, n), scale * rng.weibull(shape, n)
    cover = taken * np.minimum(stop, horizon) / horizon
    expected, between = model.cover_moments(mean, sd, horizon, shape, scale)
    assert abs(expected - cover.mean()) < 4 * cover.std() / n**0.5
    assert between == pytest.approx(cover.std(), rel=0.01)
    reached = model.share_covered(0.8, mean, sd, horizon, shape, scale)[0]
    assert abs(reached - (cover >= 0.8).mean()) < 4 * (reached / n) ** 0.5 + 1e-4
    packs = model.packs_begun(30, model.people_nodes(mean, sd), horizon, shape, scale)[0]
    needed = np.ceil(np.minimum(stop, horizon) * taken / 30 - 1e-12)
    assert packs == pytest.approx(np.maximum(needed, 1).mean(), rel=0.01)


@quick
@given(st.floats(0.05, 0.95), st.floats(0.0, 1.0), st.floats(0.2, 5.0))
def test_groups_keep_the_mean(mean, part, ratio):
    group, others = model.group_shares(mean, part, ratio)
    assert part * group[0] + (1 - part) * others[0] == pytest.approx(mean)
    assert (group[0] <= others[0] + 1e-12) == (ratio >= 1) or ratio == pytest.approx(1)
    assert 0 <= group[0] <= 1


@quick
@given(st.floats(0, 1), st.floats(0.1, 10))
def test_more_odds_of_non_adherence_lower_the_share(share, ratio):
    found = model.odds_over(share, ratio)
    assert 0 <= found <= 1
    assert (found <= share + 1e-12) if ratio >= 1 else (found >= share - 1e-12)


@quick
@given(st.floats(0.3, 0.99), st.floats(0.0, 0.3), SHARE, SHAPE, st.floats(0.1, 0.99))
def test_share_covered_is_a_share_that_falls_with_the_limit(mean, sd, share, shape, limit):
    scale = model.weibull_scale(share, 365, shape)
    low = model.share_covered(limit / 2, mean, sd, 365, shape, scale)[0]
    high = model.share_covered(limit, mean, sd, 365, shape, scale)[0]
    assert 0 <= high <= low + 1e-6 <= 1 + 1e-6


@pytest.mark.parametrize(
    "call",
    [
        lambda: model.weibull_through(1.5, 365),
        lambda: model.weibull_through(0.5, -1),
        lambda: model.weibull_through(0.5, 365, float("nan")),
        lambda: model.survival(-1, 1, 1),
        lambda: model.time_on_treatment(0, 1, 1),
        lambda: model.weibull_points([10, 20], [0.5, 0.6]),
        lambda: model.weibull_points([10], [0.5]),
        lambda: model.fit_weibull([1, 2, np.nan], [1, 1, 1]),
        lambda: model.fit_weibull([1, 2, 3], [0, 0, 0]),
        lambda: model.fit_cox([1, 2, 3, 4], [1, 1, 1, 0], {"a": [1, 1, 1, 1]}),
        lambda: model.fit_cox([1, 2, 3, 4], [1, 1, 1, 0], {"a": [1, 2, 3, np.nan]}),
        lambda: model.fit_cox([1, 2, 3, 4], [1, 1, 1, 0], {}),
        lambda: model.fit_cox_table([], "t", "s", ["a"]),
        lambda: model.fit_cox_table([{"t": 1}], "t", "s", ["a"]),
        lambda: model.share_covered(0, 0.5, 0.1, 365, 1, 1),
        lambda: model.packs_begun(0, [[1.0]], 365, 1, 1),
        lambda: model.odds_over(1.2, 1),
        lambda: model.group_shares(0.5, 1.5, 1),
    ],
)
def test_hostile_numbers_are_refused(call):
    with pytest.raises(InvalidInput):
        call()
