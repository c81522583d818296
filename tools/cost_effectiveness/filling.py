"""Fills what the user left out from the parameter sheet, and says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from knowledge.errors import InvalidInput
from tools.cost_effectiveness.schemas import (
    Comparison,
    CostEffectivenessInput,
    DiseaseBurden,
    GivenOutcomes,
    MarkovModel,
    Microsimulation,
    Model,
    PartitionedSurvival,
)
from tools.parameter_sheet import Parameter, read_parameters
from tools.quantities import Quantity, Uncertain, as_uncertain


@dataclass(frozen=True)
class Filled:
    """A model with nothing missing, and what was taken for the user."""

    model: Model
    names: tuple[str, ...]
    cost_rate: float
    effect_rate: float
    threshold: float
    assumptions: tuple[str, ...]
    warnings: tuple[str, ...]
    source_ids: tuple[str, ...]


def fill(request: CostEffectivenessInput, sheet_file: Path) -> Filled:
    """Defaults from the sheet.

    Raises
    ------
    InvalidInput
        A price, effect or persistence that no source gives and the user did not; a kind of effect the model lacks.
    """
    sheet = read_parameters(sheet_file)
    said: list[str] = []
    warned: list[str] = []
    sources: list[str] = []

    def take(name: str) -> Parameter:
        row = sheet[name]
        sources.append(row.source_id)
        said.append(f"{row.description}: {row.value:g} {row.unit} ({row.source_id}).")
        return row

    model = request.model
    if isinstance(model, Comparison):
        model = _comparison(model, take, said, warned)
        names: tuple[str, ...] = (model.comparator, model.intervention)
    else:
        names = tuple(one.name for one in model.strategies)
    if len(set(names)) < len(names):
        raise InvalidInput("Two strategies have the same name.", "Give each its own.")
    _effect_fits(request, model)
    discounted = not isinstance(model, GivenOutcomes)
    cost_rate, effect_rate = request.discount_costs, request.discount_effects
    if discounted and (cost_rate is None or effect_rate is None):
        usual = take("discount_rate").value
        cost_rate = usual if cost_rate is None else cost_rate
        effect_rate = usual if effect_rate is None else effect_rate
    threshold = request.threshold
    if threshold is None:
        if request.effect != "qaly" or request.currency not in ("US$", "USD", "$"):
            raise InvalidInput(
                f"What is one unit of the effect worth in {request.currency}?",
                "Give 'threshold'; only a QALY in US$ has a usual one here.",
            )
        threshold = take("threshold_per_qaly").value
    return Filled(
        model, names, cost_rate or 0.0, effect_rate or 0.0, threshold, tuple(said), tuple(warned),
        tuple(dict.fromkeys(sources)),
    )  # fmt: skip


def _effect_fits(request: CostEffectivenessInput, model: Model) -> None:
    """The model counts the effect that is asked for (InvalidInput)."""
    if request.effect == "daly_averted" and isinstance(model, (MarkovModel, Microsimulation)) and not (
        model.disability_weights or model.remaining_years is not None
    ):  # fmt: skip
        raise InvalidInput("The model has no DALYs.", "Give 'disability_weights', and 'dead' with 'remaining_years'.")
    if isinstance(model, DiseaseBurden) and request.effect != "daly_averted":
        raise InvalidInput("A model of burden counts DALYs.", "Set 'effect' to 'daly_averted' and give a 'threshold'.")
    if isinstance(model, PartitionedSurvival) and request.effect == "daly_averted":
        raise InvalidInput("A partitioned survival model has no DALYs.", "Give a Markov model.")
    if isinstance(model, Comparison) and request.effect != "qaly":
        raise InvalidInput("A simple comparison counts QALYs.", "Set 'effect' to 'qaly', or give a Markov model.")
    if request.starters and isinstance(model, (GivenOutcomes, DiseaseBurden)):
        raise InvalidInput("Costs by year are not known here.", "Leave out 'starters', or give a model over time.")


def _comparison(model: Comparison, take: Callable[[str], Parameter], said: list[str], warned: list[str]) -> Comparison:
    """A comparison with price, worth of the effect and persistence filled in (InvalidInput)."""
    changed: dict[str, Quantity] = {}
    if model.cost_per_year is None:
        if not model.list_price_of:
            raise InvalidInput("What does a year of treatment cost?", "Give 'cost_per_year', or name 'list_price_of'.")
        changed["cost_per_year"] = take(f"list_price_{model.list_price_of}").value
        warned.append("The list price is before rebates and discounts; what payers pay is lower and not published.")
    if model.utility_gain is None:
        if model.effect is None:
            raise InvalidInput(
                "What does the treatment do for quality of life?",
                "Give 'utility_gain', or 'effect' and 'utility_per_unit'.",
            )
        if model.utility_per_unit is None:
            if model.effect_unit != "bmi":
                raise InvalidInput(
                    "What is a unit of the effect worth in utility?",
                    "Give 'utility_per_unit'; for a change of BMI set 'effect_unit' to 'bmi'.",
                )
            row = take("utility_per_bmi_unit")
            changed["utility_per_unit"] = Uncertain(
                value=row.value, lower=row.lower, upper=row.upper, level=row.level, distribution="normal"
            )
    if model.persistence is None:
        changed["persistence"] = 1.0
        said.append("Everybody is assumed to stay on treatment; give 'persistence' to change that.")
    said.append(
        "Deaths are not modelled: the gain is in quality of life only, and costs avoided later are not counted."
    )
    if as_uncertain(model.half_life_years).point == 0:
        said.append("The effect is lost at once when treatment stops.")
    return model.model_copy(update=changed)
