"""Virtual patients into a file, for those who wait for it and for jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from assistant.persona_sampling import sample_personas
from assistant.service import Assistant
from knowledge.schemas import Frozen
from ui.jobs import JobControl


class Sampling(Frozen):
    """Whom to draw: one archetype, or several as ID=SHARE."""

    personas: tuple[str, ...] = Field(min_length=1, max_length=20)
    restrictions: tuple[str, ...] = Field((), max_length=40)
    n: int = Field(1000, ge=1, le=5_000_000)
    seed: int = Field(1, ge=0, le=2**31 - 1)
    form: Literal["csv", "parquet"] = "csv"


def draw(assistant: Assistant, wanted: Sampling, folder: Path, control: JobControl | None = None) -> Path:
    """Write virtual patients into a folder; the file."""
    path = folder / f"patients.{wanted.form}"
    progress = control.progress if control is not None else _silent
    sample_personas(
        wanted.personas,
        wanted.restrictions,
        path,
        n=wanted.n,
        seed=wanted.seed,
        progress=progress,
        settings=assistant.settings,
    )
    return path


def _silent(_share: float, _text: str) -> None:
    """Nobody is listening."""
