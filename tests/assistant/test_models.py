"""Real loading code against a loopback OpenAI-compatible server; clear words when a provider is missing."""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from assistant.bootstrap import build_assistant
from assistant.models import build_provider_model
from assistant.schemas import Status
from assistant.settings import load_settings
from knowledge.errors import ModelNotInstalled, ModelUnavailable

ARGUMENTS = {
    "cohort": {"persona_id": "t2d_adults"},
    "treatment": {"intervention": "semaglutide", "dose": 1, "dose_unit": "mg"},
    "horizon_weeks": 30,
}


class _Server(BaseHTTPRequestHandler):
    """First a tool call, then a text; the requests are kept."""

    requests: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.requests.append(body)
        answered = any(message["role"] == "tool" for message in body["messages"])
        message: dict[str, Any] = {"role": "assistant", "content": "## Semaglutide 1 mg\n\nHbA1c falls; see the table."}
        if not answered:
            call = {"name": "simulate_treatment_response", "arguments": json.dumps(ARGUMENTS)}
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
        self._send(
            "text/event-stream", f"data: {json.dumps(chunk)}\n\ndata: {json.dumps(end)}\n\ndata: [DONE]\n\n".encode()
        )

    def _send(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Quiet."""


@pytest.fixture
def address() -> Iterator[str]:
    _Server.requests.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_the_same_graph_runs_on_an_openai_compatible_server(address: str, tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, model="openai:local", base_url=address)
    with build_assistant(settings) as assistant:
        answer = assistant.ask("How would adults with type 2 diabetes react to semaglutide 1 mg over 30 weeks?")
    assert answer.status is Status.ANSWERED
    assert answer.model == "openai:local"
    assert any(estimate.endpoint == "hba1c_change" for estimate in answer.estimates)
    assert answer.confidence.sentence
    sent = _Server.requests[0]
    assert {tool["function"]["name"] for tool in sent["tools"]} >= {"simulate_treatment_response", "search_literature"}
    assert _Server.requests[-1]["messages"][-1]["role"] == "tool"


def test_a_timeout_is_always_set(address: str) -> None:
    model = build_provider_model(load_settings(model="openai:local", base_url=address, request_timeout=7))
    assert model.request_timeout == 7  # type: ignore[attr-defined]


def test_a_server_that_is_down_is_said(tmp_path: Path) -> None:
    settings = load_settings(
        data_dir=tmp_path, model="openai:local", base_url="http://127.0.0.1:9/v1", request_timeout=2
    )
    with build_assistant(settings) as assistant, pytest.raises(ModelUnavailable, match="COHORT_MODEL=offline"):
        assistant.ask("How would adults with type 2 diabetes react to semaglutide 1 mg?")


def test_a_missing_key_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ModelUnavailable, match="COHORT_API_KEY"):
        build_provider_model(load_settings(model="openai:gpt-4o-mini"))


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
