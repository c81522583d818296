"""People unlike everybody else: left out before anything is counted.

Whoever is extreme in everything at once weighs more in every average than others do, and could be told from it. So
people further out than the most extreme of the cohort should be (squared Mahalanobis distance on the latent scale,
against the chi-squared distribution) do not enter. Among people who follow the fitted model, that is one in ten cohorts
losing one person: margins and correlations stay what they are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from personas.fitting.defaults import default
from personas.fitting.design import Design
from personas.fitting.fit import fit_statistics
from personas.fitting.latent import LatentModel
from personas.fitting.statistics import count
from personas.fitting.table import PatientTable
from personas.schemas import Distribution

Floats = NDArray[np.float64]

_RIDGE = 1e-3


def without_unusual(
    table: PatientTable, design: Design, smallest_cell: int, families: dict[str, Distribution] | None = None
) -> tuple[PatientTable, int]:
    """The table without people unlike everybody else, and their number. PrivacyRefused when too few people are left."""
    margins = count(table, design).model_copy(update={"pairs": ()})
    model = LatentModel.of(fit_statistics(margins, smallest_cell, families=families), design)
    kept = distance(model, table) <= _farthest(model, table.n)
    return (table, 0) if kept.all() else (table.rows(kept), int((~kept).sum()))


def distance(model: LatentModel, table: PatientTable) -> Floats:
    """Squared Mahalanobis distance of each person, (n,), by the correlations of the deviates themselves.

    Unordered categories have no distance and count for nothing; what is unknown lies in the middle.
    """
    ranked = [place for place, name in enumerate(model.attributes) if name in _measured(model)]
    deviates = model.middle(table)[:, ranked]
    if deviates.shape[1] == 0:
        return np.zeros(table.n)
    kept = deviates.std(axis=0) > 0
    correlation = np.atleast_2d(np.corrcoef(deviates[:, kept], rowvar=False))
    inverse = np.linalg.inv(correlation + _RIDGE * np.eye(len(correlation)))
    return np.asarray(np.einsum("ni,ij,nj->n", deviates[:, kept], inverse, deviates[:, kept]))


def _measured(model: LatentModel) -> list[str]:
    return [name for name in model.attributes if model.design.axis(name).ranked]


def _farthest(model: LatentModel, n: int) -> float:
    from scipy.stats import chi2

    return float(chi2.isf(default("lost_by_chance") / n, max(len(_measured(model)), 1)))
