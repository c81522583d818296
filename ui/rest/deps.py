"""What routes need of the request: whose it is, that owner's assistant, the shared books."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Query, Request, UploadFile

from assistant.owners import Owners
from assistant.service import Assistant
from knowledge.errors import InvalidInput
from knowledge.schemas import EvidenceView
from ui.auth import assistant_of, owner_of
from ui.jobs import JobBook

CHUNK = 1 << 20
LONGEST_NAME = 120


def _owners(request: Request) -> Owners:
    found: Owners = request.app.state.owners
    return found


def _mine(request: Request) -> Assistant:
    return assistant_of(request, _owners(request))


def _jobs(request: Request) -> JobBook:
    found: JobBook = request.app.state.jobs
    return found


def _view(
    assistant: Mine,
    as_of: Annotated[date | None, Query(description="only what was published by this day")] = None,
    exclude: Annotated[
        list[str] | None, Query(max_length=50, description="a trial to leave out, with every text about it")
    ] = None,
) -> EvidenceView:
    view = EvidenceView(as_of=as_of, exclude=tuple(exclude or ()))
    assistant.check_view(view)
    return view


Mine = Annotated[Assistant, Depends(_mine)]
Everyone = Annotated[Owners, Depends(_owners)]
Owner = Annotated[str, Depends(owner_of)]
Jobs = Annotated[JobBook, Depends(_jobs)]
View = Annotated[EvidenceView, Depends(_view)]
Seed = Annotated[int, Query(ge=0, le=2**31 - 1, description="seed of everything that is drawn")]


def keep_uploads(files: Sequence[UploadFile], folder: Path) -> list[Path]:
    """Write uploaded files into a folder under names of their own that are safe, and no two alike (InvalidInput)."""
    folder.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    for file in files:
        path = folder / safe_name(file.filename or "")
        if path in paths:
            raise InvalidInput(f"Two files are called '{path.name}'.", "Send them one after the other.")
        with path.open("wb") as out:
            shutil.copyfileobj(file.file, out, CHUNK)
        paths.append(path)
    return paths


def safe_name(name: str) -> str:
    """The last part of a file's name, of letters, digits, dots, dashes and underscores (InvalidInput when none is left)."""
    last = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(character if character.isalnum() or character in "._-" else "_" for character in last).lstrip(".")
    if not kept or not kept.strip("._-"):
        raise InvalidInput("A file has no name that can be used.", "Send it with 'filename'.")
    stem, dot, ending = kept.rpartition(".")
    return f"{stem[:LONGEST_NAME]}{dot}{ending[:12]}" if dot else kept[:LONGEST_NAME]


def scratch_folder() -> Path:
    """A new folder for files of one request; whoever asks removes it."""
    return Path(tempfile.mkdtemp(prefix="cohort-request-"))
