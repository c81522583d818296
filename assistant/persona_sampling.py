"""Virtual patients into a file: needs the archetypes and nothing else, so no assistant is built and nothing is locked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.persona_bank import open_library
from assistant.settings import load_settings

if TYPE_CHECKING:
    from assistant.settings import Settings
    from personas.streaming import SampleReport


def sample_personas(
    personas: Sequence[str],
    restrictions: Sequence[str],
    path: Path,
    *,
    n: int,
    seed: int = 1,
    force: bool = False,
    progress: Callable[[float, str], None] = lambda _share, _text: None,
    settings: Settings | None = None,
) -> SampleReport:
    """Write virtual patients of an archetype, or of several as `ID=SHARE`, to a file (see `streaming`).

    `settings` name the data directory, whose imported and learned archetypes count; another process may own it.
    InvalidInput, UnknownPersona, EmptyCohort: what is asked for cannot be drawn or written.
    """
    from personas.cohort import parse_cohort
    from personas.streaming import write_patients

    library = open_library((settings or load_settings()).data_dir)
    spec = parse_cohort(personas, restrictions)
    return write_patients(spec, library, path, n=n, seed=seed, force=force, progress=progress)
