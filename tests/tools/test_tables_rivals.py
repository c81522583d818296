"""The rivals against published results and other software; the engine against the exact Gaussian posterior."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from statsmodels.stats.meta_analysis import combine_effects

from tools.response.features import Arms, Layout, ResponseData
from tools.response.model import ResponseModel
from tools.response.parameters import load_priors
from tools.response.tables.rivals import RIVALS, Figures, _left_out, pooled
from tools.response.tables.scoring import MEDIAN, PROBABILITIES
from tools.response.tables.table import ArmTable

# Vaccinated and unvaccinated participants with and without tuberculosis in 13 trials: Colditz et al 1994, JAMA 271:698,
# as tabulated by van Houwelingen et al 2002, Stat Med 21:589, table I.
BCG = np.array([
    [4, 119, 11, 128], [6, 300, 29, 274], [3, 228, 11, 209], [62, 13536, 248, 12619], [33, 5036, 47, 5761],
    [180, 1361, 372, 1079], [8, 2537, 10, 619], [505, 87886, 499, 87892], [29, 7470, 45, 7232], [17, 1699, 65, 1600],
    [186, 50448, 141, 27197], [5, 2493, 3, 2338], [27, 16886, 29, 17825],
])  # fmt: skip


def log_risk_ratios() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    a, b, c, d = BCG.T.astype(float)
    y = np.log(a / (a + b)) - np.log(c / (c + d))
    return y, np.sqrt(1 / a - 1 / (a + b) + 1 / c - 1 / (c + d))


def test_dersimonian_laird_as_published_and_as_statsmodels_has_it() -> None:
    """metafor's test suite prints -0.7141 (-1.0644 to -0.3638) for these trials by DerSimonian and Laird."""
    y, se = log_risk_ratios()
    mean, hartung_knapp, tau2 = pooled(y, se)
    assert round(mean, 4) == -0.7141
    weight = 1 / (se**2 + tau2)
    wald = weight.sum() ** -0.5
    assert [round(mean - 1.959964 * wald, 4), round(mean + 1.959964 * wald, 4)] == [-1.0644, -0.3638]
    other = combine_effects(y, se**2, method_re="dl", use_t=True)
    assert tau2 == pytest.approx(other.tau2, rel=1e-10)
    assert mean == pytest.approx(other.mean_effect_re, rel=1e-10)
    assert hartung_knapp == pytest.approx(other.var_hksj_re, rel=1e-10)


def random_effects_model(y: NDArray[np.float64], se: NDArray[np.float64]) -> ResponseModel:
    """The engine's model of differences from control in one drug, all hyperparameters held where they are put."""
    count = len(y)
    zero, each = np.zeros(count, dtype=np.int64), np.arange(count)
    empty = np.empty((count, 0))
    active = Arms(zero, zero, np.ones(count), np.full(count, 52.0), empty, empty)
    control = Arms(zero - 1, zero - 1, np.ones(count), np.full(count, 52.0), empty, empty)
    data = ResponseData(
        y, np.diag(se**2), active, control, np.ones(count, dtype=bool), each, each, 2 * each, 2 * each + 1, 2 * each,
        2 * each + 1, each, zero - 1,
    )  # fmt: skip
    priors = load_priors("identity", 1.0)
    priors = replace(priors, sd=np.zeros(len(priors.sd)), intercept_sd=1.0, active_sd=1e3)
    return ResponseModel(data, Layout(1, 1, 0, 0, (np.empty(0),), (), starts_at_zero=True), priors)


def test_the_engine_s_likelihood_has_the_published_reml_maximum() -> None:
    """With one class, flat priors and only trial-by-drug heterogeneity the model is the random-effects meta-analysis.

    Its restricted likelihood is greatest at tau² = 0.3132, where the mean is -0.7145 (metafor, REML).
    """
    y, se = log_risk_ratios()
    model = random_effects_model(y, se)

    def eta_of(log_tau: float) -> NDArray[np.float64]:
        fixed = {"study_drug": log_tau, "rate": 3.0, "half_dose": 0.0}
        return np.array([fixed.get(name, -20.0) for name in model.names])

    best = minimize_scalar(lambda log_tau: -model.value(eta_of(log_tau)), bounds=(-4, 2), method="bounded",
                           options={"xatol": 1e-9})  # fmt: skip
    assert round(float(np.exp(2 * best.x)), 4) == 0.3132
    assert round(float(model.node(eta_of(best.x)).mean[1]), 4) == -0.7145


def table(**changes: object) -> ArmTable:
    count = 12
    trial = np.arange(count) // 2
    active = np.arange(count) % 2 == 1
    fields: dict[str, object] = {
        "endpoint": "change", "unit": "kg", "proportion": False,
        "study": np.array([f"S{index}" for index in trial]), "arm": np.where(active, "alpha", "placebo"),
        "agent": np.where(active, "alpha", "placebo"), "drug_class": np.where(active, "first", ""),
        "control": ~active, "dose": np.where(active, 10.0, np.nan), "weeks": np.full(count, 26.0),
        "n": np.full(count, 100.0), "value": np.where(active, -3.0, -1.0) + 0.2 * np.sin(trial), "se": np.full(count, 0.2),
        "events": np.full(count, np.nan), "kind": np.full(count, ""),
        "covariates": {"baseline": 90.0 + trial.astype(float)},
    }  # fmt: skip
    fields.update(changes)
    return ArmTable(**fields)  # type: ignore[arg-type]


def test_rivals_find_what_they_model() -> None:
    known = table()
    figures = Figures(known, known.value, known.se)
    asked = known.take(np.array([0, 1]))
    for name, rival in RIVALS.items():
        quantiles = rival(figures, asked).quantiles(PROBABILITIES)
        assert quantiles.shape == (len(PROBABILITIES), 2)
        assert (np.diff(quantiles, axis=0) > 0).all()
        if name == "grand_mean":
            assert quantiles[MEDIAN] == pytest.approx([known.value.mean()] * 2)
        else:
            assert quantiles[MEDIAN] == pytest.approx([-1.0, -3.0], abs=0.25)


def test_rivals_forecast_what_they_never_saw() -> None:
    """A class, an agent, a dose and a time without evidence get a finite forecast."""
    known = table()
    figures = Figures(known, known.value, known.se)
    strange = table(agent=np.full(12, "omega"), drug_class=np.full(12, "last"), control=np.zeros(12, dtype=bool),
                    dose=np.full(12, 500.0), weeks=np.full(12, 104.0))  # fmt: skip
    for rival in RIVALS.values():
        assert np.isfinite(rival(figures, strange).quantiles(PROBABILITIES)).all()


def test_ridge_leave_one_study_out_is_what_refitting_gives() -> None:
    """The closed form of the inner errors equals fitting without the study (fixed centre, weights and penalty)."""
    generator = np.random.default_rng(5)
    x, y = generator.normal(size=(20, 4)), generator.normal(size=20)
    study, penalty = np.arange(20) // 4, 3.0
    inverse = np.linalg.inv(x.T @ x + penalty * np.eye(4))
    errors = _left_out(x, y - x @ inverse @ x.T @ y, inverse, study, np.ones(20))
    for one in range(5):
        out = study == one
        slopes = np.linalg.solve(x[~out].T @ x[~out] + penalty * np.eye(4), x[~out].T @ y[~out])
        assert errors[out] == pytest.approx(y[out] - x[out] @ slopes, abs=1e-6)
