"""All tools, in the order they are listed."""

from __future__ import annotations

from typing import Any

from tools.adherence.tool import measure_adherence, simulate_adherence
from tools.adverse_events.marrow_tool import simulate_myelosuppression
from tools.adverse_events.tool import simulate_adverse_events
from tools.capacity.tool import simulate_clinic_capacity
from tools.cohort.tool import describe_cohort
from tools.cost_effectiveness.tool import evaluate_cost_effectiveness
from tools.demand.tool import forecast_demand
from tools.dose_finding.tool import find_dose
from tools.epidemic.tool import simulate_epidemic
from tools.literature.tool import search_literature
from tools.policy.tool import assess_coverage_policy
from tools.population.tool import forecast_population
from tools.registry import Registry, Tool
from tools.response.explain_tool import explain_prediction
from tools.response.ranking_tool import rank_treatments
from tools.response.responders_tool import find_responders
from tools.response.stopping_tool import simulate_stopping
from tools.response.tool import compare_treatments, simulate_treatment_response
from tools.supply.tool import simulate_supply
from tools.trial_design.tool import design_trial, design_two_stage_trial, simulate_enrichment_trial
from tools.uptake.tool import forecast_uptake
from tools.voice.focus_group_tool import focus_group
from tools.voice.interview_tool import interview


def build_registry() -> Registry:
    """The registry that every face uses."""
    registry = Registry()
    tools: tuple[Tool[Any, Any], ...] = (
        simulate_treatment_response,
        compare_treatments,
        rank_treatments,
        find_responders,
        explain_prediction,
        simulate_stopping,
        describe_cohort,
        search_literature,
        interview,
        focus_group,
        evaluate_cost_effectiveness,
        forecast_uptake,
        simulate_epidemic,
        forecast_population,
        design_trial,
        design_two_stage_trial,
        simulate_enrichment_trial,
        simulate_clinic_capacity,
        simulate_supply,
        simulate_adherence,
        measure_adherence,
        assess_coverage_policy,
        forecast_demand,
        simulate_adverse_events,
        simulate_myelosuppression,
        find_dose,
    )
    for declared in tools:
        registry.add(declared)
    return registry
