"""The dense index: a Chroma collection kept as a verified cache of the vectors in the store.

Chroma can crash the process on a damaged file, and writes to its directory whenever it is opened. So a sealed copy
with a digest of each file is kept; an opening checks the digests, lets Chroma have a working copy, and asks it for
passages whose answer is known. Whatever is off, the index is built again from the rows.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import shutil
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from knowledge.embedding import Embedder, warn_rebuild
from knowledge.errors import StoreError
from knowledge.schemas import Passage
from knowledge.store import Store, embedded_text, text_hash

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MANIFEST: Final = "manifest.json"
FORMAT: Final = 2
COLLECTION: Final = "passages"
BATCH: Final = 5000  # Chroma refuses more than 5461
# With Chroma's defaults of 100 each, 1 in 100 of the 10 nearest among 10,000 real texts was missed; with these,
# 1 in 500, and the build takes no longer (evals/retrieval/RESULTS.md).
EF_SEARCH: Final = 200
EF_CONSTRUCTION: Final = 200
SELF_QUERIES: Final = 3
TWIN_DISTANCE: Final = 1e-4  # two passages of the same text are each other's nearest
_working = itertools.count()


class DenseIndex:
    """Nearest passages by cosine similarity. Made by `open`; the caller holds the lock of the data directory."""

    def __init__(self, client: Any, collection: Any, count: int, working: Path) -> None:
        self._client = client
        self._collection = collection
        self.count = count
        self._finalizer = weakref.finalize(self, _discard, client, working)

    @classmethod
    def open(
        cls,
        folder: Path,
        store: Store,
        embedder: Embedder,
        passages: Sequence[Passage],
    ) -> DenseIndex:
        """The index of `passages`, built or repaired when it is not there, out of date or damaged.

        Parameters
        ----------
        folder : the index's own directory.
        store : where vectors are kept by text; only texts without one are embedded.
        embedder : its `name` is part of what the index is valid for.
        passages : at least one.

        Raises
        ------
        StoreError
            the index can be neither opened nor built.
        """
        hashes = {passage.passage_id: text_hash(embedded_text(passage)) for passage in passages}
        corpus = _corpus_hash(hashes, embedder.name)
        _sweep(folder)
        if (folder / MANIFEST).exists():
            fault = _fault(folder, corpus)
            if fault is None:
                try:
                    return cls._verified(folder, store, embedder, hashes)
                except StoreError as error:
                    fault = error.message
            warn_rebuild("dense index", fault)
        vectors = _vectors(store, embedder, passages, hashes)
        _build(folder, corpus, embedder.name, vectors)
        return cls._verified(folder, store, embedder, hashes)

    def query(
        self, vector: NDArray[np.float32], k: int, *, among: Sequence[str] | None = None
    ) -> list[tuple[str, float]]:
        """(passage id, cosine similarity) of the `k` nearest, nearest first, ties by id.

        Parameters
        ----------
        vector : unit vector, shape (d,).
        k : how many.
        among : only these passage ids, when given.
        """
        if k < 1 or (among is not None and not among):
            return []
        result = self._collection.query(
            query_embeddings=[vector],
            n_results=min(k, self.count),
            ids=None if among is None else list(among),
            include=["distances"],
        )
        found = zip(result["ids"][0], result["distances"][0], strict=True)
        return sorted(((key, 1.0 - float(distance)) for key, distance in found), key=lambda hit: (-hit[1], hit[0]))

    def similarities(self, vector: NDArray[np.float32], passage_ids: Sequence[str]) -> dict[str, float]:
        """Passage id → cosine similarity to `vector`, a unit vector (d,), of exactly these passages."""
        if not passage_ids:
            return {}
        kept = self._collection.get(ids=list(passage_ids), include=["embeddings"])
        return dict(zip(kept["ids"], (kept["embeddings"] @ vector).tolist(), strict=True))

    def close(self) -> None:
        """Close Chroma and drop the working copy."""
        self._finalizer()

    @classmethod
    def _verified(cls, folder: Path, store: Store, embedder: Embedder, hashes: Mapping[str, str]) -> DenseIndex:
        """Open a working copy and let some passages find themselves; StoreError when they do not."""
        working = folder / f"open-{os.getpid()}-{next(_working)}"
        sealed = folder / json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["folder"]
        client: Any = None
        try:
            shutil.copytree(sealed, working)
            client = _client(working)
            collection = client.get_collection(COLLECTION, embedding_function=None)
            count = collection.count()
            if count != len(hashes):
                raise ValueError(f"it holds {count} passages instead of {len(hashes)}")
            index = cls(client, collection, count, working)
            step = max(1, len(hashes) // SELF_QUERIES)
            sample = sorted(hashes)[::step][:SELF_QUERIES]
            stored = store.vectors(embedder.name, [hashes[passage_id] for passage_id in sample])
            for passage_id in sample:
                hits = index.query(stored[hashes[passage_id]], 1)
                if not hits or (hits[0][0] != passage_id and 1.0 - hits[0][1] > TWIN_DISTANCE):
                    raise ValueError(f"passage {passage_id} does not find itself")
        except _expected() as error:
            _discard(client, working)
            raise StoreError(f"The dense index does not work: {error}.") from error
        return index


class ExactIndex:
    """Nearest passages by scanning all vectors: exact, about 0.2 µs a passage, and nothing to import or to verify.

    Parameters
    ----------
    vectors : passage id → unit vector (d,).
    """

    def __init__(self, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        import numpy as np

        self._ids = sorted(vectors)
        self.ids = frozenset(vectors)
        self._rows = {passage_id: row for row, passage_id in enumerate(self._ids)}
        self._matrix = np.stack([vectors[passage_id] for passage_id in self._ids])
        self.count = len(self._ids)

    @classmethod
    def open(cls, store: Store, embedder: Embedder, passages: Sequence[Passage]) -> ExactIndex:
        """The index of `passages` (at least one); texts without a stored vector are embedded and kept."""
        hashes = {passage.passage_id: text_hash(embedded_text(passage)) for passage in passages}
        return cls(_vectors(store, embedder, passages, hashes))

    def query(
        self, vector: NDArray[np.float32], k: int, *, among: Sequence[str] | None = None
    ) -> list[tuple[str, float]]:
        """As `DenseIndex.query`."""
        import numpy as np

        rows = np.arange(self.count) if among is None else np.array([self._rows[key] for key in among], dtype=int)
        k = min(k, len(rows))
        if k < 1:
            return []
        similarities = self._matrix @ vector if among is None else self._matrix[rows] @ vector
        # Only those that are as near as the k-th are sorted: of many passages, sorting took longer than the scan.
        near = np.flatnonzero(similarities >= np.partition(similarities, -k)[-k])
        order = near[np.lexsort((rows[near], -similarities[near]))][:k]  # rows are in the order of ids
        return [(self._ids[rows[one]], float(similarities[one])) for one in order]

    def similarities(self, vector: NDArray[np.float32], passage_ids: Sequence[str]) -> dict[str, float]:
        """As `DenseIndex.similarities`."""
        if not passage_ids:
            return {}
        rows = [self._rows[passage_id] for passage_id in passage_ids]
        return dict(zip(passage_ids, (self._matrix[rows] @ vector).tolist(), strict=True))

    def close(self) -> None:
        """Nothing is held open."""


def drop_sealed(folder: Path) -> None:
    """Delete the sealed copy; the next `DenseIndex.open` builds it again. Working copies stay."""
    (folder / MANIFEST).unlink(missing_ok=True)
    for sealed in folder.glob("sealed-*"):
        shutil.rmtree(sealed, ignore_errors=True)


def _fault(folder: Path, corpus: str) -> str | None:
    """What is wrong with the sealed copy, without opening Chroma; None when nothing is."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT or manifest["corpus"] != corpus:
            return "the passages or the embedding model changed"
        sealed = folder / str(manifest["folder"])
        if _digests(sealed) != manifest["files"]:
            return "a file of the index changed"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"the manifest cannot be read ({type(error).__name__})"
    return None


