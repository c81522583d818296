from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.confidence import NOT_CALIBRATED, assess
from knowledge.base import KnowledgeBase
from knowledge.schemas import EvidenceView
from personas.library import PersonaLibrary
from tools.context import ToolContext
from tools.response.calibrate import MIN_STEP, fit_steps
from tools.response.confidence import Calibration, Step, calibrations
from tools.response.engine import prepare_endpoint
from tools.response.fit import MODEL_VERSION
from tools.response.tool import simulate_treatment_response
from tools.schemas import Validation

REQUEST = {
    "cohort": {"persona_id": "t2d_adults"},
    "treatment": {"intervention": "semaglutide", "dose": 1, "dose_unit": "mg"},
    "horizon_weeks": 30,
}


@given(st.lists(st.tuples(st.floats(0.01, 10), st.booleans()), min_size=1, max_size=200))
def test_steps_hold_every_row_and_are_large_enough(rows: list[tuple[float, bool]]) -> None:
    widths, hits = np.array([w for w, _ in rows]), np.array([float(h) for _, h in rows])
    steps = fit_steps(widths, hits)
    assert sum(step.n for step in steps) == len(rows)
    assert sum(step.hits for step in steps) == hits.sum()
    assert steps[-1].half_width == widths.max()
    assert len(steps) == 1 or min(step.n for step in steps) >= MIN_STEP
    assert all(one.half_width <= other.half_width for one, other in pairwise(steps))


def test_a_known_frequency_is_found_again() -> None:
    rng = np.random.default_rng(3)
    widths = rng.uniform(0.2, 2.0, 6000)
    truth = np.where(widths < 1.0, 0.9, 0.4)
    steps = fit_steps(widths, (rng.uniform(size=6000) < truth).astype(float))

    def read(width: float) -> float:
        return next(step.share for step in steps if width <= step.half_width)

    assert read(0.6) == pytest.approx(0.9, abs=0.06)
    assert read(1.5) == pytest.approx(0.4, abs=0.06)


def _curve(brier: float) -> Calibration:
    return Calibration(
        endpoint="hba1c_change", tolerance=0.5, unit="%-points", evidence_hash="x", model_version="1", n_arms=100, n_trials=15,
        typical_n=100, individual_sd=1.0, mean_absolute_error=0.2, coverage=0.9, brier=brier, brier_constant=0.2,
        steps=(Step(half_width=0.5, n=60, hits=54), Step(half_width=1.0, n=40, hits=20)),
    )  # fmt: skip


def test_the_width_counts_only_where_it_tells_something() -> None:
    useful, useless = _curve(0.1), _curve(0.2)
    assert (useful.step(0.4).share, useful.step(0.9).share, useful.step(9.0).share) == (0.9, 0.5, 0.5)
    assert {useless.step(width).share for width in (0.4, 0.9, 9.0)} == {0.74}
    assert useful.reported_half_width(0.5, -1.0) == pytest.approx(np.hypot(0.5, 1.6448536 * 0.1))
    share = useful.model_copy(update={"individual_sd": None, "unit": "%-points"})
    assert share.reported_half_width(3.0, 20.0) == pytest.approx(np.hypot(3.0, 1.6448536 * 4.0))


def test_the_shipped_curves_belong_to_the_shipped_evidence(shipped: KnowledgeBase) -> None:
    curves = calibrations()
    assert {"hba1c_change", "weight_change", "nausea", "systolic_bp_change"} <= set(curves)
    for name, curve in curves.items():
        prepared = prepare_endpoint(shipped, EvidenceView(), name)
        assert curve.evidence_hash == prepared.evidence_hash, f"{name}: run make calibrate"
        assert curve.model_version == MODEL_VERSION
        assert curve.pooled.n == curve.n_arms
        assert curve.coverage > 0.8


def _context(shipped: KnowledgeBase, library: PersonaLibrary, view: EvidenceView | None = None) -> ToolContext:
    def no_retriever() -> object:
        raise AssertionError("the response tools read no passages")

    return ToolContext(shipped, library, no_retriever, view=view or EvidenceView())  # type: ignore[arg-type]


def test_confidence_is_given_on_the_evidence_it_was_measured_on(
    shipped: KnowledgeBase, library: PersonaLibrary
) -> None:
    request = simulate_treatment_response.parse(REQUEST)
    result = simulate_treatment_response(request, _context(shipped, library))
    measured = {item.endpoint: item for item in result.confidence}
    assert measured["hba1c_change"].tolerance == 0.5
    mean = next(e for e in result.estimates if e.id == "hba1c_change.mean")
    assert mean.validation is Validation.CALIBRATED
    assert measured["nausea"].unit == "%-points"
    told = assess([result], shipped.vocabulary.endpoints)
    assert told.calibrated
    assert told.probability == measured["hba1c_change"].probability
    assert "Nausea: " in told.sentence
    # Ratios of hazards are not part of the backtest that measures confidence.
    heart = {**REQUEST, "cohort": {"persona_id": "hfref_adults"}, "endpoints": ["hf_hospitalization_cv_death"]}
    heart["treatment"] = {"intervention": "dapagliflozin", "dose": 10, "dose_unit": "mg"}
    ratio = simulate_treatment_response(simulate_treatment_response.parse(heart), _context(shipped, library))
    assert ratio.confidence == ()
    assert all(estimate.validation is not Validation.CALIBRATED for estimate in ratio.estimates)


def test_another_evidence_view_has_no_measured_confidence(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    view = EvidenceView(exclude=("SUSTAIN*",))
    result = simulate_treatment_response(simulate_treatment_response.parse(REQUEST), _context(shipped, library, view))
    assert result.confidence == ()
    assert assess([result], shipped.vocabulary.endpoints).sentence == NOT_CALIBRATED
