"""Search among archetypes: by meaning where the embedding model opens, by words otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final
from zipfile import BadZipFile

import numpy as np

from knowledge.embedding import Embedder
from knowledge.errors import CohortTwinError, EmptyQuestion, InvalidInput
from knowledge.store import text_hash
from knowledge.words import WordIndex
from personas.bank.schemas import Found
from personas.schemas import Persona

LONGEST_QUERY: Final = 500
VECTORS: Final = "vectors.npz"


def search_personas(
    query: str,
    personas: Iterable[Persona],
    k: int,
    open_embedder: Callable[[], Embedder] | None,
    cache: Path | None = None,
) -> tuple[Found, ...]:
    """Archetypes nearest to a description, best first.

    An archetype is as near as the nearest of its texts (name, synonyms, summary) by cosine similarity. Without an
    embedder, or when it cannot be opened, by BM25 over all its texts.

    Parameters
    ----------
    cache : folder in which vectors are kept; none are kept without one.

    Raises
    ------
    EmptyQuestion, InvalidInput : nothing was asked, or too much.
    """
    query = query.encode("utf-8", "replace").decode().strip()
    if not any(character.isalnum() for character in query):
        raise EmptyQuestion("The search is empty.", "Describe a cohort, for example: older people with diabetes.")
    if len(query) > LONGEST_QUERY:
        raise InvalidInput(f"The search has {len(query)} characters; at most {LONGEST_QUERY} are read.", "Shorten it.")
    everybody = list(personas)
    if open_embedder is not None:
        try:
            embedder = open_embedder()
        except (CohortTwinError, ImportError, OSError):
            return _by_words(query, everybody, k)
        return _by_meaning(query, everybody, k, embedder, cache)
    return _by_words(query, everybody, k)


def _texts(persona: Persona) -> list[tuple[str, str]]:
    """What an archetype is found by: which text, and the text."""
    synonyms = [(f"synonym '{synonym}'", synonym) for synonym in persona.synonyms]
    return [("name", persona.name), *synonyms, ("summary", persona.summary)]


def _by_meaning(
    query: str, personas: list[Persona], k: int, embedder: Embedder, cache: Path | None
) -> tuple[Found, ...]:
    texts = [(persona, which, text) for persona in personas for which, text in _texts(persona)]
    vectors = _vectors([text for _, _, text in texts], embedder, cache)
    scores = vectors @ embedder.embed([query])[0]
    best: dict[str, Found] = {}
    for (persona, which, _), score in zip(texts, scores, strict=True):
        if persona.id not in best or score > best[persona.id].score:
            best[persona.id] = Found(
                id=persona.id, name=persona.name, score=round(float(score), 4), by="meaning", matched=which
            )
    return tuple(sorted(best.values(), key=lambda found: (-found.score, found.id))[:k])


def _vectors(
    texts: Sequence[str], embedder: Embedder, cache: Path | None
) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Unit vectors of the texts; those that are new to the cache are made and kept."""
    known = _read(cache, embedder.name)
    keys = [text_hash(text) for text in texts]
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
    if missing:
        made = embedder.embed(list(missing.values()))
        known.update(zip(missing, made, strict=True))
        if cache is not None:
            _write(cache, embedder.name, {key: known[key] for key in dict.fromkeys(keys)})
    return np.stack([known[key] for key in keys])


def _read(cache: Path | None, name: str) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float32]]]:
    if cache is None or not (cache / VECTORS).is_file():
        return {}
    try:
        with (cache / VECTORS).open("rb") as stream, np.load(stream, allow_pickle=False) as kept:
            if str(kept["name"]) != name:
                return {}
            return dict(zip(kept["keys"].tolist(), kept["vectors"], strict=True))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):  # a damaged cache is made again
        return {}


def _write(cache: Path, name: str, vectors: dict[str, np.ndarray[tuple[int], np.dtype[np.float32]]]) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    partial = cache / f"partial-{VECTORS}"
    np.savez(partial, name=np.array(name), keys=np.array(list(vectors)), vectors=np.stack(list(vectors.values())))
    partial.replace(cache / VECTORS)


def _by_words(query: str, personas: list[Persona], k: int) -> tuple[Found, ...]:
    index = WordIndex({persona.id: " ".join(text for _, text in _texts(persona)) for persona in personas})
    names = {persona.id: persona.name for persona in personas}
    ranked = index.ranking(query, names.keys(), k)
    return tuple(
        Found(id=persona_id, name=names[persona_id], score=round(1 / rank, 4), by="words", matched="shared words")
        for rank, persona_id in enumerate(ranked, start=1)
    )
