"""Our suites in inspect-ai: samples from cases, a solver around our agent, and scorers that read our measures.

A sample is a case. The solver lets the suite's own runner ask and judge it, so that a case is scored by the same code
here and there; the scorers carry the measures over, and their metrics are the weighted means and the cluster-bootstrap
intervals of our report.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio.lowlevel
import anyio.to_thread
from inspect_ai import Task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageAssistant, ModelOutput
from inspect_ai.scorer import Metric, SampleScore, Score, Scorer, Target, metric, scorer
from inspect_ai.solver import Generate, Solver, TaskState, solver

from assistant.bootstrap import build_assistant
from assistant.settings import load_settings
from evals.case_schemas import CaseBase
from evals.cases_io import suite_hash
from evals.inspect_model import LOOP, lent_model
from evals.runner import all_cases
from evals.schemas import Record, Suite
from evals.subject import Subject
from evals.suites import runners
from evals.suites.base import CurveSpec, MetricSpec
from evals.summaries import Gathered, interval_of, specs_of
from evals.workers import run_case
from knowledge.errors import InvalidInput

OFFLINE, LENT = "offline", "inspect"
RECORD = "cohort_twin_record"
SECONDS = 600.0  # a question may take with a model of inspect-ai, which has limits of its own


def suite_task(suite: Suite, agent: str = OFFLINE, data_dir: str = "", data_folder: str = "") -> Task:
    """A suite as a task of inspect-ai.

    Parameters
    ----------
    agent : 'offline', our planner, which needs no model; 'inspect', our agent on the model of `--model`.
    data_dir : folder of the index, which takes a minute to build; a passing one where none is named.
    data_folder : data sets of the truths suite that may not be shipped.
    """
    if agent not in (OFFLINE, LENT):
        raise InvalidInput(f"'{agent}' is no agent.", f"Agents: {OFFLINE}, {LENT}.")
    subject = subject_of(agent, data_dir, data_folder)
    cases = [case for case in all_cases(subject.knowledge) if case.suite is suite]
    runner = runners()[suite]
    scorers = [measured(spec) for spec in specs_of(runner) if not spec.wall_clock]
    scorers += [drawn(curve) for curve in runner.curves]
    return Task(
        name=f"cohort_twin_{suite.value}",
        dataset=MemoryDataset([sample_of(case) for case in cases], name=f"{suite.value} {suite_hash(cases)}"),
        solver=cohort_twin(agent, {case.id: partial(run_case, case, subject) for case in cases}),
        scorer=scorers,
        metadata={
            "agent": agent,
            "suite_hash": suite_hash(cases),
            "evidence_hash": subject.knowledge.evidence_hash(subject.view()),
        },
    )


@lru_cache(maxsize=4)
def subject_of(agent: str, data_dir: str, data_folder: str) -> Subject:
    """One assistant for all tasks of the process: a data directory has one owner."""
    folder = Path(data_dir) if data_dir else Path(_passing_folder(agent).name)
    limits = (
        {"model": LENT, "fallback": False, "max_seconds": SECONDS, "request_timeout": SECONDS} if agent == LENT else {}
    )
    built = build_assistant(load_settings(data_dir=folder, **limits), model=lent_model() if agent == LENT else None)
    atexit.register(built.close)
    built.index_report()  # several samples run at once, and the index is built once
    return Subject(built, data_folder=Path(data_folder) if data_folder else None)


@lru_cache(maxsize=4)
def _passing_folder(_agent: str) -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="cohort-inspect-")


def sample_of(case: CaseBase) -> Sample:
    """A case as a sample; the case itself travels in its metadata."""
    dump = case.model_dump(mode="json")
    return Sample(
        id=case.id,
        input=question_of(dump),
        target=case.why,
        metadata={"case": dump, "source": case.source, "area": case.area, "tags": list(case.tags)},
    )


def question_of(case: dict[str, Any]) -> str:
    """What the case asks, for the list of samples."""
    for key in ("question", "query", "tool", "function"):
        if case.get(key):
            return str(case[key])
    parts: Sequence[dict[str, Any]] = case.get("turns") or case.get("groups") or [{"question": case["id"]}]
    return "\n".join(str(part["question"]) for part in parts)


@solver
def cohort_twin(agent: str, runs: Mapping[str, Callable[[], Record]]) -> Solver:
    """Our agent on one sample; what the suite's runner found goes into the sample's store."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        LOOP.set(anyio.lowlevel.current_token())
        record = await anyio.to_thread.run_sync(runs[str(state.sample_id)])
        state.store.set(RECORD, record.model_dump(mode="json"))
        text = _told(record)
        state.output = ModelOutput.from_content(model=f"cohort-twin/{agent}", content=text)
        state.messages.append(ChatMessageAssistant(content=text))
        return state

    return solve


