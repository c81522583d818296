"""From what the user gave to draws of the marrow's and the drug's parameters, and to patients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput
from tools.adverse_events.model import Doses, Marrow, Modes, compartments, doses
from tools.adverse_events.schemas import Cells, Compartments, MyelosuppressionInput
from tools.parameter_sheet import ParameterSheet
from tools.quantities import Quantity, as_uncertain

FloatArray = npt.NDArray[np.float64]
HOURS = 24.0


@dataclass(frozen=True)
class Typical:
    """Draws (D,) of the typical patient's parameters by name, and differences between patients as SD of the logarithm."""

    cells: dict[str, FloatArray]
    clearance: FloatArray
    volumes: FloatArray
    exchange: FloatArray
    absorption: FloatArray | None
    available: float
    spread: dict[str, float]
    certain: bool

    def patients(
        self, draw: int, count: int, rng: np.random.Generator | None
    ) -> tuple[Marrow, Modes, FloatArray | None]:
        """Parameters of `count` patients under one draw; the typical patient without a generator."""

        def varied(name: str, value: float) -> FloatArray:
            sd = self.spread.get(name, 0.0)
            noise = np.zeros(count) if rng is None or sd == 0 else rng.standard_normal(count)
            return np.asarray(value * np.exp(sd * noise))

        cells = {name: varied(name, float(values[draw])) for name, values in self.cells.items()}
        modes = compartments(varied("clearance", float(self.clearance[draw])), self.volumes[draw], self.exchange[draw])
        oral = None if self.absorption is None else np.full(count, self.absorption[draw])
        return Marrow(**cells), modes, oral


def shipped(drug: str, sheet: ParameterSheet) -> tuple[Compartments, Cells]:
    """A drug and the cells it was studied on, as in the parameter sheet."""

    def value(name: str) -> float:
        return sheet[f"{drug}_{name}"].value

    further = ["deep"] if f"{drug}_deep" in sheet else []
    return (
        Compartments(
            clearance=value("clearance"),
            volumes=tuple(value(name) for name in ("central", "peripheral", *further)),
            exchange=(value("exchange"), *(value(f"{name}_exchange") for name in further)),
        ),
        Cells(
            kind="neutrophils" if "neutrophils" in sheet[f"{drug}_baseline"].unit else "leukocytes",
            baseline=value("baseline"), transit_hours=value("transit"), feedback=value("feedback"), slope=value("slope"),
            baseline_sd=value("baseline_variance") ** 0.5, transit_sd=value("transit_variance") ** 0.5,
            slope_sd=value("slope_variance") ** 0.5,
        ),
    )  # fmt: skip


def parameters_of(request: MyelosuppressionInput, sheet: ParameterSheet) -> tuple[Compartments, Cells]:
    """What was given, else what ships."""
    drug, cells = shipped(request.drug, sheet) if request.drug else (request.compartments, request.cells)
    drug, cells = request.compartments or drug, request.cells or cells
    if drug is None or cells is None:
        raise InvalidInput("Give compartments and cells, or name a drug whose parameters ship.")
    return drug, cells


def draw_typical(request: MyelosuppressionInput, drug: Compartments, cells: Cells, seed: int) -> Typical:
    """All draws (InvalidInput when one is not above 0 where it must be)."""
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(5)[4])
    sure = True

    def draw(quantity: Quantity, what: str) -> FloatArray:
        nonlocal sure
        given = as_uncertain(quantity)
        sure = sure and given.certain
        values = given.draw(rng, request.draws)
        if not np.isfinite(values).all() or (values < 0).any():
            raise InvalidInput(f"The {what} must be a number of 0 or more in every draw.")
        return values

    names = {"baseline": "baseline", "transit": "transit_hours", "feedback": "feedback", "slope": "slope",
             "emax": "emax", "ec50": "ec50"}  # fmt: skip
    drawn = {name: draw(getattr(cells, field), field.replace("_", " ")) for name, field in names.items()}
    clearance = draw(drug.clearance, "clearance")
    volumes = np.stack([draw(one, "volume") for one in drug.volumes], axis=1)
    exchange = np.array([draw(one, "exchange") for one in drug.exchange]).T.reshape(request.draws, len(drug.exchange))
    absorption = None if drug.absorption is None else draw(drug.absorption, "absorption rate")
    if not (drawn["slope"].any() or drawn["emax"].any()):
        raise InvalidInput("The drug has no effect on the cells.", "Give a slope, or emax and ec50.")
    spread = {"baseline": cells.baseline_sd, "transit": cells.transit_sd, "slope": cells.slope_sd,
              "emax": cells.slope_sd, "clearance": drug.clearance_sd}  # fmt: skip
    keep = slice(0, 1) if sure else slice(None)
    return Typical(
        {name: values[keep] for name, values in drawn.items()}, clearance[keep], volumes[keep], exchange[keep],
        None if absorption is None else absorption[keep], drug.available, spread, sure,
    )  # fmt: skip


def infusion_hours(request: MyelosuppressionInput, sheet: ParameterSheet) -> float:
    """As asked for, else the drug's usual one, else at once."""
    if request.infusion_hours is not None:
        return request.infusion_hours
    return sheet[f"{request.drug}_infusion"].value if request.drug else 0.0


def schedule(request: MyelosuppressionInput, sheet: ParameterSheet) -> tuple[Doses, float]:
    """Doses of all cycles, and hours of follow-up: to the end of the last cycle. Of drugs that ship, mg become umol."""
    amount = request.dose
    if request.drug and request.dose_unit == "mg":
        amount = request.dose / sheet[f"{request.drug}_molar_mass"].value * 1000
    begins = np.arange(request.cycles) * request.cycle_days
    times = (begins[:, None] + (np.sort(np.array(request.days)) - 1)[None, :]).ravel() * HOURS
    return doses(times, amount, infusion_hours(request, sheet)), request.cycles * request.cycle_days * HOURS
