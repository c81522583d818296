"""Forecasts of a hierarchy that add up: bottom-up, OLS, and MinT with a shrunk covariance.

MinT (Wickramasuriya, Athanasopoulos, Hyndman 2019): ỹ = S (S' W⁻¹ S)⁻¹ S' W⁻¹ ŷ, computed here in its equal form
ỹ = ŷ - W C' (C W C')⁻¹ C ŷ with the constraints C = [I, -A], which inverts one row for each sum only. OLS is W = I.
W is shrunk to its diagonal as Schäfer and Strimmer 2005 do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]
METHODS = ("bottom_up", "ols", "mint_shrink")
FLOOR = 1e-8  # of the largest variance: series that were forecast without error keep W invertible
TOTAL = "total"


@dataclass(frozen=True)
class Hierarchy:
    """Names of all series, sums first and then the bottom ones, and the matrix S (n, m) that makes them of the m bottom ones."""

    names: tuple[str, ...]
    sums: FloatArray

    @property
    def bottom(self) -> tuple[str, ...]:
        """The series that are not sums."""
        return self.names[len(self.names) - self.sums.shape[1] :]

    def below(self, name: str) -> npt.NDArray[np.bool_]:
        """(m,) which bottom series are part of this one."""
        return np.asarray(self.sums[self.names.index(name)] > 0)


def hierarchy(parents: Mapping[str, str]) -> Hierarchy:
    """The hierarchy in which each name belongs to its parent ('' : to none); several roots get a sum of their own, `total`.

    Raises
    ------
    InvalidInput
        A circle, or no series at all.
    """
    if not parents:
        raise InvalidInput("Give at least one series.")
    known = dict(parents)
    for above in parents.values():
        if above:
            known.setdefault(above, "")
    roots = [name for name, above in known.items() if not above]
    if len(roots) != 1:
        if TOTAL in known:
            raise InvalidInput(f"'{TOTAL}' is the name of the sum over all series.", "Call that series something else.")
        known = {name: above or TOTAL for name, above in known.items()} | {TOTAL: ""}
    chains = {name: _chain(name, known) for name in known}
    inner = set(known.values()) - {""}
    upper = sorted(inner, key=lambda name: (len(chains[name]), list(known).index(name)))
    bottom = [name for name in known if name not in inner]
    matrix = np.array([[float(name in chains[leaf]) for leaf in bottom] for name in (*upper, *bottom)])
    return Hierarchy((*upper, *bottom), matrix)


def _chain(name: str, parents: Mapping[str, str]) -> list[str]:
    chain = [name]
    while parents[chain[-1]]:
        if parents[chain[-1]] in chain:
            raise InvalidInput(f"'{name}' would be part of itself.")
        chain.append(parents[chain[-1]])
    return chain


def shrinkage(errors: npt.ArrayLike) -> float:
    """How far (0 to 1) the correlations of errors (T, n) are to be shrunk to 0 (Schäfer and Strimmer 2005)."""
    given = np.asarray(errors, dtype=np.float64)
    rows = given.shape[0]
    if given.ndim != 2 or rows < 2 or not np.isfinite(given).all():
        raise InvalidInput("A covariance needs at least two rows of errors.")
    size = np.sqrt(np.mean(given**2, axis=0))
    unit = np.divide(given, size, out=np.zeros_like(given), where=size > 0)
    r = unit.T @ unit / rows
    spread = ((unit**2).T @ unit**2 / rows - r**2) / (rows - 1)
    np.fill_diagonal(r, 0.0)
    np.fill_diagonal(spread, 0.0)
    power = float((r**2).sum())
    return min(max(float(spread.sum()) / power, 0.0), 1.0) if power > 0 else 1.0


def shrunk_covariance(errors: npt.ArrayLike) -> FloatArray:
    """(n, n) second moments of errors (T, n) around 0, their off-diagonal parts shrunk; never singular."""
    given = np.asarray(errors, dtype=np.float64)
    weight = shrinkage(given)
    moments = given.T @ given / given.shape[0]
    own = np.diag(moments).copy()
    if not own.max() > 0:
        return np.eye(own.size)
    shrunk = (1 - weight) * moments
    np.fill_diagonal(shrunk, np.maximum(own, FLOOR * own.max()))
    return np.asarray(shrunk)


def reconcile(
    base: npt.ArrayLike, sums: npt.ArrayLike, method: str = "mint_shrink", errors: npt.ArrayLike | None = None
) -> FloatArray:
    """Forecasts that add up exactly, of the shape of `base`.

    Parameters
    ----------
    base : (n, …) forecasts of all series, sums first. sums : (n, m) matrix S, its last m rows the identity.
    method : bottom_up, ols, mint_shrink. errors : (T, n) of past forecasts, for mint_shrink.

    Raises
    ------
    InvalidInput
        Shapes that do not fit, an S whose last rows are not the identity, or an unknown method.
    """
    said, matrix = np.asarray(base, dtype=np.float64), np.asarray(sums, dtype=np.float64)
    n, m = matrix.shape if matrix.ndim == 2 else (0, 0)
    if said.ndim < 1 or said.shape[0] != n or m < 1 or n < m or not np.array_equal(matrix[n - m :], np.eye(m)):
        raise InvalidInput("Forecasts and the matrix of sums do not fit: rows are all series, sums first.")
    if not np.isfinite(said).all():
        raise InvalidInput("A forecast is not a number.")
    if method not in METHODS:
        raise InvalidInput(f"There is no reconciliation '{method}'.", f"There are: {', '.join(METHODS)}.")
    flat = said.reshape(n, -1)
    upper = n - m
    if method == "bottom_up" or upper == 0:
        bottom = flat[upper:]
    else:
        above = matrix[:upper]
        gap = flat[:upper] - above @ flat[upper:]
        if method == "ols":
            # W C' has the rows -A' of the bottom series; C W C' = I + A A'.
            bottom = flat[upper:] + above.T @ np.linalg.solve(np.eye(upper) + above @ above.T, gap)
        else:
            if errors is None or np.asarray(errors).ndim != 2 or np.asarray(errors).shape[1] != n:
                raise InvalidInput("MinT needs past errors of all series, one row for each forecast.")
            covariance = shrunk_covariance(errors)
            constraints = np.hstack([np.eye(upper), -above])
            carried = covariance @ constraints.T
            bottom = flat[upper:] - carried[upper:] @ np.linalg.solve(constraints @ carried, gap)
    return np.asarray((matrix @ bottom).reshape(said.shape))


def incoherence(values: npt.ArrayLike, sums: npt.ArrayLike) -> float:
    """Largest difference between a sum and its parts, in values (n, …)."""
    given, matrix = np.asarray(values, dtype=np.float64), np.asarray(sums, dtype=np.float64)
    bottom = given[matrix.shape[0] - matrix.shape[1] :].reshape(matrix.shape[1], -1)
    return float(np.abs(given.reshape(matrix.shape[0], -1) - matrix @ bottom).max())
