"""Requests that nobody would send on purpose, made by schemathesis from our own OpenAPI: no answer is a server error."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable

from assistant.owners import Owners
from ui.server import create_app

MODES = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
FEW, MANY = 4, 300  # cases for each operation and mode
AT_LEAST = 20_000
HOSTILE = (
    "NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 5000, "1" + "0" * 400, '"\\ud800"', '"\\udfff\\ud800"',
    '"\\u0000"', '"' + "a" * 200_000 + '"', '"' + "é" * 50_000 + '"', "[" * 5000 + "]" * 5000, '{"a":' * 900 + "1" + "}" * 900,
    "[]", "{}", "null", "true", '""', "-0.0", "1e-400", '"\\u202e\\u200b"', '"../../etc/passwd"', "\"'; DROP TABLE runs; --\"",
    '{"$ref": "#"}', "[" + "1," * 50_000 + "1]",
)  # fmt: skip


@dataclass
class Tally:
    """What came back."""

    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def note(self, label: str, response: Any, sent: str) -> None:
        status, kind = response.status_code, str(response.headers.get("content-type", ""))
        self.statuses[status] += 1
        if status >= 500:
            self.faults.append(f"{label}: {status} {response.text[:200]} after {sent[:400]}")
        elif status >= 400 and " /api/" in label and "problem+json" not in kind:
            self.faults.append(f"{label}: {status} is {kind} after {sent[:400]}")


@pytest.fixture(scope="module")
def app(keyed_owners: Owners) -> Iterator[FastAPI]:
    """Mallory's requests: jobs wait for ever, since a random one may take minutes."""
    from ui.jobs import JobBook

    made = create_app(keyed_owners, chat=False)
    made.state.jobs.close()
    made.state.jobs = JobBook(workers=0)
    made.state.warm.start()
    assert made.state.warm.done.wait(120)
    yield made
    made.state.jobs.close()


def _fuzz(app: FastAPI, headers: dict[str, str], cases: int) -> Tally:
    tally = Tally()
    for result in schemathesis.openapi.from_asgi("/openapi.json", app).get_all_operations():
        for mode in MODES:
            with suppress(Unsatisfiable):  # nothing about this operation can be wrong: it takes no input
                _sender(result.ok(), mode, headers, cases, tally)()
    return tally


def _sender(operation: Any, mode: Any, headers: dict[str, str], cases: int, tally: Tally) -> Callable[[], None]:
    @seed(1)
    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        response = case.call(headers=headers, timeout=300)
        # Schemathesis lists the values of a header.
        flat = {name: " ".join(value) for name, value in response.headers.items()}
        tally.note(operation.label, _Flat(response.status_code, response.text, flat), repr(case))

    return send


@dataclass
class _Flat:
    status_code: int
    text: str
    headers: dict[str, str]


@pytest.fixture
def headers(key_of: Callable[[str], str]) -> dict[str, str]:
    return {"Authorization": f"Bearer {key_of('mallory')}"}


@pytest.mark.filterwarnings("ignore")  # of hypothesis, about what it is asked for here
def test_a_few_hundred_random_requests(app: FastAPI, headers: dict[str, str]) -> None:
    tally = _fuzz(app, headers, FEW)
    assert not tally.faults, "\n".join(tally.faults[:20])
    assert tally.statuses.total() >= 200, tally.statuses


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.filterwarnings("ignore")
def test_twenty_thousand_random_requests(app: FastAPI, headers: dict[str, str]) -> None:
    tally = _fuzz(app, headers, MANY)
    assert not tally.faults, "\n".join(tally.faults[:20])
    assert tally.statuses.total() >= AT_LEAST, tally.statuses


def test_hostile_values_in_every_place_of_every_body(app: FastAPI, headers: dict[str, str]) -> None:
    tally = Tally()
    client = TestClient(app, raise_server_exceptions=False, headers={**headers, "Content-Type": "application/json"})
    for path, verbs in client.get("/openapi.json").json()["paths"].items():
        for verb, operation in verbs.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            if not content or not path.startswith("/api/"):
                continue
            filled = path.replace("{persona_id}", "t2d_adults").replace("{name}", "search_literature")
            example = next(iter(content["examples"].values()))["value"]
            for value in HOSTILE:
                bodies = [value, *(_with(example, key, value) for key in example)]
                for body in bodies:
                    response = client.request(verb.upper(), filled, content=body.encode("utf-8", "surrogatepass"))
                    tally.note(f"{verb.upper()} {path}", response, body)
    assert not tally.faults, "\n".join(tally.faults[:20])
    assert tally.statuses[422] > 300, tally.statuses
    assert client.get("/api/v1/health").status_code == 200


def _with(example: dict[str, Any], key: str, value: str) -> str:
    """The example as JSON text, with this text in the place of one value."""
    mark = "\x01here\x01"
    return json.dumps({**example, key: mark}).replace(json.dumps(mark), value)
