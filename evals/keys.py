"""What a record depends on, as one hash: a record under the same key need not be made again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from evals.case_schemas import CaseBase
from evals.schemas import Suite

ROOT: Final = Path(__file__).resolve().parent.parent
_READ: Final = frozenset({".py", ".yaml", ".json", ".csv", ".jsonl", ".md", ".npz", ".toml", ".txt"})
_PRODUCT: Final = ("knowledge", "personas", "tools", "assistant")
# What judges an answer, by suite beside its own module; and what every suite stands on.
_JUDGING: Final[dict[Suite, tuple[str, ...]]] = {
    Suite.OUTCOMES: ("checks.py", "predictions.py", "scorers.py"),
    Suite.HOLDOUT: ("predictions.py", "scorers.py", "suites/outcomes.py"),
    Suite.ROUTING: ("routing.py", "routing_cases.py", "scorers.py"),
    Suite.RETRIEVAL: ("retrieval/metrics.py", "scorers.py"),
    Suite.ABSTENTION: ("checks.py",),
    Suite.GROUNDING: ("checks.py", "scorers.py", "tracing.py"),
    Suite.ROBUSTNESS: ("suites/abstention.py", "checks.py"),
    Suite.FAIRNESS: ("suites/abstention.py", "checks.py", "predictions.py", "scorers.py"),
    Suite.CONVERSATION: ("checks.py",),
    Suite.SAFETY: ("checks.py",),
    Suite.ANSWERS: ("checks.py",),
    Suite.TRUTHS: ("truths.py", "truths_data.py", "truths_data.yaml", "truths_values.py"),
}
_EVERY: Final = ("evals/suites/base.py", "evals/subject.py", "evals/schemas.py", "constraints.txt")
# No assistant is asked there: a change of the words of answers leaves these as they are.
_PARTS: Final[dict[Suite, tuple[str, ...]]] = {
    Suite.HOLDOUT: ("knowledge", "personas", "tools/response", "tools/schemas.py"),
    Suite.TRUTHS: ("knowledge", "personas", "tools"),
}


def code_hash(suite: Suite | None = None) -> str:
    """16 hex digits over the code and data that decide what the records of a suite look like; without one, of any."""
    chosen = list(Suite) if suite is None else [suite]
    parts = {*_EVERY}
    for one in chosen:
        parts |= {f"evals/suites/{one}.py", *(f"evals/{name}" for name in _JUDGING[one]), *_PARTS.get(one, _PRODUCT)}
    return _hash_of(tuple(sorted(parts)))


def case_hash(case: CaseBase) -> str:
    """16 hex digits of a case's own content, whatever the seed."""
    return _digest(case.model_dump(mode="json", exclude={"seed"}))


def content_key(case: CaseBase, *, model: str, version: str, evidence: str, settings: dict[str, Any]) -> str:
    """32 hex digits: case, model, evidence, code and what else was asked for.

    Parameters
    ----------
    version : what is known of the model beside its name, e.g. the address of its server.
    evidence : hash of the evidence under the run's view; settings : seed, `as_of`, data folder.
    """
    return _digest(
        {
            "case": case.model_dump(mode="json"),
            "model": model,
            "version": version,
            "evidence": evidence,
            "code": code_hash(case.suite),
            "settings": settings,
        },
        32,
    )


def folder_hash(folder: Path | None) -> str:
    """Hash of names, sizes and times of a folder of data sets; empty for none."""
    if folder is None or not folder.is_dir():
        return ""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return _digest([[str(path.relative_to(folder)), path.stat().st_size, path.stat().st_mtime_ns] for path in files])


@lru_cache(maxsize=8)
def _hash_of(parts: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    for path in _files(parts):
        digest.update(f"{path.relative_to(ROOT)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _files(parts: Iterable[str]) -> list[Path]:
    found: set[Path] = set()
    for part in parts:
        path = ROOT / part
        inside = path.rglob("*") if path.is_dir() else [path]
        found |= {one for one in inside if one.is_file() and one.suffix in _READ and "__pycache__" not in one.parts}
    return sorted(found)


def _digest(value: Any, length: int = 16) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]
