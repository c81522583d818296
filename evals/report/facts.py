"""Figures of a run as phrases, for the fixed texts: `{coverage}` in checklists.yaml becomes what was measured."""

from __future__ import annotations

from collections.abc import Mapping

from evals.report.contents import Contents
from evals.report.numbers import count, listed, measure, number, percent, seconds
from evals.report.sections.baseline import summary as baseline_summary
from evals.report.sections.fairness import summary as fairness_summary
from evals.report.telling import level_of, with_interval
from evals.report.words import metric_words, model_name, suite_name
from evals.schemas import Suite
from knowledge.errors import DataError

NOT_MEASURED = "not measured in this run"


def facts(contents: Contents) -> Mapping[str, str]:
    """All phrases by name."""
    cases = sum(info.cases for info in contents.suites)
    return {
        "cases": f"{count(cases, 'case')} in {count(len(contents.suites), 'suite')}",
        "suites": listed([f"{info.suite} {info.hash}" for info in contents.suites]) or NOT_MEASURED,
        "models": listed([model_name(model) for model in contents.models]) or "no model",
        "version": contents.product or "unknown",
        "evidence": contents.evidence_hash,
        "as_of": _as_of(contents),
        "adaptation": _adaptation(contents),
        "generation": _generation(contents),
        "resources": _resources(contents),
        "failures": count(len(contents.failures), "failure") if contents.failures else "none",
        "skipped": f"A budget left out {count(contents.left_out, 'case')}."
        if contents.left_out
        else "No case was left out.",
        "coverage": _coverage(contents),
        "outcomes": _published(contents),
        "skill": _skill(contents),
        "calibration": _calibration(contents),
        "fairness": fairness_summary(contents),
        "baseline": baseline_summary(contents),
        "truths": _suite(contents, Suite.TRUTHS),
        "robustness": _suite(contents, Suite.ROBUSTNESS),
        "retrieval": _suite(contents, Suite.RETRIEVAL),
        "grounding": _suite(contents, Suite.GROUNDING),
        "safety": _suite(contents, Suite.SAFETY),
    }


def filled(text: str, known: Mapping[str, str]) -> str:
    """The text with its phrases filled in (DataError for one that nobody knows); it starts and ends as a sentence does."""
    try:
        made = text.format_map(known)
    except (KeyError, ValueError, IndexError) as error:
        raise DataError(
            f"A text of the report asks for an unknown fact: {error}.", "See evals/report/facts.py."
        ) from error
    return made[:1].upper() + made[1:] + ("" if made.endswith((".", ":")) else ".")


def _suite(contents: Contents, suite: Suite) -> str:
    found = [one for one in contents.headlines() if one.suite is suite and one.value is not None]
    return "; ".join(f"{metric_words(one.name).name.lower()} {with_interval(one)}" for one in found) or NOT_MEASURED


def _coverage(contents: Contents) -> str:
    for suite in (Suite.HOLDOUT, Suite.OUTCOMES):
        for one in contents.of(suite):
            level = level_of(one)
            if one.headline and not one.group and level is not None and one.value is not None:
                figures = f"{count(one.n, 'published figure')} inside the {percent(level)} interval"
                return f"{with_interval(one)} of {figures} ({suite_name(suite).lower()})"
    return NOT_MEASURED


def _published(contents: Contents) -> str:
    found = [
        f"{count(one.n, 'figure')} of {count(one.clusters, 'trial')} ({suite_name(one.suite).lower()})"
        for one in contents.panels
        if one.model == contents.first
    ]
    return listed(found) or NOT_MEASURED


def _skill(contents: Contents) -> str:
    own = contents.metric(Suite.HOLDOUT, "scaled_error")
    rivals = [
        m
        for m in contents.of(Suite.HOLDOUT)
        if m.name == "scaled_error" and m.group.startswith("method=") and "|" not in m.group
    ]
    scored = [one for one in rivals if one.value is not None]
    if own is None or own.value is None or not scored:
        return NOT_MEASURED
    best = min(scored, key=lambda one: one.value or 0.0)
    return f"mean error {number(own.value)} tolerances, of the best baseline ({best.group.partition('=')[2]}) {number(best.value)}"


def _calibration(contents: Contents) -> str:
    one = contents.metric(Suite.HOLDOUT, "calibration_error") or contents.metric(Suite.OUTCOMES, "calibration_error")
    return (
        f"mean distance {measure(one.value, one.unit)}" if one is not None and one.value is not None else NOT_MEASURED
    )


def _as_of(contents: Contents) -> str:
    as_of = contents.settings.as_of
    return (
        f"Only evidence published by {as_of}."
        if as_of
        else f"All evidence of version {contents.evidence_hash}; each source has its year."
    )


def _adaptation(contents: Contents) -> str:
    chat = [model for model in contents.models if model != "offline"]
    text = "the offline planner is rules, not a trained model" if "offline" in contents.models else ""
    other = f"{listed(chat)}: used through prompts and tools, not tuned" if chat else ""
    return "; ".join(part for part in (text, other) if part) or NOT_MEASURED


def _generation(contents: Contents) -> str:
    chat = [model for model in contents.models if model != "offline"]
    if not chat:
        return f"None are needed: the offline planner samples no text. Seed {contents.settings.seed} for the tools."
    return f"Provider defaults but for the limits in the settings. Seed {contents.settings.seed} for the tools."


def _resources(contents: Contents) -> str:
    text = f"The run took {seconds(contents.seconds)}"
    if contents.tokens:
        text += f" and {count(contents.tokens, 'token')}"
    if contents.cost:
        text += f", {number(contents.cost)} {contents.currency}".rstrip()
    return text + "."
