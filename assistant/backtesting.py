"""Backtests of the response engine for every face: on the shipped evidence, or on tables of one's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from knowledge.base import KnowledgeBase
from knowledge.errors import InvalidInput, NoEvidence
from knowledge.schemas import Family
from tools.response.backtest import leave_out
from tools.response.tables.holdout import By, Holdout, hold_out
from tools.response.tables.read import read_tables
from tools.response.tables.report import BacktestReport as BacktestReport
from tools.response.tables.report import make_report

SHIPPED = "shipped evidence"
_FAMILIES: tuple[Literal[Family.CONTINUOUS], Literal[Family.PROPORTION]] = (Family.CONTINUOUS, Family.PROPORTION)


def backtest_tables(
    paths: Sequence[Path],
    mapping: Path | None,
    by: By,
    endpoints: Sequence[str],
    min_trials: int,
    progress: Callable[[float, str], None],
) -> BacktestReport:
    """Backtest arm tables of the user (DataError where one cannot be read, InvalidInput where nothing is left)."""
    tables = [
        (path.stem, table)
        for path in paths
        for table in read_tables(path, mapping)
        if len(table.studies) >= min_trials and (not endpoints or table.endpoint in endpoints)
    ]
    if not tables:
        raise InvalidInput(
            f"No endpoint of these tables has {min_trials} or more trials that can be used.",
            "Lower --min-trials, or check --endpoint and the mapping.",
        )
    done: list[tuple[str, Holdout]] = []
    for index, (name, table) in enumerate(tables):
        done.append((name, hold_out(table, by=by, progress=_part(progress, index, len(tables), table.endpoint))))
    return make_report(by, done)


def backtest_shipped(
    knowledge: KnowledgeBase,
    by: By,
    endpoints: Sequence[str],
    min_trials: int,
    progress: Callable[[float, str], None],
) -> BacktestReport:
    """Backtest the shipped evidence, endpoint by endpoint (UnknownEndpoint, InvalidInput where nothing is left)."""
    for name in endpoints:
        knowledge.vocabulary.endpoint(name)
    chosen = []
    for name, endpoint in sorted(knowledge.vocabulary.endpoints.items()):
        trials = {arm.trial for arm in knowledge.arms.select(name)}
        if endpoint.family in _FAMILIES and len(trials) >= min_trials and (not endpoints or name in endpoints):
            chosen.append(name)
    if not chosen:
        raise InvalidInput(
            f"No endpoint asked for has {min_trials} or more trials in a family that the engine models.",
            "Lower --min-trials, or choose changes from baseline or shares of people.",
        )
    done = []
    for index, name in enumerate(chosen):
        try:
            done.append(
                (SHIPPED, leave_out(knowledge, name, by=by, progress=_part(progress, index, len(chosen), name)))
            )
        except NoEvidence:
            continue
    return make_report(by, done)


def _part(progress: Callable[[float, str], None], index: int, count: int, name: str) -> Callable[[float, str], None]:
    return lambda share, text: progress((index + share) / count, f"{name}: {text}")
