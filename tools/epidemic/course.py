"""Closed forms of an epidemic's course: growth, doubling, peak, and the next-generation matrix."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import optimize

from knowledge.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]


def peak_prevalence(reproduction_number: float, susceptible: float = 1.0, infected: float = 0.0) -> float:
    """Largest share infectious at one time in a closed SIR epidemic: I0 + S0 − (1 + ln(R0 S0)) / R0, I0 where R0 S0 ≤ 1.

    Raises
    ------
    InvalidInput
        Negative R0, or shares that are not between 0 and 1 or sum to more than 1.
    """
    _not_negative("reproduction number", reproduction_number)
    if not (0 <= susceptible <= 1 and 0 <= infected <= 1 and susceptible + infected <= 1 + 1e-12):
        raise InvalidInput("The susceptible and the infected are shares that sum to at most 1.")
    start = reproduction_number * susceptible
    if start <= 1:
        return float(infected)
    return float(infected + susceptible - (1 + math.log(start)) / reproduction_number)


def reproduction_number_from_growth(
    growth: float, latent: float, infectious: float, latent_stages: int = 1, infectious_stages: int = 1
) -> float:
    """R of an SEIR epidemic that grows by `growth` a day, with Erlang-distributed periods of these means (days).

    Wearing, Rohani & Keeling 2005 (PLoS Medicine 2:e174, doi 10.1371/journal.pmed.0020174); one stage each: (1 + r/s)(1 + r/g).

    Raises
    ------
    InvalidInput
        Periods that are not above 0 (the latent one may be 0), no stages, or a decline that these periods rule out.
    """
    _periods(latent, infectious, latent_stages, infectious_stages)
    if not math.isfinite(growth):
        raise InvalidInput("A growth rate is a finite number.")
    latent_step = 1 + growth * latent / latent_stages
    infectious_step = 1 + growth * infectious / infectious_stages
    if latent_step <= 0 or infectious_step <= 0:
        raise InvalidInput("An epidemic with these periods cannot decline so fast.")
    if abs(growth) * infectious < 1e-9:
        return latent_step**latent_stages
    # 1 - (1 + x)^-n through expm1 and log1p: a small growth rate keeps its digits
    lost = -math.expm1(-infectious_stages * math.log1p(growth * infectious / infectious_stages))
    return float(growth * infectious * latent_step**latent_stages / lost)


def growth_rate(
    reproduction_number: float, latent: float, infectious: float, latent_stages: int = 1, infectious_stages: int = 1
) -> float:
    """Early exponential growth of an SEIR epidemic (per day; negative if R < 1); periods in days, errors as above."""
    _not_negative("reproduction number", reproduction_number)
    _periods(latent, infectious, latent_stages, infectious_stages)
    if reproduction_number == 0:
        raise InvalidInput("Without transmission there is no growth rate.")
    floor = -min(latent_stages / latent if latent else math.inf, infectious_stages / infectious)
    ceiling = max(1.0, reproduction_number) / infectious
    while _excess(ceiling, reproduction_number, latent, infectious, latent_stages, infectious_stages) < 0:
        ceiling *= 2
    return float(
        optimize.brentq(
            _excess, floor * (1 - 1e-12), ceiling, xtol=1e-15, rtol=1e-14,
            args=(reproduction_number, latent, infectious, latent_stages, infectious_stages),
        )
    )  # fmt: skip


def doubling_time(growth: float) -> float:
    """Days in which cases double; negative growth gives minus the halving time, no growth is refused (InvalidInput)."""
    if not math.isfinite(growth) or growth == 0:
        raise InvalidInput("Without growth nothing doubles.")
    return math.log(2) / growth


def next_generation_matrix(
    contacts: npt.ArrayLike,
    population: npt.ArrayLike,
    transmission: float,
    infectious: float,
    susceptibility: npt.ArrayLike = 1.0,
    infectivity: npt.ArrayLike = 1.0,
) -> FloatArray:
    """(G, G) people of the row's group whom one case of the column's group infects (Diekmann & Heesterbeek).

    Parameters
    ----------
    contacts : (G, G) mean contacts a day of one person of the row's group with people of the column's group.
    population : (G,) people. transmission : probability of infection per contact with a case. infectious : days.
    susceptibility, infectivity : (G,) or one number, relative.

    Raises
    ------
    InvalidInput
        Shapes that do not fit, negative numbers.
    """
    matrix, people = contact_matrix(contacts, population)
    given = np.concatenate([np.ravel(susceptibility), np.ravel(infectivity), [transmission, infectious]]).astype(float)
    if not np.isfinite(given).all() or (given < 0).any():
        raise InvalidInput("Transmission, infectious period, susceptibility and infectivity are 0 or more.")
    taken = np.broadcast_to(np.asarray(susceptibility, dtype=np.float64), people.shape)
    spread = np.broadcast_to(np.asarray(infectivity, dtype=np.float64), people.shape)
    return np.asarray(
        transmission * infectious * taken[:, None] * matrix * (people[:, None] / people[None, :]) * spread[None, :]
    )


def reproduction_number(next_generation: npt.ArrayLike) -> float:
    """Dominant eigenvalue of a next-generation matrix (InvalidInput when it is not a square of numbers ≥ 0)."""
    matrix = np.asarray(next_generation, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not np.isfinite(matrix).all() or (matrix < 0).any():
        raise InvalidInput("A next-generation matrix is a square of numbers of 0 or more.")
    return float(np.max(np.linalg.eigvals(matrix).real))


def herd_immunity_threshold(reproduction: float, efficacy: float = 1.0) -> float:
    """Share to be immunised at random for R = 1, well mixed: (1 − 1/R)/efficacy; above 1 no coverage suffices."""
    _not_negative("reproduction number", reproduction)
    if not 0 < efficacy <= 1:
        raise InvalidInput("Efficacy is a share above 0, at most 1.")
    return max(0.0, 1 - 1 / reproduction) / efficacy if reproduction > 0 else 0.0


def contact_matrix(contacts: npt.ArrayLike, population: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Checked (G, G) contacts and (G,) people (InvalidInput when they do not fit or are not numbers ≥ 0)."""
    matrix = np.asarray(contacts, dtype=np.float64)
    people = np.atleast_1d(np.asarray(population, dtype=np.float64))
    if matrix.shape != (len(people), len(people)):
        raise InvalidInput("The contact matrix needs one row and one column for each group.")
    if not np.isfinite(matrix).all() or (matrix < 0).any() or not matrix.any():
        raise InvalidInput("Contacts are 0 or more, and somebody meets somebody.")
    if not np.isfinite(people).all() or (people <= 0).any():
        raise InvalidInput("Every group has people in it.")
    return matrix, people


def reciprocal(contacts: npt.ArrayLike, population: npt.ArrayLike) -> FloatArray:
    """(G, G) contacts made reciprocal: as many of i with j as of j with i, their mean; errors as `contact_matrix`."""
    matrix, people = contact_matrix(contacts, population)
    total = matrix * people[:, None]
    return np.asarray((total + total.T) / 2 / people[:, None])


def _excess(growth: float, target: float, *periods: float) -> float:
    latent, infectious, latent_stages, infectious_stages = periods
    return (
        reproduction_number_from_growth(growth, latent, infectious, int(latent_stages), int(infectious_stages)) - target
    )


def _not_negative(name: str, value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise InvalidInput(f"A {name} is a finite number of 0 or more.")


def _periods(latent: float, infectious: float, latent_stages: int, infectious_stages: int) -> None:
    if not (math.isfinite(latent) and latent >= 0 and math.isfinite(infectious) and infectious > 0):
        raise InvalidInput("The infectious period lies above 0, and the latent period is not negative.")
    if latent_stages < 1 or infectious_stages < 1:
        raise InvalidInput("A period has at least one stage.")
