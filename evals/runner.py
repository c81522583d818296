"""Loads cases, asks them, judges the answers."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml
from pydantic import ValidationError

from assistant.schemas import Question
from assistant.service import Assistant
from evals.checks import judge, leaked
from evals.schemas import Case, CaseResult, Check
from knowledge.errors import DataError
from knowledge.schemas import EvidenceView

CASES = Path(__file__).parent / "cases"
ROUTING = ("routing.yaml", "routing_first.yaml")  # cases of another kind: see evals/routing_cases.py


def load_cases(folder: Path = CASES) -> list[Case]:
    """All cases of `<folder>/*.yaml` but those on routing, in file order (DataError names file and case)."""
    cases: list[Case] = []
    for path in sorted(path for path in folder.glob("*.yaml") if path.name not in ROUTING):
        for position, raw in enumerate(yaml.safe_load(path.read_text(encoding="utf-8")) or [], start=1):
            try:
                cases.append(Case.model_validate({"suite": path.stem, **raw}))
            except (ValidationError, TypeError) as error:
                raise DataError(f"{path.name}, case {position}: {error}") from error
    ids = [case.id for case in cases]
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        raise DataError(f"Case ids used twice: {', '.join(twice)}.")
    return cases


def suite_hash(cases: Sequence[Case]) -> str:
    """Content hash of the cases; scores name it."""
    text = "\n".join(case.model_dump_json() for case in cases)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def run_case(case: Case, assistant: Assistant) -> CaseResult:
    """Ask one case under its evidence view and judge the answer."""
    started = time.perf_counter()
    view = EvidenceView(as_of=case.as_of, exclude=case.exclude)
    answer = assistant.ask(Question(text=case.question, seed=case.seed, view=view))
    checks, outcomes = judge(case, answer)
    if case.exclude:
        leaks = leaked(case, answer)
        checks.append(Check(name="left-out trial stays out", passed=not leaks, detail=", ".join(leaks)))
    return CaseResult(
        case=case,
        run_id=answer.run_id,
        headline=answer.headline,
        checks=tuple(checks),
        outcomes=tuple(outcomes),
        seconds=round(time.perf_counter() - started, 3),
    )


def run_cases(
    cases: Sequence[Case], assistant: Assistant, progress: Callable[[CaseResult], None] = lambda _result: None
) -> list[CaseResult]:
    """Run all, in order."""
    results = []
    for case in cases:
        result = run_case(case, assistant)
        progress(result)
        results.append(result)
    return results
