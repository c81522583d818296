from __future__ import annotations

import json

import pytest
from fastapi.testclient import TestClient

from assistant.schemas import Answer
from knowledge.errors import InvalidInput
from ui.auth import check_host

QUESTION = {"text": "How would adults with type 2 diabetes react to semaglutide 1 mg weekly over 30 weeks?"}


def test_ask_gives_the_typed_answer(client: TestClient) -> None:
    response = client.post("/api/v1/ask", json=QUESTION)
    assert response.status_code == 200
    answer = Answer.model_validate(response.json())
    assert answer.status.value == "answered"
    again = client.get(f"/api/v1/runs/{answer.run_id}")
    assert Answer.model_validate(again.json()) == answer
    replay = client.post(f"/api/v1/runs/{answer.run_id}/replay").json()
    assert replay["identical"], replay["differences"]


def test_the_stream_ends_with_the_answer(client: TestClient) -> None:
    with client.stream("POST", "/api/v1/ask/stream", json=QUESTION) as response:
        lines = [line for line in response.iter_lines() if line]
    kinds = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    assert kinds[0] == "plan"
    assert kinds[-1] == "answer"
    assert "step_started" in kinds
    assert "step_finished" in kinds
    assert Answer.model_validate(json.loads(lines[-1].removeprefix("data: "))["answer"])


def test_a_stream_that_fails_says_so(client: TestClient) -> None:
    with client.stream("POST", "/api/v1/ask/stream", json={"text": ""}) as response:
        text = "".join(response.iter_lines())
    assert "event: error" in text
    assert "empty" in text


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/api/v1/ask", '{"text": ""}', 422),
        ("POST", "/api/v1/ask", '{"text": "' + "a" * 20_000 + '"}', 413),
        ("POST", "/api/v1/ask", '{"text": "\\ud800"}', 422),
        ("POST", "/api/v1/ask", '{"text": "q", "seed": NaN}', 422),
        ("POST", "/api/v1/ask", '{"text": "q", "colour": 1}', 422),
        ("POST", "/api/v1/ask", "not json", 422),
        ("POST", "/api/v1/tools/nothing", "{}", 404),
        ("POST", "/api/v1/tools/search_literature", '{"query": "x", "k": Infinity}', 422),
        ("POST", "/api/v1/tools/search_literature", "[1]", 422),
        ("GET", "/api/v1/personas/nobody", "", 404),
        ("GET", "/api/v1/runs/r-none", "", 404),
        ("GET", "/api/v1/nothing", "", 404),
    ],
)
def test_errors_are_problem_details(client: TestClient, method: str, path: str, body: str, status: int) -> None:
    response = client.request(method, path, content=body, headers={"content-type": "application/json"})
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert problem["detail"]


def test_tools_and_personas_are_listed(client: TestClient) -> None:
    tools = {card["name"]: card for card in client.get("/api/v1/tools").json()}
    assert set(tools) >= {
        "simulate_treatment_response",
        "compare_treatments",
        "rank_treatments",
        "find_responders",
        "explain_prediction",
        "simulate_stopping",
        "search_literature",
        "describe_cohort",
    }
    assert tools["search_literature"]["input_schema"]["properties"]["query"]
    result = client.post("/api/v1/tools/search_literature", json={"query": "adherence to injections"}).json()
    assert result["provenance"]["tool"] == "search_literature"
    persona = client.get("/api/v1/personas/t2d_ckd_older").json()
    assert persona["parent"] is not None
    assert client.get("/api/v1/health").json()["trials"] > 100


def test_the_api_is_documented(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert "/api/v1/ask" in paths
    assert "/api/v1/tools/{name}" in paths


def test_only_loopback_is_served_without_keys_and_sign_in() -> None:
    assert check_host("localhost", keys=False, users=False) == "127.0.0.1"
    assert check_host("::1", keys=False, users=False) == "::1"
    for host in ("0.0.0.0", "192.168.1.5", "::"):
        with pytest.raises(InvalidInput, match=r"cohort keys new NAME.*cohort users add NAME"):
            check_host(host, keys=False, users=False)
        with pytest.raises(InvalidInput, match="cohort users add NAME"):
            check_host(host, keys=True, users=False)
        with pytest.raises(InvalidInput, match="cohort keys new NAME"):
            check_host(host, keys=False, users=True)
        assert check_host(host, keys=True, users=False, chat=False) == host
        assert check_host(host, keys=True, users=True) == host
    with pytest.raises(InvalidInput, match="not an address"):
        check_host("example", keys=True, users=True)
