"""The offline planner's prose for a ranking, for who gains most, and for why a prediction is what it is."""

from __future__ import annotations

from collections.abc import Sequence

from assistant import language
from tools.response.explain_schemas import ExplainResult
from tools.response.ranking_schemas import RankResult
from tools.response.responders_schemas import RespondersResult
from tools.schemas import Estimate, ToolResult

Told = RankResult | RespondersResult | ExplainResult
# Covariates told of.
SENTENCES = 5
# Sources named.
CITED = 6


def told_here(results: Sequence[ToolResult]) -> Told | None:
    """The first result that this module writes about."""
    return next((one for one in results if isinstance(one, RankResult | RespondersResult | ExplainResult)), None)


def compose_told(result: Told, population: str, left_out: Sequence[str]) -> str:
    """Markdown with a headline, the verdict in bold, tables and what the reader must know."""
    weeks = next((e.horizon_weeks for e in result.estimates if e.horizon_weeks is not None), None)
    when = f" · {language.weeks(weeks)}" if weeks is not None else ""
    parts = [f"## {language.sentence_case(population)} · {_subject(result)}{when}"]
    if left_out:
        words = language.joined([f"“{words}”" for words in left_out])
        parts.append(f"**Left out: {words} could not be placed, so this answer is for the cohort without it.**")
    if isinstance(result, RankResult):
        parts += _ranking(result)
    elif isinstance(result, RespondersResult):
        parts += _responders(result)
    else:
        parts += _explanation(result)
    if not isinstance(result, ExplainResult) and result.source_ids:
        cited = " ".join(f"[{source_id}]" for source_id in result.source_ids[:CITED])
        parts.append(f"The trials that weigh most in it were published here: {cited}")
    if result.warnings:
        parts.append("### What to bear in mind\n\n" + "\n".join(f"- {warning}" for warning in result.warnings))
    return "\n\n".join(parts)


def _subject(result: Told) -> str:
    if isinstance(result, RankResult):
        return f"treatments ranked beside {result.comparator}"
    about = f"{result.treatment} versus {result.comparator}"
    return f"who gains most from {about}" if isinstance(result, RespondersResult) else f"why {about} is predicted so"


def _ranking(result: RankResult) -> list[str]:
    """Verdicts, means and differences in order, then how surely each is best."""
    estimates = {estimate.id: estimate for estimate in result.estimates}
    rows = []
    for estimate in result.estimates:
        name, _, end = estimate.id.partition(".probability_best.")
        if not end or estimate.arm == result.comparator:
            continue
        mean = estimates.get(f"{name}.mean.{end}")
        start = (f"{name}.difference.{end}.vs.", f"{name}.ratio.{end}.vs.")
        versus = next((one for one in result.estimates if one.id.startswith(start)), None)
        shown = mean or versus
        if shown is not None:
            label = language.sentence_case(shown.quantity.removesuffix(", difference"))
            unit = "" if _is_ratio(shown) else f" ({language.unit(shown)})"
            rows.append(f"| {label}{unit} | {estimate.arm} | {_cell(mean)} | {_cell(versus)} |")
    head = f"| Outcome | Treatment | Cohort mean | Difference from {result.comparator} |\n|---|---|---|---|\n"
    if not any(".mean." in name for name in estimates if not name.startswith(tuple(_harms(result)))):
        head = head.replace("Difference from", "Versus")
    note = "In brackets: where 90 % of new trials in such a cohort would fall. Where these overlap widely, the order is not sure."
    return [
        f"**{language.sentence_case(' '.join(result.verdicts))}**",
        "### In order\n\n" + head + "\n".join(rows),
        " ".join((*result.comparator_lines, note)),
        "### How surely\n\n" + _listed(result.chance_lines),
        *(["### Not ranked\n\n" + _listed(result.left_out_lines)] if result.not_ranked else []),
    ]


def _harms(result: RankResult) -> set[str]:
    """Endpoints that stand beside the ranking, not ranked on."""
    return {harm.endpoint for row in result.ranking for harm in row.harms}


def _responders(result: RespondersResult) -> list[str]:
    """The verdict, then each sub-cohort's effect and gain beyond the rest."""
    note = (
        "In brackets: 90 % intervals. Those of the gain beyond the rest hold for all sub-cohorts at once; where they "
        "include nought, nothing is shown to differ."
    )
    return [f"**{result.verdict}**", "### Sub-cohorts, best first\n\n" + _listed(result.lines), note]


def _explanation(result: ExplainResult) -> list[str]:
    """The verdict; trials with weight and move; covariates; what the uncertainty is made of."""
    sources = dict.fromkeys(source for one in result.trials for source in one.source_ids[:1])
    cited = "Where these trials were published: " + " ".join(f"[{source}]" for source in sources)
    parts = [f"**{result.verdict}**", f"### The trials that carry it\n\n{_listed(result.trial_lines)}\n\n{cited}"]
    if result.cohort_lines:
        parts.append("### What the cohort itself changes\n\n" + _listed(result.cohort_lines[:SENTENCES]))
    return [*parts, "### What it is unsure about\n\n" + _listed(result.uncertainty_lines)]


def _listed(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _is_ratio(estimate: Estimate) -> bool:
    return estimate.unit.endswith("ratio")


def _cell(estimate: Estimate | None) -> str:
    if estimate is None:
        return "–"
    places = 2 if _is_ratio(estimate) else language.decimals(estimate)
    point = language.number(estimate.point, places)
    if estimate.lower is None or estimate.upper is None:
        return point
    return f"{point} ({language.number(estimate.lower, places)} to {language.number(estimate.upper, places)})"
