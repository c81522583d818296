"""`rank_treatments`, on evidence with a known truth and once on the shipped evidence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from knowledge.base import KnowledgeBase
from knowledge.errors import InvalidInput, NoEvidence, UnknownDrug, UnknownEndpoint
from knowledge.schemas import EvidenceView
from personas.library import PersonaLibrary
from tools.context import ToolContext
from tools.response.ranking import ranks_of
from tools.response.ranking_schemas import RankedTreatment, RankResult
from tools.response.ranking_tool import rank_treatments
from tools.response.tool import simulate_treatment_response
from tools.schemas import Level

TRUE = {"ace": -1.4, "bee": -0.9, "cee": -0.3}


@pytest.fixture(scope="module")
def context(made_up: Callable[..., ToolContext]) -> ToolContext:
    """Three drugs whose order is known; dee is of ace's class and only reports nausea; eff and gee cannot be ranked."""
    trials = ("ace", "bee", "cee") * 5 + ("gee",)
    return made_up(
        trials=trials, effect=lambda drug, _: TRUE.get(drug, 0.0), nausea={"placebo": 5.0, "ace": 20.0, "bee": 8.0}
    )


def rank(context: ToolContext, **fields: Any) -> RankResult:
    arguments = {"cohort": {"persona_id": "t2d_adults"}, "endpoints": ["hba1c_change"], **fields}
    return rank_treatments(rank_treatments.parse(arguments), context)


def rows(result: RankResult) -> dict[str, RankedTreatment]:
    return {row.treatment.split()[0]: row for row in result.ranking}


def known(value: float | None) -> float:
    assert value is not None
    return value


def width(row: RankedTreatment) -> float:
    return known(row.upper) - known(row.lower)


