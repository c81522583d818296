"""People on the latent normal scale of a fit: deviates of their values, and how likely the fit makes them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from personas.copula import latent_correlation
from personas.fitting.design import Design
from personas.fitting.families import Cdf, cdf
from personas.fitting.fit import Fit
from personas.fitting.table import PatientTable
from personas.margins import DISCRETE, level_thresholds, margin_of
from personas.schemas import Attribute, Distribution

Floats = NDArray[np.float64]

_REACH = 8.0
# Half the width, as a share of the range, over which a density is taken.
_STEP = 5e-4


@dataclass(frozen=True)
class LatentModel:
    """A fit ready for use on rows.

    Attributes
    ----------
    names : correlated attributes in the order of `matrix`, (k, k).
    attributes : all fitted margins.
    """

    names: tuple[str, ...]
    matrix: Floats
    attributes: dict[str, Attribute]
    design: Design

    @staticmethod
    def of(fit: Fit, design: Design) -> LatentModel:
        """Margins and latent correlations of a fit."""
        attributes = {name: item.attribute for name, item in fit.attributes.items()}
        latent = latent_correlation(attributes, fit.correlations)
        return LatentModel(latent.names, latent.matrix, attributes, design)

    def interval(self, name: str, column: Floats) -> tuple[Floats, Floats]:
        """Range of deviates of each value, (n,) each: one point for a number, all numbers where nothing is known."""
        attribute, unknown = self.attributes[name], np.isnan(column)
        if attribute.distribution in DISCRETE:
            edges = np.array([-np.inf, *level_thresholds(self._shares(name)), np.inf])
            codes = np.where(unknown, 0, column).astype(np.intp)
            low, high = edges[codes], edges[codes + 1]
        else:
            low = high = self.deviates(name, column)
        return np.where(unknown, -np.inf, low), np.where(unknown, np.inf, high)

    def deviates(self, name: str, column: Floats) -> Floats:
        """Deviate in the middle of the bin of each number, (n,), kept within ±8.

        The bin and not the value, because a value at the very limit (an adherence of 1) would be infinitely far out.
        """
        from scipy.special import ndtri

        edges = np.array(self.design.axis(name).edges)
        cumulative = self._cdf(name)(edges)
        cumulative[0], cumulative[-1] = 0.0, 1.0
        middles = np.clip((cumulative[1:] + cumulative[:-1]) / 2, 1e-300, 1 - 1e-16)
        known = np.where(np.isnan(column), edges[0], column)
        places = np.clip(np.searchsorted(edges, known, side="right") - 1, 0, len(edges) - 2)
        found: Floats = np.clip(np.asarray(ndtri(middles)), -_REACH, _REACH)[places]
        return np.where(np.isnan(column), np.nan, found)

    def values(self, name: str, deviates: Floats) -> Floats:
        """Values of a number, or positions of levels in the design, behind deviates, (n,)."""
        attribute = self.attributes[name]
        if attribute.distribution in DISCRETE:
            edges = np.array(level_thresholds(self._shares(name)))
            return np.searchsorted(edges, deviates, side="left").astype(np.float64)
        axis = self.design.axis(name)
        values = np.asarray(margin_of(attribute, axis.limits).values(deviates), dtype=np.float64)
        return np.clip(values, axis.edges[0], axis.edges[-1])

    def log_density(self, table: PatientTable) -> Floats:
        """How likely the fit makes each person, (n,), up to a constant; what is unknown counts for nothing."""
        total = np.zeros(table.n)
        latent = np.zeros((table.n, len(self.names)))
        for name in self.attributes:
            column = table.columns[name]
            known = ~np.isnan(column)
            total[known] += self._log_margin(name, column[known])
            if name in self.names:
                latent[known, self.names.index(name)] = self._middle(name, column[known])
        if self.names:
            precision = np.linalg.inv(self.matrix) - np.eye(len(self.names))
            total -= 0.5 * np.einsum("ni,ij,nj->n", latent, precision, latent)
            total -= 0.5 * np.linalg.slogdet(self.matrix)[1]
        return total

    def middle(self, table: PatientTable) -> Floats:
        """Deviates of people, (n, number of attributes), 0 where nothing is known."""
        result = np.zeros((table.n, len(self.attributes)))
        for position, name in enumerate(self.attributes):
            known = ~np.isnan(table.columns[name])
            result[known, position] = self._middle(name, table.columns[name][known])
        return result

    def _middle(self, name: str, column: Floats) -> Floats:
        from scipy.special import ndtr, ndtri

        if self.attributes[name].distribution not in DISCRETE:
            return self.deviates(name, column)
        low, high = self.interval(name, column)
        share = np.clip((ndtr(low) + ndtr(high)) / 2, 1e-9, 1 - 1e-9)
        return np.asarray(ndtri(share))

    def _log_margin(self, name: str, column: Floats) -> Floats:
        if self.attributes[name].distribution in DISCRETE:
            shares = np.array(self._shares(name))
            return np.asarray(np.log(np.maximum(shares[column.astype(np.intp)], 1e-9)))
        axis = self.design.axis(name)
        step = (axis.edges[-1] - axis.edges[0]) * _STEP
        function = self._cdf(name)
        density = (function(column + step) - function(column - step)) / (2 * step)
        return np.asarray(np.log(np.maximum(density, 1e-12)))

    def _cdf(self, name: str) -> Cdf:
        attribute = self.attributes[name]
        kept = ("mean", "sd", "lower", "upper", "zeros")
        parameters = {key: value for key in kept if (value := getattr(attribute, key)) is not None}
        return cdf(attribute.distribution, parameters, self.design.axis(name).limits)

    def _shares(self, name: str) -> tuple[float, ...]:
        """Share of each level of the design; levels that were merged divide theirs evenly."""
        attribute, axis = self.attributes[name], self.design.axis(name)
        if attribute.distribution is Distribution.BERNOULLI:
            probability = attribute.probability or 0.0
            return 1.0 - probability, probability
        levels = attribute.levels or {}
        named = {part: label for label in levels for part in (*label.split(" or "), label)}
        homes = [named.get(level, "other") for level in axis.levels]
        shares = [levels.get(home, 0.0) / homes.count(home) for home in homes]
        total = math.fsum(shares)
        return tuple(share / total for share in shares)
