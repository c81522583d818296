"""The offline planner's prose: from tool results to Markdown. Every number comes from an estimate or a passage.

Sources are cited as `[source_id]`; the service turns them into numbers and a list.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from assistant import events, language
from assistant.behaviour import STATEMENTS, first_sentences, what_they_do
from assistant.compose_rankings import compose_told, told_here
from assistant.compose_voice import compose_voice, passage_lines, refused_voice, voice_here
from assistant.conversions import other_unit
from assistant.plans import Draft
from assistant.schemas import Status
from assistant.understanding import Intent
from assistant.voice_plans import VOICES
from knowledge.base import KnowledgeBase
from knowledge.schemas import Direction, Endpoint, Family, RetrievedPassage
from tools.schemas import Estimate, Level, ToolResult


def compose_answer(
    draft: Draft, results: Sequence[ToolResult], failures: Sequence[str], knowledge: KnowledgeBase
) -> tuple[str, Status]:
    """Write the answer.

    Parameters
    ----------
    draft : the plan that was followed.
    results : what the tools returned, in call order.
    failures : the JSON texts of tools that refused.

    Returns
    -------
    text, status : Markdown with '## ' headline and '### ' sections.
    """
    cohort = next((result for result in results if type(result).__name__ == "CohortDescription"), None)
    passages = [hit for result in results for hit in result.passages]
    if draft.refusal:
        return draft.refusal + _nearby(passages), Status.NOT_COVERED
    voice = voice_here(results)
    if voice is not None:
        told = passage_lines(passages, [first_sentences(hit.passage.text) for hit in passages])
        return compose_voice(voice, draft.plan.population, draft.plan.left_out, told), Status.ANSWERED
    if draft.understood.intent in VOICES:
        return refused_voice(failures) + _nearby(passages), Status.NOT_COVERED
    if draft.understood.intent is Intent.LITERATURE:
        return _literature(draft, passages)
    if draft.understood.intent is Intent.DESCRIBE and cohort is not None:
        return _cohort(cohort), Status.ANSWERED
    ranked = told_here(results)
    if ranked is not None:
        return compose_told(ranked, draft.plan.population, draft.plan.left_out), Status.ANSWERED
    prediction = next(
        (result for result in results if any(e.of is Level.COHORT_MEAN and e.endpoint for e in result.estimates)), None
    )
    if prediction is None:
        return _refusal(draft, failures, passages), Status.NOT_COVERED
    compare = draft.understood.intent is Intent.COMPARE
    heading = (
        f"## {language.sentence_case(draft.plan.population)} · {_subject(draft, prediction)} · "
        f"{language.weeks(getattr(prediction, 'horizon_weeks', None) or draft.plan.horizon_weeks or 0)}"
    )
    parts = [heading]
    if draft.plan.left_out:
        words = language.joined([f"“{words}”" for words in draft.plan.left_out])
        parts.append(f"**Left out: {words} could not be placed, so this answer is for the cohort without it.**")
    if compare:
        parts += _comparison(prediction, knowledge)
    else:
        parts += [
            _headline(prediction, cohort, knowledge),
            "### What to expect\n\n" + _expectations(prediction, knowledge),
        ]
        individuals = _individuals(prediction, knowledge)
        if individuals:
            parts.append("### How individuals vary\n\n" + individuals)
    doing = what_they_do(draft, cohort, passages, knowledge)
    if doing:
        parts.append("### What people like them said and did\n\n" + doing)
    missing = _missing(prediction)
    if missing:
        parts.append("### What this evidence base does not hold\n\n" + missing)
    return "\n\n".join(parts), Status.ANSWERED


def _subject(draft: Draft, prediction: ToolResult) -> str:
    """What was predicted, by the tool's own label: it carries the dose and schedule that were used."""
    compared = getattr(prediction, "treatments", ())
    if compared:
        return " versus ".join(compared)
    treatment = getattr(prediction, "treatment", "") or language.joined(list(draft.plan.interventions))
    return f"{treatment} versus {getattr(prediction, 'comparator', '') or draft.plan.comparator}"


def _by_id(result: ToolResult) -> dict[str, Estimate]:
    return {estimate.id: estimate for estimate in result.estimates}


def _endpoints(result: ToolResult, knowledge: KnowledgeBase) -> list[Endpoint]:
    """Endpoints in the order of the result; benefits before harms."""
    ids = dict.fromkeys(e.endpoint for e in result.estimates if e.endpoint)
    known = [knowledge.vocabulary.endpoints[name] for name in ids]
    return sorted(known, key=lambda endpoint: endpoint.family is Family.PROPORTION)


