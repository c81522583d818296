"""The offline planner's prose for what follows on stopping a treatment."""

from __future__ import annotations

from collections.abc import Sequence

from assistant import language
from tools.response.stopping_schemas import StoppingResult
from tools.schemas import Estimate, ToolResult

ORDER = ("at_stop", "after", "going_on")
CITED = 6


def stopped_here(results: Sequence[ToolResult]) -> StoppingResult | None:
    """The first result that this module writes about."""
    return next((one for one in results if isinstance(one, StoppingResult)), None)


def compose_stopping(result: StoppingResult, population: str, left_out: Sequence[str]) -> str:
    """Markdown with a headline, how much comes back in bold, and a table: at the last dose, afterwards, had it gone on."""
    times = f"{language.weeks(result.weeks_on)} on it, {language.weeks(result.weeks_off)} after the last dose"
    parts = [f"## {language.sentence_case(population)} · stopping {result.treatment} · {times}"]
    if left_out:
        words = language.joined([f"“{words}”" for words in left_out])
        parts.append(f"**Left out: {words} could not be placed, so this answer is for the cohort without it.**")
    of = {estimate.id: estimate for estimate in result.estimates}
    endpoints = list(dict.fromkeys(estimate.endpoint for estimate in result.estimates if estimate.endpoint))
    lead = [_sentence(of[f"{name}.returned"]) for name in endpoints if f"{name}.returned" in of]
    parts.append(f"**{' '.join(lead) or result.title}**")
    rows = [
        f"| {language.sentence_case(estimate.quantity)} ({language.unit(estimate)}) | {_cell(estimate)} |"
        for name in endpoints
        for estimate in (of.get(f"{name}.{what}") for what in ORDER)
        if estimate is not None
    ]
    if rows:
        parts.append("### What to expect\n\n| Cohort mean | Predicted |\n|---|---|\n" + "\n".join(rows))
        parts.append("In brackets: where 90 % of new trials in such a cohort would fall.")
    if result.source_ids:
        cited = " ".join(f"[{source_id}]" for source_id in result.source_ids[:CITED])
        parts.append(f"It rests on trials that followed people after they had stopped such a drug {cited}.")
    missing = "\n".join(f"- {language.sentence_case(item.reason)}" for item in result.missing_endpoints)
    if missing:
        parts.append(f"### What this evidence base does not hold\n\n{missing}")
    return "\n\n".join(parts)


def _sentence(estimate: Estimate) -> str:
    """'Share of the weight change that has come back 52 weeks after the last dose: about 66 % (48 to 88 %).'"""
    text = f"{language.sentence_case(estimate.quantity)}: about {language.number(estimate.point, 0)} %"
    if estimate.lower is None or estimate.upper is None:
        return f"{text}."
    return f"{text} ({language.number(estimate.lower, 0)} to {language.number(estimate.upper, 0)} %)."


def _cell(estimate: Estimate) -> str:
    places = language.decimals(estimate)
    point = language.number(estimate.point, places)
    if estimate.lower is None or estimate.upper is None:
        return point
    return f"{point} ({language.number(estimate.lower, places)} to {language.number(estimate.upper, places)})"
