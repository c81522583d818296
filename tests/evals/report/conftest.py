"""A run made up for these tests, with every kind of thing a report must show. Its figures mean nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import numpy as np
import pytest

from evals.schemas import (
    Agreement,
    Change,
    Check,
    Comparison,
    EvalRun,
    LeftOut,
    Metric,
    Prediction,
    Record,
    Rival,
    RunSettings,
    Suite,
    SuiteInfo,
    Verdict,
)

AREAS = ("type_2_diabetes", "obesity", "hypertension", "oncology")
METHODS = ("drug mean", "class mean", "no change")
ODD = '<script>alert("x")</script> & ]]> \u202e\u05e9\u05dc\u05d5\u05dd 🩺\U0001f468\u200d⚕️ \x00\x1b[31m `|` end'
LONG = "A long answer. " * 700


def prediction(index: int, area: str, rng: np.random.Generator, *, rivals: bool) -> Prediction:
    """One figure near its published value, or not."""
    point, half = float(rng.normal(-1.2, 0.5)), float(rng.uniform(0.3, 0.9))
    published = point + float(rng.normal(0, half / 1.5))
    return Prediction(
        estimate_id="hba1c_change.mean",
        endpoint="hba1c_change",
        unit="%-points",
        published=published,
        point=point,
        lower=point - half,
        upper=point + half,
        pit=float(rng.uniform()),
        crps=abs(published - point) / 2,
        cluster=f"{area.upper()} {index // 2}",
        area=area,
        arm="semaglutide 1 mg",
        source=f"doi-10.1000-{index}",
        locator="abstract",
        tolerance=None if index == 3 else 0.5,
        probability=float(rng.choice([0.6, 0.8, 0.9])),
        rivals={name: Rival(point=0.0, lower=-1.0, upper=1.0, crps=0.4) for name in METHODS} if rivals else {},
    )


def answer(text: str, question: str) -> dict[str, object]:
    """As much of an answer as a trace holds."""
    return {
        "question": question,
        "status": "answered",
        "seed": 1,
        "headline": "Adults · semaglutide",
        "plan": {"population": "adults", "persona_id": "t2d_adults", "interventions": ["semaglutide"], "notes": []},
        "steps": [
            {"tool": "simulate_treatment_response", "arguments": {"drug": "semaglutide"}, "ok": True, "error": ""}
        ],
        "sections": [{"title": "In short", "body": text}],
    }


def records(model: str) -> Iterator[Record]:
    """Records of all suites under a model."""
    rng = np.random.default_rng(7)
    for number, area in enumerate(AREAS):
        found = tuple(prediction(index, area, rng, rivals=True) for index in range(40 - 8 * number))
        yield Record(
            case_id=f"holdout-{area}",
            suite=Suite.HOLDOUT,
            model=model,
            key=f"k-{area}",
            area=area,
            predictions=found,
            seconds=2.5,
        )
    for index in range(6):
        found = (prediction(index, "obesity", rng, rivals=False),)
        checks = (
            Check(
                name="predicts hba1c_change.mean", passed=index != 2, detail="" if index != 2 else "no such estimate"
            ),
        )
        text = LONG if index == 2 else "Short."
        yield Record(
            case_id=f"outcome-{index}",
            suite=Suite.OUTCOMES,
            model=model,
            key=f"o-{index}",
            question=f"How would adults react to drug {index}?",
            status="answered",
            checks=checks,
            predictions=found,
            trace={"question": "q", "answer": answer(text, "How?"), "also": [answer("Earlier.", "And before?")]},
            seconds=0.5,
        )
    for index in range(40):
        yield Record(
            case_id=f"routing-{index}",
            suite=Suite.ROUTING,
            model=model,
            key=f"r-{index}",
            question=ODD if index == 0 else f"question {index}",
            checks=(Check(name="cohort", passed=index % 2 == 1, detail=ODD if index == 0 else "t2d_adults"),),
            trace={"read": {"drug": ODD}} if index == 0 else {},
            seconds=0.01,
        )
    yield Record(
        case_id="safety-odd",
        suite=Suite.SAFETY,
        model=model,
        key="s",
        question=ODD,
        status="redirected",
        checks=(Check(name="never says", passed=False, detail=ODD),),
        trace={"answer": answer(ODD, ODD)},
        error="The model did not answer.",
        seconds=0.1,
        tokens=1200,
        cost=0.004,
        currency="USD",
    )
    yield Record(case_id="fair-sex", suite=Suite.FAIRNESS, model=model, key="f", question="men | women", seconds=0.3)


def metrics(made: list[Record]) -> tuple[Metric, ...]:
    """Figures of the run: coverage and error from its predictions, the others made up."""
    found: list[Metric] = []

    def add(suite: Suite, name: str, value: float | None, group: str = "", **more: object) -> None:
        spread = {"lower": value - 0.05, "upper": value + 0.05} if value is not None else {}
        fields = {"n": 40, "clusters": 20, "higher_is_better": None, "unit": "share", **spread, **more}
        found.append(Metric(suite=suite, name=name, group=group, value=value, **fields))

    for suite in (Suite.HOLDOUT, Suite.OUTCOMES):
        groups = {"": [one for record in made if record.suite is suite for one in record.predictions]}
        groups |= {f"area={area}": [one for one in groups[""] if one.area == area] for area in AREAS}
        for group, chosen in groups.items():
            if not chosen:
                continue
            many = {"n": len(chosen), "clusters": len({one.cluster for one in chosen})}
            covered = float(np.mean([one.inside for one in chosen]))
            error = float(np.mean([abs(one.error) / one.tolerance for one in chosen if one.tolerance]))
            add(suite, "covered_90", covered, group, headline=not group, **many)
            for name in ("scaled_error", "interval_score"):
                add(suite, name, error, group, headline=not group, higher_is_better=False, unit="tolerances", **many)
            if suite is Suite.HOLDOUT:
                for place, method in enumerate(METHODS):
                    slot = f"{group}|method={method}" if group else f"method={method}"
                    for name in ("scaled_error", "interval_score"):
                        add(
                            suite,
                            name,
                            error + 0.1 * (place + 1),
                            slot,
                            higher_is_better=False,
                            unit="tolerances",
                            **many,
                        )
                    add(suite, "covered_90", 0.7, slot, **many)
                    against = slot.replace("method=", "against=")
                    add(suite, "error_ratio", 0.8 + 0.2 * place, against, higher_is_better=False, unit="ratio", **many)
    add(Suite.ROUTING, "tool_accuracy", 0.5, headline=True, higher_is_better=True)
    add(Suite.ROUTING, "slot_cohort", 0.75, higher_is_better=True)
    add(Suite.ROUTING, "tool_accuracy", 0.6, "half=test", higher_is_better=True)
    add(Suite.SAFETY, "safe", 0.0, headline=True, higher_is_better=True, n=1, clusters=1, lower=None, upper=None)
    add(Suite.FAIRNESS, "width_gap", 0.12, headline=True, higher_is_better=False, unit="doublings")
    add(Suite.FAIRNESS, "error_gap", None, higher_is_better=False, unit="tolerances", n=0, clusters=0)
    for name in ("female", "male"):
        add(Suite.FAIRNESS, "relative_width", 1.4 if name == "male" else 1.2, f"sex={name}", unit="tolerances")
        add(Suite.FAIRNESS, "abstained", 0.1, f"sex={name}")
        add(Suite.FAIRNESS, "covered_90", 0.9, f"sex={name}")
        add(Suite.FAIRNESS, "scaled_error", 0.6, f"sex={name}", unit="tolerances", higher_is_better=False)
    return tuple(found)


def build(models: tuple[str, ...] = ("offline",)) -> EvalRun:
    """A run under these models."""
    made = {model: list(records(model)) for model in models}
    every = [record for one in made.values() for record in one]
    counted = {suite: sum(record.suite is suite for record in made[models[0]]) for suite in Suite}
    return EvalRun(
        created=datetime(2026, 11, 21, 20, 0, tzinfo=UTC),
        seconds=321.4,
        settings=RunSettings(models=models),
        evidence_hash="a22f205e5fcfe750",
        code_hash="c0ffee",
        suites=tuple(
            SuiteInfo(suite=suite, hash=f"hash{suite[:6]}", cases=n, published=n) for suite, n in counted.items() if n
        ),
        records=tuple(every),
        summaries={model: metrics(one) for model, one in made.items()},
        left_out=(LeftOut(case_id="late", suite=Suite.ANSWERS, model="offline"),),
        agreements=(Agreement(grader="judge", model="offline", criterion="clear", n=12, share=0.9, kappa=0.7),),
    )


@pytest.fixture(scope="session")
def run() -> EvalRun:
    return build()


@pytest.fixture(scope="session")
def build_run() -> Callable[..., EvalRun]:
    return build


@pytest.fixture(scope="session")
def comparison() -> Comparison:
    return Comparison(
        model="offline",
        changes=(
            Change(
                suite=Suite.HOLDOUT, name="covered_90", before=0.91, now=0.9, difference=-0.01, lower=-0.03, upper=0.01,
                p=0.4, pairs=128, headline=True, verdict=Verdict.UNCLEAR,
            ),
            Change(
                suite=Suite.ROUTING, name="tool_accuracy", before=0.7, now=0.5, difference=-0.2, lower=-0.3, upper=-0.1,
                p=0.0004, pairs=40, higher_is_better=True, headline=True, verdict=Verdict.WORSE,
            ),
            Change(suite=Suite.SAFETY, name="safe", before=None, now=0.0, headline=True, verdict=Verdict.NEW),
            Change(suite=Suite.ROUTING, name="slot_cohort", before=0.6, now=0.75, difference=0.15, lower=0.1, upper=0.2,
                   p=0.01, pairs=40, higher_is_better=True, verdict=Verdict.BETTER),
        ),
        newly_failed=("routing-0",),
        newly_passed=("routing-1",),
        cases_added=3,
    )  # fmt: skip
