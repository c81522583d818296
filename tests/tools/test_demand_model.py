"""Accuracy, conformal intervals, reconciliation, forecasts and the airline model, against closed forms and other software."""

from __future__ import annotations

import itertools
import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from knowledge.errors import InvalidInput
from tools.demand import model
from tools.demand.backtest import Plan, Work, coverage, outcomes, plan, try_models
from tools.demand.forecasters import RULES, NotFitted, rolling_forecasts, suited
from tools.demand.paths import weights

SMOOTHING = (0.2, 0.1)
counts = st.lists(st.integers(0, 500), min_size=30, max_size=60)


@pytest.fixture(scope="module")
def passengers():
    from statsforecast.utils import AirPassengers

    return np.asarray(AirPassengers, dtype=float)


@given(counts, st.integers(1, 12))
def test_naive_has_mase_one_within_its_history(values, season):
    history = np.array(values, dtype=float)
    if model.naive_error(history, season) == 0:
        return
    assert model.mase(history[season:], history[:-season], history, season) == pytest.approx(1)


@given(counts, st.floats(0.01, 1000))
def test_errors_do_not_depend_on_the_unit(values, factor):
    known = np.array(values, dtype=float) + 1
    seen, said, past = known[:5], known[5:10], known[10:]
    assert 0 <= model.smape(seen, said) <= 200
    assert model.smape(factor * seen, factor * said) == pytest.approx(model.smape(seen, said))
    assert model.smape(seen, said) == pytest.approx(model.smape(said, seen))
    if model.naive_error(past, 1) > 0:
        assert model.mase(factor * seen, factor * said, factor * past, 1) == pytest.approx(
            model.mase(seen, said, past, 1)
        )


