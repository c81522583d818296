"""Long work: handed in, watched, cancelled. A job is seen by whoever handed it in, and by nobody else."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Path, Response
from fastapi.responses import FileResponse, JSONResponse
from pydantic import Field

from assistant.schemas import Question
from assistant.service import Assistant
from knowledge.schemas import EvidenceView, Frozen
from ui.jobs import Job, JobControl, Work
from ui.rest.deps import Jobs, Mine, Owner
from ui.rest.pages import Limit
from ui.rest.sampling import Sampling, draw

JobId = Annotated[str, Path(max_length=40, description="id of the job", examples=["j-0123456789abcdef"])]
_SHARE_OF_PLAN = 0.1
_SHARE_OF_STEP = 0.2


class AskJob(Frozen):
    """Answer a question."""

    kind: Literal["ask"]
    question: Question


class ToolJob(Frozen):
    """Run a tool."""

    kind: Literal["tool"]
    name: str = Field(max_length=100)
    arguments: dict[str, Any] = Field(default_factory=dict)
    seed: int = Field(1, ge=0, le=2**31 - 1)
    view: EvidenceView = EvidenceView()


class SampleJob(Sampling):
    """Draw virtual patients into a file, up to 5 million."""

    kind: Literal["sample"]


class BacktestJob(Frozen):
    """Predict each published trial from the others."""

    kind: Literal["backtest"]
    by: Literal["trial", "drug", "class", "time"] = "trial"
    endpoints: tuple[str, ...] = Field((), max_length=40)
    min_trials: int = Field(8, ge=3, le=200)


class ReplayJob(Frozen):
    """Compute a run again and compare every number."""

    kind: Literal["replay"]
    run_id: str = Field(max_length=64)


Wanted = Annotated[
    Annotated[AskJob | ToolJob | SampleJob | BacktestJob | ReplayJob, Field(discriminator="kind")],
    Body(
        openapi_examples={
            "ask": {
                "summary": "A question",
                "value": {
                    "kind": "ask",
                    "question": {"text": "How would adults with obesity react to semaglutide 2.4 mg weekly?"},
                },
            },
            "sample": {
                "summary": "A million virtual patients",
                "value": {"kind": "sample", "personas": ["t2d_adults"], "n": 1000000, "form": "parquet"},
            },
            "tool": {
                "summary": "A tool",
                "value": {"kind": "tool", "name": "search_literature", "arguments": {"query": "adherence"}},
            },
        }
    ),
]


def add_job_routes(routes: APIRouter) -> None:
    """Everything below /jobs."""

    @routes.post("/jobs", tags=["jobs"], status_code=202, response_model=Job)
    def start_job(wanted: Wanted, assistant: Mine, owner: Owner, jobs: Jobs) -> Response:
        """Hand in long work; Location says where to watch it."""
        return accepted(jobs.submit(owner, wanted.kind, _work(assistant, wanted)))

    @routes.get("/jobs", tags=["jobs"])
    def list_jobs(owner: Owner, jobs: Jobs, limit: Limit = 50) -> list[Job]:
        """Your jobs, the newest first, without their results."""
        return [job.model_copy(update={"result": None}) for job in jobs.listed(owner)[:limit]]

    @routes.get("/jobs/{job_id}", tags=["jobs"])
    def job(job_id: JobId, owner: Owner, jobs: Jobs) -> Job:
        """How far a job is, and what came out of it."""
        return jobs.get(owner, job_id)

    @routes.get(
        "/jobs/{job_id}/file",
        tags=["jobs"],
        response_class=FileResponse,
        responses={200: {"description": "The file", "content": {"application/octet-stream": {}}}},
    )
    def job_file(job_id: JobId, owner: Owner, jobs: Jobs) -> FileResponse:
        """The file that a job made."""
        path = jobs.file(owner, job_id)
        return FileResponse(path, filename=path.name, media_type="application/octet-stream")

    @routes.delete("/jobs/{job_id}", tags=["jobs"])
    def cancel_job(job_id: JobId, owner: Owner, jobs: Jobs) -> Job:
        """Stop a job that waits or runs."""
        return jobs.cancel(owner, job_id)


def accepted(job: Job) -> Response:
    """202, and where to watch the job."""
    headers = {"Location": f"/api/v1/jobs/{job.id}", "Retry-After": "1"}
    return JSONResponse(job.model_dump(mode="json"), status_code=202, headers=headers)


def _work(assistant: Assistant, wanted: AskJob | ToolJob | SampleJob | BacktestJob | ReplayJob) -> Work:
    def ask(control: JobControl) -> Any:
        assert isinstance(wanted, AskJob)
        share, answer = 0.0, None
        events = assistant.stream(wanted.question)
        try:
            for event in events:
                share += (1.0 - share) * (_SHARE_OF_PLAN if event.type == "plan" else _SHARE_OF_STEP)
                control.progress(share, event.tool or event.type)
                answer = event.answer or answer
        finally:
            events.close()
        return answer.model_dump(mode="json") if answer is not None else None

    def tool(control: JobControl) -> Any:
        assert isinstance(wanted, ToolJob)
        assistant.check_view(wanted.view)
        result = assistant.run_tool(
            wanted.name, wanted.arguments, seed=wanted.seed, view=wanted.view, progress=control.progress
        )
        return result.model_dump(mode="json")

    def sample(control: JobControl) -> Any:
        assert isinstance(wanted, SampleJob)
        control.file = draw(assistant, Sampling(**wanted.model_dump(exclude={"kind"})), control.folder, control)
        return {"patients": wanted.n, "file": control.file.name}

    def backtest(control: JobControl) -> Any:
        assert isinstance(wanted, BacktestJob)
        report = assistant.backtest(
            by=wanted.by, endpoints=wanted.endpoints, min_trials=wanted.min_trials, progress=control.progress
        )
        return report.model_dump(mode="json")

    def replay(control: JobControl) -> Any:
        assert isinstance(wanted, ReplayJob)
        control.progress(0.0, "replaying")
        return assistant.replay(wanted.run_id).model_dump(mode="json")

    works: dict[str, Work] = {"ask": ask, "tool": tool, "sample": sample, "backtest": backtest, "replay": replay}
    return works[wanted.kind]
