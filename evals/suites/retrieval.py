"""Does the search of the shipped literature find what answers a query?

A result counts for a relevant source when it is a passage of it, and for a relevant passage when it is that passage.
"""

from __future__ import annotations

from evals.case_schemas import RetrievalCase
from evals.retrieval.metrics import ndcg, recall
from evals.schemas import Check, Measure, Record, Suite
from evals.scorers import reciprocal_rank
from evals.subject import Subject
from evals.suites.base import MetricSpec, SuiteRunner, record

MARK = "#"  # a passage_id is source_id#n


def run(case: RetrievalCase, subject: Subject) -> Record:
    """Search, and compare the ranking with what is relevant."""
    context = subject.assistant.context(case.seed, subject.view(case.exclude, case.as_of))
    hits = context.retriever().search(
        case.query, k=case.k, view=context.view, drugs=case.drugs, areas=case.areas, per_source=2
    )
    passages = [hit.passage.passage_id for hit in hits]
    trace = {"query": case.query, "relevant": list(case.relevant), "found": passages, "why": [h.reason for h in hits]}
    if case.nothing:
        checks = [Check(name="finds nothing", passed=not hits, detail=", ".join(passages[:3]))]
        measures = [Measure(name="silent_off_topic", value=float(not hits))]
        return record(case, checks=checks, measures=measures, question=case.query, trace=trace)
    ranking = _as_asked(passages, case.relevant)
    relevant = frozenset(case.relevant)
    found = set(ranking[: case.k]) & relevant
    checks = [Check(name="finds something relevant", passed=bool(found), detail=", ".join(passages[:5]))]
    groups = {"area": case.area} if case.area else {}
    scores = {
        "recall_5": recall(ranking, relevant, 5),
        "recall_10": recall(ranking, relevant, 10),
        "ndcg_10": ndcg(ranking, relevant, 10),
        "mrr": reciprocal_rank(ranking, relevant),
    }
    cluster = sorted(name.partition(MARK)[0] for name in case.relevant)[0]
    measures = [Measure(name=name, value=value, cluster=cluster, groups=groups) for name, value in scores.items()]
    headline = hits[0].passage.heading if hits else "nothing found"
    return record(case, checks=checks, measures=measures, question=case.query, headline=headline, trace=trace)


def _as_asked(passages: list[str], relevant: tuple[str, ...]) -> list[str]:
    """Each hit under the name by which it is relevant: its passage, else its source."""
    wanted = set(relevant)
    return [name if name in wanted else name.partition(MARK)[0] for name in passages]


RUNNER = SuiteRunner(
    Suite.RETRIEVAL,
    run,
    (
        MetricSpec("recall_10", True, headline=True),
        MetricSpec("ndcg_10", True, "", headline=True),
        MetricSpec("recall_5", True),
        MetricSpec("mrr", True, ""),
        MetricSpec("silent_off_topic", True),
    ),
)
