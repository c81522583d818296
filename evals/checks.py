"""From an answer and what was expected of it to verdicts."""

from __future__ import annotations

from collections.abc import Sequence

from assistant.schemas import Answer
from evals.case_schemas import Expectation
from evals.schemas import Check
from knowledge.views import TrialMentions


def judge(expect: Expectation, answer: Answer, exclude: Sequence[str] = ()) -> list[Check]:
    """All verdicts on one answer."""
    text = answer.markdown.casefold()
    checks = [Check(name="status", passed=answer.status in expect.status, detail=answer.status.value)]
    if expect.persona_id:
        found = answer.plan.persona_id if answer.plan else ""
        checks.append(Check(name="cohort", passed=found in expect.persona_id, detail=found or "none"))
    if expect.tools:
        used = [step.tool for step in answer.steps]
        checks.append(Check(name="tools", passed=set(expect.tools) <= set(used), detail=", ".join(used)))
    if expect.endpoints:
        predicted = {estimate.endpoint for estimate in answer.estimates if estimate.endpoint}
        missing = sorted(set(expect.endpoints) - predicted)
        checks.append(
            Check(name="endpoints", passed=not missing, detail=f"missing: {', '.join(missing)}" if missing else "")
        )
    for word in expect.mentions:
        checks.append(Check(name=f"mentions '{word}'", passed=word.casefold() in text))
    for word in expect.never:
        checks.append(Check(name=f"never says '{word}'", passed=word.casefold() not in text))
    if expect.predicts_nothing:
        invented = predicted_ids(answer)
        checks.append(Check(name="predicts nothing", passed=not invented, detail=", ".join(invented[:5])))
    checks.append(Check(name="grounded", passed=not answer.removed, detail="; ".join(answer.removed)))
    checks.append(_cited(answer))
    if exclude:
        leaks = leaked(exclude, answer)
        checks.append(Check(name="left-out trial stays out", passed=not leaks, detail=", ".join(leaks)))
    return checks


def predicted_ids(answer: Answer) -> list[str]:
    """Ids of the estimates that predict an endpoint."""
    return [estimate.id for estimate in answer.estimates if estimate.endpoint]


def leaked(exclude: Sequence[str], answer: Answer) -> list[str]:
    """Excluded trials that show up in the answer all the same, but for the question, which may name them."""
    names = [name.rstrip("*").strip() for name in exclude]
    asked = answer.question.casefold()
    return [name for name in names if name.casefold() not in asked and TrialMentions([name]).found_in(answer.markdown)]


def _cited(answer: Answer) -> Check:
    """An answer with a prediction names sources, each with an identifier."""
    named = [citation for citation in answer.citations if citation.pmid or citation.doi or citation.source_id]
    return Check(name="cites", passed=bool(named) or not predicted_ids(answer), detail=f"{len(named)} sources")
