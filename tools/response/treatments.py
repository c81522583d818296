"""Treatments asked about: read, checked, and put on the dose scale of the evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from knowledge.errors import InvalidInput
from knowledge.vocabulary import Vocabulary
from tools.response.doses import DoseRange, check_dose

# Classes that give nothing of their own.
CONTROL_CLASSES = frozenset({"placebo", "no treatment", "usual care"})


@dataclass(frozen=True)
class Treatment:
    """A treatment asked about, checked.

    Attributes
    ----------
    name : canonical; label : name, dose and frequency.
    drug_class : None for controls.
    dose : in the vocabulary's unit at the usual frequency; None when nobody stated one.
    dose_ratio : dose over the drug's reference dose.
    notes : assumptions made while reading it.
    """

    name: str
    label: str
    drug_class: str | None
    dose: float | None
    dose_ratio: float
    notes: tuple[str, ...] = ()


def check_treatment(
    vocabulary: Vocabulary,
    ranges: Mapping[str, DoseRange],
    name: str,
    dose: float | None = None,
    unit: str = "",
    frequency: str = "",
) -> Treatment:
    """Read and check a treatment.

    Parameters
    ----------
    vocabulary : drugs by name, brand and synonym.
    ranges : studied doses by drug.
    name, dose, unit, frequency : as asked; unit and frequency are the drug's usual ones when empty.

    Raises
    ------
    UnknownDrug : not in the vocabulary.
    InvalidInput : a dose for a control, or a unit that cannot be converted.
    ImpossibleDose : not positive, or beyond what anybody has given.
    """
    drug = vocabulary.drug(name)
    if drug.drug_class.casefold() in CONTROL_CLASSES:
        if dose is not None:
            raise InvalidInput(f"{drug.name.capitalize()} has no dose.", "Leave the dose out.")
        return Treatment(drug.name, drug.name, None, None, 1.0)
    studied = ranges.get(drug.name)
    if dose is None:
        if studied is None:
            return Treatment(drug.name, drug.name, drug.drug_class, None, 1.0)
        label = _label(drug.name, studied.reference, drug.dose_unit, drug.frequency)
        note = f"No dose was stated for {drug.name}; the middle of the studied doses is taken, {label}."
        return Treatment(drug.name, label, drug.drug_class, studied.reference, 1.0, (note,))
    amount = check_dose(drug, dose, unit, frequency, studied)
    ratio = amount / studied.reference if studied is not None else 1.0
    label = _label(drug.name, dose, unit or drug.dose_unit, frequency or drug.frequency)
    return Treatment(drug.name, label, drug.drug_class, amount, ratio)


def _label(name: str, dose: float, unit: str, frequency: str) -> str:
    return " ".join(part for part in (name, f"{dose:g}", unit, frequency) if part)