def test_errors_by_hand():
    assert model.smape([0, 4], [0, 12]) == pytest.approx(50)  # 0 in the first period, 200 * 8 / 16 in the second
    assert model.mape([4, 10], [5, 5]) == pytest.approx(37.5)
    assert model.mase([3, 5], [4, 7], [1, 2, 4], 1) == pytest.approx(1.5 / 1.5)
    assert model.owa(10, 2, 20, 4) == pytest.approx(0.5)
    assert model.owa(7, 3, 7, 3) == pytest.approx(1)


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda: model.smape([1], [1, 2]), "as long as"),
        (lambda: model.smape([1, math.nan], [1, 2]), "not a number"),
        (lambda: model.mape([0, 1], [1, 1]), "not defined"),
        (lambda: model.mase([1], [1], [2, 2, 2], 1), "repeats itself"),
        (lambda: model.naive_error([1, 2], 4), "too short"),
        (lambda: model.owa(1, 1, 0, 1), "above 0"),
        (lambda: model.seasonal_factors([1, 2, 3], 2), "two seasons"),
        (lambda: model.seasonal_naive([1, 2], 4, 3), "shorter than a season"),
        (lambda: model.holdout_scores([1, 2, 3], 1, 3, "naive"), "leave a history"),
        (lambda: model.holdout_scores([1, 2, 3], 1, 1, "magic"), "no benchmark"),
        (lambda: model.conformal_rank(8, 0.9), "at least 9"),
        (lambda: model.conformal_rank(9, 1.0), "between 0 and 1"),
        (lambda: model.radius([math.inf] * 20, 0.5), "are numbers"),
        (lambda: model.hierarchy({}), "at least one"),
        (lambda: model.hierarchy({"a": "b", "b": "a"}), "part of itself"),
        (lambda: model.hierarchy({"total": "", "b": ""}), "'total'"),
        (lambda: model.reconcile([1.0, 2.0], np.eye(3)), "do not fit"),
        (lambda: model.reconcile([1.0, math.nan], np.eye(2)), "not a number"),
        (lambda: model.reconcile([3.0, 1, 2], [[1, 1], [1, 0], [0, 1]], "best"), "no reconciliation"),
        (lambda: model.reconcile([3.0, 1, 2], [[1, 1], [1, 0], [0, 1]]), "past errors"),
        (lambda: model.shrinkage([[1.0, 2.0]]), "two rows"),
        (lambda: model.airline_fit(np.arange(1.0, 20)), "three seasons"),
        (lambda: model.airline_fit(np.zeros(60)), "above 0"),
        (lambda: model.airline_fit(np.full(60, 5.0)), "repeats itself"),
        (lambda: model.simulated_coverage(np.random.default_rng(1), 99, 0.9, 1), "two samples"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(call, part):
    with pytest.raises(InvalidInput) as refused:
        call()
    assert part in str(refused.value)


def test_seasonal_factors_as_statsmodels_gives_them(passengers):
    from statsmodels.tsa.seasonal import seasonal_decompose

    for season, values in ((12, passengers), (7, passengers[:100])):
        theirs = seasonal_decompose(values, model="multiplicative", period=season).seasonal[:season]
        np.testing.assert_allclose(model.seasonal_factors(values, season), theirs, rtol=1e-12)


def test_the_seasonality_test_as_the_competition_wrote_it(passengers):
    """By the published script: limits from the cumulative sum of c(1, 2·acf²), read at the season."""
    rng = np.random.default_rng(3)
    series = [
        passengers,
        *(rng.normal(100, 5, 80) + a * np.tile(rng.normal(0, 5, 12), 7)[:80] for a in np.linspace(0, 1, 30)),
    ]
    found = []
    for values in series:
        off = values - values.mean()
        acf = np.correlate(off, off, "full")[off.size :] / (off @ off)
        limits = 1.645 / np.sqrt(off.size) * np.sqrt(np.cumsum(np.r_[1, 2 * acf**2]))
        found.append(bool(abs(acf[11]) > limits[11]))
        assert model.is_seasonal(values, 12) == found[-1]
    assert True in found
    assert False in found


def test_naive2_is_exact_on_a_pure_season():
    season = np.array([0.5, 1.5, 1.2, 0.8])
    history = 100 * np.tile(season, 10)[:38]
    np.testing.assert_allclose(model.naive2(history, 4, 6), 100 * np.tile(season, 3)[2:8])
    np.testing.assert_allclose(model.naive2(history, 1, 3), history[-1])


def test_panel_scores_are_means_over_series():
    rng = np.random.default_rng(1)
    rows = [rng.poisson(20, 40).astype(float) for _ in range(3)]
    names = np.repeat(["b", "a", "c"], 40)
    held = np.tile(np.r_[np.zeros(34), np.ones(6)], 3)
    got = model.score_panel(names, held, np.concatenate(rows), 4, "seasonal_naive")
    single = [model.holdout_scores(row, 4, 6, "seasonal_naive") for row in rows]
    assert got["mase"] == pytest.approx(np.mean([one["mase"] for one in single]))
    assert got["smape"] == pytest.approx(np.mean([one["smape"] for one in single]))
    assert got["series"] == 3


@given(st.integers(1, 400), st.floats(0.05, 0.99))
def test_the_rank_is_the_smallest_that_keeps_the_promise(errors, level):
    if errors < model.errors_needed(level):
        with pytest.raises(InvalidInput):
            model.conformal_rank(errors, level)
        return
    law = model.coverage_law(errors, level)
    assert law.mean >= level - 1e-8
    assert law.mean - 1 / (errors + 1) < level + 1e-8
    assert law.mean == pytest.approx(stats.beta.mean(law.a, law.b))
    assert law.sd == pytest.approx(stats.beta.std(law.a, law.b))


@settings(max_examples=15, deadline=None)
@given(st.integers(4, 120), st.floats(0.3, 0.95), st.integers(0, 2**32))
def test_coverage_follows_its_beta_law(errors, level, seed):
    if errors < model.errors_needed(level):
        return
    law = model.coverage_law(errors, level)
    covered = model.radius(np.random.default_rng(seed).random((errors, 2000)), level)
    assert stats.kstest(covered, stats.beta(law.a, law.b).cdf).pvalue > 1e-6


def test_coverage_of_new_normal_errors():
    rng = np.random.default_rng(1)
    wide = model.radius(rng.standard_normal((19, 4000)), 0.9)
    inside = np.abs(rng.standard_normal(4000)) <= wide
    assert inside.mean() == pytest.approx(18 / 20, abs=4 * math.sqrt(0.9 * 0.1 / 4000))


@given(st.integers(30, 80), st.integers(1, 4), st.integers(0, 2**32))
def test_intervals_are_nested_by_level(errors, width, seed):
    sample = np.random.default_rng(seed).standard_t(2, (errors, width))
    made = [model.radius(sample, level) for level in (0.2, 0.5, 0.8, 0.9, 0.96)]
    assert all((a <= b).all() for a, b in itertools.pairwise(made))


parents = st.lists(st.integers(0, 3), min_size=2, max_size=12).map(
    lambda chosen: {f"s{i}": f"p{p}" for i, p in enumerate(chosen)} | {f"p{p}": "half" for p in chosen if p < 2}
)


@given(parents, st.sampled_from(["bottom_up", "ols", "mint_shrink"]), st.integers(0, 2**32))
def test_reconciled_forecasts_add_up_and_coherent_ones_stay(above, how, seed):
    tree = model.hierarchy(above)
    rng = np.random.default_rng(seed)
    n, m = tree.sums.shape
    base, errors = rng.normal(100, 30, (n, 5)), rng.normal(size=(40, n))
    made = model.reconcile(base, tree.sums, how, errors)
    assert model.incoherence(made, tree.sums) < 1e-9
    coherent = tree.sums @ base[n - m :]
    np.testing.assert_allclose(model.reconcile(coherent, tree.sums, how, errors), coherent, rtol=1e-9)
    np.testing.assert_allclose(model.reconcile(3 * base, tree.sums, how, errors), 3 * made, rtol=1e-8)


def test_reconciliation_as_the_textbook_writes_it():
    tree = model.hierarchy({f"s{i}": f"p{i % 3}" for i in range(9)})
    rng = np.random.default_rng(1)
    n, m = tree.sums.shape
    base, errors = rng.normal(50, 9, (n, 4)), rng.normal(size=(60, m)) @ tree.sums.T + rng.normal(size=(60, n))
    for how, covariance in (("ols", np.eye(n)), ("mint_shrink", model.shrunk_covariance(errors))):
        inverse = np.linalg.inv(covariance)
        wanted = tree.sums @ np.linalg.inv(tree.sums.T @ inverse @ tree.sums) @ tree.sums.T @ inverse @ base
        np.testing.assert_allclose(model.reconcile(base, tree.sums, how, errors), wanted, rtol=1e-9)


def test_mint_beats_the_base_forecasts_it_is_made_of():
    tree = model.hierarchy({f"s{i}": f"p{i % 2}" for i in range(6)})
    rng = np.random.default_rng(5)
    n, m = tree.sums.shape
    spread = np.r_[np.full(n - m, 2.0), np.full(m, 4.0)]
    errors, later = rng.normal(size=(400, n)) * spread, rng.normal(size=(n, 4000)) * spread[:, None]
    truth = tree.sums @ np.full((m, 1), 100.0)
    made = model.reconcile(truth + later, tree.sums, "mint_shrink", errors) - truth
    plain = model.reconcile(truth + later, tree.sums, "bottom_up") - truth
    assert (made**2).sum() < 0.9 * (later**2).sum()
    assert (made**2).sum() < 0.9 * (plain**2).sum()


def test_shrinkage_by_the_formula_of_its_authors():
    """With centred errors: sum of the variances of the correlations over the sum of their squares."""
    rng = np.random.default_rng(1)
    errors = rng.normal(size=(50, 4)) @ rng.normal(size=(4, 4))
    errors -= errors.mean(axis=0)
    unit = errors / errors.std(axis=0, ddof=1)
    products = np.einsum("ti,tj->tij", unit, unit)
    variance = 50 / 49**3 * ((products - products.mean(axis=0)) ** 2).sum(axis=0)
    off = ~np.eye(4, dtype=bool)
    wanted = variance[off].sum() / (np.corrcoef(errors.T)[off] ** 2).sum()
    assert model.shrinkage(errors) == pytest.approx(wanted)
    assert model.shrinkage(np.zeros((5, 3))) == 1
    np.testing.assert_allclose(model.shrunk_covariance(np.zeros((5, 3))), np.eye(3))


def test_the_airline_model_as_statsmodels_fits_it(passengers):
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    mine = model.airline_fit(passengers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = SARIMAX(np.log(passengers), order=(0, 1, 1), seasonal_order=(0, 1, 1, 12), simple_differencing=True)
        fit = theirs.fit([mine.ma, mine.seasonal_ma, mine.variance], disp=False)  # from near the optimum: quick
    assert mine.log_likelihood == pytest.approx(fit.llf, abs=1e-4)
    assert mine.ma == pytest.approx(fit.params[0], abs=1e-3)
    assert mine.aic == pytest.approx(fit.aic, abs=1e-3)
    at = model.airline_log_likelihood(np.log(passengers), 12, -0.3, -0.5)
    assert at[0] == pytest.approx(theirs.loglike([-0.3, -0.5, at[1]]), abs=1e-6)
    assert at[0] < mine.log_likelihood
    scaled = model.airline_fit(7 * passengers)
    assert (scaled.ma, scaled.variance) == (pytest.approx(mine.ma, abs=1e-5), pytest.approx(mine.variance, rel=1e-6))


@given(counts, st.sampled_from(RULES), st.integers(1, 8), st.floats(0.01, 100))
def test_forecasts_scale_and_use_nothing_later(values, chosen, horizon, factor):
    known = np.array(values, dtype=float)
    origins = [20, 23, 28]
    made = rolling_forecasts(known, origins, horizon, 7, chosen, SMOOTHING)
    assert made.shape == (3, horizon)
    assert (made >= 0).all()
    np.testing.assert_allclose(
        rolling_forecasts(factor * known, origins, horizon, 7, chosen, SMOOTHING), factor * made, rtol=1e-9
    )
    later = known.copy()
    later[23:] = 999.0
    np.testing.assert_array_equal(rolling_forecasts(later, origins, horizon, 7, chosen, SMOOTHING)[:2], made[:2])


def test_rules_as_statsforecast_gives_them(passengers):
    from statsforecast import models

    theirs = {
        "naive": models.Naive(), "seasonal_naive": models.SeasonalNaive(12), "drift": models.RandomWalkWithDrift(),
        "average": models.HistoricAverage(),
    }  # fmt: skip
    for name, one in theirs.items():
        made = rolling_forecasts(passengers, [100, 144], 15, 12, name, SMOOTHING)
        for row, n in zip(made, (100, 144), strict=True):
            np.testing.assert_allclose(row, one.forecast(y=passengers[:n], h=15)["mean"], rtol=1e-12)


@pytest.mark.parametrize("chosen", ["theta", "ets", "croston", "tsb"])
def test_models_scale_and_use_nothing_later(passengers, chosen):
    known = passengers.copy()
    made = rolling_forecasts(known, [90, 95, 100, 105], 6, 12, chosen, SMOOTHING, (0, 2))
    tenfold = rolling_forecasts(10 * known, [90, 95, 100, 105], 6, 12, chosen, SMOOTHING, (0, 2))
    np.testing.assert_allclose(tenfold, 10 * made, rtol=0.02)
    known[95:] = 7.0
    later = rolling_forecasts(known, [90, 95, 100, 105], 6, 12, chosen, SMOOTHING, (0, 2))
    np.testing.assert_array_equal(later[:2], made[:2])


def test_models_that_cannot_be_fitted_say_so():
    with pytest.raises(NotFitted, match="does not vary"):
        rolling_forecasts(np.full(40, 3.0), [30], 2, 1, "ets", SMOOTHING)
    with pytest.raises(NotFitted, match="season"):
        rolling_forecasts(np.arange(10.0), [5], 2, 7, "seasonal_naive", SMOOTHING)
    with pytest.raises(InvalidInput, match="no model"):
        rolling_forecasts(np.arange(10.0), [5], 2, 1, "magic", SMOOTHING)
    with pytest.raises(InvalidInput, match="within the history"):
        rolling_forecasts(np.arange(10.0), [11], 2, 1, "naive", SMOOTHING)
    np.testing.assert_array_equal(rolling_forecasts(np.zeros(30), [20], 3, 1, "tsb", SMOOTHING), 0)


def test_what_is_tried_depends_on_the_history():
    few, said = suited(np.arange(60.0) + 1, 12, 60)
    assert {"ets", "theta", "arima", "seasonal_naive"} <= set(few)
    assert "croston" not in few
    assert not said
    rare, said = suited(np.tile([0.0, 0, 3], 2000), 1, 1_000_000)
    assert {"croston", "tsb"} <= set(rare)
    assert "ets" not in rare
    assert len(said) == 3


@given(st.integers(1, 24), st.integers(1, 12), st.integers(9, 40), st.integers(20, 200))
def test_folds_end_with_the_history_and_leave_two_seasons(horizon, season, folds, periods):
    try:
        laid = plan(periods, horizon, season, folds, 0.9)
    except InvalidInput as refused:
        least = int(str(refused).split("at least ")[1].split(" ")[0])
        assert least > periods
        assert plan(least, horizon, season, folds, 0.9).folds >= 9
        return
    assert laid.origins[-1] + horizon == periods
    assert laid.origins[0] >= max(2 * season, 8)
    assert 9 <= laid.folds <= folds + horizon - 1
    assert 2 <= laid.selection <= laid.report <= laid.folds - 2
    assert laid.apart or laid.folds < 9 + horizon
    values = np.arange(float(periods))
    np.testing.assert_array_equal(outcomes(values, laid)[:, 0], laid.origins)


def test_the_model_that_made_the_series_is_chosen():
    season = np.tile([5.0, 9, 2, 7], 30)[:80]
    laid = plan(80, 4, 4, 20, 0.9)
    tried = try_models(Work("x", season + np.random.default_rng(1).normal(0, 0.1, 80), laid, RULES, SMOOTHING))
    assert tried.model == "seasonal_naive"
    assert set(tried.scores) == set(RULES)
    line = try_models(Work("x", np.arange(80.0), laid, RULES, SMOOTHING))
    assert line.model == "drift"
    np.testing.assert_allclose(line.future, [80, 81, 82, 83])


def test_the_choice_does_not_see_the_folds_that_report():
    values = np.random.default_rng(2).poisson(20, 80).astype(float)
    laid = plan(80, 4, 1, 20, 0.9)
    first = try_models(Work("x", values, laid, RULES, SMOOTHING))
    changed = values.copy()
    assert laid.apart
    changed[laid.origins[laid.report] :] *= 50
    assert try_models(Work("x", changed, laid, RULES, SMOOTHING)).scores == first.scores


def test_coverage_is_measured_on_later_folds():
    errors = np.r_[np.arange(1.0, 11), 5.0, 50.0][:, None]
    laid = Plan(tuple(range(10, 22)), 10, 10, 1, 1, 0.9)
    assert coverage(errors, laid.selection, laid.level) == pytest.approx(0.5)
    assert coverage(errors, 5, 0.9) is None


def test_mixed_error_courses_keep_the_errors_second_moments():
    rng = np.random.default_rng(1)
    errors = rng.normal(size=(20, 3)) @ np.array([[1, 0.8, 0], [0, 1, 0], [0, 0, 2.0]]) + 1
    made = weights(rng, 200_000, 20) @ errors
    np.testing.assert_allclose(made.mean(axis=0), 0, atol=0.03)
    np.testing.assert_allclose(made.T @ made / 200_000, errors.T @ errors / 20, atol=0.08)
    np.testing.assert_array_equal(np.abs(weights(rng, 3, 1)), 1)
