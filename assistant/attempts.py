"""One request to a chat model under the limits of its run: calls, seconds, budgets, cancellation; retried with jitter."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage
from langchain_core.messages.utils import count_tokens_approximately
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, stop_before_delay
from tenacity.wait import wait_random_exponential

from assistant.accounting import Meter
from assistant.circuit import Circuit, Trouble, trouble_of
from knowledge.errors import CohortTwinError, LimitReached, ModelUnavailable, ProviderDown, RunCancelled

T = TypeVar("T")
TRIES = 3
_JITTER = wait_random_exponential(multiplier=0.5, max=8)
_GLANCE = 0.05  # seconds between two looks at whether the run was cancelled
OFFLINE_HINT = "Try again, or use the offline planner with COHORT_MODEL=offline."


class Stalled(TimeoutError):
    """A request that took longer than one request may."""


class Attempts:
    """All requests of one run.

    Parameters
    ----------
    deadline : `time.monotonic()` after which nothing more is waited for.
    max_calls : requests of the run, retries counted.
    request_timeout : seconds one request may take; it is left behind then, whatever its client does.
    """

    def __init__(
        self,
        *,
        deadline: float,
        max_calls: int,
        request_timeout: float,
        meter: Meter,
        circuit: Circuit | None = None,
        cancelled: threading.Event | None = None,
    ) -> None:
        self.deadline = deadline
        self.calls = 0
        self.max_calls = max_calls
        self._request_timeout = request_timeout
        self._meter = meter
        self._circuit = circuit or Circuit()
        self._cancelled = cancelled or threading.Event()

    def run(self, call: Callable[[], T], sent: list[AnyMessage], read: Callable[[T], list[BaseMessage]]) -> T:
        """Call, and call again where that may help.

        Parameters
        ----------
        sent : what is sent, to estimate its tokens.
        read : the messages of what came back, for their token counts.

        Raises
        ------
        LimitReached
            Calls, seconds or a budget are used up.
        RunCancelled
            Whoever asked has left.
        ProviderDown
            No answer, after retries.
        ModelUnavailable
            The provider refused the request, or what it answered cannot be read.
        """
        size = count_tokens_approximately(sent)
        retrying = Retrying(
            stop=stop_after_attempt(TRIES) | stop_before_delay(max(0.0, self.deadline - time.monotonic())),
            wait=_wait,
            retry=retry_if_exception(lambda error: _trouble(error).passing),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            result: T = retrying(self._once, call, size)
        except CohortTwinError:
            raise
        except Exception as error:
            raise self._typed(error) from error
        self._circuit.worked()
        self._count(read(result), size)
        return result

    def check(self) -> None:
        """Whether another step may start (LimitReached, RunCancelled)."""
        if self._cancelled.is_set():
            raise RunCancelled("The question was cancelled.")
        if time.monotonic() > self.deadline:
            raise LimitReached("The time for this question is used up.", "Raise COHORT_MAX_SECONDS.")

    def _once(self, call: Callable[[], T], size: int) -> T:
        self.check()
        self._meter.check(size)
        if self.calls >= self.max_calls:
            raise LimitReached(
                f"The chat model was called {self.calls} times, which is the limit.", "Raise COHORT_MAX_MODEL_CALLS."
            )
        self.calls += 1
        until = min(self.deadline, time.monotonic() + self._request_timeout)
        answers: list[T] = []
        faults: list[BaseException] = []
        done = threading.Event()

        def work() -> None:
            try:
                answers.append(call())
            except BaseException as error:  # noqa: BLE001 - handed to the waiting thread, which raises it
                faults.append(error)
            finally:
                done.set()

        # A thread of its own: a client that hangs, or drips a byte a second, is left behind at the limit.
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(work,), name="cohort-model-call", daemon=True).start()
        while not done.wait(min(_GLANCE, max(0.0, until - time.monotonic()))):
            if self._cancelled.is_set() or time.monotonic() >= until:
                self._meter.add(size, 0, estimated=True)  # it was sent, and may be billed
                self.check()
                raise Stalled(f"no answer within {self._request_timeout:g} s")
        if faults:
            raise faults[0]
        return answers[0]

    def _sleep(self, seconds: float) -> None:
        self._cancelled.wait(seconds)

    def _typed(self, error: Exception) -> ModelUnavailable:
        trouble = _trouble(error)
        said = f"{type(error).__name__}: {str(error)[:200]}"
        if trouble.outage:
            self._circuit.failed()
            return ProviderDown(f"The chat model did not answer ({trouble.value}; {said}).", OFFLINE_HINT)
        if trouble is Trouble.REFUSED:
            return ModelUnavailable(
                f"The chat model's provider refused the request ({said}).",
                "Check COHORT_MODEL and COHORT_API_KEY, or use the offline planner with COHORT_MODEL=offline.",
            )
        return ModelUnavailable(f"The chat model failed: {said}", OFFLINE_HINT)

    def _count(self, messages: list[BaseMessage], size: int) -> None:
        reported = [message.usage_metadata for message in messages if isinstance(message, AIMessage)]
        counts = [count for count in reported if count]
        if counts:
            self._meter.add(sum(c["input_tokens"] for c in counts), sum(c["output_tokens"] for c in counts))
        else:
            self._meter.add(size, count_tokens_approximately(messages), estimated=True)


def _trouble(error: BaseException) -> Trouble:
    return Trouble.BROKEN if isinstance(error, CohortTwinError) else trouble_of(error)


def _wait(state: RetryCallState) -> float:
    """Random exponential waiting, or as long as the provider asks for if that is longer."""
    error = state.outcome.exception() if state.outcome else None
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    try:
        asked = float(headers.get("retry-after", 0))
    except ValueError:  # a date instead of seconds
        asked = 0.0
    return max(asked, float(_JITTER(state)))
