"""Does every numeral of an answer have a source, and are the right sources cited?

`groundedness` counts numerals that the product's verifier traces on the recorded run, `figures_traced` those that a plain
judge with no code in common traces. Citations as in Gao et al 2023 (ALCE, EMNLP): precision is the share of cited
sources that bear on the question, recall the share of the sources that had to be cited.
"""

from __future__ import annotations

from evals.case_schemas import GroundingCase
from evals.checks import judge
from evals.schemas import Check, Measure, Record, Suite
from evals.scorers import precision, recall
from evals.subject import Asked, Subject
from evals.suites.base import MetricSpec, SuiteRunner, ask, record_of
from evals.tracing import plainly_traced, verified
from knowledge.base import KnowledgeBase


def run(case: GroundingCase, subject: Subject) -> Record:
    """Ask, trace the numerals, compare the citations."""
    asked = ask(case, subject)
    checks = judge(case.expect, asked.answer, case.exclude)
    measures, found = traced(asked, subject)
    checks += found
    cited = {citation.source_id for citation in asked.answer.citations}
    missing = sorted(set(case.cites) - cited)
    if case.cites:
        checks.append(Check(name="cites what it must", passed=not missing, detail=", ".join(missing)))
        weight = float(len(set(case.cites)))
        measures.append(Measure(name="citation_recall", value=recall(cited, case.cites), weight=weight))
    if cited and (case.about or case.may_cite):
        right = {name for name in cited if _bears(name, case, subject.knowledge)}
        stray = sorted(cited - right)
        checks.append(Check(name="cites nothing beside the point", passed=not stray, detail=", ".join(stray)))
        measures.append(Measure(name="citation_precision", value=precision(cited, right), weight=float(len(cited))))
    return record_of(case, [asked], checks=checks, measures=measures)


def traced(asked: Asked, subject: Subject) -> tuple[list[Measure], list[Check]]:
    """Both counts of an answer."""
    strict = verified(asked, subject.assistant.registry, subject.knowledge, subject.assistant.personas)
    plain = plainly_traced(asked, subject.knowledge)
    measures, checks = [], []
    for name, count in (("groundedness", strict), ("figures_traced", plain)):
        checks.append(
            Check(
                name=name,
                passed=count.traced == count.numerals,
                detail="; ".join(text[:160] for text in count.lost[:3]),
            )
        )
        if count.numerals:
            weight = float(count.numerals)
            measures.append(Measure(name=name, value=count.traced / count.numerals, weight=weight))
    return measures, checks


def _bears(source_id: str, case: GroundingCase, knowledge: KnowledgeBase) -> bool:
    """Is the source named by the case, or has it an arm or a passage about one of its drugs?"""
    if source_id in case.cites or source_id in case.may_cite:
        return True
    wanted = set(case.about)
    arms = any(arm.source_id == source_id and arm.intervention in wanted for arm in knowledge.arms.arms)
    return arms or any(
        passage.source_id == source_id and wanted.intersection(passage.drugs) for passage in knowledge.passages
    )


RUNNER = SuiteRunner(
    Suite.GROUNDING,
    run,
    (
        MetricSpec("groundedness", True, headline=True),
        MetricSpec("citation_precision", True, headline=True),
        MetricSpec("citation_recall", True, headline=True),
        MetricSpec("figures_traced", True),
    ),
)
