"""The model card: intended use, data, method, limits, and how to make the report again."""

from __future__ import annotations

from evals.report.blocks import Block, Bullets, Cell, Part, Pre, Section, Table
from evals.report.contents import Contents
from evals.report.facts import facts, filled
from evals.report.numbers import count
from evals.report.words import metric_words, suite_name
from evals.schemas import Suite

USE = (
    "For people who think about groups of patients: clinicians, trial designers, health economists, planners of public health, "
    "teachers. They should be able to judge trial evidence.",
    "It answers how a stated cohort would react to a stated treatment, with intervals, sources and what is not known.",
    "Not for decisions about one person, not for diagnosis, not for emergencies; such questions are redirected, and the safety "
    "suite checks it: {safety}.",
    "Not the only evidence for a decision. Each figure can be followed to the sources that carry it.",
)
DATA = (
    "Published trial arms and open texts, each with its source. A figure entered only when it was seen in a source; many were "
    "seen in an abstract or in a secondary source, and each citation says which. Evidence {evidence}.",
    "{as_of}",
    "Archetypes of cohorts, with a source or a stated assumption for each value.",
    "No records of persons. Cases of this evaluation are part of the project, with the reason for each.",
)
LIMITS = (
    "Trial arms are not everyday care; who enters a trial differs from who is treated.",
    "Published results are not all results. Nothing here corrects for trials that were never published.",
    "Error and coverage by area rest on as many trials as the tables say, which for some areas are few.",
    "Figures of one trial resemble each other. Intervals of this report resample whole trials; the bands of chance in the charts do not.",
    "A text about another trial may repeat a left-out figure; only texts about the left-out trial are removed.",
    "Expectations of the cases were written by the developers. No clinician labelled them, no patient was involved, and the "
    "evaluation was not registered.",
    "What a language model learned before the trial was left out cannot be taken out of it; renamed drugs probe for it.",
    "No study of users was made: that an answer is right says nothing about what its reader does with it.",
)


def card(contents: Contents) -> Section:
    """Model card, after Mitchell et al. 2019, as far as it can be told from the run and the project."""
    known = facts(contents)
    about = Table(
        "What was evaluated.",
        ("", "In this run"),
        (
            ("Product", f"Cohort Twin {contents.product or '(version unknown)'}"),
            ("Models", known["models"]),
            ("Evidence", Cell(contents.evidence_hash, code=True)),
            ("Code", Cell(contents.code_hash, code=True)),
            ("Cases", known["cases"]),
        ),
    )
    blocks: list[Block] = [
        about,
        Part("intended-use", "Intended use", (Bullets(tuple(filled(one, known) for one in USE)),)),
        Part("data", "Data", (Bullets(tuple(filled(one, known) for one in DATA)),)),
        Part("limits", "Limits", (Bullets(LIMITS),)),
        Part("reproduce", "Make it again", tuple(_again(contents))),
    ]
    return Section("card", "Model card", tuple(blocks))


def method(contents: Contents) -> Section:
    """How cases are scored, and what each metric means."""
    blocks: list[Block] = [
        Bullets(
            (
                "Each case goes through the product as a user's question does. A published outcome is asked for the trial's cohort, "
                "dose and week, with the trial left out of the evidence and every text about it left out of the search; the case "
                "fails when its name appears all the same.",
                "Checks and scorers are deterministic and read the typed answer. A grading model, where one was used, is shown "
                "beside them with its agreement and decides nothing.",
                "Intervals resample whole trials or sources, not single figures. Comparisons with a baseline are paired by case.",
                "Where a tool gives no quantiles, the predicted distribution is taken as two normal halves through point and limits.",
            )
        )
    ]
    names = list(dict.fromkeys(one.name for model in contents.models for one in contents.summaries[model]))
    rows = tuple(
        (metric_words(name).name, Cell(name, code=True), metric_words(name).means)
        for name in names
        if metric_words(name).means
    )
    if rows:
        blocks.append(Table("What the figures mean.", ("Figure", "Name in the data", "Meaning"), rows))
    return Section("method", "How it is measured", tuple(blocks))


def _again(contents: Contents) -> list[Block]:
    settings = contents.settings
    asked = [
        f"Seed {settings.seed}.",
        f"Models: {', '.join(settings.models)}.",
        f"Code {contents.code_hash}, evidence {contents.evidence_hash}.",
    ]
    if settings.as_of:
        asked.append(f"Only evidence published by {settings.as_of}.")
    if settings.suites:
        asked.append(f"Suites: {', '.join(settings.suites)}.")
    if settings.cases:
        asked.append(f"Only {count(len(settings.cases), 'named case')}.")
    asked.append(facts(contents)["resources"])
    hashes = ", ".join(f"{suite_name(Suite(info.suite))} {info.hash}" for info in contents.suites)
    return [Pre("make eval"), Bullets((*asked, f"Hashes of the cases: {hashes}."))]