def _headline(result: ToolResult, cohort: ToolResult | None, knowledge: KnowledgeBase) -> str:
    """One sentence a minister could repeat, with what the comparator would show beside it."""
    estimates = _by_id(result)
    against = _control_name(result)
    clauses, harms, happening = [], [], []
    for endpoint in _endpoints(result, knowledge):
        if f"{endpoint.endpoint_id}.ratio" in estimates:
            happening.append(language.sentence_case(events.headline(endpoint, estimates, against)))
            continue
        mean, control = (estimates.get(f"{endpoint.endpoint_id}.{what}") for what in ("mean", "control"))
        if mean is None:
            continue
        if endpoint.family is Family.CONTINUOUS:
            clauses.append(_moves(endpoint, mean, estimates.get(f"{endpoint.endpoint_id}.difference"), cohort, against))
        else:
            beside = f" ({_in_100(control.point)} on {against})" if control is not None else ""
            harms.append(f"about {_in_100(mean.point)} in 100 {_happens(endpoint)}{beside}")
    sentences = [*happening, f"Expect {language.joined(clauses)}." if clauses else ""]
    sentences.append(f"{language.sentence_case(language.joined(harms))}." if harms else "")
    return _bold(sentences)


def _bold(sentences: Sequence[str]) -> str:
    """Each sentence in bold by itself: the verifier may take one out, and the others stay whole."""
    return " ".join(f"**{sentence}**" for sentence in sentences if sentence)


def _in_100(percent: float) -> int:
    return min(100, max(0, round(percent)))


def _moves(
    endpoint: Endpoint, mean: Estimate, difference: Estimate | None, cohort: ToolResult | None, against: str
) -> str:
    """'HbA1c to fall from 7.0 % by about 1.4 %-points, 1.3 more than on placebo (90 % of such trials …)'."""
    places = language.decimals(mean)
    amount = language.number(abs(mean.point), places)
    subject = re.sub(r"[ -]change$", "", endpoint.label).replace("body-", "body ")
    if re.search(r"\bchange\b", subject):
        return _changes(subject, mean, difference, against)
    if float(amount) == 0:
        verb = f"{subject} to change by less than {language.number(10**-places, places)} {language.unit(mean)}"
    else:
        way = "fall" if mean.point < 0 else "rise"
        verb = f"{subject} to {way}{_from(endpoint, cohort)} by about {amount} {language.unit(mean)}{_also(endpoint, mean)}"
    more = ""
    if difference is not None:
        gap = language.number(abs(difference.point), language.decimals(difference))
        word = "more" if (difference.point < 0) == (mean.point < 0) else "less"
        more = f", {gap} {word} than on {against}"
    spread = f"{language.percent(mean.level)} of such trials would report {language.interval(mean)}"
    return f"{verb}{more} ({spread})"


def _changes(subject: str, mean: Estimate, difference: Estimate | None, against: str) -> str:
    """'a yearly change of kidney function of about −1.1 mL/min per year, 1.4 higher than on placebo (90 % …)'."""
    gap = ""
    if difference is not None:
        amount = language.number(abs(difference.point), language.decimals(difference))
        gap = f", {amount} {'lower' if difference.point < 0 else 'higher'} than on {against}"
    figure = f"{language.number(mean.point, language.decimals(mean))} {language.unit(mean)}"
    spread = f"{language.percent(mean.level)} of such trials would report {language.interval(mean)}"
    return f"a {subject} of about {figure}{gap} ({spread})"


def _from(endpoint: Endpoint, cohort: ToolResult | None) -> str:
    """The cohort's mean at the start: ' from 7.0 %'."""
    start = next((e for e in getattr(cohort, "estimates", ()) if e.id == f"{endpoint.baseline}.mean"), None)
    return f" from {language.number(start.point, 1)} {start.unit}" if start is not None and endpoint.baseline else ""


def _also(endpoint: Endpoint, mean: Estimate) -> str:
    """The same in the other unit in use: ' or 15 mmol/mol'."""
    converted = other_unit(endpoint)
    if converted is None:
        return ""
    factor, unit = converted
    return f" or {language.number(abs(mean.point * factor), 0)} {unit}"


def _happens(endpoint: Endpoint) -> str:
    """The rest of 'about 18 in 100 …'."""
    if endpoint.endpoint_id.startswith("discontinuation"):
        return endpoint.label.replace("stopped", "stop")
    if endpoint.direction is Direction.HIGHER_IS_BETTER:
        return f"reach: {endpoint.label}"
    return f"have {endpoint.label}"


