"""Missing values: multiple imputation from the Gaussian copula.

Margins and correlations of the people who have a value are right only if values are missing completely at random. When
older people's HbA1c is missing more often, the known ones are not typical. Here the missing values are drawn given what
is known of the same person, margins and correlations are estimated again from the completed table, and so on (stochastic
EM, Celeux & Diebolt 1985, with the data augmentation of Hoff 2007 for levels). The counts of several completed tables
are averaged. Right when values are missing at random given the other attributes. Unordered categories with more than
two levels are not drawn: for them, and everywhere without imputation, the known cases count ("available cases").
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from personas.fitting.defaults import default
from personas.fitting.design import Axis, Design
from personas.fitting.families import fit_families
from personas.fitting.fit import Fit, fit_statistics, grouped
from personas.fitting.latent import LatentModel
from personas.fitting.statistics import AttributeCounts, Statistics, average, count
from personas.fitting.table import PatientTable
from personas.schemas import Attribute
from personas.truncated import truncated_deviates

Floats = NDArray[np.float64]

METHOD = "multiple imputation"

# Sweeps before the margins of an attribute that half of the people lack have settled.
_SETTLING = 30


def has_gaps(table: PatientTable, design: Design) -> bool:
    """True when a value that could be imputed is missing."""
    return any(bool(np.isnan(table.columns[axis.name]).any()) for axis in design.axes if axis.ranked)


def impute(table: PatientTable, design: Design, smallest_cell: int, seed: int = 1) -> Statistics:
    """Mean counts over several completed tables. The same seed gives the same counts.

    The numbers of missing values stay those of the data. PrivacyRefused as `fit_statistics`.
    """
    available = count(table, design)
    fit = fit_statistics(available, smallest_cell)
    model = LatentModel.of(fit, design)
    rng = np.random.default_rng(seed)
    names = [axis.name for axis in design.axes if axis.ranked and axis.name in model.attributes]
    gaps = {name: np.isnan(table.columns[name]) for name in names}
    state = _start(model, table, names, rng)
    columns = dict(table.columns)
    wanted = int(default("imputations"))
    completed = []
    for sweep in range(_SETTLING + wanted):
        correlation = np.corrcoef(state, rowvar=False) * (1 - 1e-6) + np.eye(len(names)) * 1e-6
        precision = np.linalg.inv(correlation)
        for position, name in enumerate(names):
            others = np.delete(np.arange(len(names)), position)
            weights = -precision[position, others] / precision[position, position]
            spread = 1.0 / np.sqrt(precision[position, position])
            mean = state[:, others] @ weights
            low, high = model.interval(name, table.columns[name])
            drawn = low != high
            state[:, position] = np.where(drawn, 0.0, low)
            state[drawn, position] = mean[drawn] + spread * truncated_deviates(
                rng.random(int(drawn.sum())), (low[drawn] - mean[drawn]) / spread, (high[drawn] - mean[drawn]) / spread
            )
            column = table.columns[name].copy()
            column[gaps[name]] = model.values(name, state[gaps[name], position])
            columns[name] = column
        done = PatientTable(dict(columns), table.n)
        model = _refitted(model, fit, done, design, [n for n in names if gaps[n].any()], smallest_cell)
        if sweep >= _SETTLING:
            completed.append(count(done, design))
    result = average(completed)
    attributes = {
        name: AttributeCounts(counts=item.counts, missing=available.attributes[name].missing)
        for name, item in result.attributes.items()
    }
    return result.model_copy(update={"attributes": attributes, "missing_method": METHOD})


def _start(model: LatentModel, table: PatientTable, names: list[str], rng: np.random.Generator) -> Floats:
    """Deviates of the known values; a draw from the correlation matrix for the rest would be no better than noise."""
    state = np.empty((table.n, len(names)))
    for position, name in enumerate(names):
        low, high = model.interval(name, table.columns[name])
        drawn = low != high
        state[:, position] = np.where(drawn, 0.0, low)
        state[drawn, position] = truncated_deviates(rng.random(int(drawn.sum())), low[drawn], high[drawn])
    return state


def _refitted(
    model: LatentModel, fit: Fit, table: PatientTable, design: Design, gappy: list[str], smallest: int
) -> LatentModel:
    """The margins that have gaps, estimated again in the family they were given."""
    attributes = dict(model.attributes)
    for name in gappy:
        axis, before = design.axis(name), fit.attributes[name].attribute
        attributes[name] = _margin(axis, before, table.columns[name], smallest)
    return LatentModel(model.names, model.matrix, attributes, design)


def _margin(axis: Axis, before: Attribute, column: Floats, smallest: int) -> Attribute:
    if axis.kind == "number":
        single = Design(axes=(axis.model_copy(update={"kind": "number"}),))
        counts = count(PatientTable({axis.name: column}, len(column)), single).attributes[axis.name]
        best = fit_families(grouped(axis, counts, smallest), (before.distribution,))[0]
        return before.model_copy(update=best.parameters)
    shares = np.bincount(column.astype(np.intp), minlength=len(axis.levels)) / len(column)
    if before.probability is not None:
        return before.model_copy(update={"probability": float(shares[1])})
    return before.model_copy(update={"levels": dict(zip(axis.levels, map(float, shares), strict=True))})
