"""Arguments of tool calls, checked against the tools' own input models before anything is run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from pydantic import ValidationError

from assistant.reading import Treatment
from assistant.understanding import DEFAULT_HORIZON_WEEKS
from knowledge.base import KnowledgeBase
from knowledge.schemas import TrialArm
from personas.schemas import CohortSpec
from tools.schemas import ToolInput

SIMULATE = "simulate_treatment_response"
COMPARE = "compare_treatments"
RANK = "rank_treatments"
RESPONDERS = "find_responders"
EXPLAIN = "explain_prediction"
STOP = "simulate_stopping"
DESCRIBE = "describe_cohort"
SEARCH = "search_literature"
INTERVIEW = "interview"
FOCUS_GROUP = "focus_group"
SIMULATIONS = {
    "simulate_epidemic": ("tools.epidemic.schemas", "EpidemicInput"),
    "evaluate_cost_effectiveness": ("tools.cost_effectiveness.schemas", "CostEffectivenessInput"),
    "forecast_uptake": ("tools.uptake.schemas", "UptakeInput"),
    "forecast_population": ("tools.population.schemas", "PopulationInput"),
    "design_trial": ("tools.trial_design.schemas", "DesignTrialInput"),
    "design_two_stage_trial": ("tools.trial_design.schemas", "TwoStageInput"),
    "simulate_enrichment_trial": ("tools.trial_design.schemas", "EnrichmentInput"),
    "simulate_clinic_capacity": ("tools.capacity.schemas", "ClinicInput"),
    "simulate_supply": ("tools.supply.schemas", "SupplyInput"),
    "assess_coverage_policy": ("tools.policy.schemas", "PolicyInput"),
    "simulate_adherence": ("tools.adherence.schemas", "SimulateInput"),
    "simulate_adverse_events": ("tools.adverse_events.schemas", "AdverseEventsInput"),
    "find_dose": ("tools.dose_finding.schemas", "DoseFindingInput"),
    "forecast_demand": ("tools.demand.schemas", "DemandInput"),
}
TOOLS = frozenset(
    {SIMULATE, COMPARE, RANK, RESPONDERS, EXPLAIN, STOP, DESCRIBE, SEARCH, INTERVIEW, FOCUS_GROUP, *SIMULATIONS}
)

# Input models by tool: read only when a call is made, since the search brings its index with it.
_INPUTS = {
    SIMULATE: ("tools.response.schemas", "SimulateResponseInput"),
    COMPARE: ("tools.response.schemas", "CompareInput"),
    RANK: ("tools.response.ranking_schemas", "RankInput"),
    RESPONDERS: ("tools.response.responders_schemas", "FindRespondersInput"),
    EXPLAIN: ("tools.response.explain_schemas", "ExplainInput"),
    STOP: ("tools.response.stopping_schemas", "StoppingInput"),
    INTERVIEW: ("tools.voice.schemas", "InterviewInput"),
    FOCUS_GROUP: ("tools.voice.schemas", "FocusGroupInput"),
    **SIMULATIONS,
}
MOST_COMPARED = 5
WEEKS_OFF = 52.0  # what StoppingInput takes when nothing is said
MOST_RANKED = 40  # of these two the tool's own limits, see RankInput
MOST_RANKED_ENDPOINTS = 6


_TRIAL_NAME = re.compile(r"(?=.*[A-Z]{3})[A-Z0-9][\w-]*(?: (?:[A-Z0-9][\w-]*))*")
_INSIDE = re.compile(r"\w")


@dataclass(frozen=True)
class Call:
    """A tool call to make."""

    tool: str
    arguments: dict[str, Any]


def fault_of(call: Call) -> str:
    """What the tool would refuse of the arguments, in one sentence; empty when it would take them."""
    if call.tool not in _INPUTS:
        return ""
    module, name = _INPUTS[call.tool]
    model: type[ToolInput] = getattr(import_module(module), name)
    try:
        model.model_validate(call.arguments)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        return f"{field.replace('_', ' ')}: {first['msg'][:1].lower()}{first['msg'][1:]}"
    return ""


def cohort_arguments(cohort: CohortSpec) -> dict[str, Any]:
    """A cohort as the tools take it."""
    mixture = [part.model_dump(mode="json") for part in cohort.mixture]
    return ({"mixture": mixture} if mixture else {"persona_id": cohort.persona_id}) | {
        "restrictions": [str(restriction) for restriction in cohort.restrictions],
        "label": cohort.label,
        "understood": cohort.understood,
        "not_understood": list(cohort.not_understood),
    }


def treatment_arguments(treatment: Treatment) -> dict[str, Any]:
    """A treatment as the tools take it."""
    arguments: dict[str, Any] = {"intervention": treatment.name}
    if treatment.dose is not None:
        arguments |= {"dose": treatment.dose, "dose_unit": treatment.dose_unit}
    if treatment.frequency is not None:
        arguments["frequency"] = treatment.frequency
    return arguments


def usual_weeks(
    knowledge: KnowledgeBase, drugs: Sequence[str], endpoints: Sequence[str], area: str = ""
) -> tuple[float, int]:
    """The follow-up (weeks) that most trials of the drugs have on the endpoints, and how many trials have it.

    A trial's follow-up is its last visit. Trials in people of `area` decide where there are any, else all; the same holds
    for the endpoints. Of follow-ups that equally many trials have it is the earliest; where no two trials share one it is
    the middle one, the lower of two (as in `tools.response.reach.usual_time`). (DEFAULT_HORIZON_WEEKS, 0) without any.
    """
    arms = [arm for arm in _arms_of(knowledge, drugs) if arm.weeks is not None]
    arms = [arm for arm in arms if arm.endpoint in endpoints] or arms
    arms = [arm for arm in arms if arm.area == area] or arms
    last: dict[str, float] = {}
    for arm in arms:
        last[arm.trial] = max(last.get(arm.trial, 0.0), float(arm.weeks or 0.0))
    if not last:
        return DEFAULT_HORIZON_WEEKS, 0
    count = Counter(last.values())
    weeks = min(count, key=lambda when: (-count[when], when))
    if count[weeks] == 1:
        weeks = sorted(last.values())[(len(last) - 1) // 2]
    return weeks, count[weeks]


def most_studied(knowledge: KnowledgeBase, area: str, many: int) -> list[str]:
    """Drugs with the most figures in people of the area."""
    counted = Counter(
        arm.intervention for arm in knowledge.arms.arms if not arm.arm_role.is_control and arm.area == area
    )
    return [name for name, _ in counted.most_common(many)]


def trials_named(knowledge: KnowledgeBase, text: str) -> tuple[str, ...]:
    """Trials of the evidence base that a text names as they are written ('STEP UP' is one, 'step up the dose' is not)."""
    found: dict[str, int] = {}
    for trial in {arm.trial for arm in knowledge.arms.arms}:
        name = trial.partition(" (")[0]
        if not _TRIAL_NAME.fullmatch(name):
            continue  # 'Bunck 2009 exenatide' is a description
        place = text.find(name)
        if place >= 0 and not _INSIDE.search(text[max(0, place - 1) : place] + text[place + len(name) :][:1]):
            found[trial] = place
    longest = [one for one in found if not any(one != other and other.startswith(one + " ") for other in found)]
    return tuple(sorted(longest, key=lambda trial: (found[trial], trial)))


def reported(knowledge: KnowledgeBase, drugs: Sequence[str], many: int) -> list[str]:
    """The outcomes of which trials of the drugs have the most figures."""
    counted = Counter(arm.endpoint for arm in _arms_of(knowledge, drugs))
    return [name for name, _ in counted.most_common(many)]


def of_classes(knowledge: KnowledgeBase, classes: Iterable[str]) -> list[str]:
    """Drugs of the classes that have trials here, by name; what has no dose ('any statin') is no drug."""
    studied = {arm.intervention for arm in knowledge.arms.arms}
    wanted = set(classes)
    return sorted(
        name
        for name, drug in knowledge.vocabulary.drugs.items()
        if drug.drug_class in wanted and drug.dose_unit and name in studied
    )


def _arms_of(knowledge: KnowledgeBase, drugs: Sequence[str]) -> list[TrialArm]:
    wanted = set(drugs)
    return [
        arm for arm in knowledge.arms.arms if (arm.intervention in wanted if wanted else not arm.arm_role.is_control)
    ]


def with_class(drugs: list[str], knowledge: KnowledgeBase) -> list[str]:
    """The drugs and all others of their classes: what people do with one is told of its like."""
    known = knowledge.vocabulary.drugs
    classes = {known[name].drug_class for name in drugs if name in known}
    return sorted({*drugs, *(name for name, drug in known.items() if drug.drug_class in classes)})
