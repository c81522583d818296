"""What a table says was given → intervention, dose, unit, frequency, role and label of an arm."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from knowledge.errors import UnknownDrug
from knowledge.schemas import ArmRole, Drug
from knowledge.vocabulary import Vocabulary

# Class of the vocabulary → role; all other classes are active.
_ROLES: Final = {
    "placebo": ArmRole.PLACEBO,
    "sham": ArmRole.PLACEBO,
    "usual care": ArmRole.USUAL_CARE,
    "no treatment": ArmRole.NO_TREATMENT,
}
_EXACT: Final = 100.0
_DOSE: Final = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)\s*(mg|ug|mcg|µg|μg|g|units?|iu|u)\b(?!/)", re.IGNORECASE)
_UNITS: Final = {"mcg": "ug", "µg": "ug", "μg": "ug", "unit": "U", "units": "U", "iu": "U", "u": "U"}
_FREQUENCIES: Final = (
    ("once weekly", re.compile(r"\b(?:once[- ](?:a[- ])?week(?:ly)?|weekly|q\.?w\.?|o\.?w\.?)(?!\w)", re.I)),
    ("twice daily", re.compile(r"\b(?:twice[- ](?:a[- ])?da(?:y|ily)|b\.?i\.?d\.?|2x/day)(?!\w)", re.I)),
    ("once daily", re.compile(r"\b(?:once[- ](?:a[- ])?da(?:y|ily)|daily|q\.?d\.?|o\.?d\.?)(?!\w)", re.I)),
    ("monthly", re.compile(r"\b(?:once[- ](?:a[- ])?month(?:ly)?|monthly)(?!\w)", re.I)),
)
_FILLING: Final = re.compile(r"[\W_]+|\b(?:s\.?c\.?|p\.?o\.?|subcutaneous|tablets?|injection)(?!\w)", re.I)


@dataclass(frozen=True)
class Treatment:
    """The cells that a treatment fills, and what was assumed."""

    cells: dict[str, str]
    notes: list[str] = field(default_factory=list)


def read_treatment(cells: Mapping[str, str], vocabulary: Vocabulary) -> Treatment | str:
    """The treatment of a row, or a sentence on why its drug is not known.

    `Semaglutide 1 mg QW` is a drug, a dose and a frequency. A name with other words in it (a combination, a typing
    error) is not guessed at: a wrong drug would be worse than none. Without a unit, a dose is in the drug's usual one.
    """
    text = cells["intervention"]
    found = _drug(text, vocabulary)
    if isinstance(found, str):
        return found
    drug, rest = found
    dose, unit, frequency, left = _dose_in(rest)
    if left:
        return (
            f"'{text[:60]}' is {drug.name} and something else ('{left[:40]}'); "
            "map it in a mapping file (values: intervention)"
        )
    notes: list[str] = []
    filled = {"intervention": drug.name, "frequency": cells["frequency"] or frequency}
    role = _ROLES.get(drug.drug_class, ArmRole.ACTIVE)
    if cells["dose"]:
        filled["dose"] = "" if role.is_control and _is_zero(cells["dose"]) else cells["dose"]
        filled["dose_unit"] = cells["dose_unit"] or unit
    else:
        filled["dose"], filled["dose_unit"] = dose, unit
    if filled["dose"] and not filled["dose_unit"] and drug.dose_unit:
        filled["dose_unit"] = drug.dose_unit
        notes.append(f"The dose of {drug.name} is taken to be in {drug.dose_unit}.")
    if (
        filled["dose"]
        and not cells["dose_unit"]
        and not unit
        and drug.max_dose
        and _above(filled["dose"], drug.max_dose)
    ):
        return f"the dose {filled['dose']} of {drug.name} is above {drug.max_dose:g} {drug.dose_unit}; state dose_unit"
    filled["arm_role"] = cells["arm_role"] or role.value
    label = " ".join(
        filter(None, (drug.name, filled["dose"], filled["dose_unit"] if filled["dose"] else "", frequency))
    )
    filled["arm"] = cells["arm"] or label
    return Treatment(filled, notes)


def _drug(text: str, vocabulary: Vocabulary) -> tuple[Drug, str] | str:
    """The one drug that `text` names, and the rest of the text; a sentence when there is not one."""
    try:
        return vocabulary.drug(text), ""
    except UnknownDrug as error:
        exact = [mention for mention in vocabulary.find_drugs(text) if mention.score == _EXACT]
        if len(exact) == 1:
            mention = exact[0]
            return vocabulary.drugs[mention.drug], f"{text[: mention.start]} {text[mention.end :]}"
        if exact:
            names = " and ".join(mention.drug for mention in exact)
            return f"'{text[:60]}' names {names}; map it to one entry of the drug vocabulary (values: intervention)"
        return (
            f"'{text[:60]}' is not in the drug vocabulary. {error.hint} "
            "Map it in a mapping file (values: intervention), or add it to knowledge/vocabulary/drugs"
        )


def _dose_in(rest: str) -> tuple[str, str, str, str]:
    """Dose, unit and frequency in the words around a drug's name, and what is left of them."""
    dose = unit = frequency = ""
    match = _DOSE.search(rest)
    if match:
        dose, unit = match.group(1), _UNITS.get(match.group(2).lower(), match.group(2).lower())
        rest = f"{rest[: match.start()]} {rest[match.end() :]}"
    for name, pattern in _FREQUENCIES:
        if pattern.search(rest):
            frequency, rest = name, pattern.sub(" ", rest, count=1)
            break
    return dose, unit, frequency, _FILLING.sub("", rest)


def _is_zero(text: str) -> bool:
    return not text.strip("0.")


def _above(text: str, limit: float) -> bool:
    try:
        return float(text) > limit
    except ValueError:
        return False  # reported as not a number when the row is checked
