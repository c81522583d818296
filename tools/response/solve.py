"""From figures to a fit: integrate over the hyperparameters, solve exactly at each node. Arrays in, arrays out."""

from __future__ import annotations

import numpy as np

from tools.response.features import FloatArray, Layout, ResponseData
from tools.response.integration import integrate
from tools.response.model import ResponseModel
from tools.response.parameters import Priors
from tools.response.posterior import Posterior
from tools.response.threads import one_thread


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
    )
