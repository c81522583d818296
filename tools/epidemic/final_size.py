"""How many are infected in the end: final size relations of SIR-like epidemics, with one group or many.

The relations do not depend on the latent period or on the shape of the infectious period (Miller 2012, Bulletin of
Mathematical Biology, doi 10.1007/s11538-012-9749-6). `contacts[i, j]` is per head: the infection pressure on one person
of group i from one infected person of group j, as in the package finalsize (epiverse-trace).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]
STEPS = 500


def final_size_homogeneous(reproduction_number: float) -> float:
    """Share of a well-mixed, fully susceptible population infected in the end: the root of z = 1 − exp(−R z), 0 if R ≤ 1.

    Kermack and McKendrick's relation, the same for SIR and SEIR.

    Raises
    ------
    InvalidInput
        A reproduction number that is negative or not finite.
    """
    return float(final_size(reproduction_number, [[1.0]], [1.0])[0])


def final_size(
    reproduction_number: float,
    contacts: npt.ArrayLike,
    population: npt.ArrayLike,
    susceptibility: npt.ArrayLike | None = None,
    shares: npt.ArrayLike | None = None,
    *,
    scale: bool = False,
) -> FloatArray:
    """Share of each group infected in the end.

    Parameters
    ----------
    reproduction_number : multiplies the contact matrix. It is R0 where the matrix is scaled (`scale`, or beforehand, so
        that the dominant eigenvalue of contacts × population is 1).
    contacts : (G, G) infection pressure on one person of the row's group from one person of the column's group.
    population : (G,) people.
    susceptibility : (G, K) relative susceptibility of the risk groups within each group; 1 when left out.
    shares : (G, K) share of the group in each risk group; rows sum to 1.
    scale : divide the matrix by that dominant eigenvalue first.

    Returns
    -------
    (G,) without susceptibility, else (G, K): share of each (risk) group infected.

    Raises
    ------
    InvalidInput
        Shapes that do not fit, negative or infinite numbers, shares that do not sum to 1.

    Notes
    -----
    With the force over the whole epidemic l the infected share is 1 − exp(−s l); l is found by Newton's method from
    above, where it falls monotonically to the largest root because the map is concave.
    """
    matrix, people = _checked(reproduction_number, contacts, population)
    sigma, part = _risk_groups(len(people), susceptibility, shares)
    if scale:
        matrix = matrix / _dominant(matrix)
    matrix = reproduction_number * matrix
    if _dominant(matrix * (sigma * part).sum(axis=1)[None, :]) <= 1:
        infected = np.zeros_like(sigma)
    else:
        force = matrix @ part.sum(axis=1)
        identity = np.eye(len(people))
        for _ in range(STEPS):
            left = np.exp(-sigma * force[:, None])
            excess = force - matrix @ (part * (1 - left)).sum(axis=1)
            slope = identity - matrix * (part * sigma * left).sum(axis=1)[None, :]
            change = np.linalg.solve(slope, excess)
            force = force - change
            if np.max(np.abs(change)) <= 1e-14 * max(1.0, float(np.max(force))):
                break
        infected = -np.expm1(-sigma * np.maximum(force, 0.0)[:, None])
    return np.asarray(infected[:, 0] if susceptibility is None else infected)


def effective_reproduction_number(
    reproduction_number: float,
    contacts: npt.ArrayLike,
    population: npt.ArrayLike,
    susceptibility: npt.ArrayLike | None = None,
    shares: npt.ArrayLike | None = None,
) -> float:
    """Dominant eigenvalue of the next-generation matrix; arguments and errors as `final_size`."""
    matrix, people = _checked(reproduction_number, contacts, population)
    sigma, part = _risk_groups(len(people), susceptibility, shares)
    return float(reproduction_number * _dominant(matrix * (sigma * part).sum(axis=1)[:, None]))


def _dominant(matrix: FloatArray) -> float:
    """Largest real part of the eigenvalues (Perron's root of a non-negative matrix)."""
    return float(np.max(np.linalg.eigvals(matrix).real))


def _checked(
    reproduction_number: float, contacts: npt.ArrayLike, population: npt.ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """(G, G) contacts × population of the column, and (G,) people."""
    matrix = np.asarray(contacts, dtype=np.float64)
    people = np.atleast_1d(np.asarray(population, dtype=np.float64))
    if not np.isfinite(reproduction_number) or reproduction_number < 0:
        raise InvalidInput("A reproduction number is 0 or more.")
    if matrix.shape != (len(people), len(people)):
        raise InvalidInput("The contact matrix needs one row and one column for each group.")
    if not np.isfinite(matrix).all() or (matrix < 0).any() or not np.isfinite(people).all() or (people <= 0).any():
        raise InvalidInput("Contacts are 0 or more, and every group has people in it.")
    made = matrix * people[None, :]
    if not np.any(made):
        raise InvalidInput("Nobody meets anybody in this contact matrix.")
    return made, people


def _risk_groups(
    groups: int, susceptibility: npt.ArrayLike | None, shares: npt.ArrayLike | None
) -> tuple[FloatArray, FloatArray]:
    if susceptibility is None and shares is None:
        return np.ones((groups, 1)), np.ones((groups, 1))
    if susceptibility is None:
        raise InvalidInput("Shares of risk groups need their susceptibility.")
    sigma = np.asarray(susceptibility, dtype=np.float64)
    sigma = sigma[:, None] if sigma.ndim == 1 else sigma
    part = np.full(sigma.shape, 1 / sigma.shape[-1]) if shares is None else np.asarray(shares, dtype=np.float64)
    part = part[:, None] if part.ndim == 1 else part
    if shares is None and sigma.shape[-1] > 1:
        raise InvalidInput("Say which share of each group is in which risk group.")
    if sigma.shape != part.shape or sigma.shape[0] != groups:
        raise InvalidInput("Susceptibility and shares need one row for each group and the same columns.")
    if not (np.isfinite(sigma).all() and np.isfinite(part).all()) or (sigma < 0).any() or (part < 0).any():
        raise InvalidInput("Susceptibilities and shares are 0 or more.")
    if np.max(np.abs(part.sum(axis=1) - 1)) > 1e-6:
        raise InvalidInput("The shares of a group's risk groups sum to 1.")
    return sigma, part
