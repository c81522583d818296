"""Published arms of one endpoint as columns. Arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tools.response.features import FloatArray

Names = NDArray[np.str_]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]
# Added to events and to non-events, so that nobody and everybody have finite logits (Haldane 1956, Anscombe 1956).
CONTINUITY = 0.5

_COLUMNS: Final = (
    "study", "arm", "agent", "drug_class", "control", "dose", "weeks", "n", "value", "se", "events", "kind",
)  # fmt: skip


@dataclass(frozen=True)
class ArmTable:
    """N figures of one endpoint, one for each study, arm and visit.

    Attributes
    ----------
    endpoint, unit : names.
    proportion : True when the figures are events among `n`; `value` is then in percent.
    study, arm, agent, drug_class : (N,) names; `drug_class` is '' where not told.
    control : (N,) arms that give nothing of their own.
    dose, weeks, n, value, se, events : (N,), NaN where not told; `se` in the endpoint's unit.
    kind : (N,) statistic, where a table mixes several (changes and final values).
    against : (N,) agent subtracted where a figure is a difference of two arms, else ''; `against_control` : whether
        that one is a control.
    covariates : by name (N,), NaN where not told.
    notes : what was changed or left out on reading, full sentences.
    """

    endpoint: str
    unit: str
    proportion: bool
    study: Names
    arm: Names
    agent: Names
    drug_class: Names
    control: Flags
    dose: FloatArray
    weeks: FloatArray
    n: FloatArray
    value: FloatArray
    se: FloatArray
    events: FloatArray
    kind: Names
    covariates: Mapping[str, FloatArray] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.study)

    @property
    def studies(self) -> tuple[str, ...]:
        """Names of the studies in alphabetical order."""
        return tuple(str(name) for name in np.unique(self.study))

    @property
    def group(self) -> Names:
        """Class of each row: controls are one, and an agent without a class is its own."""
        own = np.where(self.drug_class == "", self.agent, self.drug_class)
        return np.where(self.control, "control", own)

    @property
    def response(self) -> FloatArray:
        """(N,) value on the model's scale: log odds for proportions."""
        if not self.proportion:
            return self.value
        return np.asarray(np.log((self.events + CONTINUITY) / (self.n - self.events + CONTINUITY)))

    @property
    def response_se(self) -> FloatArray:
        """(N,) standard error on the model's scale."""
        if not self.proportion:
            return self.se
        return np.asarray(np.sqrt(1.0 / (self.events + CONTINUITY) + 1.0 / (self.n - self.events + CONTINUITY)))

    def take(self, rows: Index | Flags) -> ArmTable:
        """The table of these rows."""
        names = (
            "study",
            "arm",
            "agent",
            "drug_class",
            "control",
            "dose",
            "weeks",
            "n",
            "value",
            "se",
            "events",
            "kind",
        )
        columns = {name: getattr(self, name)[rows] for name in names}
        return replace(self, **columns, covariates={name: own[rows] for name, own in self.covariates.items()})

    def pairs(self) -> list[tuple[int, int]]:
        """Positions (arm, reference) of the differences within studies and visits.

        The reference is the control, the first one where there are several; without a control the first arm.
        """
        found = []
        visits = [f"{study}\x1f{weeks:.6g}" for study, weeks in zip(self.study, self.weeks, strict=True)]
        for visit in dict.fromkeys(visits):
            members = [index for index, other in enumerate(visits) if other == visit]
            controls = [index for index in members if self.control[index]]
            reference = controls[0] if controls else members[0]
            found += [(index, reference) for index in members if index != reference and not self.control[index]]
        return found


def stacked(tables: Sequence[ArmTable]) -> ArmTable:
    """The rows of all tables, which are of one endpoint and have the same covariates, in order."""
    columns: dict[str, Any] = {name: np.concatenate([getattr(one, name) for one in tables]) for name in _COLUMNS}
    covariates = {name: np.concatenate([one.covariates[name] for one in tables]) for name in tables[0].covariates}
    return replace(tables[0], **columns, covariates=covariates)
