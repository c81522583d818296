"""Doses on one scale: units, frequencies, each drug's reference dose, and which doses nobody has given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from knowledge.errors import ImpossibleDose, InvalidInput
from knowledge.schemas import Drug, TrialArm

# Grams per unit of mass.
MASS = {"g": 1.0, "mg": 1e-3, "ug": 1e-6, "mcg": 1e-6, "µg": 1e-6, "μg": 1e-6, "ng": 1e-9}
# Administrations in four weeks.
FREQUENCIES = {
    "once daily": 28.0,
    "daily": 28.0,
    "twice daily": 56.0,
    "three times daily": 84.0,
    "four times daily": 112.0,
    "every other day": 14.0,
    "twice weekly": 8.0,
    "once weekly": 4.0,
    "weekly": 4.0,
    "every two weeks": 2.0,
    "every 2 weeks": 2.0,
    "twice monthly": 2.0,
    "every three weeks": 4.0 / 3.0,
    "once monthly": 1.0,
    "monthly": 1.0,
    "every 4 weeks": 1.0,
    "every three months": 1.0 / 3.0,
    "every 3 months": 1.0 / 3.0,
    "every six months": 1.0 / 6.0,
    "every 6 months": 1.0 / 6.0,
}
# How far above the largest dose in the evidence a question may go.
BEYOND_EVIDENCE = 1.5
# How far below the smallest.
BELOW_EVIDENCE = 0.5


@dataclass(frozen=True)
class DoseRange:
    """Studied doses of a drug, in its vocabulary unit and usual frequency."""

    reference: float
    low: float
    high: float


def convert_dose(dose: float, unit: str, frequency: str, drug: Drug) -> float | None:
    """Dose per administration at the drug's usual frequency, in its vocabulary unit; None when not comparable.

    10 ug twice daily of a drug usually given once daily counts as 20. An unknown frequency counts as the usual one.
    """
    factor = _unit_factor(unit, drug.dose_unit)
    if factor is None:
        return None
    given, usual = FREQUENCIES.get(frequency), FREQUENCIES.get(drug.frequency)
    times = given / usual if given and usual else 1.0
    return dose * factor * times


def _unit_factor(unit: str, wanted: str) -> float | None:
    unit, wanted = unit.strip(), wanted.strip()
    if not unit or not wanted or unit.casefold() == wanted.casefold():
        return 1.0
    if unit in MASS and wanted in MASS:
        return MASS[unit] / MASS[wanted]
    return None


def dose_ranges(arms: Iterable[TrialArm], drugs: Mapping[str, Drug]) -> dict[str, DoseRange]:
    """Reference dose (median over arms) and range of each drug, over all endpoints."""
    found: dict[str, dict[tuple[str, str], float]] = {}
    for arm in arms:
        drug = drugs.get(arm.intervention)
        if drug is None or arm.dose is None or arm.arm_role.is_control:
            continue
        dose = convert_dose(arm.dose, arm.dose_unit, arm.frequency, drug)
        if dose is not None:
            found.setdefault(arm.intervention, {})[arm.trial, arm.arm] = dose
    return {
        name: DoseRange(float(median(doses.values())), min(doses.values()), max(doses.values()))
        for name, doses in found.items()
    }


def check_dose(drug: Drug, dose: float, unit: str, frequency: str, studied: DoseRange | None) -> float:
    """The dose in the drug's vocabulary unit and usual frequency.

    Raises
    ------
    InvalidInput
        when the unit cannot be turned into the drug's unit.
    ImpossibleDose
        when it is not positive, above the highest dose studied or licensed (vocabulary), or more than 1.5 times the
        highest dose in the evidence, or less than half of the lowest one.
    """
    unit = unit or drug.dose_unit
    range_text = ""
    if studied is not None:
        span = f"{studied.low:g}" if studied.low == studied.high else f"{studied.low:g} to {studied.high:g}"
        range_text = f"The evidence covers {span} {drug.dose_unit} {drug.frequency}".strip() + "."
    if dose <= 0:
        raise ImpossibleDose(f"A dose of {dose:g} {unit} of {drug.name} is not a dose.".replace("  ", " "), range_text)
    amount = convert_dose(dose, unit, frequency, drug)
    if amount is None:
        raise InvalidInput(
            f"The dose of {drug.name} is given in {drug.dose_unit}; '{unit}' cannot be converted to it.",
            f"State the dose in {drug.dose_unit}.",
        )
    limits = []
    if drug.max_dose is not None:
        limits.append((drug.max_dose, "highest dose studied or licensed"))
    if studied is not None:
        limits.append((BEYOND_EVIDENCE * studied.high, "1.5 times the highest dose in the evidence"))
    for limit, what in limits:
        # A part in a million allows for unit conversion.
        if amount > limit * (1.0 + 1e-6):
            asked = f"{dose:g} {unit} {frequency}".strip()
            raise ImpossibleDose(
                f"{drug.name.capitalize()} {asked} is more than the {what} ({limit:g} {drug.dose_unit}).",
                range_text or f"Ask for at most {limit:g} {drug.dose_unit}.",
            )
    if studied is not None and amount < BELOW_EVIDENCE * studied.low * (1.0 - 1e-6):
        asked = f"{dose:g} {unit} {frequency}".strip()
        raise ImpossibleDose(
            f"{drug.name.capitalize()} {asked} is less than half of the lowest dose in the evidence "
            f"({studied.low:g} {drug.dose_unit} {drug.frequency}".strip()
            + ").",
            range_text,
        )
    return amount