def _told(record: Record) -> str:
    """The answer as its reader would see it."""
    answer = record.trace.get("answer") or {}
    sections = [f"**{section['title']}**\n\n{section['body']}" for section in answer.get("sections", ())]
    return "\n\n".join([f"## {record.headline}", *sections, *([record.error] if record.error else [])])


def measured(spec: MetricSpec) -> Scorer:
    """A scorer named after one of our metrics: the case's weighted mean; unscored where the case says nothing about it."""

    @scorer(name=spec.name, metrics=[weighted_mean(), lower_95(spec.unit), upper_95(spec.unit)])
    def build() -> Scorer:
        async def score(state: TaskState, target: Target) -> Score:
            record = _record(state)
            chosen = [one for one in record.measures if one.name == spec.name and one.pooled]
            weight = sum(one.weight for one in chosen)
            if not weight:
                return Score.unscored(reason="nothing to score")
            return Score(
                value=sum(one.weight * one.value for one in chosen) / weight,
                answer=record.status,
                explanation="; ".join(record.failed) or "as it should be",
                metadata={
                    "parts": [[one.cluster or record.case_id, one.weight * one.value, one.weight] for one in chosen]
                },
            )

        return score

    return build()


def drawn(curve: CurveSpec) -> Scorer:
    """A scorer for a statistic that is no mean (AUROC, AURC): it is computed over all samples."""

    @scorer(name=curve.metric.name, metrics=[statistic(curve)])
    def build() -> Scorer:
        async def score(state: TaskState, target: Target) -> Score:
            record = _record(state)
            if not len(curve.rows([record])[0]):
                return Score.unscored(reason="nothing to score")
            slim = record.model_copy(update={"trace": {}, "measures": ()}).model_dump(mode="json")
            return Score(value=float(len(record.predictions)), metadata={"record": slim})

        return score

    return build()


@metric
def weighted_mean() -> Metric:
    """sum(weight * value) / sum(weight) over all contributions."""

    def compute(scores: list[SampleScore]) -> float:
        parts = _parts(scores)
        weight = sum(part[2] for part in parts)
        return sum(part[1] for part in parts) / weight if weight else float("nan")

    return compute


@metric
def lower_95(unit: str) -> Metric:
    """Lower limit of the cluster-bootstrap interval; NaN with too few clusters."""

    def compute(scores: list[SampleScore]) -> float:
        return _limit(scores, unit, upper=False)

    return compute


@metric
def upper_95(unit: str) -> Metric:
    """Upper limit of the cluster-bootstrap interval; NaN with too few clusters."""

    def compute(scores: list[SampleScore]) -> float:
        return _limit(scores, unit, upper=True)

    return compute


def statistic(curve: CurveSpec) -> Metric:
    """A statistic of all predictions of the suite."""

    @metric(name="statistic")
    def build() -> Metric:
        def compute(scores: list[SampleScore]) -> float:
            records = [Record.model_validate((one.score.metadata or {})["record"]) for one in scores]
            rows, _clusters = curve.rows(records)
            return curve.statistic(rows) if len(rows) else float("nan")

        return compute

    return build()


def _limit(scores: list[SampleScore], unit: str, *, upper: bool) -> float:
    parts = _parts(scores)
    if not parts:
        return float("nan")
    own = Gathered([p[1] for p in parts], [p[2] for p in parts], [p[0] for p in parts])
    found = interval_of(unit, own)
    limit = found.upper if upper else found.lower
    return float("nan") if limit is None else limit


def _parts(scores: list[SampleScore]) -> list[tuple[str, float, float]]:
    return [tuple(part) for one in scores for part in (one.score.metadata or {}).get("parts", ())]


def _record(state: TaskState) -> Record:
    return Record.model_validate(state.store.get(RECORD))
