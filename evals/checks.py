"""From an answer and what was expected of it to verdicts."""

from __future__ import annotations

from collections.abc import Sequence

from assistant.schemas import Answer
from evals.schemas import Case, Check, Outcome


def judge(case: Case, answer: Answer) -> tuple[list[Check], list[Outcome]]:
    """All verdicts on one answer, and the published outcomes it can be held against."""
    expect = case.expect
    text = answer.markdown.casefold()
    checks = [Check(name="status", passed=answer.status is expect.status, detail=answer.status.value)]
    if expect.persona_id:
        found = answer.plan.persona_id if answer.plan else ""
        checks.append(Check(name="cohort", passed=found == expect.persona_id, detail=found or "none"))
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
        invented = [estimate.id for estimate in answer.estimates if estimate.endpoint]
        checks.append(Check(name="predicts nothing", passed=not invented, detail=", ".join(invented)))
    checks.append(Check(name="grounded", passed=not answer.removed, detail="; ".join(answer.removed)))
    checks.append(_cited(answer))
    outcomes, found_checks = _outcomes(case, answer)
    return checks + found_checks, outcomes


def _cited(answer: Answer) -> Check:
    """An answer with a prediction names sources, each with an identifier."""
    predicts = any(estimate.endpoint for estimate in answer.estimates)
    named = [citation for citation in answer.citations if citation.pmid or citation.doi or citation.source_id]
    return Check(name="cites", passed=bool(named) or not predicts, detail=f"{len(named)} sources")


def _outcomes(case: Case, answer: Answer) -> tuple[list[Outcome], list[Check]]:
    by_id = {estimate.id: estimate for estimate in answer.estimates}
    outcomes: list[Outcome] = []
    checks: list[Check] = []
    for published in case.expect.published:
        estimate = by_id.get(published.estimate_id)
        usable = estimate is not None and estimate.lower is not None and estimate.upper is not None
        same_unit = estimate is not None and estimate.unit == published.unit
        checks.append(Check(name=f"predicts {published.estimate_id}", passed=usable and same_unit))
        if estimate is None or estimate.lower is None or estimate.upper is None or not same_unit:
            continue
        outcomes.append(
            Outcome(
                case_id=case.id,
                estimate_id=published.estimate_id,
                unit=published.unit,
                published=published.value,
                predicted=estimate.point,
                lower=estimate.lower,
                upper=estimate.upper,
                level=estimate.level,
            )
        )
    return outcomes, checks


def leaked(case: Case, answer: Answer) -> Sequence[str]:
    """Excluded trials that show up in the answer all the same."""
    text = answer.markdown.casefold()
    return [name for name in case.exclude if name.casefold() in text]
