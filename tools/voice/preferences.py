"""Published stated preferences (`preferences.yaml`) as weights on the log-odds scale.

A direct choice, an odds ratio and a logit coefficient all say by how much the log odds of choosing change (McFadden
1974); each is brought to that scale with its standard error. See the head of the file for the printed forms.
"""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from statistics import NormalDist
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from knowledge.errors import DataError
from knowledge.faults import Fault, raise_faults
from knowledge.schemas import Frozen
from knowledge.yaml_files import read_mapping

FILE = Path(__file__).parent / "preferences.yaml"
_Z = NormalDist().inv_cdf(0.975)  # printed intervals are 95 % ones


class Level(Frozen):
    """A level of an attribute and the patterns by which an option is read as having it."""

    label: str
    words: tuple[str, ...]
    loose: tuple[str, ...] = ()


class Attribute(Frozen):
    """What options differ in: named levels with a reference, or a number in a unit."""

    label: str
    reference: str = ""
    levels: dict[str, Level] = Field(default_factory=dict)
    unit: str = ""
    number: str = ""

    @model_validator(mode="after")
    def _one_kind(self) -> Attribute:
        if bool(self.levels) == bool(self.number):
            raise ValueError("needs either levels or the pattern of a number")
        if self.levels and self.reference not in self.levels:
            raise ValueError("its reference is none of its levels")
        return self


class Weight(Frozen):
    """A published weight in its printed form; exactly one form. `per` is the step of a number it is printed for."""

    attribute: str
    level: str = ""
    odds_ratio: float | None = Field(None, gt=0)
    coefficient: float | None = None
    part_worth: float | None = None
    share: float | None = Field(None, gt=0, lt=1)
    lower: float | None = None
    upper: float | None = None
    se: float | None = Field(None, gt=0)
    t: float | None = None
    n: int | None = Field(None, gt=0)
    per: float = 1.0

    @model_validator(mode="after")
    def _known_form(self) -> Weight:
        forms = (self.odds_ratio, self.coefficient, self.part_worth, self.share)
        if sum(form is not None for form in forms) != 1:
            raise ValueError("needs exactly one of odds_ratio, coefficient, part_worth and share")
        self.log_odds()
        return self

    def log_odds(self) -> tuple[float, float]:
        """The weight as a change of the log odds, and its standard error (ValueError when that cannot be had)."""
        if self.odds_ratio is not None:
            return math.log(self.odds_ratio), self._half_width(math.log)
        if self.share is not None:
            if self.n is not None:
                return _logit(self.share), 1.0 / math.sqrt(self.n * self.share * (1.0 - self.share))
            return _logit(self.share), self._half_width(_logit)
        value = self.coefficient if self.coefficient is not None else 2.0 * (self.part_worth or 0.0)
        if self.se is not None:
            return value, self.se if self.coefficient is not None else 2.0 * self.se
        if self.t:
            return value, abs(value / self.t)
        raise ValueError("needs a standard error or a t-ratio")

    def _half_width(self, scale: Any) -> float:
        if self.lower is None or self.upper is None or not 0 < self.lower < self.upper:
            raise ValueError("needs its confidence limits, lower below upper")
        return float(scale(self.upper) - scale(self.lower)) / (2.0 * _Z)


class LatentClass(Frozen):
    """People who weigh alike, and how many they are (share, 0–1)."""

    name: str
    share: float = Field(gt=0, lt=1)
    weights: tuple[Weight, ...]


class Membership(Frozen):
    """Log odds of belonging to the first class that having `value` adds."""

    attribute: str
    value: str
    label: str
    coefficient: float
    se: float = Field(gt=0)

    @property
    def distinct(self) -> bool:
        """True when nought lies outside the 95 % interval."""
        return abs(self.coefficient) > _Z * self.se


class Experiment(Frozen):
    """A published choice experiment, or a direct question."""

    id: str
    name: str
    personas: tuple[str, ...]
    source_id: str
    locator: str
    population: str
    n: int | None = None
    model: Literal["direct_choice", "multinomial_logit", "latent_class"]
    limits: tuple[str, ...] = ()
    attributes: dict[str, Attribute]
    weights: tuple[Weight, ...] = ()
    classes: tuple[LatentClass, ...] = ()
    membership: tuple[Membership, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Experiment:
        if (self.model == "latent_class") != (len(self.classes) == 2) or bool(self.weights) == bool(self.classes):
            raise ValueError("needs two classes when it is a latent-class model, weights when it is not")
        layout = [(weight.attribute, weight.level) for weight in self.all_classes[0]]
        for weights in self.all_classes:
            if [(weight.attribute, weight.level) for weight in weights] != layout:
                raise ValueError("its classes weigh different levels")
        for name, level in layout:
            attribute = self.attributes.get(name)
            if attribute is None or (level not in attribute.levels if attribute.levels else level != ""):
                raise ValueError(f"weighs '{name} {level}', which it does not describe")
        for name, attribute in self.attributes.items():
            weighed = {level for other, level in layout if other == name}
            if weighed != ({*attribute.levels} - {attribute.reference} or {""}):
                raise ValueError(f"leaves levels of '{name}' without a weight")
        return self

    @property
    def all_classes(self) -> tuple[tuple[Weight, ...], ...]:
        """The weights of each class; one class when there are no latent ones."""
        return tuple(one.weights for one in self.classes) or (self.weights,)


@lru_cache(maxsize=1)
def experiments() -> tuple[Experiment, ...]:
    """All experiments, in the order of the file (DataError names what is wrong)."""
    faults: list[Fault] = []
    content, lines = read_mapping(FILE, FILE.name, faults)
    found = []
    for name, fields in content.items():
        try:
            found.append(Experiment.model_validate({"id": name, **fields}))
        except (ValidationError, TypeError) as error:
            message = error.errors()[0]["msg"] if isinstance(error, ValidationError) else "is no mapping"
            faults.append(Fault(FILE.name, lines.get(name, 0), name, message))
    raise_faults(faults, DataError, "stated preferences")
    return tuple(found)


def _logit(share: float) -> float:
    return math.log(share / (1.0 - share))