def test_ranks_by_hand() -> None:
    benefit = np.array([[3.0, 2.0, 1.0], [3.0, 1.0, 2.0], [1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
    ranks = ranks_of(benefit)
    np.testing.assert_allclose(ranks.best, [0.75, 0.0, 0.25])
    np.testing.assert_allclose(ranks.expected, [1.5, 2.25, 2.25])
    np.testing.assert_allclose(ranks.sucra, [0.75, 0.375, 0.375])
    np.testing.assert_allclose(ranks.probabilities.sum(axis=0), 1.0)
    np.testing.assert_allclose(ranks.probabilities.sum(axis=1), 1.0)
    # The surface under the cumulative ranking curve as its authors define it.
    np.testing.assert_allclose(np.cumsum(ranks.probabilities, axis=1)[:, :-1].mean(axis=1), ranks.sucra)
    assert list(ranks.upper) == [3.0, 3.0, 3.0]
    with pytest.raises(ValueError, match="no rank"):
        ranks_of(benefit[:, :1])


def test_the_true_order_is_found(context: ToolContext) -> None:
    result = rank(context)
    assert [row.treatment for row in result.ranking] == [
        "ace 10 mg once daily", "bee 10 mg once daily", "cee 10 mg once daily", "placebo"
    ]  # fmt: skip
    assert [row.place for row in result.ranking] == [1, 2, 3, 4]
    found = rows(result)
    assert found["ace"].probability_best > 75
    assert sum(row.probability_best for row in result.ranking) == pytest.approx(100.0, abs=1e-3)
    for row in result.ranking:
        assert row.sucra == pytest.approx(100.0 * (4 - row.expected_rank) / 3, abs=1e-3)
        assert known(row.lower) < known(row.mean) < known(row.upper)
    for name, truth in TRUE.items():
        row = found[name]
        assert row.difference == pytest.approx(truth, abs=0.3)
        assert row.difference_lower < truth < row.difference_upper  # type: ignore[operator]
        assert found[name].trials == 5
    assert found["ace"].probability_important is not None
    assert found["cee"].probability_important is not None
    assert found["ace"].probability_important > 90 > 50 > found["cee"].probability_important
    assert found["placebo"].difference is None


def test_numbers_are_those_of_the_prediction_tool(context: ToolContext) -> None:
    simulated = simulate_treatment_response(
        simulate_treatment_response.parse(
            {
                "cohort": {"persona_id": "t2d_adults"},
                "treatment": {"intervention": "ace"},
                "endpoints": ["hba1c_change"],
            }
        ),
        context,
    )
    by_id = {one.id: one for one in simulated.estimates}
    found = rows(rank(context))["ace"]
    assert found.mean == pytest.approx(by_id["hba1c_change.mean"].point, rel=1e-5)
    assert found.difference == pytest.approx(by_id["hba1c_change.difference"].point, rel=1e-5)


def test_estimates_charts_and_table_agree(context: ToolContext) -> None:
    result = rank(context, shown=2)
    by_id = {one.id: one for one in result.estimates}
    assert len(by_id) == len(result.estimates)
    ace = rows(result)["ace"]
    assert by_id["hba1c_change.mean.ace-10-mg-once-daily"].point == ace.mean
    assert by_id["hba1c_change.probability_best.ace-10-mg-once-daily"].point == ace.probability_best
    rank_of_ace = by_id["hba1c_change.expected_rank.ace-10-mg-once-daily"]
    assert (rank_of_ace.of, rank_of_ace.unit, rank_of_ace.lower) == (Level.COUNT, "rank", 1.0)
    assert "hba1c_change.probability_important.ace-10-mg-once-daily.vs.placebo" in by_id
    # Two shown, and the comparator with them; the table has all.
    assert {one.arm for one in result.estimates if one.id.startswith("hba1c_change.mean.")} == {
        "ace 10 mg once daily", "bee 10 mg once daily", "placebo"
    }  # fmt: skip
    assert len(result.ranking) == 4
    bars = next(chart for chart in result.charts if chart.kind == "bars")
    assert [point.y for point in bars.series[0].points] == [rows(result)[n].sucra for n in ("ace", "bee", "placebo")]
    assert all(one.source_ids for one in result.estimates)
    assert set(result.source_ids) <= set(context.knowledge.sources)
    assert result.provenance is not None
    assert rank(context, shown=2) == result


def test_harms_stand_beside_benefit(context: ToolContext) -> None:
    found = rows(rank(context))
    (ace,), (bee,) = found["ace"].harms, found["bee"].harms
    assert ace.endpoint == "nausea"
    assert ace.share > bee.share
    assert ace.difference_lower > 0
    assert ace.share == pytest.approx(20.0, abs=4.0)
    # Cee has no figure on nausea, and its class has none.
    assert found["cee"].harms == ()


def test_what_cannot_be_ranked_is_said(context: ToolContext) -> None:
    result = rank(context)
    assert [(one.treatments, one.count) for one in result.not_ranked] == [(("gee",), 1)]
    assert "HbA1c change" in result.not_ranked[0].reason
    both = [{"intervention": "gee"}, {"intervention": "ace"}]
    with pytest.raises(NoEvidence, match=r"Only ace 10 mg once daily can be ranked.*gee"):
        rank(context, treatments=both)
    with pytest.raises(InvalidInput, match="no better side"):
        rank(context, treatments=both, endpoints=["steps"])
    with pytest.raises(UnknownDrug, match="zzz"):
        rank(context, treatments=[{"intervention": "zzz"}, {"intervention": "ace"}])
    with pytest.raises(UnknownEndpoint, match="zzz"):
        rank(context, endpoints=["zzz"])
    with pytest.raises(NoEvidence, match=r"No treatment.*Adults who smoke"):
        rank(context, cohort={"persona_id": "smokers_adults"})


def test_one_treatment_alone_has_no_rank(context: ToolContext, made_up: Callable[..., ToolContext]) -> None:
    with pytest.raises(InvalidInput, match="Only ace is named"):
        rank(context, treatments=[{"intervention": "ace"}])
    lonely = made_up(trials=("ace",) * 4, effect=lambda _drug, _: -0.8, nausea={})
    with pytest.raises(NoEvidence, match="Only ace 10 mg once daily can be ranked"):
        rank(lonely)
    with pytest.raises(InvalidInput, match="itself"):
        rank(context, treatments=[{"intervention": "ace"}, {"intervention": "ace"}])


def test_borrowed_treatments_are_marked(context: ToolContext) -> None:
    result = rank(context, treatments=[{"intervention": "ace"}, {"intervention": "dee"}, {"intervention": "bee"}])
    found = rows(result)
    assert found["dee"].borrowed
    assert not found["ace"].borrowed
    assert (found["dee"].trials, found["dee"].trials_of_class) == (0, 5)
    assert width(found["dee"]) > 1.2 * width(found["ace"])
    assert any("with dee" in warning and "borrow" in warning for warning in result.warnings)
    assert "cee" not in found


def test_the_order_of_asking_changes_nothing(context: ToolContext) -> None:
    one = rank(context, treatments=[{"intervention": "ace"}, {"intervention": "cee"}])
    other = rank(context, treatments=[{"intervention": "cee"}, {"intervention": "ace"}])
    assert one.ranking == other.ranking


def test_an_active_comparator_and_another_view(context: ToolContext) -> None:
    result = rank(context, comparator={"intervention": "bee"})
    found = rows(result)
    assert result.comparator == "bee 10 mg once daily"
    assert found["cee"].difference == pytest.approx(0.6, abs=0.2)
    assert found["cee"].probability_better is not None
    assert found["cee"].probability_better < 5
    hidden = rank(context.with_view(EvidenceView(exclude=("TRIAL 0",))))
    assert rows(hidden)["ace"].trials == 4
    assert "s-0" not in hidden.source_ids


def test_a_race_too_close_to_call_is_said(made_up: Callable[..., ToolContext]) -> None:
    alike = made_up(trials=("ace", "bee", "cee") * 4, effect=lambda _drug, _: -0.8, nausea={"placebo": 5.0})
    result = rank(alike)
    first, *others, placebo = result.ranking
    assert first.probability_best < 80
    assert ("does not settle" in result.verdicts[0]) == (first.probability_best < 50)
    assert placebo.treatment == "placebo"
    # Alike stays tied, and the sentence says so; placebo does not tie.
    assert not first.tied_with_first
    for one in others:
        assert one.tied_with_first
        assert one.treatment in result.verdicts[0].partition("Tied with it:")[2]
        assert one.probability_near_best is not None
        assert one.probability_near_best > 80
        assert one.probability_first_important is not None
        assert one.probability_first_important < 20
    assert not placebo.tied_with_first


def test_a_tie_is_about_what_matters(context: ToolContext) -> None:
    """Bee is 0.5 behind ace, as much as matters; cee is 1.1 behind, and no tie."""
    found = rows(rank(context))
    assert found["ace"].probability_first_better is None
    for name, behind in (("bee", 0.5), ("cee", 1.1)):
        row = found[name]
        assert row.probability_first_better is not None
        assert row.probability_first_important is not None
        assert row.probability_first_important < row.probability_first_better
        assert row.tied_with_first == (row.probability_first_important < 50)
        assert row.difference is not None
        assert found["ace"].difference is not None
        assert row.difference - found["ace"].difference == pytest.approx(behind, abs=0.3)
    assert not found["cee"].tied_with_first
    nausea = rank(context, endpoints=["nausea"])
    # No minimal important difference is known for it.
    assert all(row.probability_near_best is None for row in nausea.ranking)
    assert not rows(nausea)["ace"].tied_with_first


def test_without_names_only_treatments_with_trials_of_their_own_are_ranked(made_up: Callable[..., ToolContext]) -> None:
    """Dee has nausea figures only, and its class-mate ace has trials on HbA1c."""
    trials = ("ace", "bee") * 4
    context = made_up(
        trials=(*trials, "dee", "dee"),
        effect=lambda drug, _: TRUE.get(drug, 0.0),
        nausea={"placebo": 5.0, "ace": 20.0, "bee": 8.0, "dee": 20.0},
        without_hba1c=("dee",),
    )
    assert set(rows(rank(context))) == {"ace", "bee", "placebo"}
    (left,) = [one for one in rank(context).not_ranked if "dee" in one.treatments]
    assert "named" in left.reason
    named = rank(context, treatments=[{"intervention": name} for name in ("ace", "bee", "dee")])
    assert rows(named)["dee"].borrowed


@pytest.mark.slow
def test_probabilities_of_being_best_are_what_happens(made_up: Callable[..., ToolContext]) -> None:
    """Over replications with random truths, the best in a new trial has been given the probability it deserves.

    Sum of the probabilities that were given to the one that turned out best, beside what a calibrated forecaster expects
    (the sum of squares) with its own binomial spread; and the Brier score beats that of saying one third each.
    """
    generator = np.random.default_rng(20261121)
    given, expected, variance, brier = 0.0, 0.0, 0.0, 0.0
    replications = 30
    for seed in range(replications):
        truth = dict(zip(("ace", "bee", "cee"), -0.8 + 0.35 * generator.standard_normal(3), strict=True))
        context = made_up(
            trials=("ace", "bee", "cee") * 3, effect=lambda drug, _, t=truth: t[drug], nausea={}, spread=0.15, seed=seed
        )
        # What a new trial of all three would find: the true effects, each with the trial's own deviation.
        new = {name: value + 0.15 * generator.standard_normal() for name, value in truth.items()}
        shares = {name: row.probability_best / 100.0 for name, row in rows(rank(context)).items() if name in truth}
        best = min(new, key=lambda name: new[name])
        given += shares[best]
        expected += sum(share**2 for share in shares.values())
        variance += sum(share**3 for share in shares.values()) - sum(share**2 for share in shares.values()) ** 2
        brier += sum((share - (name == best)) ** 2 for name, share in shares.items())
    assert abs(given - expected) < 2.6 * variance**0.5
    assert brier / replications < 2.0 / 3.0


@pytest.mark.slow
def test_shipped_evidence_is_ranked(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    """Sanity: potent weekly drugs at the top, placebo far down, every other treatment with a place or a reason."""
    context = ToolContext(knowledge=shipped, personas=library, retriever=lambda: pytest.fail("no passages"))
    result = rank(context, cohort={"persona_id": "t2d_ckd_older"}, horizon_weeks=30)
    places = {row.treatment.split()[0]: row.place for row in result.ranking}
    assert len(result.ranking) > 30
    assert places["tirzepatide"] <= 3
    assert places["semaglutide"] < places["dulaglutide"] < places["placebo"]
    assert places["placebo"] > 0.8 * len(result.ranking)
    assert all(row.trials and not row.borrowed for row in result.ranking)
    assert result.ranking[0].harms
    assert len(result.estimates) < 120


@pytest.mark.slow
def test_times_to_event_are_ranked_by_ratios(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    context = ToolContext(knowledge=shipped, personas=library, retriever=lambda: pytest.fail("no passages"))
    asked = {"cohort": {"persona_id": "hfref_adults"}, "endpoints": ["hf_hospitalization_cv_death"]}
    result = rank(context, **asked, horizon_weeks=104)
    found = rows(result)
    assert found["dapagliflozin"].mean is None
    assert found["dapagliflozin"].difference is not None
    assert 0.6 < found["dapagliflozin"].difference < 0.95
    assert found["dapagliflozin"].tied_with_first or found["dapagliflozin"].place == 1
    assert not any(".mean." in one.id for one in result.estimates if one.endpoint == "hf_hospitalization_cv_death")
    assert any(one.unit == "hazard ratio" for one in result.estimates)