def _expectations(result: ToolResult, knowledge: KnowledgeBase) -> str:
    """A table of cohort means: treatment, control, difference, and where the spread comes from."""
    estimates = _by_id(result)
    rows = []
    for endpoint in _endpoints(result, knowledge):
        mean = estimates.get(f"{endpoint.endpoint_id}.mean")
        control = estimates.get(f"{endpoint.endpoint_id}.control")
        difference = estimates.get(f"{endpoint.endpoint_id}.difference")
        if mean is None or endpoint.family in events.EVENTS:
            continue
        rows.append(
            f"| {language.sentence_case(endpoint.label)} ({language.unit(mean)}) | {_cell(mean)} | "
            f"{_cell(control)} | {_cell(difference)} |"
        )
    happening = [endpoint for endpoint in _endpoints(result, knowledge) if endpoint.family in events.EVENTS]
    told = events.section(result, happening, _control_name(result)) if happening else ""
    if not rows:
        return told
    head = f"| Cohort mean or share | Treatment | {language.sentence_case(_control_name(result))} | Difference |\n|---|---|---|---|\n"
    note = (
        "\n\nIn brackets: where 90 % of new trials in such a cohort would fall, trial-to-trial differences included. "
        "These are about cohort means, not about persons."
    )
    return (f"{told}\n\n" if told else "") + head + "\n".join(rows) + note


def _control_name(result: ToolResult) -> str:
    control = next((e.arm for e in result.estimates if e.id.endswith(".control") and e.arm), "")
    return control or getattr(result, "comparator", "") or "comparator"


def _cell(estimate: Estimate | None) -> str:
    if estimate is None:
        return "not known"
    places = language.decimals(estimate)
    point = language.number(estimate.point, places)
    if estimate.lower is None or estimate.upper is None:
        return point
    return f"{point} ({language.number(estimate.lower, places)} to {language.number(estimate.upper, places)})"


def _individuals(result: ToolResult, knowledge: KnowledgeBase) -> str:
    """Person-to-person spread and responder shares, each said to be that."""
    lines = []
    for endpoint in _endpoints(result, knowledge):
        spread = next((e for e in result.estimates if e.id == f"{endpoint.endpoint_id}.individual_range"), None)
        if spread is not None and spread.lower is not None and spread.upper is not None:
            places = language.decimals(spread)
            lines.append(
                f"- {language.sentence_case(endpoint.label)} of single persons: nine in ten would be between "
                f"{language.number(spread.lower, places)} and {language.number(spread.upper, places)} {language.unit(spread)}."
            )
        for share in result.estimates:
            is_share = share.of is Level.SHARE and share.endpoint == endpoint.endpoint_id and ".share" in share.id
            if is_share and not share.id.endswith(".control"):
                control = next((e for e in result.estimates if e.id == f"{share.id}.control"), None)
                lines.append(f"- {_share_sentence(share, control)}")
    return "\n".join(lines)


def _share_sentence(share: Estimate, control: Estimate | None) -> str:
    text = f"About {_in_100(share.point)} in 100 {_share_words(share.quantity)}"
    if share.lower is not None and share.upper is not None:
        text += f" ({_in_100(share.lower)} to {_in_100(share.upper)} in 100, as the cohort mean varies)"
    if control is not None:
        text += f", against {_in_100(control.point)} in 100 on {control.arm}"
    return text + "."


def _share_words(quantity: str) -> str:
    """'share with HbA1c fall' -> 'with HbA1c fall'."""
    return (
        re.sub(r"^(?:individuals?|share|persons?)(?: of individuals?)?\s*(?:who|that)?\s*", "", quantity).strip()
        or quantity
    )


def _comparison(result: ToolResult, knowledge: KnowledgeBase) -> list[str]:
    """Which is better, by how much and how surely; then each arm."""
    sentences = [
        f"{language.sentence_case(estimate.quantity)}: {_chance(estimate.point)}."
        for estimate in result.estimates
        if ".probability_better" in estimate.id
    ]
    rows = []
    for estimate in result.estimates:
        if estimate.of is not Level.COHORT_MEAN or not estimate.endpoint or ".probability" in estimate.id:
            continue
        endpoint = knowledge.vocabulary.endpoints[estimate.endpoint]
        if endpoint.family in events.EVENTS:
            rows.append(events.compared_row(estimate, endpoint))
        else:
            label = f"{language.sentence_case(endpoint.label)} ({language.unit(estimate)})"
            rows.append(f"| {label} | {estimate.arm} | {_cell(estimate)} |")
    table = "| Outcome | Treatment | Cohort mean (90 % of such trials) |\n|---|---|---|\n" + "\n".join(
        filter(None, rows)
    )
    rest = "\n".join(f"- {sentence}" for sentence in sentences)
    lead = [*filter(None, [_side_by_side(result, knowledge)]), *sentences[:1]] or [result.title]
    return [_bold(lead), "### What to expect\n\n" + table + (f"\n\n{rest}" if rest else "")]


