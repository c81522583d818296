"""Priors of the response engine, read from `parameters.yaml`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml

from tools.response.features import FloatArray

Link = Literal["identity", "logit", "log"]

STANDARD_DEVIATIONS = (
    "class",
    "drug",
    "dose",
    "background_slope",
    "modifier",
    "baseline_slope",
    "baseline_modifier",
    "class_modifier",
    "study",
    "study_drug",
    "arm",
    "row",
)
CURVES = ("rate", "half_dose")


@dataclass(frozen=True)
class Priors:
    """Normal priors of the log hyperparameters, in units of the standardised response.

    Attributes
    ----------
    names : hyperparameters, in the order of `mean` and `sd`.
    mean, sd : (H,) of the natural logarithm; `sd` 0 fixes a hyperparameter at `exp(mean)`.
    intercept_sd, active_sd : prior SDs of the background mean and of the mean effect.
    """

    names: tuple[str, ...]
    mean: FloatArray
    sd: FloatArray
    intercept_sd: float
    active_sd: float

    def subset(self, names: tuple[str, ...]) -> Priors:
        """The same priors for some of the hyperparameters, in the given order."""
        where = [self.names.index(name) for name in names]
        return Priors(names, self.mean[where], self.sd[where], self.intercept_sd, self.active_sd)


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    table: dict[str, Any] = yaml.safe_load(_text())
    return table


@lru_cache(maxsize=1)
def _text() -> bytes:
    return Path(__file__).with_name("parameters.yaml").read_bytes()


def priors_hash() -> str:
    """8 hex digits of the priors' file, so that a fit under other priors is another fit."""
    return hashlib.sha256(_text()).hexdigest()[:8]


def load_priors(link: Link, individual_sd: float = 1.0) -> Priors:
    """Priors for one endpoint.

    Parameters
    ----------
    link : scale of the response.
    individual_sd : typical person-to-person SD over the endpoint's spread (1 on the logit scale).
    """
    table = _table()
    means, sds = [], []
    for name in STANDARD_DEVIATIONS:
        entry = table["standard_deviations"][name]
        values = entry.get(link, entry)
        unit = individual_sd if entry["unit"] == "individual_sd" else 1.0
        means.append(np.log(values["median"] * unit))
        sds.append(values["log_sd"])
    for name in CURVES:
        entry = table["curves"][name]
        means.append(np.log(entry["median"]))
        sds.append(entry["log_sd"])
    return Priors(
        names=STANDARD_DEVIATIONS + CURVES,
        mean=np.array(means, dtype=float),
        sd=np.array(sds, dtype=float),
        intercept_sd=float(table["fixed"]["intercept_sd"][link]),
        active_sd=float(table["fixed"]["active_sd"][link]),
    )
