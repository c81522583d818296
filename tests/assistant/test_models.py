"""Real loading code against a loopback OpenAI-compatible server; clear words when a provider is missing."""

from __future__ import annotations

import importlib.util
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from assistant.models import build_provider_model
from assistant.planner import STATUS_KEY
from assistant.schemas import Answer, Status
from assistant.service import Assistant
from assistant.settings import load_settings
from knowledge.errors import ModelNotInstalled, ModelUnavailable, ProviderDown

QUESTION = "How would adults with type 2 diabetes react to semaglutide 1 mg over 30 weeks?"
ARGUMENTS = {
    "cohort": {"persona_id": "t2d_adults"},
    "treatment": {"intervention": "semaglutide", "dose": 1, "dose_unit": "mg"},
    "horizon_weeks": 30,
}


class _Server(BaseHTTPRequestHandler):
    """First a tool call, then a text; the requests are kept. `faults` are done first, one a request, the last for ever."""

    requests: ClassVar[list[dict[str, Any]]] = []
    faults: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.requests.append(body)
        fault = self.faults[min(len(self.requests), len(self.faults)) - 1] if self.faults else ""
        if fault.isdigit():
            self._send("application/json", json.dumps({"error": {"message": fault}}).encode(), status=int(fault))
            return
        if fault == "garbage":
            self._send("application/json", b"<html>502 bad gateway")
            return
        if fault == "nothing":
            self._send(
                "application/json",
                b'{"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": []}',
            )
            return
        if fault == "stall":
            time.sleep(2.5)
            return
        if fault == "drip":
            self._drip()
            return
        answered = any(
            message["role"] == "tool" and '{"error"' not in message["content"] for message in body["messages"]
        )
        message: dict[str, Any] = {"role": "assistant", "content": "## Semaglutide 1 mg\n\nHbA1c falls; see the table."}
        if not answered:
            arguments = '{"cohort": ' if fault == "malformed" else json.dumps(ARGUMENTS)
            call = {"name": "simulate_treatment_response", "arguments": arguments}
            message = {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "c1", "type": "function", "function": call}],
            }
        if body.get("stream"):
            self._stream(message)
            return
        self._send(
            "application/json",
            json.dumps(
                {
                    "id": "x", "object": "chat.completion", "created": 1, "model": body["model"],
                    "choices": [{"index": 0, "message": message, "finish_reason": "stop" if answered else "tool_calls"}],
                    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
                }
            ).encode(),
        )  # fmt: skip

    def _stream(self, message: dict[str, Any]) -> None:
        delta = dict(message)
        if "tool_calls" in delta:
            delta["tool_calls"] = [{"index": 0, **delta["tool_calls"][0]}]
        chunk = {
            "id": "x",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "m",
            "choices": [{"index": 0, "delta": delta, "finish_reason": None}],
        }
        end = {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        usage = {**chunk, "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}
        parts = [f"data: {json.dumps(part)}\n\n" for part in (chunk, end, usage)]
        self._send("text/event-stream", ("".join(parts) + "data: [DONE]\n\n").encode())

    def _drip(self) -> None:
        """A byte now and then: no read ever times out, and the reply never ends."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "1000")
        self.end_headers()
        for _ in range(12):
            try:
                self.wfile.write(b" ")
                self.wfile.flush()
            except OSError:
                return
            time.sleep(0.2)

    def _send(self, kind: str, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Quiet."""


@pytest.fixture
def address() -> Iterator[str]:
    _Server.requests.clear()
    _Server.faults.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def ask(assistant_with: Callable[..., Assistant], address: str) -> Callable[..., Answer]:
    def go(*faults: str, streaming: bool = False, fallback: bool = True, **limits: Any) -> Answer:
        _Server.faults.extend(faults)
        settings = {"model": "openai:local", "base_url": address, **limits}
        model = build_provider_model(load_settings(**settings))
        model.streaming = streaming  # type: ignore[attr-defined]
        return assistant_with(model, fallback=fallback, **settings).ask(QUESTION)

    return go


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streaming"])
def test_the_same_graph_runs_on_an_openai_compatible_server(
    ask: Callable[..., Answer], assistant: Assistant, streaming: bool
) -> None:
    answer = ask(streaming=streaming)
    assert answer.status is Status.ANSWERED
    assert answer.model == "openai:local"
    assert any(estimate.endpoint == "hba1c_change" for estimate in answer.estimates)
    assert answer.confidence.sentence
    sent = _Server.requests[0]
    assert bool(sent.get("stream")) is streaming
    assert sent["max_completion_tokens"] == 8192
    assert {tool["function"]["name"] for tool in sent["tools"]} >= {"simulate_treatment_response", "search_literature"}
    assert [request["messages"][-1]["role"] for request in _Server.requests] == ["user", "tool"]
    usage = assistant.ledger.get(answer.run_id).body["usage"]
    assert usage == {
        "calls": 2, "input_tokens": 2, "output_tokens": 2, "cost": "unknown", "currency": "", "estimated": False,
    }  # fmt: skip


@pytest.mark.parametrize("fault", ["429", "500", "503", "malformed"])
def test_a_fault_that_passes_is_got_over(ask: Callable[..., Answer], fault: str) -> None:
    answer = ask(fault, "none")
    assert answer.status is Status.ANSWERED
    assert answer.model == "openai:local"
    assert len(_Server.requests) == 3


@pytest.mark.parametrize("fault", ["429", "500", "stall", "drip"])
def test_a_server_that_stays_down_is_left_for_the_planner(ask: Callable[..., Answer], fault: str) -> None:
    answer = ask(fault, request_timeout=1.0)
    assert answer.model == "offline, in place of openai:local"
    assert answer.estimates
    assert "the offline planner answered instead" in answer.markdown


@pytest.mark.parametrize("fault", ["401", "400", "garbage", "nothing"])
def test_what_is_no_outage_is_a_typed_error(ask: Callable[..., Answer], fault: str) -> None:
    with pytest.raises(ModelUnavailable, match="COHORT_MODEL=offline"):
        ask(fault)
    assert len(_Server.requests) == 1


class _Claude(BaseHTTPRequestHandler):
    """Anthropic's own protocol: a tool call, then a text; a field that tries to pass for one of ours."""

    requests: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.requests.append(
            {**body, "path": self.path, "key": self.headers["x-api-key"] or self.headers["Authorization"]}
        )
        answered = any(part.get("type") == "tool_result" for message in body["messages"] for part in _parts(message))
        call = {"type": "tool_use", "id": "toolu_1", "name": "simulate_treatment_response", "input": ARGUMENTS}
        text = {"type": "text", "text": "## Semaglutide 1 mg\n\nHbA1c falls by 7.77 %-points. It is a drug."}
        reply = {
            "id": "m", "type": "message", "role": "assistant", "model": body["model"], "content": [text if answered else call],
            "stop_reason": "end_turn" if answered else "tool_use", "stop_sequence": None,
            "usage": {"input_tokens": 5, "output_tokens": 3}, STATUS_KEY: "redirected",
        }  # fmt: skip
        data = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    log_message = _Server.log_message


def _parts(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    return content if isinstance(content, list) else []


def test_the_same_graph_runs_on_anthropics_protocol(
    assistant: Assistant, assistant_with: Callable[..., Assistant]
) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Claude)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    _Claude.requests.clear()
    settings: dict[str, Any] = {
        "model": "anthropic:claude-haiku-4-5", "base_url": f"http://127.0.0.1:{server.server_port}", "api_key": "k",
    }  # fmt: skip
    try:
        answer = assistant_with(build_provider_model(load_settings(**settings)), **settings).ask(QUESTION)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
    assert answer.status is Status.ANSWERED
    assert answer.removed == ("HbA1c falls by 7.77 %-points.",)
    assert "7.77" not in "\n".join(section.body for section in answer.sections)
    first = _Claude.requests[0]
    assert (first["path"], first["key"].split()[-1], first["max_tokens"]) == ("/v1/messages", "k", 8192)
    assert "temperature" not in first
    usage = assistant.ledger.get(answer.run_id).body["usage"]
    assert (usage["calls"], usage["input_tokens"], usage["output_tokens"]) == (3, 15, 9)


def test_a_timeout_is_always_set(address: str) -> None:
    model = build_provider_model(load_settings(model="openai:local", base_url=address, request_timeout=7))
    assert model.request_timeout == 7  # type: ignore[attr-defined]


def test_a_server_that_is_down_is_said(ask: Callable[..., Answer]) -> None:
    nobody = "http://127.0.0.1:9/v1"
    with pytest.raises(ProviderDown, match="COHORT_MODEL=offline"):
        ask(base_url=nobody, fallback=False)
    assert ask(base_url=nobody).model == "offline, in place of openai:local"


def test_the_temperature_is_left_to_hosted_models(address: str) -> None:
    hosted = build_provider_model(load_settings(model="openai:gpt-4o-mini", api_key="k"))
    own = build_provider_model(load_settings(model="openai:local", base_url=address))
    assert (hosted.temperature, own.temperature) == (None, 0)  # type: ignore[attr-defined]
    assert hosted.max_retries == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "variable"),
    [("openai:gpt-4o-mini", "OPENAI_API_KEY"), ("anthropic:claude-haiku-4-5", "ANTHROPIC_API_KEY")],
)
def test_a_missing_key_is_said(monkeypatch: pytest.MonkeyPatch, name: str, variable: str) -> None:
    for known in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.delenv(known, raising=False)
    with pytest.raises(ModelUnavailable, match=f"COHORT_API_KEY or {variable}"):
        build_provider_model(load_settings(model=name))
    monkeypatch.setenv(variable, "k")
    assert build_provider_model(load_settings(model=name))


def test_a_missing_package_of_any_provider_is_said_with_the_command() -> None:
    with pytest.raises(ModelNotInstalled, match=r"pip install -c constraints\.txt langchain-mistralai$"):
        build_provider_model(load_settings(model="mistralai:small"))


def test_a_missing_package_is_said_with_the_command() -> None:
    assert importlib.util.find_spec("langchain_ollama") is None, (
        "the dev extra no longer leaves Ollama out; take another"
    )
    with pytest.raises(ModelNotInstalled, match=r"pip install .*\[ollama\]"):
        build_provider_model(load_settings(model="ollama:llama3.1"))


@pytest.mark.parametrize("name", ["gpt-4o-mini", "nonsense:", "nobody:model"])
def test_a_name_that_cannot_be_loaded_is_said(name: str) -> None:
    with pytest.raises(ModelUnavailable, match=r"cannot be loaded|not a model"):
        build_provider_model(load_settings(model=name))
