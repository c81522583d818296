"""What HTTP promises: statuses, ETags, pages, idempotency keys, limits, jobs; each over the real application."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from assistant.owners import Owners
from ui.auth import LOOPBACK_HOSTS
from ui.bodies import DEEPEST, LARGEST_JSON, LARGEST_UPLOAD
from ui.server import create_app

API = "/api/v1"
ARCHETYPE = {
    "id": "http_clinic",
    "name": "Adults of the clinic of this test",
    "parent": "t2d_adults",
    "area": "type_2_diabetes",
    "summary": "Adults with type 2 diabetes who come to the clinic of this test.",
}
JSON = {"content-type": "application/json"}


def _is_problem(response: Any, status: int) -> str:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status
    assert len(body["detail"]) > 5
    assert "Traceback" not in response.text
    return str(body["detail"])


def test_an_archetype_of_ones_own_from_making_to_removing(client: TestClient) -> None:
    tried = client.post(f"{API}/personas", json=ARCHETYPE, params={"dry_run": True})
    assert tried.status_code == 200
    assert client.get(f"{API}/personas/http_clinic").status_code == 404
    made = client.post(f"{API}/personas", json=ARCHETYPE)
    assert made.status_code == 201
    assert made.headers["location"] == f"{API}/personas/http_clinic"
    assert "/" not in made.json()["path"]
    read = client.get(made.headers["location"])
    tag = read.headers["etag"]
    assert tag == made.headers["etag"]
    assert client.get(made.headers["location"], headers={"If-None-Match": tag}).status_code == 304
    _is_problem(client.post(f"{API}/personas", json=ARCHETYPE), 422)

    changed = {**ARCHETYPE, "summary": "Adults with type 2 diabetes; this summary is another one."}
    _is_problem(client.put(f"{API}/personas/http_clinic", json=changed), 412)
    _is_problem(client.put(f"{API}/personas/http_clinic", json=changed, headers={"If-Match": '"old"'}), 412)
    other = {**changed, "id": "someone_else"}
    _is_problem(client.put(f"{API}/personas/http_clinic", json=other, headers={"If-Match": tag}), 422)
    replaced = client.put(f"{API}/personas/http_clinic", json=changed, headers={"If-Match": tag})
    assert replaced.status_code == 200
    assert replaced.headers["etag"] != tag
    _is_problem(client.delete(f"{API}/personas/http_clinic", headers={"If-Match": tag}), 412)
    assert "another one" in client.get(f"{API}/personas/http_clinic/file").text
    gone = client.delete(f"{API}/personas/http_clinic", headers={"If-Match": replaced.headers["etag"]})
    assert gone.status_code == 204
    _is_problem(client.get(f"{API}/personas/http_clinic"), 404)
    shipped = client.get(f"{API}/personas/t2d_adults").headers["etag"]
    _is_problem(client.delete(f"{API}/personas/t2d_adults", headers={"If-Match": shipped}), 409)


def test_words_become_a_cohort_and_patients(client: TestClient) -> None:
    spec = client.post(f"{API}/personas/resolve", json={"text": "women over 65 with type 2 diabetes"}).json()
    assert spec["persona_id"].startswith("t2d")
    _is_problem(client.post(f"{API}/personas/resolve", json={"text": "purple elephants"}), 422)
    wanted = {"personas": ["t2d_adults"], "restrictions": ["age>=65"], "n": 50, "seed": 3}
    text = client.post(f"{API}/personas/sample", json=wanted).text
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == 50
    assert all(float(row["age"]) >= 65 for row in rows)
    assert client.post(f"{API}/personas/sample", json=wanted).text == text
    for wrong in (
        {"personas": [""]},
        {"personas": ["t2d_adults=9999999", "t2d_ckd=1"]},
        {"personas": []},
        {"n": 200_000},
    ):
        _is_problem(client.post(f"{API}/personas/sample", json=wanted | wrong), 422)


def test_observations_teach_and_can_be_taken_back(client: TestClient) -> None:
    response = client.post(
        f"{API}/personas/t2d_adults/observations", files={"observations": ("seen.csv", b"attribute,value\n")}
    )
    _is_problem(response, 422)
    _is_problem(client.post(f"{API}/personas/t2d_adults/rollback", json={"to": 99}), 422)


def test_files_are_tried_imported_listed_and_forgotten(client: TestClient) -> None:
    note = b"# Notes\n\n## Adherence | our own notes\n\nPeople who took semaglutide in our clinic mostly went on with it.\n"
    files = {"files": ("../../notes of ours.md", note)}
    tried = client.post(f"{API}/evidence/import", files=files, data={"dry_run": "true", "area": "type_2_diabetes"})
    assert tried.status_code == 200, tried.text
    assert tried.json()["dry_run"] is True
    assert client.get(f"{API}/evidence/imports").json()["files"] == []
    taken = client.post(f"{API}/evidence/import", files=files, data={"area": "type_2_diabetes"}).json()
    assert [file["path"] for file in taken["files"]] == ["notes_of_ours.md"]
    assert "uploads" not in json.dumps(taken)
    assert client.get(f"{API}/evidence/imports").json()["files"] == ["notes_of_ours.md"]
    bad = client.post(f"{API}/evidence/import", files={"files": ("photo.exe", b"MZ\0")}).json()
    assert bad["files"][0]["status"] == "skipped"
    assert "/" not in bad["files"][0]["reason"].replace("a/b", "").partition(":")[0]
    left = client.delete(f"{API}/evidence/imports/notes_of_ours.md").json()
    assert left["files"] == []
    _is_problem(client.delete(f"{API}/evidence/imports/notes_of_ours.md"), 404)
    _is_problem(client.post(f"{API}/evidence/import", files=files, data={"area": "astrology"}), 422)
    _is_problem(client.post(f"{API}/evidence/import", data={"area": "obesity"}), 415)


def test_the_examples_of_the_documentation_work(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    for path, name in (("/ask", ""), ("/tools/{name}", ""), ("/personas/resolve", ""), ("/personas/sample", "")):
        content = paths[API + path]["post"]["requestBody"]["content"]["application/json"]
        for example in content["examples"].values():
            name = example["summary"]
            response = client.post(API + path.replace("{name}", name), json=example["value"])
            assert response.status_code == 200, (path, response.text[:300])


def test_tools_take_seed_and_view(client: TestClient) -> None:
    card = client.get(f"{API}/tools/search_literature")
    assert (
        client.get(f"{API}/tools/search_literature", headers={"If-None-Match": card.headers["etag"]}).status_code == 304
    )
    found = client.post(
        f"{API}/tools/search_literature",
        json={"query": "adherence to weekly injections"},
        params={"as_of": "2019-01-01", "seed": 5},
    ).json()
    assert found["provenance"]["seed"] == 5
    assert all(hit["source"]["published"] <= "2019-01-01" for hit in found["passages"])
    detail = _is_problem(client.post(f"{API}/tools/search_literature", params={"exclude": "SUSTEIN 1"}, json={}), 422)
    assert "SUSTAIN 1" in detail


def test_long_lists_come_in_pages_that_meet(client: TestClient) -> None:
    for number in range(3):
        client.post(f"{API}/ask", json={"text": "What is published about adherence?", "seed": number})
    seen, url = [], f"{API}/runs?limit=2"
    while url and len(seen) < 8:
        response = client.get(url)
        seen += [row["run_id"] for row in response.json()]
        link = response.headers.get("link", "")
        url = link.partition("<")[2].partition(">")[0] if 'rel="next"' in link else ""
    assert len(seen) == len(set(seen))
    assert seen == [row["run_id"] for row in client.get(f"{API}/runs", params={"limit": len(seen)}).json()]
    _is_problem(client.get(f"{API}/runs", params={"cursor": "é"}), 422)
    _is_problem(client.get(f"{API}/runs", params={"limit": 0}), 422)
    listed = client.get(f"{API}/personas/list", params={"limit": 5})
    assert len(listed.json()) == 5
    assert "cursor=" in listed.headers["link"]


def test_runs_are_verified_replayed_and_exported(client: TestClient) -> None:
    run = client.post(f"{API}/ask", json={"text": "What is published about adherence?"}).json()["run_id"]
    read = client.get(f"{API}/runs/{run}")
    assert client.get(f"{API}/runs/{run}", headers={"If-None-Match": read.headers["etag"]}).status_code == 304
    assert client.post(f"{API}/runs/verify").json()["runs"] >= 1
    assert client.post(f"{API}/runs/{run}/replay").json()["identical"]
    exported = client.get(f"{API}/runs/{run}/export", params={"form": "json"})
    assert exported.status_code == 200
    assert run in exported.text
    assert exported.headers["content-disposition"].startswith("attachment")
    assert exported.headers["x-content-type-options"] == "nosniff"
    _is_problem(client.get(f"{API}/runs/{run}/export", params={"form": "exe"}), 422)


def test_a_request_sent_twice_is_done_once(client: TestClient) -> None:
    headers = {"Idempotency-Key": f"k-{time.time_ns()}"}
    body = {"text": "What is published about adherence?"}
    first = client.post(f"{API}/ask", json=body, headers=headers)
    again = client.post(f"{API}/ask", json=body, headers=headers)
    assert again.json()["run_id"] == first.json()["run_id"]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    _is_problem(client.post(f"{API}/ask", json={"text": "Something else about it?"}, headers=headers), 422)
    _is_problem(client.post(f"{API}/ask", json=body, headers={"Idempotency-Key": "x" * 300}), 422)
    files = {"files": ("twice.md", b"# T\n\n## H | here\n\nPeople took semaglutide and went on with it for long.\n")}
    upload = {"Idempotency-Key": f"u-{time.time_ns()}"}
    one = client.post(f"{API}/evidence/import", files=files, data={"dry_run": "true"}, headers=upload)
    two = client.post(f"{API}/evidence/import", files=files, data={"dry_run": "true"}, headers=upload)
    assert one.json() == two.json()
    assert two.headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ('{"text": "q", "seed": NaN}', JSON, 422),
        ('{"text": "q", "seed": Infinity}', JSON, 422),
        ('{"text": "q", "seed": 1e999}', JSON, 422),
        ('{"text": "q", "seed": ' + "9" * 5000 + "}", JSON, 422),
        ('{"text": "\\ud800"}', JSON, 422),
        ('{"\\udfff": 1}', JSON, 422),
        ('{"text": ' + "[" * 100_000 + "]" * 100_000 + "}", JSON, 422),
        ('{"text": ' + "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1) + "}", JSON, 422),
        (b'{"text": "\xff"}', JSON, 422),
        ('{"text": "q"', JSON, 422),
        ("", JSON, 422),
        ("null", JSON, 422),
        ('{"text": "q"}', {"content-type": "text/plain"}, 415),
        ('{"text": "q"}', {"content-type": "application/xml"}, 415),
        ('{"text": "' + "a" * LARGEST_JSON + '"}', JSON, 413),
        ('{"text": "q"}', {**JSON, "content-length": "99999999999999999999999"}, 413),
    ],
)
def test_bodies_that_cannot_be_used(
    client: TestClient, body: str | bytes, headers: dict[str, str], status: int
) -> None:
    for path in ("/ask", "/jobs", "/tools/search_literature", "/personas"):
        if body == "" and path.startswith("/tools"):
            continue
        _is_problem(client.post(API + path, content=body, headers=headers), status)


def test_a_large_body_is_refused_before_it_is_read(client: TestClient) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent < 40 * LARGEST_JSON:
            sent += 100_000
            yield b"a" * 100_000

    _is_problem(client.post(f"{API}/ask", content=endless(), headers=JSON), 413)


def test_an_upload_is_counted_as_it_comes(client: TestClient) -> None:
    files = {"files": ("large.txt", b"a" * (LARGEST_UPLOAD + 10))}
    _is_problem(client.post(f"{API}/evidence/import", files=files), 413)


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/ask", 405, "POST"),
        ("PATCH", "/runs", 405, "GET"),
        ("POST", "/runs/r-1", 405, "GET"),
        ("PUT", "/conversations/x", 405, "DELETE"),
        ("GET", "/nothing/at/all", 404, None),
        ("POST", "/", 404, None),
        ("GET", "/runs/%00", 404, None),
        ("GET", "/personas/..%2F..%2Fetc", 404, None),
        ("GET", "/runs/" + "a" * 200, 422, None),
    ],
)
def test_paths_that_are_none(client: TestClient, method: str, path: str, status: int, allow: str | None) -> None:
    response = client.request(method, API + path)
    _is_problem(response, status)
    if allow:
        assert allow in response.headers["allow"]


def _ended(client: TestClient, location: str) -> dict[str, Any]:
    for _ in range(1200):
        job: dict[str, Any] = client.get(location).json()
        if job["state"] not in ("waiting", "running"):
            return job
        time.sleep(0.05)
    raise AssertionError("the job did not end")


def test_long_work_is_handed_in_watched_and_fetched(client: TestClient) -> None:
    question = {"text": "What is published about adherence to GLP-1 receptor agonists?"}
    response = client.post(f"{API}/jobs", json={"kind": "ask", "question": question})
    assert response.status_code == 202
    job = _ended(client, response.headers["location"])
    assert job["state"] == "done", job
    assert job["progress"] == 1.0
    run = job["result"]["run_id"]
    assert client.get(f"{API}/runs/{run}").status_code == 200
    again = client.post(f"{API}/jobs", json={"kind": "replay", "run_id": run})
    assert _ended(client, again.headers["location"])["result"]["identical"]
    wrong = client.post(f"{API}/jobs", json={"kind": "tool", "name": "nothing"})
    told = _ended(client, wrong.headers["location"])
    assert (told["state"], told["problem"]["status"]) == ("failed", 404)
    _is_problem(client.get(f"{wrong.headers['location']}/file"), 409)
    _is_problem(client.delete(wrong.headers["location"]), 409)
    _is_problem(client.get(f"{API}/jobs/j-none"), 404)


def test_a_job_can_be_cancelled(client: TestClient) -> None:
    wanted = {"kind": "sample", "personas": ["t2d_adults"], "n": 5_000_000, "form": "parquet"}
    response = client.post(f"{API}/jobs", json=wanted)
    stopped = client.delete(response.headers["location"])
    assert stopped.status_code == 200
    assert _ended(client, response.headers["location"])["state"] == "cancelled"
    _is_problem(client.get(f"{response.headers['location']}/file"), 409)


def test_the_queue_of_jobs_is_bounded(owners: Owners, patient_jobs: Any) -> None:
    app = create_app(owners, chat=False)
    with TestClient(app) as client, patient_jobs(app):
        body = {"kind": "tool", "name": "search_literature", "arguments": {"query": "adherence"}}
        statuses = [client.post(f"{API}/jobs", json=body).status_code for _ in range(8)]
        assert statuses == [202] * 6 + [429] * 2
        refused = client.post(f"{API}/jobs", json=body)
        _is_problem(refused, 429)
        assert int(refused.headers["retry-after"]) > 0


def test_an_archetype_is_fitted_as_a_job(client: TestClient) -> None:
    rows = ["age_years,gender"] + [f"{40 + (7 * n) % 40},{'F' if n % 3 else 'M'}" for n in range(300)]
    mapping = b"attributes:\n  age: {column: age_years, unit: years}\n"
    response = client.post(
        f"{API}/personas/fit",
        files={"data": ("people.csv", "\n".join(rows).encode()), "mapping": ("map.yaml", mapping)},
        data={"id": "fitted_clinic", "area": "type_2_diabetes"},
    )
    assert response.status_code == 202, response.text
    job = _ended(client, response.headers["location"])
    assert job["state"] in ("done", "failed")
    if job["state"] == "failed":  # what the user sent is the user's to mend
        assert job["problem"]["status"] == 422, job


def test_only_this_machine_is_served_by_its_name(owners: Owners) -> None:
    app = create_app(owners, chat=False, hosts=LOOPBACK_HOSTS)
    with TestClient(app, base_url="http://127.0.0.1:7860") as client:
        assert client.get(f"{API}/health").status_code == 200
        assert client.get(f"{API}/runs").status_code == 200
        _is_problem(client.get(f"{API}/health", headers={"host": "evil.example"}), 421)
        _is_problem(client.get(f"{API}/runs", headers={"origin": "http://evil.example"}), 403)
        _is_problem(client.post(f"{API}/runs/verify", headers={"origin": "null"}), 403)
        assert client.get(f"{API}/runs", headers={"origin": "http://127.0.0.1:7860"}).status_code == 200


def test_metrics_count_by_route(client: TestClient) -> None:
    client.get(f"{API}/runs/r-none")
    response = client.get(f"{API}/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    assert 'route="/api/v1/runs/{run_id}",status="404"' in response.text
    assert "r-none" not in response.text
    assert 'cohort_jobs{state="done"}' in response.text


def test_ready_when_the_index_is_open(client: TestClient) -> None:
    for _ in range(600):
        response = client.get(f"{API}/ready")
        if response.status_code == 200:
            break
        _is_problem(response, 503)
        time.sleep(0.05)
    assert response.json() == {"ready": True}


def test_every_body_has_an_example_and_every_route_a_name(client: TestClient) -> None:
    spec = client.get("/openapi.json").json()
    names = []
    for path, verbs in spec["paths"].items():
        if not path.startswith(API):
            continue
        for verb, operation in verbs.items():
            names.append(operation["operationId"])
            assert operation.get("description") or operation.get("summary"), (verb, path)
            content = operation.get("requestBody", {}).get("content", {})
            if "application/json" in content:
                assert content["application/json"].get("examples"), (verb, path)
            assert "application/problem+json" in operation["responses"]["422"]["content"], (verb, path)
    assert len(names) == len(set(names))
    assert spec["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
