"""The evidence base: how much there is, search in it, one's own files added to it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from fastapi import Path as InPath
from pydantic import Field
from starlette.exceptions import HTTPException

from assistant.evidence_views import ImportReport, LibraryStats
from assistant.owners import folder_of
from assistant.schemas import AreaStats
from knowledge.errors import InvalidInput
from knowledge.schemas import Frozen, RetrievedPassage
from ui.rest.asking import Askers
from ui.rest.deps import Everyone, Mine, Owner, View, keep_uploads, safe_name
from ui.rest.problems import reading

UPLOADS = "uploads"
MOST_FILES = 50


class EvidenceStats(Frozen):
    """Counts by area, and what of the evidence is not used."""

    areas: tuple[AreaStats, ...]
    warnings: tuple[str, ...] = ()


class Passages(Frozen):
    """What a search found."""

    passages: tuple[RetrievedPassage, ...]
    warnings: tuple[str, ...] = ()


class OwnLibrary(Frozen):
    """What you have imported."""

    stats: LibraryStats
    files: tuple[str, ...] = Field(description="names of the files that were imported")


def add_evidence_routes(routes: APIRouter) -> None:
    """Everything below /evidence."""

    @routes.get("/evidence/stats", tags=["evidence"])
    def evidence_stats(assistant: Mine) -> EvidenceStats:
        """Trials, rows, sources and passages by area."""
        return EvidenceStats(areas=tuple(assistant.evidence_stats()), warnings=assistant.evidence_warnings())

    @routes.get("/evidence/search", tags=["evidence"])
    async def search_evidence(
        request: Request,
        assistant: Mine,
        owner: Owner,
        view: View,
        q: Annotated[str, Query(max_length=2000, examples=["adherence to weekly injections"])],
        k: Annotated[int, Query(ge=1, le=20)] = 6,
        drug: Annotated[list[str] | None, Query(max_length=20)] = None,
        area: Annotated[list[str] | None, Query(max_length=20)] = None,
    ) -> Passages:
        """The passages nearest to a query, with source, design and why they were found."""
        arguments = {"query": q, "k": k, "drugs": drug or [], "areas": area or []}
        askers: Askers = request.app.state.askers
        with askers.one(owner):
            result = await to_thread.run_sync(
                lambda: assistant.run_tool("search_literature", arguments, view=view), limiter=askers.threads
            )
        return Passages(passages=result.passages, warnings=result.warnings)

    @routes.post("/evidence/import", tags=["evidence"])
    async def import_evidence(
        request: Request,
        assistant: Mine,
        owner: Owner,
        owners: Everyone,
        files: Annotated[
            list[UploadFile],
            File(description="PubMed (.nbib, .xml), JATS XML, PDF, Markdown, text, arm tables (.csv, .tsv)"),
        ],
        mapping: Annotated[UploadFile | None, File(description="YAML that maps the columns of an arm table")] = None,
        area: Annotated[str, Form(max_length=60, description="area of documents that state none")] = "",
        dry_run: Annotated[bool, Form(description="only say what would be taken")] = False,
    ) -> ImportReport:
        """Take files into your own library; nobody else sees them, and they are used at once.

        A file that cannot be used is reported and passed over. One of the same name as before replaces what that had brought.
        """
        reading(request)
        if len(files) > MOST_FILES:
            raise InvalidInput(f"At most {MOST_FILES} files are taken at once.")
        folder = _folder(owners.settings.data_dir, owner)

        def work() -> ImportReport:
            try:
                paths = keep_uploads(files, folder)
                columns = keep_uploads([mapping], folder / "mapping")[0] if mapping is not None else None
                found = owners.import_evidence(owner, paths, mapping=columns, area=area, dry_run=dry_run)
            finally:
                # The rows are the truth; the place only names the file, so that the same one is known again.
                shutil.rmtree(folder, ignore_errors=True)
            return _without_places(found, folder)

        askers: Askers = request.app.state.askers
        with askers.one(owner):
            return await to_thread.run_sync(work, limiter=askers.threads)

    @routes.get("/evidence/imports", tags=["evidence"])
    def imported_evidence(owner: Owner, owners: Everyone) -> OwnLibrary:
        """What you have imported."""
        stats, paths = owners.library(owner)
        return OwnLibrary(stats=stats, files=tuple(Path(path).name for path in paths))

    @routes.delete("/evidence/imports/{name}", tags=["evidence"])
    async def forget_evidence(
        request: Request,
        name: Annotated[str, InPath(max_length=200, description="name of an imported file")],
        owner: Owner,
        owners: Everyone,
    ) -> OwnLibrary:
        """Take out what a file brought."""

        def work() -> OwnLibrary:
            _, paths = owners.library(owner)
            meant = [Path(path) for path in paths if Path(path).name == safe_name(name)]
            if not meant:
                raise HTTPException(404, f"No file called '{name[:80]}' was imported. List them: /evidence/imports")
            owners.forget_evidence(owner, meant)
            stats, left = owners.library(owner)
            return OwnLibrary(stats=stats, files=tuple(Path(path).name for path in left))

        askers: Askers = request.app.state.askers
        with askers.one(owner):
            return await to_thread.run_sync(work, limiter=askers.threads)


def _folder(data_dir: Path, owner: str) -> Path:
    return folder_of(data_dir, owner) / UPLOADS


def _without_places(report: ImportReport, folder: Path) -> ImportReport:
    """File names only: where the service keeps them is nobody's business."""
    place = f"{folder.absolute()}/"

    def plain(text: str) -> str:
        return text.replace(place, "")

    files = [
        file.model_copy(
            update={
                "path": Path(file.path).name,
                "reason": plain(file.reason),
                "faults": tuple(map(plain, file.faults)),
                "notes": tuple(map(plain, file.notes)),
            }
        )
        for file in report.files
    ]
    return report.model_copy(update={"files": tuple(files)})
