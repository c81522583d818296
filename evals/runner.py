"""Runs cases: in parallel, resumable, within a budget; and puts the records together to one value."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from evals.case_schemas import CaseBase
from evals.cases_io import read_cases, suite_hash
from evals.keys import case_hash, code_hash, content_key, folder_hash
from evals.schemas import Agreement, EvalRun, LeftOut, Metric, Record, RunSettings, Suite, SuiteInfo
from evals.store import RecordStore
from evals.suites import runners
from evals.summaries import summarise
from evals.workers import pool, run_in_worker
from knowledge.base import KnowledgeBase, load_knowledge
from knowledge.errors import DataError, InvalidInput
from knowledge.lock import DataDirLock
from knowledge.schemas import EvidenceView

RUN = "run.json"
WAITING = 2  # cases handed to each worker ahead, so that none is idle


class Progress(Protocol):
    """Told how a run goes."""

    def begin(self, total: int, known: int) -> None:
        """`total` cases in all, of which `known` were run before."""

    def done(self, record: Record) -> None:
        """A case was run."""


class Silent:
    """Nobody is listening."""

    def begin(self, total: int, known: int) -> None:
        """Nothing."""

    def done(self, record: Record) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Job:
    """A case to be run under a model; `key` is what its record is kept under."""

    case: CaseBase
    model: str
    key: str


@dataclass
class Budget:
    """What may be used; None: as much as it takes. Only what is run now counts, not what is known from before."""

    tokens: int | None = None
    cost: float | None = None
    seconds: float | None = None
    _started: float = field(default_factory=time.monotonic)
    _tokens: int = 0
    _cost: float = 0.0

    def count(self, record: Record) -> None:
        """Add what a case used."""
        self._tokens += record.tokens or 0
        self._cost += record.cost or 0.0

    @property
    def spent(self) -> bool:
        """True when nothing more may be begun."""
        return (
            (self.tokens is not None and self._tokens >= self.tokens)
            or (self.cost is not None and self._cost >= self.cost)
            or (self.seconds is not None and time.monotonic() - self._started >= self.seconds)
        )


def all_cases(knowledge: KnowledgeBase) -> list[CaseBase]:
    """Every case of every suite: the files, the routing questions, and the published trials themselves."""
    from evals.suites.holdout import holdout_cases
    from evals.suites.routing import routed_cases

    return [*read_cases(), *routed_cases(), *holdout_cases(knowledge)]


def chosen_cases(settings: RunSettings, cases: Iterable[CaseBase]) -> list[CaseBase]:
    """The cases that were asked for, in the order of the suites (InvalidInput names what is unknown)."""
    every = list(cases)
    known = {suite.value for suite in Suite}
    if strange := [name for name in settings.suites if name not in known]:
        raise InvalidInput(f"There is no suite '{strange[0]}'.", f"Suites: {', '.join(known)}.")
    ids = {case.id for case in every}
    if strange := [name for name in settings.cases if name not in ids]:
        raise InvalidInput(f"There is no case '{strange[0]}'.", "List them with: python -m evals cases")
    wanted = [
        case
        for case in every
        if (not settings.suites or case.suite.value in settings.suites)
        and (not settings.cases or case.id in settings.cases)
    ]
    if not wanted:
        raise InvalidInput("No case is left to run.", "The suites and the cases that were asked for share none.")
    order = {suite: position for position, suite in enumerate(Suite)}
    return sorted(wanted, key=lambda case: (order[case.suite], case.id))


def run(
    settings: RunSettings,
    folder: Path,
    *,
    cases: Iterable[CaseBase] | None = None,
    workers: int = 2,
    fresh: bool = False,
    data_folder: Path | None = None,
    progress: Progress | None = None,
) -> EvalRun:
    """Run the chosen cases with every model.

    What is known from before (same case, model, evidence, code, settings) is not run again; so a run that was cut short
    goes on where it was when it is asked for again.

    Parameters
    ----------
    folder : where records, index and fits are kept; one run at a time.
    cases : all there are by default. workers : processes.
    fresh : run everything anew.

    Raises
    ------
    InvalidInput, StoreInUse
        Unknown suites or cases; another run uses the folder.
    """
    started = time.monotonic()
    created = datetime.now(UTC)
    runners()  # read now, so that the code that runs is the code whose hash is taken
    knowledge = load_knowledge()
    wanted = chosen_cases(settings, all_cases(knowledge) if cases is None else cases)
    jobs = _jobs(settings, wanted, knowledge, data_folder)
    listener = progress or Silent()
    with DataDirLock(folder), RecordStore(folder) as store:
        if fresh:
            store.forget([job.key for job in jobs])
        todo = [job for job in jobs if job.key not in store]
        listener.begin(len(jobs), len(jobs) - len(todo))
        budget = Budget(settings.max_tokens, settings.max_cost, settings.max_seconds)
        left = _work(todo, folder, store, budget, listener, settings, data_folder, workers) if todo else []
        missing = {job.key for job in left}
        records = [store.get(job.key) for job in jobs if job.key not in missing]
        store.compact([job.key for job in jobs])
    agreements: tuple[Agreement, ...] = ()
    if settings.grader:
        from evals.grading import grade

        agreements = grade(records, settings.grader)
    found = EvalRun(
        created=created,
        seconds=round(time.monotonic() - started, 1),
        settings=settings,
        evidence_hash=_evidence(knowledge, settings),
        code_hash=code_hash(),
        suites=tuple(infos(wanted)),
        records=tuple(records),
        summaries=summaries(records, settings.models),
        left_out=tuple(LeftOut(case_id=job.case.id, suite=job.case.suite, model=job.model) for job in left),
        agreements=agreements,
    )
    (folder / RUN).write_text(found.model_dump_json() + "\n", encoding="utf-8")
    return found


def read_run(folder: Path) -> EvalRun:
    """The last run of a folder (InvalidInput when there is none, DataError when it is of another version)."""
    path = folder / RUN
    if not path.exists():
        raise InvalidInput(f"There is no run in {folder}.", "Make one with: python -m evals run")
    try:
        return EvalRun.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise DataError(f"{path.name} is of another version.", "Run the suites again.") from error


def timeless(found: EvalRun) -> EvalRun:
    """The run without what differs from one time to the next: equal content gives equal bytes."""
    return found.model_copy(
        update={
            "created": datetime(1970, 1, 1, tzinfo=UTC),
            "seconds": 0.0,
            "records": tuple(record.model_copy(update={"seconds": 0.0}) for record in found.records),
            "summaries": {
                model: tuple(metric for metric in metrics if not metric.wall_clock)
                for model, metrics in found.summaries.items()
            },
        }
    )


def infos(cases: Sequence[CaseBase]) -> list[SuiteInfo]:
    """How many cases of which content, by suite."""
    found = []
    for suite in Suite:
        own = [case for case in cases if case.suite is suite]
        if own:
            published = sum(len(getattr(case, "published", ())) for case in own)
            published += sum(len(group.published) for case in own for group in getattr(case, "groups", ()))
            found.append(SuiteInfo(suite=suite, hash=suite_hash(own), cases=len(own), published=published))
    return found


def summaries(records: Sequence[Record], models: Sequence[str]) -> Mapping[str, tuple[Metric, ...]]:
    """The metrics of each model."""
    return {model: summarise([record for record in records if record.model == model]) for model in models}


def _jobs(
    settings: RunSettings, cases: Sequence[CaseBase], knowledge: KnowledgeBase, data_folder: Path | None
) -> list[Job]:
    from assistant.settings import load_settings

    evidence = _evidence(knowledge, settings)
    asked = {
        "seed": settings.seed,
        "as_of": settings.as_of,
        "data": folder_hash(data_folder) if settings.data_folder else "",
    }
    jobs = []
    for model in settings.models:
        own = load_settings(model=model)
        version = "" if model == "offline" else f"{own.base_url} {own.max_model_calls} {own.max_reply_tokens}"
        for case in cases:
            seeded = case.model_copy(update={"seed": case.seed + settings.seed - 1})
            key = content_key(seeded, model=model, version=version, evidence=evidence, settings=asked)
            jobs.append(Job(seeded, model, key))
    return jobs


def _evidence(knowledge: KnowledgeBase, settings: RunSettings) -> str:
    return knowledge.evidence_hash(EvidenceView(as_of=settings.as_of))


def _work(
    todo: Sequence[Job],
    folder: Path,
    store: RecordStore,
    budget: Budget,
    progress: Progress,
    settings: RunSettings,
    data_folder: Path | None,
    workers: int,
) -> list[Job]:
    """Run the jobs; those that no budget was left for."""
    queue = _ordered(todo, budget)
    with pool(folder, workers, as_of=settings.as_of, data_folder=data_folder) as executor:
        running: dict[Future[Record], Job] = {}
        while queue or running:
            while queue and len(running) < workers * WAITING and not budget.spent:
                _submit(executor, queue.pop(0), running)
            if not running:
                break
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                job = running.pop(future)
                record = future.result().model_copy(update={"key": job.key, "case_hash": case_hash(job.case)})
                store.put(record)
                budget.count(record)
                progress.done(record)
    return sorted(queue, key=lambda job: (job.model, job.case.suite, job.case.id))


def _submit(executor: ProcessPoolExecutor, job: Job, running: dict[Future[Record], Job]) -> None:
    running[executor.submit(run_in_worker, job.case, job.model)] = job


def _ordered(todo: Sequence[Job], budget: Budget) -> list[Job]:
    """Model by model; the long cases first. Under a budget in an order drawn by lot, so that what is done is a sample."""
    limited = any(limit is not None for limit in (budget.tokens, budget.cost, budget.seconds))
    jobs = list(todo)
    if limited:
        random.Random(1).shuffle(jobs)
    models: dict[str, Any] = {job.model: position for position, job in reversed(list(enumerate(todo)))}
    long_first = {Suite.HOLDOUT: 0, Suite.FAIRNESS: 1, Suite.ROBUSTNESS: 2, Suite.CONVERSATION: 3}
    return sorted(jobs, key=lambda job: (models[job.model], 0 if limited else long_first.get(job.case.suite, 9)))
