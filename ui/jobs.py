"""Long work in the background: a bounded queue, a few workers, each job seen by its owner alone.

Jobs live as long as the process; what they make that is to stay (runs, archetypes, imported files) is kept elsewhere.
"""

from __future__ import annotations

import logging
import queue
import shutil
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import uuid4

from pydantic import Field

from knowledge.errors import CohortTwinError, Conflict, RunCancelled, TooBusy, TooMany, UnknownJob
from knowledge.schemas import Frozen
from ui.faults import fault_of

WORKERS = 2
WAITING_AT_MOST = 16
OF_ONE_OWNER = 6  # waiting and running
KEPT_OF_OWNER = 50  # finished ones
_LOG = logging.getLogger("cohort.jobs")


class JobState(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobProblem(Frozen):
    """Why a job failed, as the same request without a job would have told it."""

    title: str
    status: int
    detail: str


class Job(Frozen):
    """A job as its owner sees it."""

    id: str
    kind: str
    state: JobState
    progress: float = Field(ge=0, le=1, description="share that is done")
    doing: str = Field("", description="what it is doing, in words")
    created: datetime
    started: datetime | None = None
    ended: datetime | None = None
    result: Any = Field(None, description="what came out, once it is done")
    file: str = Field("", description="name of the file that came out, to be had at .../file")
    problem: JobProblem | None = None


@dataclass
class JobControl:
    """What the work may use: a place to say how far it is, and a folder of its own."""

    folder: Path
    stopped: threading.Event = field(default_factory=threading.Event)
    share: float = 0.0
    doing: str = ""
    file: Path | None = None

    def progress(self, share: float, text: str) -> None:
        """Say how far the work is (RunCancelled when nobody wants it any more)."""
        self.check()
        self.share, self.doing = min(max(share, 0.0), 1.0), text

    def check(self) -> None:
        """RunCancelled when the job was cancelled."""
        if self.stopped.is_set():
            raise RunCancelled("The job was cancelled.")


Work = Callable[[JobControl], Any]


@dataclass
class _Entry:
    owner: str
    job: Job
    control: JobControl
    work: Work | None


class JobBook:
    """Jobs of all owners. Safe between threads; `close` stops what runs."""

    def __init__(
        self, workers: int = WORKERS, waiting: int = WAITING_AT_MOST, of_one_owner: int = OF_ONE_OWNER
    ) -> None:
        self._limits = waiting, of_one_owner
        self._entries: dict[str, _Entry] = {}
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._folder = Path(tempfile.mkdtemp(prefix="cohort-jobs-"))
        self._closed = False
        self._workers = [threading.Thread(target=self._run, name="cohort-job", daemon=True) for _ in range(workers)]
        for worker in self._workers:
            worker.start()

    def submit(self, owner: str, kind: str, work: Work, files: Path | None = None) -> Job:
        """Put work into the queue.

        Parameters
        ----------
        work : called in another thread; what it returns is the result and must be plain JSON.
        files : a folder that the work reads, and which goes with the job.

        Raises
        ------
        TooMany, TooBusy
            The owner has, or all owners together have, too much under way; `files` is then removed.
        """
        waiting, of_one = self._limits
        job_id = f"j-{uuid4().hex[:16]}"
        with self._lock:
            try:
                active = [entry for entry in self._entries.values() if entry.work is not None]
                if sum(entry.owner == owner for entry in active) >= of_one:
                    raise TooMany(f"{of_one} jobs are under way already.", "Wait for one to end, or cancel one.")
                if len(active) >= waiting + len(self._workers) or self._closed:
                    raise TooBusy("Too many jobs are waiting.", "Ask again in a moment.")
                folder = self._folder / job_id
                folder.mkdir()
                if files is not None:
                    shutil.move(files, folder / "given")
            finally:
                if files is not None:
                    shutil.rmtree(files, ignore_errors=True)
            job = Job(id=job_id, kind=kind, state=JobState.WAITING, progress=0.0, created=datetime.now(UTC))
            self._entries[job_id] = _Entry(owner, job, JobControl(folder), work)
            self._forget_oldest(owner)
        self._queue.put(job_id)
        return job

    def get(self, owner: str, job_id: str) -> Job:
        """The job (UnknownJob, also when it is another's)."""
        with self._lock:
            return self._seen(self._entry(owner, job_id))

    def listed(self, owner: str) -> list[Job]:
        """The owner's jobs, the newest first."""
        with self._lock:
            mine = [self._seen(entry) for entry in self._entries.values() if entry.owner == owner]
        return sorted(mine, key=lambda job: (job.created, job.id), reverse=True)

    def file(self, owner: str, job_id: str) -> Path:
        """The file that a job made (UnknownJob; Conflict when there is none, or none yet)."""
        with self._lock:
            entry = self._entry(owner, job_id)
            path = entry.control.file
            if entry.job.state is not JobState.DONE or path is None:
                raise Conflict(f"The job {job_id} has no file to give.", "See its state and result first.")
            return path

    def cancel(self, owner: str, job_id: str) -> Job:
        """Stop a job that waits or runs (UnknownJob; Conflict when it has ended)."""
        with self._lock:
            entry = self._entry(owner, job_id)
            if entry.work is None:
                raise Conflict(f"The job {job_id} has ended already ({entry.job.state.value}).")
            entry.control.stopped.set()
            if entry.job.state is JobState.WAITING:
                self._end(entry, JobState.CANCELLED)
            return self._seen(entry)

    def counts(self) -> dict[str, int]:
        """How many jobs stand in each state."""
        with self._lock:
            states = [entry.job.state.value for entry in self._entries.values()]
        return {state.value: states.count(state.value) for state in JobState}

    def close(self) -> None:
        """Cancel everything and remove what the jobs made."""
        with self._lock:
            self._closed = True
            for entry in self._entries.values():
                entry.control.stopped.set()
        for _ in self._workers:
            self._queue.put(None)
        for worker in self._workers:
            worker.join(timeout=5)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _entry(self, owner: str, job_id: str) -> _Entry:
        entry = self._entries.get(job_id)
        if entry is None or entry.owner != owner:
            raise UnknownJob(f"There is no job '{job_id[:40]}'.", "Jobs are forgotten when the service starts anew.")
        return entry

    @staticmethod
    def _seen(entry: _Entry) -> Job:
        control = entry.control
        if entry.job.state is not JobState.RUNNING:
            return entry.job
        return entry.job.model_copy(update={"progress": control.share, "doing": control.doing})

    def _run(self) -> None:
        while (job_id := self._queue.get()) is not None:
            with self._lock:
                entry = self._entries.get(job_id)
                if entry is None or entry.work is None or entry.job.state is not JobState.WAITING:
                    continue
                now = datetime.now(UTC)
                entry.job = entry.job.model_copy(update={"state": JobState.RUNNING, "started": now})
                work = entry.work
            state, update = self._outcome(work, entry.control)
            with self._lock:
                self._end(entry, state, update)

    @staticmethod
    def _outcome(work: Work, control: JobControl) -> tuple[JobState, dict[str, Any]]:
        try:
            control.check()
            result = work(control)
        except RunCancelled:
            return JobState.CANCELLED, {}
        except CohortTwinError as error:
            fault = fault_of(error, sent=True)
            told = JobProblem(title=fault.title, status=fault.http_status, detail=str(error))
            return JobState.FAILED, {"problem": told}
        except Exception as error:  # noqa: BLE001 - a worker outlives any job; the fault is logged and told
            _LOG.error("job failed", exc_info=error)
            told = JobProblem(
                title="A fault of our own", status=500, detail="Something went wrong; it has been logged."
            )
            return JobState.FAILED, {"problem": told}
        return JobState.DONE, {"result": result, "file": control.file.name if control.file else ""}

    def _end(self, entry: _Entry, state: JobState, update: dict[str, Any] | None = None) -> None:
        share = 1.0 if state is JobState.DONE else entry.control.share
        changes = {"state": state, "ended": datetime.now(UTC), "progress": share, **(update or {})}
        entry.job = entry.job.model_copy(update=changes)
        entry.work = None
        shutil.rmtree(entry.control.folder / "given", ignore_errors=True)

    def _forget_oldest(self, owner: str) -> None:
        ended = [key for key, entry in self._entries.items() if entry.owner == owner and entry.work is None]
        for key in ended[: max(0, len(ended) - KEPT_OF_OWNER)]:
            shutil.rmtree(self._entries.pop(key).control.folder, ignore_errors=True)
