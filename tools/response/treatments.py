"""Treatments asked about: read, checked, and put on the dose scale of the evidence."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from knowledge.errors import InvalidInput
from knowledge.vocabulary import Vocabulary
from tools.response.doses import FREQUENCIES, DoseRange, check_dose
from tools.response.schedules import StudiedDose, check_schedule, most_studied, read_schedule, schedules_text

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
    notes : assumptions made while reading it; warnings : what the reader must know about it.
    """

    name: str
    label: str
    drug_class: str | None
    dose: float | None
    dose_ratio: float
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def check_treatment(
    vocabulary: Vocabulary,
    ranges: Mapping[str, DoseRange],
    name: str,
    dose: float | None = None,
    unit: str = "",
    frequency: str = "",
    *,
    schedules: Sequence[StudiedDose] = (),
    area: str = "",
    endpoints: Collection[str] = (),
) -> Treatment:
    """Read and check a treatment.

    Parameters
    ----------
    vocabulary : drugs by name, brand and synonym.
    ranges : studied doses by drug.
    name, dose, unit, frequency : as asked; unit and frequency are the drug's usual ones when empty.
    schedules : doses of the drug as trials gave them.
    area, endpoints : where the dose is looked for that is taken when none is stated.

    Raises
    ------
    UnknownDrug : not in the vocabulary.
    InvalidInput : a dose for a control, or a unit that cannot be converted.
    ImpossibleDose : not positive, or beyond or far below what anybody has given.
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
        taken = most_studied(schedules, area, endpoints)
        if taken is None:
            note = f"No dose was stated for {drug.name}, and no trial states one that can be named; it is left open."
            return Treatment(drug.name, drug.name, drug.drug_class, None, 1.0, (note,))
        label = _label(drug.name, taken.dose, drug.dose_unit, taken.frequency)
        why = "given to most participants" if taken.participants else "studied most"
        note = f"No dose was stated for {drug.name}; the dose that was {why} in the trials is taken, {label}."
        return Treatment(drug.name, label, drug.drug_class, taken.amount, taken.amount / studied.reference, (note,))
    asked = read_schedule(frequency) or drug.frequency
    schedule = check_schedule(drug, dose, unit or drug.dose_unit, asked, schedules)
    amount = check_dose(drug, dose, unit, asked, studied)
    if studied is None and drug.max_dose is None:
        warning = (
            f"The dose asked for ({dose:g} {unit or drug.dose_unit}) is not used: no trial in this evidence base states a "
            f"dose of {drug.name}, so it can be neither checked nor told apart; the prediction is for its usual doses."
        )
        return Treatment(drug.name, drug.name, drug.drug_class, None, 1.0, warnings=(warning,))
    ratio = amount / studied.reference if studied is not None else 1.0
    if schedule == asked or FREQUENCIES.get(schedule) == FREQUENCIES.get(asked, -1.0):
        label = _label(drug.name, dose, unit or drug.dose_unit, schedule)
        return Treatment(drug.name, label, drug.drug_class, amount, ratio)
    label = _label(drug.name, amount, drug.dose_unit, schedule)
    if asked in FREQUENCIES:
        warning = f"No trial in this evidence base gave {drug.name} {asked}; the same amount is predicted as {label}."
    else:
        warning = f"The schedule '{asked}' of {drug.name} is not known; the prediction is for {label}."
    warning = f"{warning} {schedules_text(schedules, drug)}".strip()
    return Treatment(drug.name, label, drug.drug_class, amount, ratio, warnings=(warning,))


def _label(name: str, dose: float, unit: str, frequency: str) -> str:
    return " ".join(part for part in (name, f"{dose:g}", unit, frequency) if part)
