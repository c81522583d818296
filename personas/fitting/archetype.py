"""The fitted archetype as a YAML file, checked by loading it as the library would."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from knowledge.errors import InvalidInput, PersonaError
from knowledge.schemas import Frozen
from personas.fitting.design import Design
from personas.fitting.fit import Fit, FittedAttribute
from personas.library import PersonaLibrary
from personas.schemas import Attribute, Persona

_SECTIONS = ("demographics", "biomarkers", "comorbidities", "behaviours")
_DIGITS = 5


class Identity(Frozen):
    """What the user says about the new archetype."""

    id: str
    name: str = ""
    area: str
    parent: str | None = None
    geography: str = ""


def archetype_text(fit: Fit, design: Design, identity: Identity, made_from: str, notes: Sequence[str] = ()) -> str:
    """The YAML text.

    Parameters
    ----------
    made_from : clause that says of which data, for the provenance of each value.
    notes : lines of comment at the top: method and privacy.
    """
    name = identity.name or identity.id.replace("_", " ").capitalize()
    own = list(design.restrictions)
    lines = [f"# {line}" for line in notes]
    head: dict[str, Any] = {"id": identity.id, "name": name}
    if identity.parent:
        head["parent"] = identity.parent
    head |= {"area": identity.area, "summary": f"Learned from {made_from}."}
    if identity.geography:
        head["geography"] = identity.geography
    if own:
        head["restrictions"] = own
    lines += [f"{key}: {_flow(value)}" for key, value in head.items()]
    for section in _SECTIONS:
        held = [axis.name for axis in design.axes if axis.section == section and axis.name in fit.attributes]
        if held:
            lines += ["", f"{section}:"]
            lines += [f"  {held_name}: {_flow(_attribute(fit.attributes[held_name], made_from))}" for held_name in held]
    if fit.correlations:
        lines += ["", "correlations:"]
        why = f"Rank correlation fitted to {made_from}."
        for item in fit.correlations:
            entry = {"between": list(item.between), "spearman": _rounded(item.spearman, 4), "assumption": why}
            lines.append(f"  - {_flow(entry)}")
    return "\n".join(lines) + "\n"


def _attribute(item: FittedAttribute, made_from: str) -> dict[str, Any]:
    attribute = item.attribute
    entry: dict[str, Any] = {"distribution": attribute.distribution.value}
    for key in ("zeros", "mean", "sd", "lower", "upper", "probability"):
        value = getattr(attribute, key)
        if value is not None:
            entry[key] = _rounded(value, _DIGITS)
    if attribute.levels is not None:
        entry["levels"] = _shares(attribute)
    missing = "" if not item.missing_share else f", missing in {item.missing_share:.1%}"
    lead = f"; {item.runner_up} fits less well (AIC +{item.aic_gap:.0f})" if item.aic_gap is not None else ""
    return {**entry, "unit": attribute.unit, "assumption": f"Fitted to {made_from}{missing}{lead}."}


def _shares(attribute: Attribute) -> dict[str, float]:
    """Shares to four decimals that sum to exactly 1; the largest takes what rounding leaves."""
    levels = attribute.levels or {}
    rounded = {name: round(share, 4) for name, share in levels.items()}
    largest = max(rounded, key=lambda name: rounded[name])
    rounded[largest] = round(1.0 - sum(share for name, share in rounded.items() if name != largest), 4)
    return rounded


def _rounded(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")


def _flow(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=100_000, allow_unicode=True, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")


def check_archetype(text: str, identity: Identity, library: PersonaLibrary) -> Persona:
    """The archetype as the library reads it, under its parents.

    Raises
    ------
    InvalidInput : the id is taken, or not lower-case letters, digits and underscores.
    UnknownPersona : the parent.
    PersonaError : what the library finds wrong.
    """
    if identity.id in library:
        raise InvalidInput(f"There is an archetype '{identity.id}' already.", "Choose another --id.")
    if not identity.id.replace("_", "a").isalnum() or identity.id != identity.id.lower():
        raise InvalidInput(f"'{identity.id}' is no id.", "Use lower-case letters, digits and underscores.")
    with tempfile.TemporaryDirectory(prefix="cohort-fit-") as folder:
        root = Path(folder)
        parent = identity.parent
        while parent is not None:
            shutil.copy(library.file_of(parent), root / f"{parent}.yaml")
            parent = library.get(parent).parent
        (root / f"{identity.id}.yaml").write_text(text, encoding="utf-8")
        return PersonaLibrary(root).get(identity.id)


def settled_archetype(
    fit: Fit, design: Design, identity: Identity, made_from: str, notes: Sequence[str], library: PersonaLibrary
) -> tuple[str, Persona, bool]:
    """The text of an archetype that loads, the archetype, and whether the parent's correlations had to give way.

    A correlation that the parent states between a fitted attribute and one it only inherits can contradict the data. Then
    all of these are taken back, and the two depend on each other only through what the data say.
    """
    text = archetype_text(fit, design, identity, made_from, notes)
    try:
        return text, check_archetype(text, identity, library), False
    except PersonaError:
        if identity.parent is None:
            raise
        parent = library.get(identity.parent)
        stated = {frozenset(item.between) for item in fit.correlations}
        mixed = [
            {
                "between": list(item.between),
                "spearman": 0.0,
                "assumption": "The parent's value contradicts the correlations in the data.",
            }
            for item in parent.correlations
            if frozenset(item.between) not in stated and any(name in fit.attributes for name in item.between)
        ]
        if not mixed:
            raise
        extra = "" if fit.correlations else "\ncorrelations:\n"
        text += extra + "".join(f"  - {_flow(entry)}\n" for entry in mixed)
        return text, check_archetype(text, identity, library), True
