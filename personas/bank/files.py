"""Archetypes out to a file and in from one. What comes in is data: checked whole, written anew, never obeyed."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import yaml
from pydantic import ValidationError

from knowledge.errors import CohortTwinError, InvalidInput, PersonaError
from knowledge.ingest.user_yaml import read_user_yaml
from knowledge.schemas import Frozen, Source
from personas.bank.file_schema import RESERVED, ArchetypeFile
from personas.schemas import Persona, Provenanced
from personas.updating.layered import IMPORTED, LayeredLibrary

LARGEST_FILE: Final = 200_000  # bytes
_LONGEST_TEXT: Final = 1000
_DEEPEST: Final = 12
_HINT: Final = "See personas/archetypes/README.md, or: cohort personas schema"


class Imported(Frozen):
    """What an import did, or would do."""

    id: str
    name: str
    parent: str | None
    attributes: int
    replaced: bool
    dry_run: bool
    path: str


def export_text(persona: Persona, form: Literal["yaml", "json"]) -> str:
    """The archetype with everything it inherits and has learned, as text that `import_archetype` takes."""
    stated = persona.model_dump(mode="json", exclude_none=True)
    fields = {name: value for name, value in stated.items() if value not in ("", [], {})}
    if form == "json":
        return json.dumps(fields, ensure_ascii=False, indent=2) + "\n"
    return str(yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=120))


def export_archetype(persona: Persona, out: Path, *, force: bool = False) -> Path:
    """Write an archetype to a .yaml, .yml or .json file, whole or not at all.

    Raises
    ------
    InvalidInput : another ending; the file exists and `force` is not set; the folder cannot be written.
    """
    ending = out.suffix.lower()
    if ending not in (".yaml", ".yml", ".json"):
        raise InvalidInput(f"'{out.name}' is neither .yaml nor .json.", "Name the file accordingly.")
    if out.exists() and not force:
        raise InvalidInput(f"{out} already exists.", "Name another file, or add --force to replace it.")
    _write(out, export_text(persona, "json" if ending == ".json" else "yaml"))
    return out


def import_archetype(
    file: Path,
    library: LayeredLibrary,
    sources: Mapping[str, Source],
    *,
    replace: bool = False,
    dry_run: bool = False,
) -> Imported:
    """Take an archetype file into the user's layer of `library`.

    Everything is checked as for a shipped archetype, and more: sizes, characters that cannot be seen, sources that
    nobody knows, names that would take another archetype's place. Only what was understood is written, in a new file.

    Parameters
    ----------
    sources : source id → publication; what an archetype cites must be among them.
    replace : take the place of an imported archetype of the same id.

    Raises
    ------
    InvalidInput : no such file, or of another kind.
    PersonaError : the content cannot be used; names the field.
    """
    raw = _read(file)
    for where, text in _texts(raw, file.name):
        _check_text(where, text)
    try:
        stated = ArchetypeFile.model_validate(raw)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)[:4]
        told = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults)
        raise PersonaError(f"{file.name}: {told}.", _HINT) from error
    replaced = _check_place(stated, library, replace)
    _check_sources(stated, sources, file.name)
    fields = stated.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    text = str(yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=120))
    persona = _tried(stated.id, text, library, file.name)
    target = library.overlay / f"{stated.id}.yaml"
    if not dry_run:
        _write(target, text)
        library.refresh()
    return Imported(
        id=stated.id,
        name=persona.name,
        parent=persona.parent,
        attributes=len(persona.attributes),
        replaced=replaced,
        dry_run=dry_run,
        path=str(target),
    )


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise InvalidInput(f"There is no file '{file}'.", "Give the path of an archetype file (.yaml or .json).")
    if file.stat().st_size > LARGEST_FILE:
        raise InvalidInput(
            f"{file.name} is larger than {LARGEST_FILE:,} bytes.", "An archetype is a few pages of text."
        )
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{file.name} is not UTF-8 (byte {error.start}).", "Save it as UTF-8.") from error
    if file.suffix.lower() in (".yaml", ".yml"):
        raw = read_user_yaml(text, file.name, error=PersonaError)
        if raw.get("parent") in ("null", "~", ""):
            del raw["parent"]
        return raw
    if file.suffix.lower() != ".json":
        raise InvalidInput(f"'{file.name}' is neither .yaml nor .json.", "Give an archetype file.")
    return _read_json(text, file.name)


def _read_json(text: str, name: str) -> dict[str, Any]:
    def constant(word: str) -> Any:
        raise PersonaError(f"{name} holds {word}, which is not a number.", "Mend it.")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        twice = [key for key in keys if keys.count(key) > 1]
        if twice:
            raise PersonaError(f"{name} has '{twice[0][:60]}' twice.", "Keep one.")
        return dict(pairs)

    try:
        value = json.loads(text, parse_constant=constant, object_pairs_hook=once)
    except (json.JSONDecodeError, RecursionError) as error:
        raise PersonaError(f"{name} is not JSON ({str(error)[:120]}).", "Mend it at that place.") from error
    if not isinstance(value, dict):
        raise PersonaError(f"{name} is not a mapping of fields.", _HINT)
    return value


def _texts(value: Any, where: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """All text of the file, keys as well, and where it stands."""
    if depth > _DEEPEST:
        raise PersonaError(f"{where} is nested too deep.", _HINT)
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield f"a field name in {where}", str(key)
            yield from _texts(
                item, f"{where}: {str(key)[:60]}" if depth == 0 else f"{where}.{str(key)[:60]}", depth + 1
            )
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, where, depth + 1)


def _check_text(where: str, text: str) -> None:
    """Text that a reader would not see as it is: control characters, direction marks, zero-width characters."""
    if len(text) > _LONGEST_TEXT:
        raise PersonaError(
            f"{_shown(where)} has {len(text)} characters; at most {_LONGEST_TEXT} are taken.", "Shorten it."
        )
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"):
            name = f"U+{ord(character):04X}"
            raise PersonaError(
                f"{_shown(where)} holds the invisible character {name}.", "Remove it; write one line of text."
            )


def _shown(where: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in where)[:200]


def _check_place(stated: ArchetypeFile, library: LayeredLibrary, replace: bool) -> bool:
    """No archetype takes another's place: neither its id, nor the words by which it is asked for."""
    if stated.id in RESERVED:
        raise PersonaError(f"'{stated.id}' is a command and cannot be the id of an archetype.", "Choose another id.")
    exists = stated.id in library
    if exists and not library.is_imported(stated.id):
        raise PersonaError(
            f"There is a shipped archetype '{stated.id}', which is never replaced.",
            "Choose another id, and name the shipped one as parent.",
        )
    if exists and not replace:
        raise PersonaError(f"The archetype '{stated.id}' was already imported.", "Add --replace, or choose another id.")
    taken = {
        " ".join(words.lower().split()): persona.id
        for persona in library
        if persona.id != stated.id
        for words in (persona.id.replace("_", " "), persona.name, *persona.synonyms)
    }
    for words in (stated.name, *stated.synonyms):
        owner = taken.get(" ".join(words.lower().split()))
        if owner is not None:
            raise PersonaError(
                f"'{words}' already means the archetype '{owner}', so nobody could ask for this one by it.",
                "Choose other words.",
            )
    return exists


