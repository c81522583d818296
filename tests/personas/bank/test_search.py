"""Search by meaning with the real model, by words without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowledge.embedding import Embedder, SentenceTransformerEmbedder
from knowledge.errors import EmptyQuestion, InvalidInput, ModelNotInstalled
from personas.bank.search import search_personas
from personas.library import PersonaLibrary
from personas.schemas import Persona

IDS = (
    "adults",
    "t2d_adults",
    "t2d_ckd_older",
    "t2d_east_asian",
    "t2d_young_onset",
    "obesity_adolescents",
    "obesity_women_midlife",
)


@pytest.fixture(scope="module")
def everybody(shipped: PersonaLibrary) -> list[Persona]:
    return [shipped.get(persona_id) for persona_id in IDS]


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return SentenceTransformerEmbedder()


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("pensioners with sugar disease and failing kidneys", "t2d_ckd_older"),
        ("overweight teenagers", "obesity_adolescents"),
        ("Chinese people with high blood sugar", "t2d_east_asian"),
        ("women around menopause who are too heavy", "obesity_women_midlife"),
    ],
)
def test_meaning_is_found_where_words_differ(
    everybody: list[Persona], embedder: Embedder, tmp_path_factory: pytest.TempPathFactory, query: str, first: str
) -> None:
    cache = tmp_path_factory.getbasetemp() / "search-cache"
    found = search_personas(query, everybody, 3, lambda: embedder, cache)
    assert found[0].id == first
    assert found[0].by == "meaning"
    assert [item.score for item in found] == sorted((item.score for item in found), reverse=True)
    assert (cache / "vectors.npz").is_file()


def test_a_damaged_cache_is_made_again(everybody: list[Persona], embedder: Embedder, tmp_path: Path) -> None:
    first = search_personas("kidneys", everybody, 3, lambda: embedder, tmp_path)
    (tmp_path / "vectors.npz").write_bytes(b"PK\x03\x04 not a zip")
    assert search_personas("kidneys", everybody, 3, lambda: embedder, tmp_path) == first


def test_without_a_model_by_words(everybody: list[Persona]) -> None:
    def broken() -> Embedder:
        raise ModelNotInstalled("no model")

    for opener in (None, broken):
        found = search_personas("adolescents with obesity", everybody, 3, opener)
        assert found[0].id == "obesity_adolescents"
        assert found[0].by == "words"
    assert search_personas("xylophone", everybody, 3, None) == ()


def test_empty_and_endless_searches(everybody: list[Persona]) -> None:
    with pytest.raises(EmptyQuestion):
        search_personas("  ?! ", everybody, 3, None)
    with pytest.raises(InvalidInput, match="at most 500"):
        search_personas("x" * 501, everybody, 3, None)
