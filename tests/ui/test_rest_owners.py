"""What one key made is unknown to every other, on every verb and route."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

API = "/api/v1"
NOTE = b"""# Xylophant tablets in our clinic

## Adherence to xylophant tablets | notes of our clinic

Of the people who were given xylophant tablets in our clinic, most went on with semaglutide.
"""
ARCHETYPE = {
    "id": "alices_clinic",
    "name": "Adults of the clinic of Alice",
    "parent": "t2d_adults",
    "area": "type_2_diabetes",
    "summary": "Adults with type 2 diabetes who come to the clinic of Alice.",
}
Clients = Callable[[str], TestClient]


@pytest.fixture(scope="module")
def made(client_of: Clients) -> dict[str, str]:
    """Everything that can belong to somebody, made by alice."""
    alice = client_of("alice")
    asked = {"text": "What is published about adherence to GLP-1 receptor agonists?", "conversation": "hers"}
    run = alice.post(f"{API}/ask", json=asked).json()["run_id"]
    assert alice.post(f"{API}/personas", json=ARCHETYPE).status_code == 201
    form = {"area": "type_2_diabetes"}
    imported = alice.post(f"{API}/evidence/import", files={"files": ("hers.md", NOTE)}, data=form)
    assert imported.status_code == 200, imported.text
    assert imported.json()["files"][0]["path"] == "hers.md"
    sampling = {"kind": "sample", "personas": ["t2d_adults"], "n": 10}
    job = alice.post(f"{API}/jobs", json=sampling).json()["id"]
    for _ in range(600):
        if alice.get(f"{API}/jobs/{job}").json()["state"] == "done":
            break
        time.sleep(0.05)
    return {"run": run, "job": job}


def test_the_owner_sees_it_all(client_of: Clients, made: dict[str, str]) -> None:
    alice = client_of("alice")
    assert alice.get(f"{API}/runs/{made['run']}").status_code == 200
    assert [row["name"] for row in alice.get(f"{API}/conversations").json()] == ["hers"]
    assert alice.get(f"{API}/conversations/hers").json()[0]["run_id"] == made["run"]
    assert alice.get(f"{API}/personas/alices_clinic").status_code == 200
    assert alice.get(f"{API}/evidence/imports").json()["files"] == ["hers.md"]
    assert alice.get(f"{API}/jobs/{made['job']}").json()["result"]["patients"] == 10
    assert len(alice.get(f"{API}/jobs/{made['job']}/file").text.splitlines()) == 11
    found = alice.get(f"{API}/evidence/search", params={"q": "adherence xylophant tablets semaglutide"}).json()
    assert any("xylophant" in hit["passage"]["text"] for hit in found["passages"])


@pytest.mark.parametrize("name", ["bob", "mallory"])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/runs/{run}", None),
        ("GET", "/runs/{run}/export?form=json", None),
        ("POST", "/runs/{run}/replay", None),
        ("GET", "/conversations/hers", None),
        ("DELETE", "/conversations/hers", None),
        ("POST", "/conversations/hers/resume", None),
        ("GET", "/personas/alices_clinic", None),
        ("GET", "/personas/alices_clinic/file", None),
        ("GET", "/personas/alices_clinic/similar", None),
        ("GET", "/personas/alices_clinic/trials", None),
        ("GET", "/personas/alices_clinic/history", None),
        ("GET", "/personas/compare?first=alices_clinic&second=t2d_adults", None),
        ("PUT", "/personas/alices_clinic", ARCHETYPE),
        ("DELETE", "/personas/alices_clinic", None),
        ("POST", "/personas/alices_clinic/rollback", {"to": 0}),
        ("POST", "/personas/sample", {"personas": ["alices_clinic"], "n": 5}),
        ("POST", "/tools/describe_cohort", {"cohort": {"persona_id": "alices_clinic"}}),
        ("GET", "/jobs/{job}", None),
        ("GET", "/jobs/{job}/file", None),
        ("DELETE", "/jobs/{job}", None),
    ],
)
def test_nobody_else_knows_of_it(
    client_of: Clients, made: dict[str, str], name: str, method: str, path: str, body: object
) -> None:
    response = client_of(name).request(method, API + path.format(**made), json=body)
    assert response.status_code == 404, response.text
    assert response.headers["content-type"] == "application/problem+json"


def test_nobody_else_is_shown_it_in_a_list(client_of: Clients, made: dict[str, str]) -> None:
    bob = client_of("bob")
    assert made["run"] not in bob.get(f"{API}/runs", params={"limit": 1000}).text
    assert bob.get(f"{API}/conversations").json() == []
    assert "alices_clinic" not in bob.get(f"{API}/personas").text
    assert "alices_clinic" not in bob.get(f"{API}/personas/list").text
    assert bob.get(f"{API}/jobs").json() == []
    assert bob.get(f"{API}/evidence/imports").json()["files"] == []
    found = bob.get(f"{API}/evidence/search", params={"q": "adherence xylophant tablets semaglutide"}).text
    assert "xylophant" not in found
    assert bob.delete(f"{API}/evidence/imports/hers.md").status_code == 404
    assert client_of("alice").get(f"{API}/evidence/imports").json()["files"] == ["hers.md"]


def test_one_name_for_two_things_of_two_owners(client_of: Clients, made: dict[str, str]) -> None:
    """A conversation, archetype, file or idempotency key of the same name is another one for another owner."""
    bob = client_of("bob")
    asked = {"text": "What is published about adherence to GLP-1 receptor agonists?", "conversation": "hers"}
    sent = {"Idempotency-Key": "same"}
    first = client_of("alice").post(f"{API}/runs/verify", headers=sent)
    assert bob.post(f"{API}/runs/verify", headers=sent).json() != first.json()
    assert bob.post(f"{API}/ask", json=asked).status_code == 200
    assert bob.delete(f"{API}/conversations/hers").status_code == 204
    assert client_of("alice").get(f"{API}/conversations/hers").json()[0]["run_id"] == made["run"]


@pytest.mark.parametrize("path", ["/ask", "/runs", "/metrics", "/personas", "/jobs", "/nothing", "/evals/latest"])
@pytest.mark.parametrize("header", [None, "Bearer", "Bearer ", "Bearer wrong", "Basic YTpi", "ct_for-tests-only-alice"])
def test_nobody_gets_in_without_a_key(client_of: Clients, path: str, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    response = client_of("").get(API + path, headers=headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert response.json()["status"] == 401
    assert "cohort keys new" in response.json()["detail"]


def test_what_is_open_says_nothing_of_anybody(client_of: Clients) -> None:
    nobody = client_of("")
    assert set(nobody.get(f"{API}/health").json()) == {"status", "evidence_hash", "trials"}
    assert nobody.get(f"{API}/ready").status_code in (200, 503)
    assert nobody.get("/openapi.json").status_code == 200
