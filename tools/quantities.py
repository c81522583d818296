"""A number that the user gives, with how sure it is: what simulation tools take instead of a bare float."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from knowledge.schemas import Frozen
from tools.parameter_sheet import Parameter

FloatArray = npt.NDArray[np.float64]
Shape = Literal["fixed", "normal", "lognormal", "beta", "gamma", "uniform"]
MAX_DRAWS_GIVEN = 20_000


class Uncertain(Frozen):
    """A value and its distribution; give one of these forms.

    * `value` alone: fixed.
    * `value` with `sd` (normal, gamma, beta: mean and standard deviation; lognormal: median and sd of the logarithm).
    * `value` with `lower` and `upper` that hold `level` of the distribution (as in parameter sheets).
    * `a`, `b`: the distribution's own parameters – normal mean and sd; lognormal mean and sd of the logarithm; beta
      alpha and beta; gamma shape and scale; uniform both ends. `value` is then the base case (the mean when left out).
    * `draws`: samples made elsewhere, for example by another tool; used in order, so that correlations survive.
    """

    value: float | None = None
    distribution: Shape = "fixed"
    sd: float | None = Field(None, gt=0)
    lower: float | None = None
    upper: float | None = None
    level: float = Field(0.95, gt=0, lt=1)
    a: float | None = None
    b: float | None = None
    draws: tuple[float, ...] = Field((), max_length=MAX_DRAWS_GIVEN)

    @model_validator(mode="after")
    def _one_form(self) -> Uncertain:
        interval = self.lower is not None and self.upper is not None
        native = self.a is not None and self.b is not None
        if self.draws:
            return self
        if self.distribution == "fixed":
            if self.value is None:
                raise ValueError("give a value, a distribution or draws")
            return self
        if sum((self.sd is not None, interval, native)) != 1:
            raise ValueError("give the spread once: sd, or lower and upper, or a and b")
        if native:
            _check_native(self.distribution, float(self.a or 0.0), float(self.b or 0.0))
            return self
        if self.value is None:
            raise ValueError("give the value")
        if interval:
            self._parameter()  # its own checks
        else:
            _native(self.distribution, self.value, float(self.sd or 0.0))
        return self

    @property
    def point(self) -> float:
        """The base case."""
        if self.value is not None:
            return self.value
        if self.draws:
            return float(np.mean(self.draws))
        a, b = float(self.a or 0.0), float(self.b or 0.0)
        means = {
            "normal": a,
            "lognormal": float(np.exp(a)),
            "beta": a / (a + b) if a + b else 0.0,
            "gamma": a * b,
            "uniform": (a + b) / 2,
        }
        return means[self.distribution]

    @property
    def certain(self) -> bool:
        """Nothing varies."""
        return not self.draws and self.distribution == "fixed"

    def draw(self, rng: np.random.Generator, n: int) -> FloatArray:
        """(n,) draws; draws made elsewhere are repeated in order until there are n."""
        if self.draws:
            return np.resize(np.asarray(self.draws, dtype=np.float64), n)
        if self.distribution == "fixed":
            return np.full(n, self.point)
        if self.lower is not None and self.upper is not None:
            return self._parameter().draw(rng, n)
        if self.sd is not None:
            a, b = _native(self.distribution, self.point, self.sd)
        else:
            a, b = float(self.a or 0.0), float(self.b or 0.0)
        return _sample(self.distribution, a, b, rng, n)

    def _parameter(self) -> Parameter:
        return Parameter(
            value=self.point,
            unit="given",
            lower=self.lower,
            upper=self.upper,
            level=self.level,
            distribution=self.distribution,
            assumption="given by the user",
        )


Quantity = float | Uncertain


def as_uncertain(quantity: Quantity) -> Uncertain:
    """A bare number is a fixed one."""
    return quantity if isinstance(quantity, Uncertain) else Uncertain(value=float(quantity))


def _sample(shape: str, a: float, b: float, rng: np.random.Generator, n: int) -> FloatArray:
    if shape == "normal":
        return rng.normal(a, b, n)
    if shape == "lognormal":
        return rng.lognormal(a, b, n)
    if shape == "beta":
        return rng.beta(a, b, n)
    if shape == "gamma":
        return rng.gamma(a, b, n)
    return rng.uniform(a, b, n)


def _native(shape: str, mean: float, sd: float) -> tuple[float, float]:
    """Own parameters from mean and standard deviation (method of moments)."""
    if shape == "normal":
        return mean, sd
    if shape == "lognormal":
        if mean <= 0:
            raise ValueError("the median of a lognormal lies above 0")
        return float(np.log(mean)), sd
    if shape == "gamma":
        if mean <= 0:
            raise ValueError("the mean of a gamma lies above 0")
        return (mean / sd) ** 2, sd**2 / mean
    if shape == "beta":
        if not 0 < mean < 1 or sd**2 >= mean * (1 - mean):
            raise ValueError("a beta needs a mean between 0 and 1 and a variance below mean * (1 - mean)")
        size = mean * (1 - mean) / sd**2 - 1
        return mean * size, (1 - mean) * size
    half = float(np.sqrt(3.0)) * sd
    return mean - half, mean + half


def _check_native(shape: str, a: float, b: float) -> None:
    if shape in ("beta", "gamma") and (a <= 0 or b <= 0):
        raise ValueError(f"both parameters of a {shape} lie above 0")
    if shape in ("normal", "lognormal") and b <= 0:
        raise ValueError(f"the standard deviation of a {shape} lies above 0")
    if shape == "uniform" and a >= b:
        raise ValueError("the ends of a uniform are in order")
