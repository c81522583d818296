"""Parameters of the simulation tools: YAML rows with unit, interval, distribution and source, and draws from them.

    annual_discount_rate:
      value: 0.03
      unit: per year
      lower: 0.0
      upper: 0.05
      distribution: uniform
      source_id: pmid-27623463
      locator: abstract

A row has a `source_id` with a `locator`, or an `assumption` that says why the value was chosen; never neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import yaml
from pydantic import Field, ValidationError, model_validator
from scipy import stats

from knowledge.errors import DataError
from knowledge.schemas import Frozen

FloatArray = npt.NDArray[np.float64]
Distribution = Literal["fixed", "normal", "lognormal", "beta", "gamma", "uniform"]


class Parameter(Frozen):
    """One parameter: `value` in `unit` with the interval [lower, upper] that holds `level` of the distribution.

    `lognormal` takes `value` as its median, `normal`, `beta` and `gamma` as their mean; a `uniform` spreads evenly over
    the interval. The standard deviation comes from the interval's width (on the log scale for a lognormal), as usual in
    probabilistic sensitivity analysis (Briggs, Claxton, Sculpher 2006, Decision Modelling for Health Economic Evaluation).
    """

    value: float
    unit: str = Field(min_length=1)
    lower: float | None = None
    upper: float | None = None
    level: float = Field(0.95, gt=0, lt=1)
    distribution: Distribution = "fixed"
    description: str = ""
    source_id: str = ""
    locator: str = ""
    assumption: str = ""

    @model_validator(mode="after")
    def _whole(self) -> Parameter:
        if not self.source_id and not self.assumption:
            raise ValueError("needs a source_id or an assumption")
        if self.source_id and not self.locator:
            raise ValueError("a source_id needs a locator: where in the source the value stands")
        if self.distribution == "fixed":
            return self
        lower, upper = self._ends
        if not lower <= self.value <= upper:
            raise ValueError("needs lower <= value <= upper")
        if lower == upper:
            raise ValueError("an interval without width: say distribution: fixed")
        if self.distribution == "lognormal" and lower <= 0:
            raise ValueError("a lognormal interval lies above 0")
        if self.distribution == "gamma" and self.value <= 0:
            raise ValueError("the mean of a gamma lies above 0")
        if self.distribution == "beta":
            if not 0 < self.value < 1:
                raise ValueError("the mean of a beta lies between 0 and 1")
            if self._sd**2 >= self.value * (1 - self.value):
                raise ValueError("the interval is too wide for a beta of this mean")
        return self

    @property
    def _ends(self) -> tuple[float, float]:
        if self.lower is None or self.upper is None:
            raise ValueError("needs lower <= value <= upper")
        return self.lower, self.upper

    @property
    def _sd(self) -> float:
        lower, upper = self._ends
        return float((upper - lower) / (2 * stats.norm.ppf((1 + self.level) / 2)))

    def draw(self, rng: np.random.Generator, n: int) -> FloatArray:
        """(n,) draws; a `fixed` parameter gives its value n times."""
        if self.distribution == "fixed":
            return np.full(n, self.value)
        lower, upper = self._ends
        if self.distribution == "uniform":
            return rng.uniform(lower, upper, n)
        if self.distribution == "normal":
            return rng.normal(self.value, self._sd, n)
        if self.distribution == "lognormal":
            sd = (np.log(upper) - np.log(lower)) / (2 * stats.norm.ppf((1 + self.level) / 2))
            return np.asarray(self.value * np.exp(sd * rng.standard_normal(n)))
        if self.distribution == "gamma":
            shape = (self.value / self._sd) ** 2
            return rng.gamma(shape, self.value / shape, n)
        size = self.value * (1 - self.value) / self._sd**2 - 1
        return rng.beta(self.value * size, (1 - self.value) * size, n)


class ParameterSheet(Mapping[str, Parameter]):
    """The parameters of one tool, by name."""

    def __init__(self, rows: Mapping[str, Parameter]) -> None:
        self._rows = dict(rows)

    def __getitem__(self, name: str) -> Parameter:
        return self._rows[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def source_ids(self) -> tuple[str, ...]:
        """The sources of all rows, each once, in order."""
        return tuple(dict.fromkeys(row.source_id for row in self._rows.values() if row.source_id))

    @property
    def assumed(self) -> tuple[str, ...]:
        """A sentence for each row that stands on an assumption."""
        return tuple(
            f"{row.description or name.replace('_', ' ')}: {row.value:g} {row.unit}. {row.assumption}"
            for name, row in self._rows.items()
            if row.assumption
        )


@lru_cache(maxsize=64)
def read_parameters(path: Path) -> ParameterSheet:
    """Read a sheet (DataError names file, row and fault)."""
    try:
        table = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise DataError(f"{path.name} cannot be read: {error}") from error
    rows = {}
    for name, raw in table.items():
        try:
            rows[name] = Parameter.model_validate(raw)
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in fault["loc"])
            raise DataError(f"{path.parent.name}/{path.name}, {name} {where}: {fault['msg']}") from error
    return ParameterSheet(rows)
