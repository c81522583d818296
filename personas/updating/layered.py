"""The shipped archetypes with a user's layer over them: imported archetypes, and what was learned."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from knowledge.errors import PersonaError
from personas.copula import reachable_spearman
from personas.library import PersonaLibrary
from personas.schemas import Attribute, Correlation, LifeEvent, Persona
from personas.updating.thread import FILE_NAME, Threads

if TYPE_CHECKING:
    # What an ask needs is read without these types, whose making takes as long as reading all archetypes.
    from personas.updating.schemas import Learned

    Held = Mapping[str, Mapping[str, Learned]]

OVERLAY: Final = "personas"
IMPORTED: Final = "archetypes"

_SECTIONS = ("demographics", "biomarkers", "comorbidities", "behaviours")


class LayeredLibrary(PersonaLibrary):
    """As `PersonaLibrary`, serving a user's imported archetypes and the learned values of any archetype.

    An archetype inherits what its parent has learned, as it inherits everything its file does not state.

    Parameters
    ----------
    overlay : the user's folder; it need not exist.
    root : the shipped archetypes by default.
    held : persona id → attribute or event → what was learned; read from the threads of `overlay` by default, when the
        first archetype is asked for.
    """

    def __init__(self, overlay: Path, root: Path | None = None, *, held: Held | None = None) -> None:
        self._overlay = overlay / IMPORTED
        self.threads = Threads(overlay / FILE_NAME)
        self._given = held
        self._newest: dict[str, list[dict[str, Any]]] | None = None
        self.revision = 0  # raised by `refresh`: what was computed from an earlier one may be out of date
        super().__init__(root)

    @property
    def overlay(self) -> Path:
        """The folder of imported archetypes."""
        return self._overlay

    def learned(self, persona_id: str) -> Mapping[str, Learned]:
        """What this archetype has itself learned, by attribute or event."""
        if self._given is not None:
            return self._given.get(persona_id, {})
        from personas.updating.schemas import Learned

        found = [Learned.model_validate(item) for item in self._threads().get(persona_id, ())]
        return {item.name: item for item in found}

    def learned_count(self, persona_id: str) -> int:
        """Number of attributes and events that this archetype has itself learned."""
        return len(self._served(persona_id))

    def is_imported(self, persona_id: str) -> bool:
        """True when the archetype's file is the user's."""
        return persona_id in self._files and self._files[persona_id].parent == self._overlay

    def without_learning(self, persona_id: str) -> Persona:
        """The archetype without what it has itself learned; what its parents have learned stays."""
        held = {key: value for key, value in self.all_learned().items() if key != persona_id}
        return self.variant(held).get(persona_id)

    def variant(self, held: Held) -> LayeredLibrary:
        """The same archetypes with other things learned."""
        return LayeredLibrary(self._overlay.parent, self._root, held=held)

    def at(self, overlay: Path) -> LayeredLibrary:
        """The same shipped archetypes and learned values under another user's folder."""
        return LayeredLibrary(overlay, self._root, held=self.all_learned())

    def all_learned(self) -> Held:
        """Persona id → what it has learned."""
        if self._given is not None:
            return self._given
        return {persona_id: self.learned(persona_id) for persona_id in self._threads()}

    def refresh(self) -> None:
        """Look at files and threads again, after either has changed."""
        from personas import resolve

        self._newest = None
        self._files = self._find()
        self._personas = {}
        self.revision += 1
        resolve._RESOLVERS.pop(self, None)

    def _threads(self) -> Mapping[str, list[dict[str, Any]]]:
        """Persona id → what its newest entry says it has learned; read once."""
        if self._newest is None:
            self._newest = {persona_id: body["learned"] for persona_id, body in self.threads.current().items()}
        return self._newest

    def _served(self, persona_id: str) -> dict[str, Attribute | LifeEvent]:
        """The learned values that stand in the place of the archetype's own."""
        if self._given is not None:
            given = self._given.get(persona_id, {}).values()
            return {item.name: value for item in given if (value := item.attribute or item.event) is not None}
        served: dict[str, Attribute | LifeEvent] = {}
        for item in self._threads().get(persona_id, ()):
            if item.get("attribute") is not None:
                served[item["name"]] = Attribute.model_validate(item["attribute"])
            elif item.get("event") is not None:
                served[item["name"]] = LifeEvent.model_validate(item["event"])
        return served

    def _find(self) -> dict[str, Path]:
        files = super()._find()
        if not self._overlay.is_dir():
            return files
        files.update({file.stem: file for file in self._overlay.glob("*.yaml")})
        return dict(sorted(files.items()))

    def _root_of(self, file: Path) -> Path:
        return self._overlay if file.parent == self._overlay else super()._root_of(file)

    def _load(self, persona_id: str, heirs: tuple[str, ...]) -> Persona:
        if persona_id in self._personas:
            return self._personas[persona_id]
        persona = super()._load(persona_id, heirs)
        learned = self._served(persona_id)
        if learned:
            persona = with_learned(persona, learned)
            self._personas[persona_id] = persona
        return persona


def with_learned(persona: Persona, learned: Mapping[str, Attribute | LifeEvent]) -> Persona:
    """The archetype with learned values in the place of its own.

    A value that the archetype no longer has is left out. Correlations that the new margins cannot reach keep the same
    latent strength.

    Raises
    ------
    PersonaError : the learned values leave a correlation nobody can have.
    """
    changed: dict[str, object] = {}
    for section in _SECTIONS:
        own = getattr(persona, section)
        found = {name: item for name in own if isinstance(item := learned.get(name), Attribute)}
        if found:
            changed[section] = {**own, **found}
    events = {item.event: item for item in learned.values() if isinstance(item, LifeEvent)}
    if events:
        changed["life_events"] = tuple(events.get(event.event, event) for event in persona.life_events)
    result = persona.model_copy(update=changed)
    before, after = persona.attributes, result.attributes
    moved = {name for name in after if after[name] is not before[name]}
    correlations = tuple(
        _reachable(item, persona, result) if moved.intersection(item.between) else item for item in persona.correlations
    )
    return result.model_copy(update={"correlations": correlations})


def _reachable(item: Correlation, before: Persona, after: Persona) -> Correlation:
    try:
        reached = reachable_spearman(item, before.attributes, after.attributes)
    except PersonaError as error:
        raise PersonaError(f"{before.id}: {error.message}", error.hint) from error
    if reached == item.spearman:
        return item
    why = f"{item.spearman:g} before the shares were learned; the same dependence gives less with the shares now."
    return Correlation(between=item.between, spearman=reached, assumption=why)
