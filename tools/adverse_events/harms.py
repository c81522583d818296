"""What the response engine predicts about harms, for a cohort and a treatment; and a few more harms than it knows by itself.

The figures in `evidence/` have the form of the shared evidence table and join it here, so that evidence views, pooling and
uncertainty are those of the engine.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import yaml

from knowledge.arms import load_arms
from knowledge.base import KnowledgeBase
from knowledge.errors import InvalidInput
from knowledge.schemas import Endpoint, Family
from knowledge.vocabulary import Vocabulary
from tools.adverse_events.schemas import FromEvidence
from tools.context import ToolContext
from tools.response.asking import assumptions_of, horizon_of, predict_endpoints, read_question, warnings_of
from tools.response.engine import engine_for
from tools.response.estimates import mean_estimate
from tools.response.risks import level_estimate, levels
from tools.response.schemas import TreatmentInput
from tools.response.threads import one_thread
from tools.schemas import Estimate

FloatArray = npt.NDArray[np.float64]
HERE = Path(__file__).parent
USUAL = ("nausea", "discontinuation_adverse_event")


@dataclass(frozen=True)
class Harm:
    """A harm of a treatment and its comparator: draws (D, 2) of the share of people with it, 0-1; and what the engine
    says of both shares, in %.
    """

    endpoint: Endpoint
    shares: FloatArray
    told: tuple[Estimate, Estimate]
    source_ids: tuple[str, ...]
    trials: int


@dataclass(frozen=True)
class Harms:
    """What the evidence says about one question."""

    harms: tuple[Harm, ...]
    treatment: str
    comparator: str
    population: str
    weeks: float
    assumptions: tuple[str, ...]
    warnings: tuple[str, ...]


@lru_cache(maxsize=4)
def with_more_harms(knowledge: KnowledgeBase) -> KnowledgeBase:
    """The knowledge base with the figures of this folder; as it is where their sources are not in it (made-up evidence)."""
    table = yaml.safe_load((HERE / "endpoints.yaml").read_text(encoding="utf-8"))
    extra = {name: Endpoint(endpoint_id=name, **fields) for name, fields in table.items()}
    new = {name: one for name, one in extra.items() if name not in knowledge.vocabulary.endpoints}
    if not new or not _sources() <= knowledge.sources.keys():
        return knowledge
    vocabulary = Vocabulary(knowledge.vocabulary.drugs, {**knowledge.vocabulary.endpoints, **new})
    arms = load_arms(HERE, vocabulary, knowledge.sources).arms
    joined = KnowledgeBase(knowledge.root, vocabulary, knowledge.sources, knowledge.arms, knowledge.shipped)
    return joined.with_arms([arm for arm in arms if arm.endpoint in new], {})


def _sources() -> set[str]:
    found = set()
    for path in (HERE / "evidence").glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            found |= {row["source_id"] for row in csv.DictReader(file)}
    return found


@one_thread()
def predicted_harms(asked: FromEvidence, context: ToolContext) -> Harms:
    """Shares of people with each harm under both treatments (errors of the response engine; InvalidInput for outcomes
    that are not shares of people or risks).
    """
    knowledge = with_more_harms(context.knowledge)
    engine = engine_for(knowledge, context.view)
    inputs = (asked.treatment, asked.comparator or TreatmentInput(intervention="placebo"))
    question = read_question(engine, inputs, asked.outcomes or USUAL, asked.cohort, context)
    weeks, why = horizon_of(engine, question, asked.horizon_weeks)
    results, missing = predict_endpoints(
        engine, question.choice.endpoints, question.treatments, question.cohort, weeks, context.progress
    )
    found = []
    for result in results:
        family, name = result.endpoint.family, result.endpoint.endpoint_id
        if family is Family.TIME_TO_EVENT and result.predicted.levels:
            shares = levels(result, result.draws[:, :2])
            told = [level_estimate(result, i, name, question.cohort) for i in (0, 1)]
        elif family is Family.PROPORTION:
            shares = result.draws[:, :2]
            told = [mean_estimate(result, i, name, question.cohort) for i in (0, 1)]
        else:
            raise InvalidInput(
                f"{result.endpoint.label} is not told as a share of people.",
                "Ask for a harm such as nausea, or stopping for adverse events.",
            )
        first, second = told
        assert first is not None
        assert second is not None
        trials = {one.row.arm.trial for one in result.influences}
        found.append(
            Harm(result.endpoint, np.clip(shares / 100, 0, 1), (first, second), tuple(result.source_ids), len(trials))
        )
    left_out = tuple(f"Not predicted: {one.reason}" for one in missing)
    return Harms(
        harms=tuple(found),
        treatment=question.treatments[0].label,
        comparator=question.treatments[1].label,
        population=question.cohort.label,
        weeks=weeks,
        assumptions=(*filter(None, [why]), *assumptions_of(engine, results, question)),
        warnings=(*warnings_of(results, question), *left_out),
    )
