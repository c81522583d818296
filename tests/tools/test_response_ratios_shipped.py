"""Times to event and rates on the shipped evidence: ratios where their trials are, and nulls that stay null."""

from __future__ import annotations

import numpy as np
import pytest

from knowledge.base import KnowledgeBase
from knowledge.schemas import Statistic
from personas.library import PersonaLibrary
from tools.context import ToolContext
from tools.response.engine import ResponseEngine
from tools.response.fit import MemoryFitCache
from tools.response.schemas import CompareResult, ResponseResult
from tools.response.tool import compare_treatments, simulate_treatment_response
from tools.schemas import Estimate


def by_id(result: ResponseResult | CompareResult) -> dict[str, Estimate]:
    return {estimate.id: estimate for estimate in result.estimates}


def shipped_ratio(
    shipped: KnowledgeBase, library: PersonaLibrary, persona: str, drug: str, **fields: object
) -> tuple[ResponseResult, dict[str, Estimate]]:
    context = ToolContext(knowledge=shipped, personas=library, retriever=lambda: pytest.fail("no passages"))
    arguments = {"cohort": {"persona_id": persona}, "treatment": {"intervention": drug}, **fields}
    result = simulate_treatment_response(simulate_treatment_response.parse(arguments), context)
    return result, by_id(result)


@pytest.mark.parametrize(
    ("persona", "drug", "endpoint", "low", "high"),
    [
        ("hf_adults", "dapagliflozin", "hf_hospitalization_cv_death", 0.65, 0.9),
        ("hf_adults", "empagliflozin", "hf_hospitalization_cv_death", 0.65, 0.9),
        ("copd_adults", "budesonide/glycopyrronium/formoterol", "copd_exacerbation_rate", 0.5, 0.85),
        ("t2d_adults", "semaglutide", "major_adverse_cardiovascular_event", 0.7, 1.0),
        ("nsclc_advanced", "pembrolizumab", "overall_survival", 0.5, 0.85),
    ],
)
def test_shipped_evidence_predicts_events(
    shipped: KnowledgeBase, library: PersonaLibrary, persona: str, drug: str, endpoint: str, low: float, high: float
) -> None:
    """Sanity, not accuracy: the ratio is where the trials that carry it are, and risks go with it."""
    result, found = shipped_ratio(shipped, library, persona, drug, endpoints=[endpoint])
    one = found[f"{endpoint}.ratio"]
    assert low < one.point < high
    assert one.lower is not None
    assert one.upper is not None
    assert one.lower < one.point < one.upper
    published = [w.value for w in result.evidence if w.unit.endswith("ratio") and w.intervention == drug]
    if published:
        assert min(published) - 0.12 < one.point < max(published) + 0.12
    mean, control = found.get(f"{endpoint}.mean"), found.get(f"{endpoint}.control")
    if mean is not None and control is not None:
        expected = one.point * control.point
        if mean.unit == "%":
            expected = 100 * (1 - (1 - control.point / 100) ** one.point)
        assert mean.point == pytest.approx(expected, rel=0.04)


def test_hydroxychloroquine_for_covid_stays_null(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    """No benefit on death within 28 days: the interval holds 1, and a benefit worth having is improbable."""
    result, found = shipped_ratio(shipped, library, "covid_hospitalised", "hydroxychloroquine")
    one, difference = found["mortality_28_day.ratio"], found["mortality_28_day.difference"]
    assert 0.9 < one.point < 1.15
    assert one.lower is not None
    assert one.upper is not None
    assert one.lower < 1 < one.upper
    assert difference.lower is not None
    assert difference.upper is not None
    assert difference.lower < 0 < difference.upper
    assert abs(difference.point) < 1.0
    engine = ResponseEngine(shipped, cache=MemoryFitCache())
    treatments = [engine.treatment("hydroxychloroquine"), engine.treatment("placebo")]
    covariates = {"hospitalised": 1.0}
    prediction = engine.predict("mortality_28_day", treatments, covariates, 4.0).prediction.difference(0, 1)
    # What dexamethasone did in a trial of such people is what a benefit worth having looks like.
    of_steroid = [
        row.value
        for row in shipped.arms.select("mortality_28_day")
        if row.intervention == "dexamethasone" and row.statistic is Statistic.RISK_RATIO and row.cohort == "all"
    ]
    assert prediction.probability_below(np.array([min(of_steroid)]))[0] < 0.25
    assert 0.3 < prediction.probability_below(np.array([1.0]))[0] < 0.7
    assert result.horizon_weeks == 4.0
    context = ToolContext(knowledge=shipped, personas=library, retriever=lambda: pytest.fail("no passages"))
    arguments = {
        "cohort": {"persona_id": "covid_hospitalised"}, "endpoints": ["mortality_28_day"],
        "treatments": [{"intervention": "hydroxychloroquine"}, {"intervention": "dexamethasone"}],
    }  # fmt: skip
    both = by_id(compare_treatments(compare_treatments.parse(arguments), context))
    (better,) = [one for name, one in both.items() if ".probability_better." in name]
    assert better.point < 35
