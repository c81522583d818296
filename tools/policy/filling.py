"""The matrix of draws: every uncertain number is drawn once, and each link takes its columns from here."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput
from tools.parameter_sheet import Parameter, ParameterSheet, read_parameters
from tools.policy.schemas import LinkInput
from tools.quantities import Quantity, as_uncertain

FloatArray = npt.NDArray[np.float64]
TOOLS = Path(__file__).parents[1]
# A stream of its own, so that these draws say nothing of those of the funnel, made from the same seed.
STREAM = 90_210
TAIL = 0.05


def sheet(tool: str) -> ParameterSheet:
    """The parameter sheet of a tool: numbers that another tool has are taken from there, never written twice."""
    return read_parameters(TOOLS / tool / "parameters.yaml")


@dataclass
class Matrix:
    """Draws by name, (D,) each, and what the links used of them.

    Attributes
    ----------
    columns : the draws. inputs : by link, what it used. assumptions, warnings : sentences for the reader.
    """

    seed: int
    draws: int
    columns: dict[str, FloatArray] = field(default_factory=dict)
    inputs: dict[str, list[LinkInput]] = field(default_factory=dict)
    assumptions: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    source_ids: list[str] = field(default_factory=list)

    def rng(self, name: str) -> np.random.Generator:
        """The stream of one quantity: it does not depend on which others are drawn, or in what order."""
        return np.random.default_rng([self.seed, STREAM, *name.encode()])

    def given(
        self,
        link: str,
        name: str,
        quantity: Quantity,
        unit: str,
        low: float = 0.0,
        high: float = 1.0,
        said: str = "as given in the question",
    ) -> FloatArray:
        """(D,) draws of what the user gave (InvalidInput when it lies outside [low, high])."""
        one = as_uncertain(quantity)
        values = one.draw(self.rng(name), self.draws)
        if not np.isfinite(values).all() or not low <= one.point <= high:
            raise InvalidInput(f"{name[0].upper()}{name[1:]} lies between {low:g} and {high:g}, not at {one.point:g}.")
        return self.note(link, name, np.clip(values, low, high), unit, assumption=said)

    def row(self, link: str, name: str, tool: str, key: str, low: float = -np.inf, high: float = np.inf) -> FloatArray:
        """(D,) draws of a row of a tool's parameter sheet; said among the assumptions."""
        one: Parameter = sheet(tool)[key]
        values = np.clip(one.draw(self.rng(f"{tool}.{key}"), self.draws), low, high)
        where = f" ({one.source_id})" if one.source_id else ""
        self.assumptions.append(f"{one.description}: {one.value:g} {one.unit}{where}. {one.assumption}".strip())
        sources = (one.source_id,) if one.source_id else ()
        return self.note(link, name, values, one.unit, sources, one.assumption)

    def take(
        self,
        link: str,
        name: str,
        quantity: Quantity | None,
        unit: str,
        key: str,
        *,
        tool: str = "policy",
        low: float = 0.0,
        high: float = 1.0,
    ) -> FloatArray:
        """What the user gave, else the sheet's row."""
        if quantity is not None:
            return self.given(link, name, quantity, unit, low, high)
        return self.row(link, name, tool, key, low, high)

    def note(
        self,
        link: str,
        name: str,
        values: FloatArray,
        unit: str,
        sources: tuple[str, ...] = (),
        assumption: str = "",
    ) -> FloatArray:
        """Record a column and that the link used it; gives the values back."""
        self.columns[name] = values
        varies = float(np.ptp(values)) > 0
        lower, upper = (float(v) for v in np.quantile(values, [TAIL, 1 - TAIL])) if varies else (None, None)
        self.inputs.setdefault(link, []).append(
            LinkInput(
                name=name,
                value=float(values.mean()),
                lower=lower,
                upper=upper,
                unit=unit,
                source_ids=sources,
                assumption=assumption,
            )
        )
        self.source_ids += [one for one in sources if one not in self.source_ids]
        return values
