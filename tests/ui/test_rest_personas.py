"""REST of the archetypes over the real assistant."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from assistant.persona_views import ComparisonView, Found, History, Listed, Similar, TrialMatches
from personas.schemas import Persona

BASE = "/api/v1/personas"


def test_typed_answers(client: TestClient) -> None:
    assert client.get(BASE).json()[0]["id"] == "adults"
    assert Persona.model_validate(client.get(f"{BASE}/t2d_ckd").json()).id == "t2d_ckd"
    rows = [Listed.model_validate(row) for row in client.get(f"{BASE}/list", params={"area": "obesity"}).json()]
    assert {row.area for row in rows} == {"obesity"}
    view = ComparisonView.model_validate(
        client.get(f"{BASE}/compare", params={"first": "t2d_ckd", "second": "t2d_adults"}).json()
    )
    assert 0 < view.comparison.distance < 1
    assert [Similar.model_validate(row) for row in client.get(f"{BASE}/t2d_ckd/similar").json()]
    trials = TrialMatches.model_validate(client.get(f"{BASE}/t2d_ckd/trials", params={"k": 3}).json())
    assert len(trials.nearest) == 3
    assert History.model_validate(client.get(f"{BASE}/t2d_ckd/history").json()).entries == ()
    assert client.get(f"{BASE}/schema").json()["title"] == "Archetype of a cohort"


def test_search_by_meaning_and_by_words(client: TestClient) -> None:
    for words in (False, True):
        body = client.get(f"{BASE}/search", params={"q": "adolescents with obesity", "words": words}).json()
        found = [Found.model_validate(item) for item in body]
        assert found[0].id == "obesity_adolescents"
        assert found[0].by == ("words" if words else "meaning")


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("/t2d_ckdd", {}, 404),
        ("/t2d_ckdd/history", {}, 404),
        ("/compare", {"first": "t2d_ckd", "second": "nobody"}, 404),
        ("/compare", {"first": "t2d_ckd"}, 422),
        ("/search", {"q": "  "}, 422),
        ("/search", {"q": "x" * 600}, 422),
        ("/t2d_ckd/trials", {"area": "astrology"}, 422),
        ("/t2d_ckd/trials", {"at_least": 0}, 422),
        ("/list", {"area": "astrology"}, 422),
    ],
)
def test_problems(client: TestClient, path: str, params: dict[str, str], status: int) -> None:
    response = client.get(BASE + path, params=params)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert len(response.json()["detail"]) > 10