def _vectors(
    store: Store,
    embedder: Embedder,
    passages: Sequence[Passage],
    hashes: Mapping[str, str],
) -> dict[str, NDArray[np.float32]]:
    """Passage id → vector; texts without a stored vector are embedded and kept."""
    known = store.vectors(embedder.name, sorted(set(hashes.values())))
    missing = {hashes[p.passage_id]: embedded_text(p) for p in passages if hashes[p.passage_id] not in known}
    keys = sorted(missing)
    for start in range(0, len(keys), BATCH):
        chunk = keys[start : start + BATCH]
        made = dict(zip(chunk, embedder.embed([missing[key] for key in chunk]), strict=True))
        store.put_vectors(embedder.name, made)
        known.update(made)
    return {passage_id: known[key] for passage_id, key in sorted(hashes.items())}


def _build(folder: Path, corpus: str, embedder_name: str, vectors: Mapping[str, NDArray[np.float32]]) -> None:
    """Build a sealed copy beside the old one; the manifest, renamed into place, is the moment it counts."""
    name = f"sealed-{corpus[:12]}-{os.getpid()}-{next(_working)}"
    building = folder / f"build-{name}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        client = _client(building)
        try:
            graph = {"ef_construction": EF_CONSTRUCTION, "ef_search": EF_SEARCH}
            configuration = {"hnsw": {"space": "cosine", "num_threads": 1, **graph}}
            collection = client.create_collection(COLLECTION, embedding_function=None, configuration=configuration)
            ids = list(vectors)
            for start in range(0, len(ids), BATCH):
                chunk = ids[start : start + BATCH]
                collection.add(ids=chunk, embeddings=[vectors[passage_id] for passage_id in chunk])
        finally:
            client.close()
        building.rename(folder / name)
        manifest = {
            "format": FORMAT,
            "folder": name,
            "corpus": corpus,
            "embedder": embedder_name,
            "count": len(vectors),
            "files": _digests(folder / name),
        }
        partial = folder / f"{MANIFEST}.partial"
        partial.write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        partial.replace(folder / MANIFEST)
    except _expected() as error:
        raise StoreError(
            f"The dense index in {folder} cannot be built ({error}).",
            "Check that the disk is writable and not full, or set COHORT_DATA_DIR to another folder.",
        ) from error
    for old in folder.glob("sealed-*"):
        if old.name != name:
            shutil.rmtree(old, ignore_errors=True)


