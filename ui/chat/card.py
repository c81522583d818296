"""An answer as a card for the conversation, and what made it as a panel beside it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from assistant.schemas import Answer, Event, Plan, Status, StepRecord
from tools.schemas import Chart
from ui.charts import Held, gauge, reliability
from ui.charts.rows import capital
from ui.chat.markup import bullets, figure, folded, grid, link, markdown, notice

if TYPE_CHECKING:
    from assistant.trust import Reliability

IN_PANEL = ("Evidence", "Assumed")
OPEN_CHARTS = 3
_SHOWN_FIRST = ("fan", "survival", "lines", "tornado", "plane")
_ENDED = {
    Status.PARTIAL: "Answered in part.",
    Status.NEEDS_INPUT: "One thing is needed first.",
    Status.NOT_COVERED: "Not covered.",
    Status.REDIRECTED: "Not answered here.",
}


def asked(question: str, number: int) -> str:
    """The question as it was typed."""
    return (
        f'<div class="ct-asked" id="turn-{number}"><h2 class="who">You asked</h2><p>{escape(question) or "…"}</p></div>'
    )


def running(plan: Plan | None, steps: Sequence[Event]) -> str:
    """What is being done now, with the seconds since it began (counted in the page)."""
    return (
        '<article class="ct-card" aria-busy="true"><p class="ct-working" role="status"><span class="ct-dot" aria-hidden="true"></span>'
        'Working, <span data-elapsed>0</span> s. <span class="soft">Most answers take a few seconds.</span></p>'
        f"{plan_list(plan)}{_steps_so_far(steps)}</article>"
    )


def planned(plan: Plan, reply: str, will_run: bool) -> str:
    """The plan alone, when it was asked for before anything runs."""
    note = (
        notice(
            "This is the plan; nothing has been run.",
            hint="Change it under “Understood (edit)”, then choose “Run this plan”.",
        )
        if will_run
        else notice(reply or "This would not run as it stands.", hint="Change it under “Understood (edit)”.")
    )
    return f'<article class="ct-card">{note}{plan_list(plan)}</article>'


def card(answer: Answer) -> str:
    """The answer, headline first."""
    sections = [section for section in answer.sections if section.title not in IN_PANEL]
    lead = next((section for section in sections if section.title == "In short"), None)
    if answer.status in (Status.ANSWERED, Status.PARTIAL) and lead is not None:
        head = f'<p class="eyebrow">{escape(answer.headline)}</p><div class="lead">{markdown(lead.body, run_id=answer.run_id)}</div>'
        sections = [section for section in sections if section is not lead]
    else:
        head = f'<h3 class="headline">{escape(answer.headline)}</h3>'
    ended = f'<p class="soft">{_ENDED[answer.status]}</p>' if answer.status in _ENDED else ""
    body = "".join(
        f"<section><h4>{escape(section.title)}</h4>{markdown(section.body, run_id=answer.run_id)}</section>"
        for section in sections
    )
    return (
        f'<article class="ct-card" data-run="{escape(answer.run_id)}">{_done(answer)}{ended}{head}{body}'
        f'<p class="soft">Run <code>{escape(answer.run_id)}</code></p></article>'
    )


def failed(sentence: str, hint: str) -> str:
    """What went wrong, in a sentence."""
    return f'<article class="ct-card">{notice(sentence, hint=hint, alarm=True)}</article>'


def plan_list(plan: Plan | None) -> str:
    """Population, intervention, comparator, outcomes, time."""
    if plan is None or not (plan.population or plan.interventions):
        return ""
    rows = [
        ("Population", plan.population or "–"),
        ("Intervention", " and ".join(plan.interventions) or "–"),
        ("Comparator", plan.comparator or "–"),
        ("Outcomes", ", ".join(plan.outcomes) or "the main ones with evidence"),
        ("Time", f"{plan.horizon_weeks:g} weeks" if plan.horizon_weeks else "–"),
    ]
    items = "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in rows)
    return f'<dl class="ct-plan">{items}</dl>'


def _steps_so_far(events: Sequence[Event]) -> str:
    finished = {event.tool: event.step for event in events if event.type == "step_finished" and event.step}
    names = list(dict.fromkeys(event.tool for event in events))
    lines = [_step(finished[name]) if name in finished else f"<li>… {_words(name)}</li>" for name in names]
    return f'<ol class="ct-steps">{"".join(lines)}</ol>' if lines else ""


def _done(answer: Answer) -> str:
    seconds = sum(step.seconds for step in answer.steps)
    inner = plan_list(answer.plan) + f'<ol class="ct-steps">{"".join(map(_step, answer.steps))}</ol>'
    if not answer.steps and not plan_list(answer.plan):
        return ""
    many = len(answer.steps)
    return folded(f"Plan and steps: {many} step{'' if many == 1 else 's'}, {seconds:.1f} s", inner)


def _step(step: StepRecord) -> str:
    mark, said = ("✓", "done") if step.ok else ("✗", "failed")
    error = f": {escape(step.error)}" if step.error else ""
    told = f'<span class="soft">{said}, {step.seconds:.1f} s{error}</span>'
    return f'<li><span aria-hidden="true">{mark}</span> {_words(step.tool)} {told}</li>'


def _words(tool: str) -> str:
    words = tool.replace("_", " ")
    return escape(words[:1].upper() + words[1:])


def panel(answer: Answer, measured: Sequence[Reliability]) -> str:
    """How sure, charts, evidence, assumptions, provenance."""
    parts = [_sure(answer, measured), _charts(answer), _evidence(answer)]
    if answer.assumptions:
        parts.append(folded("Assumptions", bullets(_sentence(item) for item in answer.assumptions)))
    if answer.plan is not None and answer.plan.left_out:
        parts.append(notice("Of the cohort, this could not be placed:", hint=", ".join(answer.plan.left_out)))
    parts.append(_provenance(answer))
    return "".join(part for part in parts if part)


def nothing_yet() -> str:
    """The panel before the first question."""
    return (
        '<p class="soft">Once a question is answered, its charts, evidence and provenance stand here. '
        "Every number is computed from published trials or quoted from a source.</p>"
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _sure(answer: Answer, measured: Sequence[Reliability]) -> str:
    if not answer.estimates:
        return ""
    confidence = answer.confidence
    shown = '<section class="ct-part"><h3>How sure?</h3>'
    if confidence.calibrated and confidence.probability is not None:
        percent = f"{100 * confidence.probability:.0f} %"
        bar = gauge(confidence.probability, f"{percent} of comparable predictions were right")
        shown += f'<p class="ct-gauge"><strong>{percent}</strong>{bar}</p><p>of comparable predictions were right. '
        shown += f'<span class="soft">{escape(_sentence(confidence.basis))}</span></p>'
    else:
        shown += f"<p>{escape(confidence.sentence)}</p>"
    return shown + (reliability_picture(measured) if measured else "") + "</section>"


def reliability_picture(measured: Sequence[Reliability]) -> str:
    """What 90 % intervals held when each trial was predicted without itself, beside where chance alone would put it."""
    rows = [
        Held(f"{one.label} ({one.unit})", one.found, one.null_lower, one.null_upper, one.n_arms) for one in measured
    ]
    said = "; ".join(f"{row.label}: {100 * row.found:.0f} % of {row.n}" for row in rows)
    explained = (
        "Each published trial was predicted without itself. The dashed line is what 90 % intervals promise, the dot what they "
        "held, the grey band where the dot would be in 95 of 100 such checks if the promise were exactly right."
    )
    table = grid(
        ["Outcome", "Promised", "Held", "By chance alone", "Arms (trials)", "Verdict"],
        [
            [
                capital(f"{one.label} ({one.unit})"),
                f"{100 * one.said:.0f} %",
                f"{100 * one.found:.0f} %",
                f"{100 * one.null_lower:.0f} to {100 * one.null_upper:.0f} %",
                f"{one.n_arms} ({one.n_trials})",
                one.verdict,
            ]
            for one in measured
        ],
        "How reliable the intervals were",
    )
    return (
        f'<figure class="ct-figure"><figcaption>How reliable the intervals were</figcaption>'
        f'{reliability(rows, f"Share of published figures inside 90 % intervals. {said}.")}<p class="soft">{explained}</p>'
        f"{folded('Numbers of this picture', table)}</figure>"
    )


def _charts(answer: Answer) -> str:
    if not answer.charts:
        return ""
    ordered = sorted(answer.charts, key=_rank)
    first, later = ordered[:OPEN_CHARTS], ordered[OPEN_CHARTS:]
    shown = "".join(figure(chart) for chart in first)
    shown += "".join(folded(_title(chart), figure(chart, with_title=False)) for chart in later)
    return f'<section class="ct-part" id="charts"><h3>Charts</h3>{shown}</section>'


def _rank(chart: Chart) -> int:
    """Courses first, then who responds, then forests; who the cohort is comes last."""
    if chart.title == "Who they are":
        return 9
    if chart.kind in _SHOWN_FIRST:
        return 0 if chart.kind != "fan" else 1
    return 2 if chart.kind == "bars" else 3


def _title(chart: Chart) -> str:
    return capital(chart.title)


def _evidence(answer: Answer) -> str:
    if not answer.citations:
        return ""
    carries = next((section.body for section in answer.sections if section.title == "Evidence"), "")
    rows = []
    for one in answer.citations:
        name = f'<span id="s-{escape(answer.run_id)}-{one.number}">[{one.number}]</span>'
        words = f"PMID {one.pmid}" if one.pmid else f"doi:{one.doi}" if one.doi else "source"
        where = link(one.url, words) if one.url else escape(one.source_id)
        title, by = escape(one.title.rstrip(".")), escape(one.citation)
        rows.append([name, f'{title}<br><span class="soft">{by}</span>', escape(one.grade), where])
    table = grid(["No.", "Source", "Grade", "Link"], rows, "Sources of this answer", raw=frozenset({0, 1, 2, 3}))
    told = f'<section class="ct-carry">{markdown(carries)}</section>' if carries else ""
    many = len(rows)
    return (
        f'<section class="ct-part"><h3>Evidence</h3>{folded(f"Table of sources ({many})", table, opened=True)}'
        f"{folded('What carries the prediction', told) if told else ''}</section>"
    )


def _provenance(answer: Answer) -> str:
    rows = [
        ["Run", answer.run_id],
        ["Model", answer.model],
        ["Seed", str(answer.seed)],
        ["Evidence", answer.evidence_hash],
        ["Replay", f"cohort runs replay {answer.run_id}"],
    ]
    return folded("Provenance", grid(["What", "Value"], rows, "What made this answer"))
