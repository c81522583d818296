"""Questions that were answered just now: asked again, they are not computed again.

A served assistant is asked the same by many. The offline planner is deterministic: the same question, seed, evidence
and archetypes give the same outcome. So the outcome is kept for a while, each asking is written into the ledger as a
run of its own, and replaying that run computes every number anew. Askers of the same at the same time wait for the first.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from assistant.ledger import canonical, joined
from assistant.outcome import Outcome, recorded
from assistant.schemas import Answer, Event, Question

if TYPE_CHECKING:
    from assistant.answering import AnswerBuilder

_LOOK_AGAIN = 1.0  # seconds
KEPT = 128  # outcomes of one owner; each is some 100 kB


@dataclass
class Done:
    """An outcome and the run that computed it; once that is written, also its answer and what the ledger keeps of it."""

    run_id: str
    outcome: Outcome
    answer: Answer | None = None
    fields: dict[str, str] = field(default_factory=dict)

    def written(self, run_id: str, question: Question, builder: AnswerBuilder, seconds: float) -> tuple[Answer, str]:
        """The answer of a run with this outcome, and what the ledger keeps of it as canonical JSON.

        A run that took over the outcome of another differs in its id and how long it took, and says which one computed.
        """
        if self.answer is not None and run_id != self.run_id:
            fields = dict(self.fields)
            fields["answer"] = fields["answer"].replace(canonical(self.run_id), canonical(run_id))
            fields |= {"seconds": canonical(round(seconds, 3)), "computed_by": canonical(self.run_id)}
            return self.answer.model_copy(update={"run_id": run_id}), joined(fields)
        answer = builder.build(run_id, question, self.outcome)
        body = recorded(question, answer, self.outcome, seconds)
        if run_id != self.run_id:
            body["computed_by"] = self.run_id
        fields = {key: canonical(value) for key, value in body.items()}
        if run_id == self.run_id:
            self.fields, self.answer = fields, answer
        return answer, joined(fields)


class Finished:
    """Outcomes by what they depend on, the ones used least forgotten first. Safe between threads."""

    def __init__(self, size: int = KEPT) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Done] = OrderedDict()
        self._running: dict[Hashable, threading.Lock] = {}

    @contextmanager
    def alone(self, key: Hashable) -> Iterator[None]:
        """One asker of the same at a time: the others find it finished."""
        with self._lock:
            turn = self._running.setdefault(key, threading.Lock())
        with turn:
            try:
                yield
            finally:
                with self._lock:
                    self._running.pop(key, None)

    def get(self, key: Hashable) -> Done | None:
        """What was kept under the key."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def keep(self, key: Hashable, done: Done) -> None:
        """Keep an outcome."""
        with self._lock:
            self._kept[key] = done
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)


def retold(outcome: Outcome) -> Iterator[Event]:
    """The plan and the steps of an outcome as the events of a run."""
    if outcome.plan is not None:
        yield Event(type="plan", at=datetime.now(UTC), plan=outcome.plan)
    for step in outcome.steps:
        yield Event(type="step_started", at=datetime.now(UTC), tool=step.tool)
        yield Event(type="step_finished", at=datetime.now(UTC), tool=step.tool, step=step)


class Slots:
    """How many runs are computed at the same time, over all owners of a process.

    Threads that compute side by side only take turns at the interpreter, and everything else waits longer for its own.
    """

    def __init__(self, count: int) -> None:
        self._lock = threading.Lock()
        self._free = count
        self._waiting: deque[threading.Event] = deque()

    @contextmanager
    def one(self, gone: Callable[[], bool] = lambda: False) -> Iterator[None]:
        """A slot, first come, first served; waited for until `gone` says that nobody waits any more (who then stops)."""
        mine = self._wait(gone)
        try:
            yield
        finally:
            if mine:
                self._give_back()

    def _wait(self, gone: Callable[[], bool]) -> bool:
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            turn = threading.Event()
            self._waiting.append(turn)
        while not turn.wait(_LOOK_AGAIN):
            if gone():
                with self._lock:
                    if turn in self._waiting:
                        self._waiting.remove(turn)
                        return False
        return True

    def _give_back(self) -> None:
        """To whoever waits longest."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._free += 1
