"""`find_responders`: no modification gives no alarm, a planted one is found, and what is small is said to be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from knowledge.base import KnowledgeBase
from knowledge.errors import InvalidInput, NoEvidence, UnknownDrug, UnknownEndpoint
from knowledge.schemas import Endpoint
from personas.cohort import Cohort
from personas.library import PersonaLibrary
from personas.schemas import CohortSpec
from tools.context import ToolContext
from tools.response.cohorts import patient_covariates
from tools.response.engine import engine_for
from tools.response.responder_search import LEVEL, Group, Split, declared_splits, gaps_of
from tools.response.responders_schemas import RespondersResult, SubCohort
from tools.response.responders_tool import find_responders
from tools.response.responders_verdict import verdict_on
from tools.schemas import Estimate

TRIALS = ("ace", "bee") * 8
NAUSEA = {"placebo": 5.0, "ace": 20.0, "bee": 8.0}


def alike(drug: str, _baseline: Any) -> float:
    """No covariate modifies the effect."""
    return {"ace": -1.0, "bee": -0.6}[drug]


def by_baseline(drug: str, baseline: Any) -> float:
    """For each %-point of HbA1c at the start 0.6 %-points more fall."""
    return alike(drug, baseline) - 0.6 * (float(baseline.hba1c) - 8.0)


@pytest.fixture(scope="module")
def planted(made_up: Callable[..., ToolContext]) -> ToolContext:
    return made_up(trials=TRIALS, effect=by_baseline, nausea=NAUSEA)


def find(context: ToolContext, **fields: Any) -> RespondersResult:
    arguments = {
        "cohort": {"persona_id": "t2d_adults"}, "treatment": {"intervention": "ace"}, "endpoint": "hba1c_change", **fields
    }  # fmt: skip
    return find_responders(find_responders.parse(arguments), context)


def apart(result: RespondersResult) -> list[tuple[str, str]]:
    return [(one.covariate, one.level) for one in result.sub_cohorts if one.told_apart]


def by_id(result: RespondersResult) -> dict[str, Estimate]:
    found = {one.id: one for one in result.estimates}
    assert len(found) == len(result.estimates)
    return found


def test_gaps_by_hand() -> None:
    everyone = np.ones(4, dtype=bool)
    split = Split("x", tuple(Group(level, everyone, share, 0.0, 1.0) for level, share in (("no", 0.25), ("yes", 0.75))))
    thirds = Split(
        "y", tuple(Group(level, everyone, share, 0, 1) for level, share in (("lower", 0.5), ("middle", 0.3), ("upper", 0.2)))
    )  # fmt: skip
    gaps = gaps_of(np.array([[1.0, 3.0, 1.0, 2.0, 4.0], [1.0, 5.0, 1.0, 2.0, 4.0]]), (split, thirds))
    np.testing.assert_allclose(
        gaps.draws[0], [-2.0, 2.0, 1.0 - (0.6 + 0.8) / 0.5, 2.0 - (0.5 + 0.8) / 0.7, 4.0 - 1.1 / 0.8]
    )
    np.testing.assert_allclose(gaps.mean[:2], [-3.0, 3.0])


def test_intervals_hold_for_all_at_once() -> None:
    """In 90 % of the draws no gap lies outside its interval; each alone would hold for more."""
    generator = np.random.default_rng(3)
    everyone = np.ones(4, dtype=bool)
    splits = tuple(
        Split(name, tuple(Group(level, everyone, 0.5, 0.0, 1.0) for level in ("no", "yes"))) for name in ("x", "y", "z")
    )
    gaps = gaps_of(generator.standard_normal((4000, 6)), splits)
    inside = (gaps.draws >= gaps.lower) & (gaps.draws <= gaps.upper)
    assert np.mean(inside.all(axis=1)) == pytest.approx(LEVEL, abs=0.002)
    assert np.all(inside.mean(axis=0) > LEVEL + 0.03)


def test_planted_modification_is_found(planted: ToolContext) -> None:
    result = find(planted)
    assert ("baseline", "upper") in apart(result)
    assert ("baseline", "lower") not in apart(result)
    best = result.sub_cohorts[0]
    assert (best.covariate, best.level) == ("baseline", "upper")
    assert best.words in result.verdict
    assert best.probability > 95
    # A margin that is larger than any difference leaves nobody apart.
    beyond = find(planted, margin=2.0)
    assert apart(beyond) == []
    assert beyond.verdict.startswith("No sub-cohort can be told apart")
    assert "by at least 2 %-points" in beyond.verdict


def row(words: str, gap: float, half: float) -> SubCohort:
    return SubCohort(
        covariate="age", level="upper", words=words, share=30.0, effect=-1.0, lower=-1.2, upper=-0.8, gap=gap,
        gap_lower=gap - half, gap_upper=gap + half, probability=97.0, told_apart=gap - half > 0,
    )  # fmt: skip


def test_what_is_small_is_said_to_be(planted: ToolContext) -> None:
    hba1c, steps = (planted.knowledge.vocabulary.endpoint(name) for name in ("hba1c_change", "steps"))

    def said(*rows: SubCohort, endpoint: Endpoint = hba1c) -> str:
        return verdict_on(rows, endpoint, "%-points", 60.0, 2, 0.0)

    found = said(row("older", 0.9, 0.2), row("heavier", 0.03, 0.02))
    assert "older, by 0.9 %-points (0.7 to 1.1); heavier, by so little that it is surely below" in found
    assert "the least that matters (0.5 %-points)" in found
    assert "The best guess of what differs is below the least" in said(row("older", 0.4, 0.3))
    assert "more than 0.3 %-points is excluded" in said(row("older", 0.1, 0.2))
    assert "differences of up to 0.9 %-points are not excluded" in said(row("older", 0.4, 0.5))
    assert said(row("older", 0.4, 0.5), endpoint=steps).endswith("Differences of up to 0.9 %-points are not excluded.")
    assert "not among them" in said(row("rare", 1.5, 1.6), row("older", 0.9, 0.2))


def test_size_of_the_planted_gap(planted: ToolContext) -> None:
    """The gap is the slope times the distance of the means of baseline, within its interval."""
    best = find(planted).sub_cohorts[0]
    truth = true_gaps(planted, slope=0.6)["baseline", "upper"]
    assert best.gap_lower < truth < best.gap_upper
    assert best.gap == pytest.approx(truth, abs=0.35 * truth)


def test_without_modification_nobody_is_told_apart(made_up: Callable[..., ToolContext]) -> None:
    result = find(made_up(trials=TRIALS, effect=alike, nausea={}))
    assert apart(result) == []
    assert result.verdict.startswith("No sub-cohort can be told apart")
    assert "not excluded" in result.verdict or "is excluded" in result.verdict
    assert all(one.gap_lower < 0 < one.gap_upper for one in result.sub_cohorts)
    # Shrunk: what is left of chance is far below what would matter.
    assert max(abs(one.gap) for one in result.sub_cohorts) < 0.35


@pytest.mark.slow
def test_false_alarms_over_replications(made_up: Callable[..., ToolContext]) -> None:
    """No effect modification, 25 replications: some sub-cohort told apart in at most the nominal share of them.

    The simultaneous 90 % intervals have two sides: 10 % nominal; with 25 replications 6 alarms are the 97.5th percentile.
    """
    alarms = sum(
        bool(apart(find(made_up(trials=TRIALS, effect=alike, nausea={}, spread=0.15, seed=seed)))) for seed in range(25)
    )
    assert alarms <= 6


@pytest.mark.slow
def test_true_gaps_lie_in_the_intervals(made_up: Callable[..., ToolContext]) -> None:
    """With a slope on the baseline other splits differ too, as their people start elsewhere; all at once in 90 %."""
    held = 0
    for seed in range(20):
        context = made_up(trials=TRIALS, effect=by_baseline, nausea={}, spread=0.1, seed=200 + seed)
        truth = true_gaps(context, slope=0.6)
        found = find(context).sub_cohorts
        held += all(one.gap_lower <= truth[one.covariate, one.level] <= one.gap_upper for one in found)
    # The 2.5th percentile of 20 times 90 %.
    assert held >= 15


def true_gaps(context: ToolContext, slope: float) -> dict[tuple[str, str], float]:
    """What each sub-cohort truly gains beyond the rest of its split, when only the baseline matters."""
    cohort = Cohort.build(CohortSpec(persona_id="t2d_adults"), context.personas, n=4000, seed=context.seed)
    prepared = engine_for(context.knowledge, context.view).prepared("hba1c_change")
    columns = patient_covariates(cohort, prepared.endpoint)
    splits, _ = declared_splits(prepared, columns)
    start = columns["baseline"]
    assert start is not None
    return {
        (split.covariate, group.level): slope * float(start[group.members].mean() - start[~group.members].mean())
        for split in splits
        for group in split.groups
    }


@pytest.mark.slow
def test_power_over_replications(made_up: Callable[..., ToolContext]) -> None:
    """A planted slope is found nearly always, and never the wrong way round."""
    found = 0
    for seed in range(10):
        told = apart(find(made_up(trials=TRIALS, effect=by_baseline, nausea={}, spread=0.1, seed=100 + seed)))
        found += ("baseline", "upper") in told
        assert ("baseline", "lower") not in told
    assert found >= 8


def test_estimates_rows_and_charts_agree(planted: ToolContext) -> None:
    result = find(planted)
    found = by_id(result)
    assert result.splits == len({one.covariate for one in result.sub_cohorts})
    assert found["hba1c_change.splits"].point == result.splits
    assert found["hba1c_change.sub_cohorts"].point == len(result.sub_cohorts)
    best = result.sub_cohorts[0]
    assert found["hba1c_change.effect.baseline.upper"].point == best.effect
    gap = found["hba1c_change.gap.baseline.upper"]
    assert (gap.point, gap.lower, gap.upper) == (best.gap, best.gap_lower, best.gap_upper)
    assert found["hba1c_change.probability_best_gains_more"].point == best.probability
    shares = [one.share for one in result.sub_cohorts if one.covariate == "baseline"]
    assert sum(shares) == pytest.approx(100.0, abs=1e-3)
    drawn = [point.y for series in result.charts[0].series for point in series.points]
    assert sorted(drawn) == sorted(one.effect for one in result.sub_cohorts)
    assert any("does not prove" in warning for warning in result.warnings)
    assert find(planted) == result
    assert result.provenance is not None


def test_what_cannot_be_searched_is_refused(planted: ToolContext) -> None:
    with pytest.raises(UnknownDrug, match="zzz"):
        find(planted, treatment={"intervention": "zzz"})
    with pytest.raises(UnknownEndpoint, match="zzz"):
        find(planted, endpoint="zzz")
    with pytest.raises(NoEvidence, match="eff"):
        find(planted, treatment={"intervention": "eff"})
    with pytest.raises(NoEvidence, match="none in people like this cohort"):
        find(planted, cohort={"persona_id": "smokers_adults"})
    with pytest.raises(InvalidInput, match="itself"):
        find(planted, comparator={"intervention": "ace"})
    with pytest.raises(InvalidInput, match="patients"):
        find(planted, patients=3)


@pytest.mark.slow
def test_shipped_evidence_is_searched(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    """People without diabetes lose more weight on tirzepatide, which is well known; smokers' age tells nothing."""
    context = ToolContext(knowledge=shipped, personas=library, retriever=lambda: pytest.fail("no passages"))
    weight = find(
        context, cohort={"persona_id": "obesity_adults"}, treatment={"intervention": "tirzepatide"},
        endpoint="weight_percent_change", horizon_weeks=52,
    )  # fmt: skip
    assert ("diabetes", "no") in apart(weight)
    assert "all but people with diabetes" in weight.verdict
    smokers = find(
        context, cohort={"persona_id": "smokers_adults"}, treatment={"intervention": "varenicline"},
        endpoint="continuous_abstinence",
    )  # fmt: skip
    assert apart(smokers) == []
    assert smokers.verdict.startswith("No sub-cohort can be told apart")
