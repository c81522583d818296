"""Archetypes of one's own: made, replaced, removed, fitted from data, taught; and virtual patients drawn from any."""

from __future__ import annotations

import json
import shutil
from datetime import date
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, BackgroundTasks, Body, File, Form, Query, Request, Response, UploadFile
from fastapi.responses import FileResponse, JSONResponse
from pydantic import Field

from assistant.persona_fitting import FitRequest, Identity
from assistant.persona_views import Entry, Imported, UpdateReport
from assistant.service import Assistant
from knowledge.errors import Conflict, InvalidInput
from knowledge.schemas import Frozen
from personas.schemas import Persona
from ui.jobs import Job, JobControl
from ui.rest.asking import Askers
from ui.rest.caching import check_unchanged, etag_of
from ui.rest.deps import Jobs, Mine, Owner, keep_uploads, safe_name, scratch_folder
from ui.rest.jobs import accepted
from ui.rest.personas import PersonaId
from ui.rest.problems import reading, responses
from ui.rest.sampling import Sampling, draw

MOST_AT_ONCE = 100_000  # patients; more are drawn as a job
Archetype = Annotated[
    dict[str, Any],
    Body(
        openapi_examples={
            "clinic": {
                "summary": "People of one clinic, who inherit what is not stated",
                "value": {
                    "id": "my_clinic",
                    "name": "Adults with type 2 diabetes of my clinic",
                    "parent": "t2d_adults",
                    "area": "type_2_diabetes",
                    "summary": "Adults with type 2 diabetes who come to our clinic.",
                    "demographics": {
                        "age": {
                            "distribution": "truncated_normal",
                            "unit": "years",
                            "mean": 61.0,
                            "sd": 9.0,
                            "lower": 18.0,
                            "upper": 95.0,
                            "assumption": "The clinic's own list of last year, not published.",
                        }
                    },
                },
            }
        }
    ),
]


class RollBack(Frozen):
    """Which entry of the history to go back to; 0 is the archetype as shipped."""

    to: int = Field(ge=0, le=1_000_000)


_SAMPLING: dict[str, Any] = {
    "older": {
        "summary": "A thousand older adults with type 2 diabetes",
        "value": {"personas": ["t2d_adults"], "restrictions": ["age>=65"], "n": 1000, "seed": 7},
    }
}
_FILE = {200: {"description": "The rows", "content": {"text/csv": {"schema": {"type": "string"}}}}}


