"""The archetypes as a family tree: read lazily, inheritance applied, every file checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from knowledge.errors import CohortTwinError, PersonaError, UnknownPersona
from personas.copula import REPAIR_TOLERANCE, reachable_spearman
from personas.margins import margin_fault
from personas.restrictions import bounds_of, parse_restrictions
from personas.sampling import latent_structure
from personas.schemas import Correlation, Persona
from personas.units import attribute_info

ARCHETYPES = Path(__file__).parent / "archetypes"
_SECTIONS = ("demographics", "biomarkers", "comorbidities", "behaviours")
_INHERITED = ("area", "summary", "care_setting", "geography")
_NEAREST = 3


@dataclass(frozen=True)
class PersonaNode:
    """A place in the family tree."""

    id: str
    name: str
    children: tuple[PersonaNode, ...] = ()


class PersonaLibrary:
    """All archetypes below a folder, one YAML file each, `<area>/<id>.yaml`.

    Parameters
    ----------
    root : the folder; the packaged archetypes by default. A file is read and checked when it is first asked for.
    """

    def __init__(self, root: Path | None = None) -> None:
        self._root = ARCHETYPES if root is None else root
        self._files = self._find()
        self._personas: dict[str, Persona] = {}

    def get(self, persona_id: str) -> Persona:
        """The archetype with everything it inherits.

        A child's attribute replaces its parent's whole; restrictions, correlations, preferences and life events are
        joined (the child's word wins on the same pair, statement or event); synonyms are the child's own.

        Raises
        ------
        UnknownPersona : no file of this name; the hint names the nearest.
        PersonaError : the file, or one it inherits from, is wrong; names file and field.
        """
        if persona_id not in self._files:
            raise UnknownPersona(f"There is no archetype '{persona_id}'.", self._nearest(persona_id))
        return self._load(persona_id, ())

    def ids(self) -> tuple[str, ...]:
        """All ids, sorted. Reads no file."""
        return tuple(self._files)

    def children(self, persona_id: str) -> tuple[str, ...]:
        """Ids of the archetypes whose parent this is, sorted."""
        self.get(persona_id)
        return tuple(persona.id for persona in self if persona.parent == persona_id)

    def ancestors(self, persona_id: str) -> tuple[str, ...]:
        """Ids from the parent up to the root."""
        chain: list[str] = []
        parent = self.get(persona_id).parent
        while parent is not None:
            chain.append(parent)
            parent = self.get(parent).parent
        return tuple(chain)

    def tree(self) -> tuple[PersonaNode, ...]:
        """The family tree: the roots with their descendants, each level in the order of names."""
        personas = sorted(self, key=lambda persona: persona.name)

        def below(parent: str | None) -> tuple[PersonaNode, ...]:
            return tuple(PersonaNode(p.id, p.name, below(p.id)) for p in personas if p.parent == parent)

        return below(None)

    def file_of(self, persona_id: str) -> Path:
        """The archetype's file."""
        self.get(persona_id)
        return self._files[persona_id]

    def __iter__(self) -> Iterator[Persona]:
        return (self.get(persona_id) for persona_id in self._files)

    def __len__(self) -> int:
        return len(self._files)

    def __contains__(self, persona_id: object) -> bool:
        return persona_id in self._files

    def _find(self) -> dict[str, Path]:
        if not self._root.is_dir():
            raise PersonaError(f"There is no folder of archetypes at '{self._root}'.", "Name an existing folder.")
        files: dict[str, Path] = {}
        for file in sorted(self._root.rglob("*.yaml"), key=lambda path: path.stem):
            if file.stem in files:
                both = f"{self._short(files[file.stem])} and {self._short(file)}"
                raise PersonaError(f"Two archetypes are called '{file.stem}': {both}.", "Rename one file and its id.")
            files[file.stem] = file
        return files

    def _load(self, persona_id: str, heirs: tuple[str, ...]) -> Persona:
        if persona_id in self._personas:
            return self._personas[persona_id]
        file = self._files[persona_id]
        where = self._short(file)
        if persona_id in heirs:
            circle = " → ".join((*heirs[heirs.index(persona_id) :], persona_id))
            raise PersonaError(f"{where}: the archetypes inherit in a circle: {circle}.", "Cut one 'parent'.")
        raw = _read(file, where)
        if raw.get("id") != persona_id:
            raise PersonaError(f"{where}: the id is '{raw.get('id')}'.", f"It must be the file's name, '{persona_id}'.")
        parent_id = raw.get("parent")
        parent = None
        if parent_id is not None:
            if parent_id not in self._files:
                raise PersonaError(f"{where}: the parent '{parent_id}' does not exist.", self._nearest(str(parent_id)))
            parent = self._load(parent_id, (*heirs, persona_id))
        try:
            persona = Persona.model_validate(raw if parent is None else _inherit(parent, raw))
        except ValidationError as error:
            raise PersonaError(f"{where}: {_faults(error)}.", "See personas/archetypes/README.md.") from error
        if parent is not None:
            persona = _weaken_inherited(persona, parent)
        _check(persona, file, where, self._root_of(file))
        self._personas[persona_id] = persona
        return persona

    def _short(self, file: Path) -> str:
        return file.relative_to(self._root_of(file)).as_posix()

    def _root_of(self, file: Path) -> Path:
        """The folder that a file is named from; a library of several folders has several."""
        return self._root

    def _nearest(self, persona_id: str) -> str:
        from rapidfuzz import process

        near = [match[0] for match in process.extract(persona_id, list(self._files), limit=_NEAREST, score_cutoff=40)]
        known = near or list(self._files)[:_NEAREST]
        return f"The nearest {'is' if len(known) == 1 else 'are'} {', '.join(known)}." if known else "There are none."


def provenance_summary(persona: Persona) -> tuple[int, int, float]:
    """How much of an archetype was seen in a source.

    Returns
    -------
    n_sourced, n_assumed : attributes, correlations, preferences and life events with a source, and without.
    share : sourced ones among all, 0–1 (0 when there are none).
    """
    stated = (*persona.attributes.values(), *persona.correlations, *persona.preferences, *persona.life_events)
    sourced = sum(item.source is not None for item in stated)
    return sourced, len(stated) - sourced, sourced / len(stated) if stated else 0.0


class _Loader(yaml.CSafeLoader):
    """CSafeLoader that refuses a key written twice, where YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        if len(set(keys)) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise yaml.constructor.ConstructorError(None, None, f"'{twice}' is written twice", node.start_mark)
        return super().construct_mapping(node, deep)


def _read(file: Path, where: str) -> dict[str, Any]:
    try:
        raw = yaml.load(file.read_text(encoding="utf-8"), Loader=_Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        detail = " ".join(str(error).split())
        raise PersonaError(f"{where} is not readable YAML: {detail}.", "Mend it at that line.") from error
    if not isinstance(raw, dict):
        raise PersonaError(f"{where} is not a mapping of fields.", "See personas/archetypes/README.md.")
    return raw


def _inherit(parent: Persona, raw: dict[str, Any]) -> dict[str, Any]:
    """The child's fields over its parent's; what has the wrong shape is left for validation to name."""
    merged = {**{name: getattr(parent, name) for name in _INHERITED}, **raw}
    for section in _SECTIONS:
        own = raw.get(section, {})
        if isinstance(own, dict):
            merged[section] = {**getattr(parent, section), **own}
    merged["restrictions"] = _joined(parent.restrictions, raw.get("restrictions", []), lambda item: item)
    merged["correlations"] = _joined(parent.correlations, raw.get("correlations", []), _pair)
    merged["preferences"] = _joined(parent.preferences, raw.get("preferences", []), lambda p: _field(p, "statement"))
    merged["life_events"] = _joined(parent.life_events, raw.get("life_events", []), lambda e: _field(e, "event"))
    return merged


def _weaken_inherited(persona: Persona, parent: Persona) -> Persona:
    """Correlations of the parent that the child's own margins cannot reach, kept at the same latent strength.

    A disease that is rare in the child cannot rank-correlate with age as strongly as where it is common, although the
    dependence is the same.
    """
    before = {_pair(item): item for item in parent.correlations}
    correlations = []
    for item in persona.correlations:
        kept = item
        if before.get(_pair(item)) is item and all(name in persona.attributes for name in item.between):
            reached = reachable_spearman(item, parent.attributes, persona.attributes)
            if reached != item.spearman:
                why = f"It is {item.spearman:g} in '{parent.id}'; the same dependence gives less with the shares here."
                kept = Correlation(between=item.between, spearman=reached, assumption=why)
        correlations.append(kept)
    return persona.model_copy(update={"correlations": tuple(correlations)})


def _joined(parents: tuple[Any, ...], own: Any, key: Any) -> Any:
    if not isinstance(own, list):
        return own
    taken = {key(item) for item in own}
    return [*(item for item in parents if key(item) not in taken), *own]


def _field(item: Any, name: str) -> str:
    return str(item.get(name, "") if isinstance(item, dict) else getattr(item, name, ""))


def _pair(item: Any) -> frozenset[str]:
    between = item.get("between", ()) if isinstance(item, dict) else getattr(item, "between", ())
    return frozenset(str(name) for name in between) if isinstance(between, list | tuple) else frozenset()


def _faults(error: ValidationError) -> str:
    named = []
    for fault in error.errors(include_url=False, include_context=False, include_input=False)[:4]:
        where = ".".join(str(part) for part in fault["loc"])
        named.append(f"{where}: {fault['msg']}" if where else fault["msg"])
    return "; ".join(named)


def _check(persona: Persona, file: Path, where: str, root: Path) -> None:
    """Everything the schema cannot see. PersonaError names the file."""
    folder = file.parent.relative_to(root).as_posix()
    if folder not in (".", persona.area):
        raise PersonaError(f"{where}: the area is '{persona.area}'.", f"In folder {folder} it must be '{folder}'.")
    counted = sum(len(getattr(persona, section)) for section in _SECTIONS)
    attributes = persona.attributes
    if counted > len(attributes):
        raise PersonaError(f"{where}: an attribute stands in two sections.", "Keep it in the section of the parent.")
    for name, attribute in attributes.items():
        fault = margin_fault(attribute)
        if fault:
            raise PersonaError(f"{where}: {name}: {fault}.", "See personas/archetypes/README.md.")
        info = attribute_info(name)
        if info is not None and attribute.unit != info.unit:
            raise PersonaError(f"{where}: {name} is in '{attribute.unit}'.", f"State it in {info.unit}.")
    for item in persona.correlations:
        unknown = [name for name in item.between if name not in attributes]
        if unknown or item.between[0] == item.between[1]:
            what = f"names the unknown attribute '{unknown[0]}'" if unknown else "is of an attribute with itself"
            raise PersonaError(f"{where}: the correlation of {' and '.join(item.between)} {what}.", "Mend or drop it.")
    try:
        bounds_of(persona, parse_restrictions(persona.restrictions))
        _, latent = latent_structure(persona)
    except CohortTwinError as error:
        raise PersonaError(f"{where}: {error.message}", error.hint) from error
    if latent.moved > REPAIR_TOLERANCE:
        raise PersonaError(
            f"{where}: no population can have all of these correlations at once; the nearest that can be moves "
            f"{' and '.join(latent.moved_pair)} by {latent.moved:.2f}.",
            "Weaken one of the correlations of these two.",
        )
