"""One request under its limits, and the circuit that leaves a failing provider alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from langchain_core.messages import AIMessage, HumanMessage

from assistant.accounting import Meter
from assistant.attempts import TRIES, Attempts
from assistant.circuit import Circuit, Trouble, trouble_of
from assistant.settings import load_settings
from knowledge.errors import LimitReached, ModelUnavailable, ProviderDown, RunCancelled


def _response(status: int, headers: dict[str, str] | None = None) -> httpx.HTTPStatusError:
    request = httpx.Request("POST", "http://127.0.0.1/v1")
    return httpx.HTTPStatusError(
        "no", request=request, response=httpx.Response(status, headers=headers, request=request)
    )


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (_response(429), Trouble.BUSY),
        (_response(500), Trouble.DOWN),
        (_response(529), Trouble.DOWN),
        (_response(408), Trouble.STALLED),
        (_response(401), Trouble.REFUSED),
        (_response(404), Trouble.REFUSED),
        (httpx.ConnectError("x"), Trouble.DOWN),
        (httpx.ReadTimeout("x"), Trouble.STALLED),
        (httpx.RemoteProtocolError("x"), Trouble.DOWN),
        (ConnectionRefusedError("x"), Trouble.DOWN),
        (TimeoutError("x"), Trouble.STALLED),
        (ValueError("x"), Trouble.BROKEN),
    ],
)
def test_a_failure_is_told_by_its_status_or_its_class(error: Exception, trouble: Trouble) -> None:
    assert trouble_of(error) is trouble


def test_the_circuit_opens_rests_and_lets_one_through() -> None:
    now = [0.0]
    circuit = Circuit(failures=2, rest_seconds=10, clock=lambda: now[0])
    circuit.failed()
    assert circuit.allows()
    circuit.failed()
    assert not circuit.allows()
    now[0] = 10.0
    assert circuit.allows()
    assert not circuit.allows()  # the others wait for what the first one finds
    circuit.worked()
    assert circuit.allows()


def _attempts(circuit: Circuit | None = None, seconds: float = 20, calls: int = 12, request: float = 5,
              cancelled: threading.Event | None = None, **settings: Any) -> tuple[Attempts, Meter]:  # fmt: skip
    meter = Meter(load_settings(model="openai:gpt-4o-mini", **settings))
    attempts = Attempts(
        deadline=time.monotonic() + seconds, max_calls=calls, request_timeout=request, meter=meter, circuit=circuit,
        cancelled=cancelled,
    )  # fmt: skip
    return attempts, meter


def _go(attempts: Attempts, *outcomes: Any) -> tuple[AIMessage, int]:
    """Run with a call that raises or returns the outcomes in order; how often it was called."""
    asked = 0

    def call() -> AIMessage:
        nonlocal asked
        outcome = outcomes[min(asked, len(outcomes) - 1)]
        asked += 1
        if isinstance(outcome, Exception):
            raise outcome
        if callable(outcome):
            return outcome()  # type: ignore[no-any-return]
        return outcome  # type: ignore[no-any-return]

    try:
        return attempts.run(call, [HumanMessage("How?")], lambda message: [message]), asked
    except Exception as error:
        error.add_note(str(asked))
        raise


SAID = AIMessage("Well.", usage_metadata={"input_tokens": 7, "output_tokens": 3, "total_tokens": 10})


def test_busy_and_broken_servers_are_asked_again_with_jitter() -> None:
    attempts, meter = _attempts()
    started = time.monotonic()
    message, asked = _go(attempts, _response(429), _response(503), SAID)
    assert (message.text, asked, attempts.calls) == ("Well.", 3, 3)
    assert time.monotonic() - started > 0
    assert (meter.usage.input_tokens, meter.usage.output_tokens, meter.usage.calls) == (7, 3, 1)


def test_the_wait_that_the_provider_asks_for_is_kept() -> None:
    attempts, _ = _attempts()
    started = time.monotonic()
    _go(attempts, _response(429, {"retry-after": "1.2"}), SAID)
    assert time.monotonic() - started >= 1.2


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    attempts, _ = _attempts(seconds=3)
    started = time.monotonic()
    with pytest.raises(ProviderDown, match="too many requests"):
        _go(attempts, _response(429, {"retry-after": "3600"}), SAID)
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("error", "kind", "times"),
    [
        (_response(500), ProviderDown, TRIES),
        (httpx.ReadTimeout("slow"), ProviderDown, 1),
        (_response(401), ModelUnavailable, 1),
        (ValueError("odd"), ModelUnavailable, 1),
    ],
)
def test_a_failure_is_typed_and_retried_only_where_that_helps(error: Exception, kind: type, times: int) -> None:
    attempts, _ = _attempts()
    with pytest.raises(ModelUnavailable) as caught:
        _go(attempts, error)
    assert type(caught.value) is kind
    assert caught.value.__notes__ == [str(times)]


def test_a_stalled_request_is_left_behind_and_counted() -> None:
    attempts, meter = _attempts(request=0.2)
    started = time.monotonic()
    with pytest.raises(ProviderDown, match=r"within 0\.2 s"):
        _go(attempts, lambda: time.sleep(2))
    assert time.monotonic() - started < 1.5
    assert meter.usage.estimated
    assert meter.usage.input_tokens > 0


def test_the_deadline_ends_a_request_that_would_be_allowed_longer() -> None:
    attempts, _ = _attempts(seconds=0.3)
    with pytest.raises(LimitReached, match="COHORT_MAX_SECONDS"):
        _go(attempts, lambda: time.sleep(2))


def test_a_retry_counts_as_a_call() -> None:
    attempts, _ = _attempts(calls=2)
    with pytest.raises(LimitReached, match="2 times"):
        _go(attempts, _response(500))


def test_a_budget_stops_before_the_call() -> None:
    attempts, _ = _attempts(max_run_tokens=1)
    with pytest.raises(LimitReached, match="COHORT_MAX_RUN_TOKENS") as caught:
        _go(attempts, SAID)
    assert caught.value.__notes__ == ["0"]


def test_cancelling_ends_a_request_at_once() -> None:
    cancelled = threading.Event()
    attempts, _ = _attempts(cancelled=cancelled)
    threading.Timer(0.2, cancelled.set).start()
    started = time.monotonic()
    with pytest.raises(RunCancelled):
        _go(attempts, lambda: time.sleep(3))
    assert time.monotonic() - started < 2


def test_outages_open_the_circuit_and_refusals_do_not() -> None:
    circuit = Circuit(failures=2)
    outcomes: list[tuple[Exception, bool]] = [
        (_response(401), True), (_response(401), True), (httpx.ReadTimeout("x"), True), (httpx.ReadTimeout("x"), False),
    ]  # fmt: skip
    for error, allowed in outcomes:
        with pytest.raises(ModelUnavailable):
            _go(_attempts(circuit)[0], error)
        assert circuit.allows() is allowed


def test_after_three_outages_the_provider_is_left_alone(
    assistant_with: Callable[..., Any], scripted: Callable[..., Any]
) -> None:
    model = scripted(TimeoutError("slow"))
    built = assistant_with(model)
    answers = [built.ask("What is published about adherence to semaglutide?") for _ in range(4)]
    assert model.calls == 3
    assert "left alone for a while" in " ".join(answers[-1].limits)
    assert all(answer.model == "offline, in place of scripted:model" for answer in answers)