def _client(path: Path) -> Any:
    """A Chroma client on `path`, telemetry off."""
    import chromadb
    from chromadb.config import Settings

    return chromadb.PersistentClient(str(path), settings=Settings(anonymized_telemetry=False))


def _expected() -> tuple[type[Exception], ...]:
    """What Chroma and the disk raise when an index does not work."""
    from chromadb.errors import ChromaError

    return (ChromaError, OSError, ValueError, KeyError, TypeError, RuntimeError)


def _corpus_hash(hashes: Mapping[str, str], embedder_name: str) -> str:
    total = hashlib.sha256(f"{FORMAT}\0{embedder_name}\0".encode())
    for passage_id, key in sorted(hashes.items()):
        total.update(f"{passage_id}\0{key}\0".encode())
    return total.hexdigest()


def _digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file below `folder`, by relative name."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _sweep(folder: Path) -> None:
    """Remove what processes that were killed left behind; this process holds the lock, so theirs are dead."""
    for pattern in ("open-*", "build-*"):
        for path in folder.glob(pattern):
            if f"-{os.getpid()}-" not in path.name:
                shutil.rmtree(path, ignore_errors=True)


def _discard(client: Any, working: Path) -> None:
    """Close a client and remove its working copy."""
    if client is not None:
        with contextlib.suppress(RuntimeError, OSError):
            client.close()
    shutil.rmtree(working, ignore_errors=True)
