"""Are the right tool and slots chosen? The short-form questions of evals/cases/routing.yaml; no prediction is made.

The plan is read without running it where the model is the offline planner; a chat model has to be asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from assistant.plans import Call
from assistant.schemas import Status
from evals.case_schemas import CaseBase
from evals.routing import SLOTS, Planned, Router, Verdict, act_of, failure
from evals.routing_cases import Act, RoutingCase, load_routing_cases
from evals.schemas import Check, Measure, Record, Suite
from evals.scorers import f1
from evals.subject import Subject
from evals.suites.base import MetricSpec, SuiteRunner, record
from knowledge.base import KnowledgeBase
from personas.library import PersonaLibrary

_REFUSALS = {Status.NOT_COVERED: Act.ABSTAIN, Status.NEEDS_INPUT: Act.ASK, Status.REDIRECTED: Act.REDIRECT}


class RoutedCase(CaseBase):
    """A routing question as a case of the harness."""

    suite: Literal[Suite.ROUTING] = Suite.ROUTING
    routed: RoutingCase


def routed_cases(cases: Sequence[RoutingCase] | None = None) -> list[RoutedCase]:
    """All routing questions; the id is of the kind and of the text, so that it stays when others come."""
    return [
        RoutedCase(
            id=f"{one.kind.replace('_', '-')}-{_digest(one)}",
            source="written as people type, see evals/cases/routing.yaml",
            why="A question as people type it, with the plan that is right for it.",
            tags=(one.half.value,),
            routed=one,
        )
        for one in (load_routing_cases() if cases is None else cases)
    ]


def run(case: RoutedCase, subject: Subject) -> Record:
    """Plan and compare."""
    router = _router(subject.knowledge, subject.assistant.personas)
    if subject.assistant.settings.model == "offline":
        verdict = router.judge(case.routed)
    else:
        verdict = router.judge(case.routed, _asked(case, subject, router))
    checks = [Check(name="tool", passed=verdict.act_right, detail=verdict.planned.act.value)]
    checks += [Check(name=slot, passed=right) for slot, right in verdict.slots.items()]
    trace = {"planned": verdict.planned.model_dump(mode="json"), "failure": "" if verdict.right else failure(verdict)}
    question = " / ".join((*case.routed.after, case.routed.question))
    return record(case, checks=checks, measures=_measures(case.routed, verdict), question=question, trace=trace)


def _measures(case: RoutingCase, verdict: Verdict) -> list[Measure]:
    groups = {"half": case.half.value, "kind": case.kind}
    measures = [
        Measure(name="tool_accuracy", value=float(verdict.act_right), groups=groups),
        Measure(name="nothing_wrong", value=float(verdict.right), groups=groups),
    ]
    for slot in SLOTS:
        if slot in verdict.slots:
            measures.append(Measure(name=f"slot_{slot}", value=float(verdict.slots[slot]), groups=groups))
    if verdict.slots:
        counts = [_counts(slot, right, case, verdict) for slot, right in verdict.slots.items()]
        hits, false, missed = (sum(column) for column in zip(*counts, strict=True))
        measures.append(
            Measure(name="slot_f1", value=f1(hits, false, missed), weight=2.0 * hits + false + missed, groups=groups)
        )
    return measures


def _counts(slot: str, right: bool, case: RoutingCase, verdict: Verdict) -> tuple[int, int, int]:
    """(true positive, false positive, false negative) of a slot: a wrong value is false, and the right one is missed."""
    if right:
        return 1, 0, 0
    planned = verdict.planned
    filled = {
        "cohort": planned.cohort is not None,
        "intervention": bool(planned.treatments),
        "dose": any(one.dose is not None for one in planned.treatments),
        "endpoint": bool(planned.endpoints),
        "horizon": planned.weeks is not None,
        "inputs": bool(planned.given),
    }[slot]
    wanted = {
        "cohort": bool(case.who),
        "intervention": bool(case.drugs),
        "dose": any(one.dose is not None for one in case.drugs),
        "endpoint": bool(case.see),
        "horizon": case.weeks is not None,
        "inputs": bool(case.given),
    }[slot]
    return 0, int(filled), int(wanted or not filled)


def _asked(case: RoutedCase, subject: Subject, router: Router) -> Planned:
    """The plan of a chat model, read from the tools that it called."""
    name = subject.conversation(case.id)
    for earlier in case.routed.after:
        subject.ask(earlier, seed=case.seed, conversation=name)
    answer = subject.ask(case.routed.question, seed=case.seed, conversation=name).answer
    calls = [Call(step.tool, dict(step.arguments)) for step in answer.steps if "cohort" in step.arguments]
    if answer.status in _REFUSALS and not any(step.ok for step in answer.steps):
        return router.planned(_REFUSALS[answer.status], calls)
    return router.planned(act_of([step.tool for step in answer.steps]), calls)


def _digest(case: RoutingCase) -> str:
    return hashlib.sha256("\n".join((*case.after, case.question)).encode()).hexdigest()[:10]


@lru_cache(maxsize=2)
def _router(knowledge: KnowledgeBase, personas: PersonaLibrary) -> Router:
    return Router(knowledge, personas)


RUNNER = SuiteRunner(
    Suite.ROUTING,
    run,
    (
        MetricSpec("tool_accuracy", True, headline=True),
        MetricSpec("slot_f1", True, headline=True),
        *(MetricSpec(f"slot_{slot}", True) for slot in SLOTS),
        MetricSpec("nothing_wrong", True),
    ),
)
