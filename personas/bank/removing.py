"""Taking an imported archetype out again, when nobody leans on it."""

from __future__ import annotations

from knowledge.errors import Conflict, InvalidInput
from personas.updating.layered import LayeredLibrary


def remove_archetype(persona_id: str, library: LayeredLibrary, *, dry_run: bool = False) -> None:
    """Delete the file of an imported archetype. What it had learned stays in its thread, which forgets nothing.

    Raises
    ------
    UnknownPersona : there is none.
    InvalidInput : it is shipped.
    Conflict : other archetypes inherit from it.
    """
    library.get(persona_id)
    if not library.is_imported(persona_id):
        raise InvalidInput(f"'{persona_id}' is a shipped archetype, which stays.", "Only imported ones can be removed.")
    heirs = library.children(persona_id)
    if heirs:
        raise Conflict(f"{', '.join(heirs)} inherit from '{persona_id}'.", "Remove them first.")
    if not dry_run:
        library.file_of(persona_id).unlink(missing_ok=True)
        library.refresh()