def _check_sources(stated: ArchetypeFile, sources: Mapping[str, Source], name: str) -> None:
    values: list[Provenanced] = [*stated.correlations, *stated.preferences, *stated.life_events]
    for section in (stated.demographics, stated.biomarkers, stated.comorbidities, stated.behaviours):
        values += section.values()
    for value in values:
        if value.source is not None and value.source.source_id not in sources:
            raise PersonaError(
                f"{name} cites the source '{value.source.source_id[:80]}', which nobody knows.",
                "Import the publication first (cohort evidence import), or say why the value is assumed.",
            )


def _tried(persona_id: str, text: str, library: LayeredLibrary, name: str) -> Persona:
    """The archetype as the library will serve it, and everybody who inherits from it, tried in a folder aside."""
    with tempfile.TemporaryDirectory(prefix="cohort-import-") as folder:
        aside = Path(folder) / IMPORTED
        if library.overlay.is_dir():
            shutil.copytree(library.overlay, aside)
        aside.mkdir(exist_ok=True)
        (aside / f"{persona_id}.yaml").write_text(text, encoding="utf-8")
        candidate = library.at(Path(folder))
        try:
            persona = candidate.get(persona_id)
            for other in library.ids():
                if library.is_imported(other) and other != persona_id:
                    candidate.get(other)
        except CohortTwinError as error:
            raise PersonaError(f"{name}: {error.message}", error.hint) from error
    return persona


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            Path(partial).replace(path)
        except BaseException:
            Path(partial).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written ({error.strerror or error}).", "Name another place.") from error
