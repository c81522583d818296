"""Group-sequential designs: boundaries, stopping probabilities and expected size by recursive numerical integration.

Armitage, McPherson, Rowe 1969 (J R Stat Soc A 132:235); Jennison, Turnbull 2000, Group Sequential Methods, chapter 19.
Z statistics at information fractions t have mean theta * sqrt(t) and covariance sqrt(t_i / t_j).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

from knowledge.errors import InvalidInput
from tools.trial_design.model import check_test

FloatArray = npt.NDArray[np.float64]
Shape = Literal["pocock", "obrien_fleming", "spending_obrien_fleming", "spending_pocock"]

NODES = 96
TAIL = 9.0
MOST_LOOKS = 20


@dataclass(frozen=True)
class Boundaries:
    """Critical values of |Z| (two sides) or Z (one side) at each look.

    Attributes
    ----------
    fractions : (K,) information fractions, the last one 1.
    critical : (K,).
    spent : (K,) type I error spent by each look, cumulated.
    """

    fractions: FloatArray
    critical: FloatArray
    spent: FloatArray
    sides: int


def group_sequential(
    looks: int | Sequence[float], alpha: float = 0.05, shape: Shape = "pocock", sides: int = 2
) -> Boundaries:
    """Efficacy boundaries.

    Parameters
    ----------
    looks : number of equally spaced looks, or their information fractions (rising, the last one 1).
    shape : 'pocock' (constant; Pocock 1977, Biometrika 64:191), 'obrien_fleming' (falling with 1/sqrt(t); O'Brien,
        Fleming 1979, Biometrics 35:549), or the spending functions that resemble them (Lan, DeMets 1983, Biometrika
        70:659).

    Raises
    ------
    InvalidInput
        Looks or alpha cannot be used.
    """
    check_test(alpha, sides)
    fractions = _fractions(looks)
    if shape.startswith("spending"):
        target = _spent(fractions, alpha, shape, sides)
        critical = np.empty(len(fractions))
        for look in range(len(fractions)):
            # Each look spends what is due, given the boundaries before it.
            def excess(value: float, look: int = look) -> float:
                trial = np.append(critical[:look], value)
                return float(crossing(fractions[: look + 1], trial, 0.0, sides).sum() - target[look])

            critical[look] = optimize.brentq(excess, 0.0, TAIL - 0.5, xtol=1e-10)
        return Boundaries(fractions, critical, target, sides)
    weight = np.ones(len(fractions)) if shape == "pocock" else 1 / np.sqrt(fractions)
    constant = optimize.brentq(
        lambda value: float(crossing(fractions, value * weight, 0.0, sides).sum() - alpha), 0.5, TAIL - 1, xtol=1e-10
    )
    critical = constant * weight
    return Boundaries(fractions, critical, np.cumsum(crossing(fractions, critical, 0.0, sides)), sides)


def crossing(fractions: FloatArray, critical: FloatArray, drift: float, sides: int = 2) -> FloatArray:
    """Probability (K,) that the boundary is first crossed at each look, when Z at full information has mean `drift`.

    Of two sides a crossing in either direction counts.
    """
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    exits = np.empty(len(fractions))
    upper = critical[0]
    mean = drift * np.sqrt(fractions[0])
    exits[0] = special.ndtr(mean - upper) + (special.ndtr(-upper - mean) if sides == 2 else 0.0)
    grid, width = _grid(nodes, weights, upper, mean, sides)
    density = stats.norm.pdf(grid - mean) * width
    for look in range(1, len(fractions)):
        before, now = fractions[look - 1], fractions[look]
        step = np.sqrt(now - before)
        carried = grid * np.sqrt(before)
        level = critical[look] * np.sqrt(now)
        move = drift * (now - before)
        exits[look] = density @ special.ndtr((carried + move - level) / step)
        if sides == 2:
            exits[look] += density @ special.ndtr((-level - carried - move) / step)
        if look == len(fractions) - 1:
            break
        fresh, width = _grid(nodes, weights, critical[look], drift * np.sqrt(now), sides)
        kernel = stats.norm.pdf((fresh[:, None] * np.sqrt(now) - carried - move) / step) * np.sqrt(now) / step
        density = (kernel @ density) * width
        grid = fresh
    return exits


def sequential_power(boundaries: Boundaries, drift: float) -> float:
    """Power when Z at full information has mean `drift`; of two sides, rejection in either direction."""
    return float(crossing(boundaries.fractions, boundaries.critical, drift, boundaries.sides).sum())


def inflation(boundaries: Boundaries, power: float = 0.8) -> float:
    """Factor by which the largest sample exceeds that of a trial with one look of the same alpha and power."""
    alpha = float(boundaries.spent[-1])
    check_test(alpha, boundaries.sides, power)
    one_look = Boundaries(
        np.ones(1), np.array([stats.norm.ppf(1 - alpha / boundaries.sides)]), np.array([alpha]), boundaries.sides
    )
    return (_drift(boundaries, power) / _drift(one_look, power)) ** 2


def expected_fraction(boundaries: Boundaries, drift: float) -> float:
    """Expected share of the largest sample that is used when Z at full information has mean `drift`."""
    exits = crossing(boundaries.fractions, boundaries.critical, drift, boundaries.sides)
    return float(exits[:-1] @ boundaries.fractions[:-1] + (1 - exits[:-1].sum()) * boundaries.fractions[-1])


def _drift(boundaries: Boundaries, power: float) -> float:
    return float(optimize.brentq(lambda value: sequential_power(boundaries, value) - power, 0.0, 30.0, xtol=1e-9))


def _grid(
    nodes: FloatArray, weights: FloatArray, critical: float, mean: float, sides: int
) -> tuple[FloatArray, FloatArray]:
    """Nodes and widths of the region in which the trial goes on."""
    low = max(-critical, mean - TAIL) if sides == 2 else min(mean, critical) - TAIL
    high = min(critical, mean + TAIL)
    if high <= low:  # all but nothing goes on
        low = high - 1e-6
    half = (high - low) / 2
    return low + half * (nodes + 1), weights * half


def _spent(fractions: FloatArray, alpha: float, shape: str, sides: int) -> FloatArray:
    """Lan-DeMets spending functions at the fractions, total over both sides."""
    each = alpha / sides
    if shape == "spending_obrien_fleming":
        quantile = stats.norm.ppf(1 - each / 2)
        return np.asarray(sides * 2 * special.ndtr(-quantile / np.sqrt(fractions)))
    return np.asarray(sides * each * np.log1p((np.e - 1) * fractions))


def _fractions(looks: int | Sequence[float]) -> FloatArray:
    if isinstance(looks, int):
        if not 1 <= looks <= MOST_LOOKS:
            raise InvalidInput(f"A trial has 1 to {MOST_LOOKS} looks, not {looks}.")
        return np.arange(1, looks + 1) / looks
    fractions = np.asarray(looks, dtype=np.float64)
    rising = len(fractions) > 0 and np.all(np.diff(fractions) > 0) and fractions[0] > 0
    if not rising or abs(fractions[-1] - 1) > 1e-9 or len(fractions) > MOST_LOOKS:
        raise InvalidInput("Information fractions rise from above 0 to 1.", "For example 0.5 and 1.")
    return fractions
