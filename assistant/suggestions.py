"""What a reader would ask next; each can be typed as it stands, and is about drugs that are studied in such people."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from assistant import language
from assistant.outcome import Outcome
from assistant.schemas import Status
from assistant.simulation_pages import simulated_pages
from knowledge.base import KnowledgeBase
from tools.response.schemas import EvidenceWeight

_ONE_SEX = re.compile(
    r"\b(?:wom[ae]n|men|males?|females?|pregnan\w+|mothers?|postpartum|breast|children|adolescents?|infants?)\b", re.I
)


def next_questions(outcome: Outcome, knowledge: KnowledgeBase) -> tuple[str, ...]:
    """Up to three questions; none where nothing was answered."""
    plan = outcome.plan
    simulated = simulated_pages([result for _, result in outcome.results])
    if simulated and outcome.status is Status.ANSWERED:
        estimates = {estimate.id for _, result in outcome.results for estimate in result.estimates}
        asked = simulated[0].follow_ups.items()
        return tuple(question for question, about in asked if about in estimates or about == "*")[:3]
    if plan is None or outcome.status is not Status.ANSWERED or not plan.interventions or not plan.population:
        return ()
    treatment = plan.interventions[0]
    weeks = f" over {language.weeks(plan.horizon_weeks)}" if plan.horizon_weeks else ""
    drug = re.split(r" -?\d", treatment)[0]
    who = plan.population[:1].lower() + plan.population[1:]
    questions = [f"What is published about adherence to {drug}?"]
    if not _ONE_SEX.search(who):
        questions.insert(0, f"How would {who}, limited to women, react to {treatment}{weeks}?")
    evidence = [weight for _, result in outcome.results for weight in getattr(result, "evidence", ())]
    other = comparator_of(drug, evidence, knowledge)
    if other and plan.comparator == "placebo":
        questions.append(f"How does {treatment} compare with {other} in {who}{weeks}?")
    return tuple(questions)


def comparator_of(drug: str, evidence: Iterable[EvidenceWeight], knowledge: KnowledgeBase) -> str:
    """The other drug with the most figures on the predicted endpoints in the area of the evidence; empty without one."""
    evidence = tuple(evidence)
    trials, endpoints = {weight.trial for weight in evidence}, {weight.endpoint for weight in evidence}
    arms = [arm for name in sorted(endpoints) for arm in knowledge.arms.select(name) if not arm.arm_role.is_control]
    areas = Counter(arm.area for arm in arms if arm.trial in trials and arm.intervention == drug)
    if not areas:
        return ""
    area = max(areas, key=lambda name: (areas[name], name))
    known = knowledge.vocabulary.drugs
    counted = Counter(
        arm.intervention
        for arm in arms
        if arm.area == area
        and arm.intervention != drug
        and arm.intervention in known
        and known[arm.intervention].dose_unit
    )
    return max(counted, key=lambda name: (counted[name], name)) if counted else ""
