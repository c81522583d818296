"""From figures to a fit: integrate over the hyperparameters, solve exactly at each node. Arrays in, arrays out."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from tools.response.features import FloatArray, IntArray, Layout, ResponseData
from tools.response.integration import integrate
from tools.response.model import ResponseModel
from tools.response.parameters import Priors
from tools.response.posterior import Posterior
from tools.response.threads import one_thread

# Share of held-out figures that an interval should hold, and the number of trials whose errors are half trusted.
COVERED = 0.9
TRIALS_TO_TRUST = 10.0


def fit(data: ResponseData, layout: Layout, priors: Priors, start: FloatArray | None = None) -> Posterior:
    """Integrate over the hyperparameters and solve the model at each node.

    Parameters
    ----------
    data, layout : standardised figures and the meaning of the columns.
    priors : of all hyperparameters.
    start : (H,) start of the optimiser; the prior mean when absent.
    """
    with one_thread():
        model = ResponseModel(data, layout, priors)
        nodes = integrate(model.value, model.value_and_gradient, model.priors.mean, model.priors.sd, start)
        solved = [model.node(eta) for eta in nodes.eta]
        at_mode = model.node(nodes.mode)
        widening = widening_of(model.held_out(nodes.mode), data.trial)
    return Posterior(
        layout=layout,
        scale=data.scale,
        names=model.names,
        eta=nodes.eta,
        weights=nodes.weights,
        means=np.array([node.mean for node in solved]),
        covariances=np.array([node.covariance for node in solved]),
        mode=nodes.mode,
        gain=at_mode.gain,
        y=data.y,
        residual=at_mode.residual,
        residual_sd=at_mode.leave_one_out_sd,
        widening=widening,
    )


def widening_of(standard: FloatArray, trial: IntArray) -> float:
    """Factor, at least 1, by which predictive standard deviations are widened (conformal, clustered by trial).

    The nine-tenths quantile of the absolute held-out errors, each trial counting once, over that of a normal; shrunk
    towards no widening where there are few trials.

    Parameters
    ----------
    standard : (N,) errors of responses predicted without their trial, in standard deviations.
    trial : (N,) index of the trial.
    """
    _, codes, counts = np.unique(trial, return_inverse=True, return_counts=True)
    size = np.abs(standard)
    order = np.argsort(size, kind="stable")
    share = np.cumsum((1.0 / counts[codes])[order]) / len(counts)
    reached = size[order][min(int(np.searchsorted(share, COVERED)), len(size) - 1)]
    trust = len(counts) / (len(counts) + TRIALS_TO_TRUST)
    return float(max(reached / ndtri(0.5 + COVERED / 2), 1.0) ** trust)