def add_own_persona_routes(routes: APIRouter) -> None:
    """Changing below /personas."""

    @routes.post("/personas", tags=["personas"], status_code=201, response_model=Imported)
    def add_persona(
        request: Request,
        archetype: Archetype,
        assistant: Mine,
        dry_run: Annotated[bool, Query(description="only check it")] = False,
    ) -> Response:
        """Add an archetype of your own (schema: /personas/schema). Shipped ones are never replaced."""
        with assistant.bank.changing:
            taken = _take(request, assistant, archetype, dry_run=dry_run)
        headers = {} if dry_run else {"Location": f"/api/v1/personas/{taken.id}", "ETag": _tag(assistant, taken.id)}
        return JSONResponse(_told(taken), status_code=200 if dry_run else 201, headers=headers)

    @routes.put("/personas/{persona_id}", tags=["personas"], response_model=Imported, responses=responses(412))
    def replace_persona(request: Request, persona_id: PersonaId, archetype: Archetype, assistant: Mine) -> Response:
        """Put another state of your own archetype in the place of this one. Needs If-Match with its ETag."""
        _own(assistant, persona_id)
        check_unchanged(request, _content(assistant, persona_id))
        if archetype.get("id", persona_id) != persona_id:
            raise InvalidInput(
                "The archetype has another id than the path.", "Leave the id out, or make both the same."
            )
        taken = _take(request, assistant, {**archetype, "id": persona_id}, replace=True)
        return JSONResponse(_told(taken), headers={"ETag": _tag(assistant, persona_id)})

    @routes.delete(
        "/personas/{persona_id}",
        tags=["personas"],
        status_code=204,
        response_class=Response,
        responses=responses(412),
    )
    def remove_persona(request: Request, persona_id: PersonaId, assistant: Mine) -> Response:
        """Remove an archetype of your own. Needs If-Match with its ETag."""
        _own(assistant, persona_id)
        with assistant.bank.changing:
            check_unchanged(request, _content(assistant, persona_id))
            assistant.bank.remove(persona_id)
        return Response(status_code=204)

    @routes.post("/personas/sample", tags=["personas"], response_class=Response, responses=_FILE)  # type: ignore[arg-type]
    async def sample(
        request: Request,
        background: BackgroundTasks,
        wanted: Annotated[Sampling, Body(openapi_examples=_SAMPLING)],
        assistant: Mine,
        owner: Owner,
    ) -> FileResponse:
        """Virtual patients as CSV or Parquet, up to 100,000; more as a job."""
        if wanted.n > MOST_AT_ONCE:
            raise InvalidInput(f"At most {MOST_AT_ONCE:,} patients are drawn at once.", "Draw more as a job: /jobs")
        folder = scratch_folder()
        background.add_task(shutil.rmtree, folder, ignore_errors=True)
        askers: Askers = request.app.state.askers
        try:
            with askers.one(owner):
                path = await to_thread.run_sync(draw, assistant, wanted, folder, limiter=askers.threads)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return FileResponse(path, filename=path.name, background=background)

    @routes.post("/personas/fit", tags=["personas"], status_code=202, response_model=Job)
    def fit_persona(
        request: Request,
        assistant: Mine,
        owner: Owner,
        jobs: Jobs,
        data: Annotated[UploadFile, File(description="CSV of patients; no row is kept")],
        mapping: Annotated[UploadFile, File(description="YAML that says which column is which attribute")],
        persona_id: Annotated[str, Form(alias="id", max_length=100, pattern=r"^[a-z0-9_]+$")],
        area: Annotated[str, Form(max_length=60)],
        name: Annotated[str, Form(max_length=200)] = "",
        parent: Annotated[str, Form(max_length=100)] = "",
        reference: Annotated[str, Form(max_length=100)] = "",
        geography: Annotated[str, Form(max_length=200)] = "",
        epsilon: Annotated[float | None, Form(gt=0, le=1000, allow_inf_nan=False)] = None,
        seed: Annotated[int, Form(ge=0, le=2**31 - 1)] = 1,
        keep: Annotated[bool, Form(description="add the archetype to your own")] = False,
    ) -> Response:
        """Learn an archetype from data, as a job. Its result holds the archetype as YAML and every check that was made."""
        reading(request)
        folder = scratch_folder()
        try:
            keep_uploads([data], folder / "data")
            keep_uploads([mapping], folder / "mapping")
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        names = safe_name(data.filename or ""), safe_name(mapping.filename or "")
        identity = Identity(id=persona_id, name=name, area=area, parent=parent or None, geography=geography)

        def work(control: JobControl) -> dict[str, Any]:
            given = control.folder / "given"
            wanted = FitRequest(
                data=given / "data" / names[0],
                mapping=given / "mapping" / names[1],
                parent=parent or None,
                reference=reference or None,
                epsilon=epsilon,
                seed=seed,
            )
            report = assistant.fitting.fit(wanted, identity, progress=control.progress)
            kept = keep and not report.refused
            if kept:
                file = control.folder / f"{persona_id}.yaml"
                file.write_text(report.text, encoding="utf-8")
                with assistant.bank.changing:
                    assistant.bank.import_file(file)
            told: dict[str, Any] = json.loads(report.model_dump_json())
            return {**told, "kept": kept}

        return accepted(jobs.submit(owner, "fit", work, folder))

    @routes.post("/personas/{persona_id}/observations", tags=["personas"], response_model=UpdateReport)
    def update_persona(
        request: Request,
        persona_id: PersonaId,
        assistant: Mine,
        observations: Annotated[UploadFile, File(description="CSV of observed outcomes")],
        on: Annotated[date | None, Form()] = None,
        source: Annotated[str, Form(max_length=300)] = "",
        prior_weight: Annotated[float | None, Form(gt=0, le=1e9, allow_inf_nan=False)] = None,
        half_life_years: Annotated[float | None, Form(gt=0, le=1e4, allow_inf_nan=False)] = None,
        dry_run: Annotated[bool, Form()] = False,
    ) -> UpdateReport:
        """Teach an archetype what was observed. Only your own view of it changes. If-Match is heeded when sent."""
        reading(request)
        folder = scratch_folder()
        try:
            (path,) = keep_uploads([observations], folder)
            with assistant.bank.changing:
                _heed(request, assistant, persona_id)
                return assistant.bank.update(
                    persona_id,
                    path,
                    on=on,
                    source=source,
                    prior_weight=prior_weight,
                    half_life_years=half_life_years,
                    dry_run=dry_run,
                )
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @routes.post("/personas/{persona_id}/rollback", tags=["personas"])
    def roll_back_persona(
        request: Request,
        persona_id: PersonaId,
        assistant: Mine,
        wanted: Annotated[RollBack, Body(openapi_examples={"shipped": {"value": {"to": 0}}})],
    ) -> Entry:
        """Back to what was believed after an entry of the history. If-Match is heeded when sent."""
        with assistant.bank.changing:
            _heed(request, assistant, persona_id)
            return assistant.bank.rollback(persona_id, wanted.to)


def _heed(request: Request, assistant: Assistant, persona_id: str) -> None:
    """If-Match, where it was sent (StaleChange)."""
    if "if-match" in request.headers:
        check_unchanged(request, _content(assistant, persona_id))


def _own(assistant: Assistant, persona_id: str) -> None:
    """Conflict for a shipped archetype, UnknownPersona for none."""
    assistant.persona(persona_id)
    if not assistant.bank.library.is_imported(persona_id):
        raise Conflict(
            f"'{persona_id}' is a shipped archetype, which stays as it is.", "Add your own with it as parent."
        )


def _content(assistant: Assistant, persona_id: str) -> bytes:
    persona: Persona = assistant.persona(persona_id)
    return persona.model_dump_json().encode()


def _tag(assistant: Assistant, persona_id: str) -> str:
    return etag_of(_content(assistant, persona_id))


def _take(
    request: Request, assistant: Assistant, archetype: dict[str, Any], *, replace: bool = False, dry_run: bool = False
) -> Imported:
    reading(request)
    folder = scratch_folder()
    try:
        file = folder / "archetype.json"
        file.write_text(json.dumps(archetype, ensure_ascii=False), encoding="utf-8")
        return assistant.bank.import_file(file, replace=replace, dry_run=dry_run)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _told(taken: Imported) -> dict[str, Any]:
    """Where the file lies is nobody's business."""
    told: dict[str, Any] = taken.model_copy(update={"path": f"{taken.id}.yaml"}).model_dump(mode="json")
    return told