def _chance(percent: float) -> str:
    """'88 % (likely)'; never 0 or 100 %."""
    shown = "less than 1 %" if percent < 1 else "more than 99 %" if percent > 99 else f"{round(percent)} %"
    return f"{shown} ({language.likelihood(round(percent) / 100)})"


def _side_by_side(result: ToolResult, knowledge: KnowledgeBase) -> str:
    """'Expect HbA1c to fall by about 1.8 %-points with tirzepatide 10 mg, by about 1.5 with …' for the first outcome."""
    endpoint = _endpoints(result, knowledge)[0]
    if endpoint.family in events.EVENTS:
        return events.side_by_side(result, endpoint)
    means = [e for e in result.estimates if e.id.startswith(f"{endpoint.endpoint_id}.mean.")]
    if endpoint.family is not Family.CONTINUOUS or not means:
        return ""
    subject = re.sub(r"[ -]change$", "", endpoint.label).replace("body-", "body ")
    parts = [
        f"to {'fall' if mean.point < 0 else 'rise'} by about {language.number(abs(mean.point), language.decimals(mean))} "
        f"{language.unit(mean)} with {mean.arm}"
        for mean in means
    ]
    return f"Expect {subject} {language.joined(parts)}."


def _missing(result: ToolResult) -> str:
    lines = []
    for item in getattr(result, "missing_endpoints", ()):
        reason = item if isinstance(item, str) else getattr(item, "reason", str(item))
        lines.append(f"- {language.sentence_case(str(reason))}")
    return "\n".join(lines)


def _refusal(draft: Draft, failures: Sequence[str], passages: Sequence[RetrievedPassage]) -> str:
    """The honest 'nobody knows', followed by what is known nearby."""
    reasons = []
    for failure in failures:
        try:
            reasons.append(str(json.loads(failure)["message"]))
        except (ValueError, KeyError, TypeError):
            reasons.append(failure[:300])
    subject = language.joined(list(draft.plan.interventions)) or "this"
    text = f"## No prediction is possible for {subject}\n\n" + " ".join(dict.fromkeys(reasons))
    return text + _nearby(passages)


def _nearby(passages: Sequence[RetrievedPassage]) -> str:
    """Up to three passages, as a section of their own; nothing when nothing was found."""
    lines = "\n".join(f"- {first_sentences(hit.passage.text)} [{hit.source.source_id}]" for hit in passages[:3])
    return f"\n\n### What is known nearby\n\n{lines}" if lines else ""


def _literature(draft: Draft, passages: Sequence[RetrievedPassage]) -> tuple[str, Status]:
    if not passages:
        return (
            "## Nothing in the literature store answers this\n\nNo passage is near enough to the question.",
            Status.NOT_COVERED,
        )
    lines = "\n".join(
        f"- **{hit.passage.trial or hit.passage.heading}** – {first_sentences(hit.passage.text)} [{hit.source.source_id}]"
        for hit in passages
    )
    subject = language.joined(list(draft.plan.interventions)) or "the question"
    return (
        f"## What has been published about {subject}\n\nThe nearest passages, best first.\n\n### Passages\n\n{lines}",
        Status.ANSWERED,
    )


def _cohort(cohort: ToolResult) -> str:
    """A profile: means with the range of individuals, shares, preferences."""
    rows, shares = [], []
    for estimate in cohort.estimates:
        if estimate.of is Level.SHARE:
            shares.append(f"| {language.sentence_case(estimate.quantity)} | {round(estimate.point)} % |")
        else:
            spread = ""
            if estimate.lower is not None and estimate.upper is not None:
                spread = f"{language.number(estimate.lower, 1)} to {language.number(estimate.upper, 1)}"
            rows.append(
                f"| {language.sentence_case(estimate.quantity)} ({estimate.unit}) | {language.number(estimate.point, 1)} | {spread} |"
            )
    name = getattr(cohort, "name", cohort.title)
    prevalence = getattr(cohort, "prevalence", 1.0)
    size = f" They are {100 * prevalence:.0f} % of the archetype “{name}”." if prevalence < 0.995 else ""
    parts = [
        f"## {language.sentence_case(cohort.title)}",
        f"{getattr(cohort, 'summary', '')}{size}",
        "### Measurements\n\n| | Mean | Nine in ten individuals |\n|---|---|---|\n" + "\n".join(rows),
        "### Shares\n\n| | Share |\n|---|---|\n" + "\n".join(shares),
    ]
    doing = "\n".join(f"- {item.statement.rstrip('.')}." for item in getattr(cohort, "preferences", ())[:STATEMENTS])
    if doing:
        parts.append("### What they want and do\n\n" + doing)
    return "\n\n".join(parts)
