"""Processes that run cases. Each owns a data directory, a copy of one that was prepared once."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import date
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any, Final

from evals.case_schemas import CaseBase
from evals.schemas import Record
from evals.subject import Subject
from evals.suites import runners
from evals.suites.base import record
from knowledge.errors import CohortTwinError

# Two workers on two cores: each computes on its own.
_ONE_THREAD: Final = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_SHARED: Final = "fits"  # content-addressed and written atomically: the workers use one folder


class Worker:
    """One process's product under test; another model is opened when a case asks for it."""

    def __init__(self, folder: Path, *, as_of: date | None = None, data_folder: Path | None = None) -> None:
        self._folder = folder
        self._as_of = as_of
        self._data_folder = data_folder
        self._model = ""
        self._subject: Subject | None = None

    def run(self, case: CaseBase, model: str) -> Record:
        """The record of a case under a model."""
        return run_case(case, self._opened(model)).model_copy(update={"model": model})

    def close(self) -> None:
        """Give the data directory back."""
        if self._subject is not None:
            self._subject.assistant.close()
            self._subject = None

    def _opened(self, model: str) -> Subject:
        from assistant.bootstrap import build_assistant
        from assistant.settings import load_settings

        if self._subject is None or self._model != model:
            self.close()
            # A model that fails must not be answered for by the planner: its score would be the planner's.
            settings = load_settings(data_dir=self._folder, model=model, fallback=False)
            self._subject = Subject(build_assistant(settings), as_of=self._as_of, data_folder=self._data_folder)
            self._model = model
        return self._subject


def run_case(case: CaseBase, subject: Subject) -> Record:
    """Run one case; an error of the product is a record that failed, never an exception."""
    started = time.perf_counter()
    try:
        found = runners()[case.suite].run(case, subject)
    except CohortTwinError as error:
        found = record(
            case, checks=(), question=getattr(case, "question", ""), error=f"{type(error).__name__}: {error.message}"
        )
    return found.model_copy(update={"seconds": round(time.perf_counter() - started, 3)})


def prepare(folder: Path) -> None:
    """Build the index and export the embedding model in `folder`, unless that was done before."""
    from assistant.bootstrap import build_assistant
    from assistant.settings import load_settings

    with build_assistant(load_settings(data_dir=folder, model="offline")) as assistant:
        assistant.index_report()


def copy_of(base: Path, folder: Path) -> Path:
    """A fresh data directory with the index of `base`, sharing its fits."""
    shutil.rmtree(folder, ignore_errors=True)
    (base / _SHARED).mkdir(exist_ok=True)
    left_out = shutil.ignore_patterns(
        "owner.lock", "open-*", "*.sqlite-*", "ledger*", "conversations*", "usage*", _SHARED
    )
    shutil.copytree(base, folder, ignore=left_out)
    (folder / _SHARED).symlink_to((base / _SHARED).resolve(), target_is_directory=True)
    return folder


@contextmanager
def pool(
    folder: Path, count: int, *, as_of: date | None = None, data_folder: Path | None = None
) -> Iterator[ProcessPoolExecutor]:
    """`count` processes, each with its own copy of the data directory `folder`/base, which is prepared first."""
    base = folder / "base"
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update({name: os.environ.get(name, value) for name, value in _ONE_THREAD.items()})
    context = multiprocessing.get_context("spawn")
    folders: Queue[Path] = context.Queue()
    try:
        with ProcessPoolExecutor(1, mp_context=context) as single:
            single.submit(prepare, base).result()
        _sweep(folder)
        for number in range(count):
            folders.put(copy_of(base, folder / f"worker-{os.getpid()}-{number}"))
        with ProcessPoolExecutor(
            count, mp_context=context, initializer=_begin, initargs=(folders, as_of, data_folder)
        ) as executor:
            yield executor
    finally:
        _restore(before)
        for path in folder.glob(f"worker-{os.getpid()}-*"):
            shutil.rmtree(path, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what runs that were killed left behind."""
    for path in folder.glob("worker-*-*"):
        try:
            os.kill(int(path.name.split("-")[1]), 0)
        except (ProcessLookupError, ValueError):
            shutil.rmtree(path, ignore_errors=True)
        except PermissionError:  # somebody else's, alive
            continue


def _restore(before: Mapping[str, str | None]) -> None:
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


# The one thing a worker process keeps between its cases.
_own: dict[str, Any] = {}


def _begin(folders: Queue[Path], as_of: date | None, data_folder: Path | None) -> None:
    threading.Thread(target=_end_with, args=(os.getppid(),), name="parent-watch", daemon=True).start()
    _own["worker"] = Worker(folders.get(), as_of=as_of, data_folder=data_folder)


def _end_with(parent: int) -> None:
    """A parent that was killed tells nobody: without it there is nothing to do."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def run_in_worker(case: CaseBase, model: str) -> Record:
    """As `Worker.run`, in a process of the pool."""
    worker: Worker = _own["worker"]
    return worker.run(case, model)
