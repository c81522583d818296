"""Times to event and rates: which figures enter, pooling, absolute risks, nulls, and rows that are hard to use."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.stats import norm

from knowledge.arms import EvidenceTable
from knowledge.base import KnowledgeBase
from knowledge.errors import InvalidInput, NoEvidence
from knowledge.schemas import ArmRole, Design, Direction, Drug, Endpoint, Family, Seen, Source, Statistic, TrialArm
from knowledge.vocabulary import Vocabulary
from personas.library import PersonaLibrary
from tools.context import ToolContext
from tools.response.engine import ResponseEngine
from tools.response.fit import MemoryFitCache
from tools.response.parameters import load_priors
from tools.response.ratios import WEEKS_PER_YEAR
from tools.response.schemas import ResponseResult
from tools.response.tool import simulate_treatment_response
from tools.schemas import Estimate

TAILS = np.array([0.05, 0.5, 0.95])
DRUGS = {
    "placebo": Drug(name="placebo", drug_class="placebo"),
    "alpha": Drug(name="alpha", drug_class="first", dose_unit="mg", frequency="once daily"),
    "beta": Drug(name="beta", drug_class="second", dose_unit="mg", frequency="once daily"),
    "apart": Drug(name="apart", drug_class="third", dose_unit="mg", frequency="once daily"),
}
ENDPOINTS = {
    "death": Endpoint(
        endpoint_id="death", label="death", family=Family.TIME_TO_EVENT, unit="hazard ratio",
        direction=Direction.LOWER_IS_BETTER, limits=(0, 100),
    ),
    "attacks": Endpoint(
        endpoint_id="attacks", label="attacks", family=Family.RATE, unit="per 100 person-years",
        direction=Direction.LOWER_IS_BETTER, limits=(0, 1000),
    ),
}  # fmt: skip
SHARE = {"statistic": Statistic.PROPORTION, "se": None}


def arm(trial: str, name: str, **fields: Any) -> TrialArm:
    """Without more a hazard ratio against placebo; with `SHARE` the arm's own share with the event."""
    control = name == "placebo"
    given: dict[str, Any] = {
        "row_id": "x:1", "area": "type_2_diabetes", "trial": trial, "source_id": "s", "arm": name,
        "arm_role": ArmRole.PLACEBO if control else ArmRole.ACTIVE, "intervention": name,
        "drug_class": DRUGS[name].drug_class, "dose": None if control else 10.0, "dose_unit": "" if control else "mg",
        "frequency": "once daily", "n": 500, "endpoint": "death", "statistic": Statistic.HAZARD_RATIO, "weeks": 104.0,
        "value": 0.8, "se": 0.1, "se_from": "ci", "locator": "table 1", "seen": Seen.FULL_TEXT, "published": "2015",
        "tags": ("t2d",),
    }  # fmt: skip
    given["comparator_arm"] = "placebo" if fields.get("statistic", given["statistic"]).is_contrast else ""
    given.update(fields)
    return TrialArm(**given)


def knowledge_of(rows: Sequence[TrialArm]) -> KnowledgeBase:
    source = Source(source_id="s", title="made up", published="2015", design=Design.RCT, seen=Seen.FULL_TEXT)
    return KnowledgeBase(
        Path("."), Vocabulary(DRUGS, ENDPOINTS), {"s": source}, EvidenceTable(tuple(rows), {"s": source})
    )


def engine_of(rows: Sequence[TrialArm]) -> ResponseEngine:
    return ResponseEngine(knowledge_of(rows), cache=MemoryFitCache())


def context_of(knowledge: KnowledgeBase) -> ToolContext:
    def no_retriever() -> Any:
        raise AssertionError("the response tools read no passages")

    return ToolContext(knowledge=knowledge, personas=PersonaLibrary(), retriever=no_retriever)


def predicted(engine: ResponseEngine, endpoint: str = "death", weeks: float = 104.0, name: str = "alpha") -> Any:
    return engine.predict(endpoint, [engine.treatment(name), engine.treatment("placebo")], {}, weeks)


def ratio(engine: ResponseEngine, endpoint: str = "death") -> np.ndarray:
    """Lower end, median and upper end of the ratio of alpha to placebo."""
    return np.asarray(predicted(engine, endpoint).prediction.difference(0, 1).quantiles(TAILS)[:, 0])


def simulate(context: ToolContext, **fields: Any) -> ResponseResult:
    arguments = {"cohort": {"persona_id": "t2d_adults"}, "treatment": {"intervention": "alpha"}, **fields}
    return simulate_treatment_response(simulate_treatment_response.parse(arguments), context)


def by_id(result: ResponseResult) -> dict[str, Estimate]:
    found = {estimate.id: estimate for estimate in result.estimates}
    assert len(found) == len(result.estimates)
    return found


def trials(ratios: Sequence[float], errors: Sequence[float], **fields: Any) -> list[TrialArm]:
    """A ratio and the placebo arm's label for each trial; no counts."""
    pairs = enumerate(zip(ratios, errors, strict=True))
    return [arm(f"TRIAL {i}", "alpha", value=value, se=error, **fields) for i, (value, error) in pairs]


def counted(index: int, placebo: float, treated: float, n: int = 800, **fields: Any) -> list[TrialArm]:
    """The shares (%) with the event of both arms of one trial."""
    return [
        arm(f"TRIAL {index}", "placebo", value=placebo, n=n, **SHARE, **fields),
        arm(f"TRIAL {index}", "alpha", value=treated, n=n, **SHARE, **fields),
    ]


def oracle(logs: np.ndarray, errors: np.ndarray) -> tuple[float, np.ndarray]:
    """Posterior mean of the log ratio, and quantiles of a new trial's, by weighting draws of the priors.

    The model is written anew: log ratios of trials ~ N(mean, between^2 + se^2), the mean normal around nought with the
    variances of effect, class and drug, `between` from the deviation of a trial's effect and of its two arms.
    """
    priors = load_priors("log")
    generator = np.random.default_rng(3)
    names = ("class", "drug", "study_drug", "row")
    where = [priors.names.index(name) for name in names]
    drawn = np.exp(priors.mean[where] + priors.sd[where] * generator.standard_normal((40_000, 4)))
    of_mean = priors.active_sd**2 + drawn[:, 0] ** 2 + drawn[:, 1] ** 2
    between = drawn[:, 2] ** 2 + 2.0 * drawn[:, 3] ** 2
    total = between[:, None] + errors**2
    precision = (1.0 / total).sum(axis=1)
    pooled = (logs / total).sum(axis=1) / precision
    rest = ((logs - pooled[:, None]) ** 2 / total).sum(axis=1)
    variance = 1.0 / precision
    weight = -0.5 * (np.log(total).sum(axis=1) + np.log(precision) + rest)
    weight += norm.logpdf(pooled, 0.0, np.sqrt(of_mean + variance))
    weight = np.exp(weight - weight.max())
    weight /= weight.sum()
    shrunk = 1.0 / (1.0 / of_mean + precision)
    means = shrunk * precision * pooled
    mean = float(weight @ means)
    pick = generator.choice(len(weight), 200_000, p=weight)
    new = means[pick] + np.sqrt(shrunk + between)[pick] * generator.standard_normal(len(pick))
    return mean, np.quantile(new, TAILS)


@pytest.mark.parametrize(
    ("spread", "count", "error"), [(0.0, 8, 0.08), (0.15, 12, 0.1), (0.4, 12, 0.1), (0.1, 3, 0.2), (0.0, 1, 0.12)]
)
def test_ratios_pool_as_an_independent_random_effects_analysis_does(spread: float, count: int, error: float) -> None:
    generator = np.random.default_rng(count)
    errors = error * generator.uniform(0.5, 1.5, count)
    logs = math.log(0.75) + np.hypot(spread, errors) * generator.standard_normal(count)
    engine = engine_of(trials(np.exp(logs).tolist(), errors.tolist()))
    widening = engine.posterior("death").widening
    mean, quantiles = oracle(logs, errors)
    found = np.log(ratio(engine))
    assert found[1] == pytest.approx(mean, abs=0.012)
    half = (found[2] - found[0]) / 2
    assert half / widening == pytest.approx((quantiles[2] - quantiles[0]) / 2, rel=0.06)


def test_with_many_alike_trials_it_is_the_inverse_variance_mean() -> None:
    """Where the evidence is strong, neither priors nor model matter (DerSimonian and Laird 1986 with nought between)."""
    errors = np.linspace(0.03, 0.09, 30)
    logs = math.log(0.7) + errors * norm.ppf((np.arange(30) + 0.5) / 30)[np.argsort(np.sin(np.arange(30)))]
    weight = errors**-2.0
    low, middle, high = np.log(ratio(engine_of(trials(np.exp(logs).tolist(), errors.tolist()))))
    assert middle == pytest.approx(float(weight @ logs / weight.sum()), abs=0.01)
    assert low < middle < high < 0


def test_evidence_of_no_effect_predicts_none() -> None:
    values = [0.97, 1.04, 1.01, 0.96, 1.05, 1.0, 0.98, 1.02]
    low, middle, high = ratio(engine_of(trials(values, [0.06] * 8)))
    assert middle == pytest.approx(1.0, abs=0.02)
    assert 0.8 < low < 1 < high < 1.25


def test_risks_agree_with_the_ratio_and_with_how_often_placebo_has_events() -> None:
    rows = [row for i in range(8) for row in counted(i, 20.0 + i % 3, 14.0 + i % 3, n=2000)]
    context = context_of(knowledge_of(rows))
    found = by_id(simulate(context, endpoints=["death"], horizon_weeks=104))
    mean, control, both = (found[f"death.{part}"].point for part in ("mean", "control", "ratio"))
    assert control == pytest.approx(21.0, abs=2.0)
    assert mean == pytest.approx(100 * (1 - (1 - control / 100) ** both), abs=0.6)
    assert both == pytest.approx(math.log(1 - 0.15) / math.log(1 - 0.21), abs=0.06)
    difference, needed = found["death.difference"], found["death.number_needed"]
    assert difference.point == pytest.approx(mean - control, abs=0.6)
    assert needed.point == pytest.approx(100 / abs(difference.point), rel=1e-4)
    assert difference.upper is not None
    assert difference.upper < 0
    assert needed.lower is not None
    assert needed.lower < needed.point < (needed.upper or 0)
    half = by_id(simulate(context, endpoints=["death"], horizon_weeks=52))
    assert half["death.control"].point == pytest.approx(100 * (1 - (1 - control / 100) ** 0.5), abs=0.5)
    assert half["death.ratio"].point == pytest.approx(both, abs=0.01)


def test_rates_agree_with_their_ratio() -> None:
    rows = []
    for i in range(6):
        for name, rate in (("placebo", 80.0 + i), ("alpha", 56.0 + i)):
            rows.append(
                arm(f"TRIAL {i}", name, endpoint="attacks", statistic=Statistic.RATE, value=rate, se=3.0, weeks=52.0)
            )
    found = by_id(simulate(context_of(knowledge_of(rows)), endpoints=["attacks"]))
    mean, control, both = (found[f"attacks.{part}"] for part in ("mean", "control", "ratio"))
    assert (mean.unit, both.unit) == ("per 100 person-years", "rate ratio")
    assert mean.point == pytest.approx(both.point * control.point, rel=0.01)
    assert both.point == pytest.approx(0.71, abs=0.03)
    assert "attacks.number_needed" not in found


def test_ratios_without_any_count_give_no_risks() -> None:
    result = simulate(context_of(knowledge_of(trials([0.7, 0.8, 0.75], [0.1] * 3))), endpoints=["death"])
    assert {one.id for one in result.estimates} == {"death.ratio"}
    assert any("no risks are given" in sentence for sentence in result.assumptions)
    assert [(weight.unit, weight.value) for weight in result.evidence if weight.trial == "TRIAL 0"] == [
        ("hazard ratio", 0.7)
    ]


def test_drugs_that_no_chain_of_trials_joins_are_not_compared() -> None:
    rows = trials([0.8, 0.7], [0.1, 0.1])
    for trial in ("FAR 1", "FAR 2"):
        # The rate says what the comparator of the ratio was given.
        rows.append(arm(trial, "apart", comparator_arm="beta"))
        rows.append(arm(trial, "beta", endpoint="attacks", statistic=Statistic.RATE, se=1.0, value=9.0))
    engine = engine_of(rows)
    with pytest.raises(NoEvidence, match=r"No chain of trials .* apart with placebo .*compare apart with beta"):
        predicted(engine, name="apart")
    both = [engine.treatment("apart"), engine.treatment("beta")]
    assert engine.predict("death", both, {}, 104.0).trials_of_drug == (2, 2)


@pytest.mark.parametrize(
    "rows",
    [
        [arm("ONE", "alpha")],
        counted(1, 10.0, 8.0),
        counted(1, 10.0, 0.0, n=60),
        counted(1, 0.0, 0.0, n=60),
        counted(1, 100.0, 100.0, n=60),
        counted(1, 0.0, 100.0, n=1),
        counted(1, 0.0, 0.0, n=1),
        [arm("ONE", "alpha", se=1e-6), arm("TWO", "alpha", value=1.2, se=1e-6)],
        [arm("ONE", "alpha", se=30.0)],
        [arm("ONE", "alpha", arm="a"), arm("ONE", "alpha", arm="b")],
        [arm("ONE", "alpha", weeks=None), *counted(2, 10.0, 8.0, weeks=None)],
        [*counted(1, 10.0, 8.0), arm("TRIAL 1", "alpha", value=0.78, se=0.15)],
    ],
    ids=[
        "one ratio", "one trial of counts", "no events on treatment", "no events at all", "everybody", "one person each",
        "one person each, no events", "next to no error", "next to no information", "duplicated arms", "no duration",
        "counts and their ratio",
    ],
)  # fmt: skip
def test_hard_rows_give_finite_wide_ratios(rows: list[TrialArm]) -> None:
    engine = engine_of(rows)
    low, middle, high = ratio(engine)
    assert np.isfinite([low, middle, high]).all()
    assert 0 < low < middle < high
    draws = predicted(engine).prediction.draws(200)
    assert np.isfinite(draws).all()
    assert (draws > 0).all()


def test_no_events_at_all_say_nothing_about_the_ratio() -> None:
    low, middle, high = ratio(engine_of(counted(1, 0.0, 0.0, n=60)))
    assert middle == pytest.approx(1.0, abs=0.05)
    assert low < 0.6
    assert high > 1.6


def test_no_events_on_treatment_speak_for_it_but_not_for_an_infinite_effect() -> None:
    low, middle, _ = ratio(engine_of(counted(1, 10.0, 0.0, n=300)))
    assert 0.02 < low < middle < 0.9


def test_one_trial_leaves_more_open_than_many() -> None:
    low, _, high = np.log(ratio(engine_of(trials([0.8], [0.1]))))
    of_many = np.log(ratio(engine_of(trials([0.8] * 8, [0.1] * 8))))
    assert high - low > 1.3 * (of_many[2] - of_many[0])


def test_two_reports_of_one_arm_are_one_piece_of_evidence() -> None:
    once = trials([0.8, 0.7], [0.1, 0.1])
    twice = [*once, once[0].model_copy(update={"row_id": "x:9", "seen": Seen.SECONDARY})]
    np.testing.assert_allclose(ratio(engine_of(once)), ratio(engine_of(twice)), rtol=1e-9)
    assert engine_of(twice).prepared("death").selection.skipped == {"another report of the same arm and visit": 1}


def test_a_ratio_and_the_counts_it_was_made_of_count_once() -> None:
    share = counted(1, 10.0, 8.0)
    printed = arm("TRIAL 1", "alpha", value=0.79, se=0.15)
    rows = engine_of([*share, printed]).prepared("death").selection.rows
    assert [(row.arm.arm, row.arm.statistic) for row in rows] == [
        ("alpha", Statistic.HAZARD_RATIO), ("placebo", Statistic.PROPORTION)
    ]  # fmt: skip


def test_an_error_of_nought_is_no_row() -> None:
    with pytest.raises(ValidationError, match="se"):
        arm("ONE", "alpha", se=0.0)


def test_ratios_that_cannot_be_used_are_counted_and_refused() -> None:
    unusable = [
        arm("ONE", "alpha", se=None),
        arm("TWO", "alpha", statistic=Statistic.ODDS_RATIO),
        arm("THREE", "alpha", comparator_arm="something else"),
        arm("FOUR", "alpha", n=None, **SHARE),
    ]
    with pytest.raises(NoEvidence, match="No figure on death"):
        engine_of(unusable).prepared("death")
    skipped = engine_of([*unusable, *trials([0.8], [0.1])]).prepared("death").selection.skipped
    assert skipped == {
        "ratio without an interval": 1,
        "odds ratio without the comparator's risk": 1,
        "ratio to an arm whose treatment is not known": 1,
        "neither standard error nor number of events": 1,
    }


def test_doses_in_a_unit_that_cannot_be_compared_are_refused_and_leave_the_fit_alone() -> None:
    rows = trials([0.8, 0.75, 0.7], [0.1] * 3)
    strange = [*rows[:2], rows[2].model_copy(update={"dose": 5.0, "dose_unit": "U"})]
    np.testing.assert_allclose(ratio(engine_of(strange)), ratio(engine_of(rows)), rtol=1e-6)
    with pytest.raises(InvalidInput, match="cannot be converted"):
        engine_of(strange).treatment("alpha", 5.0, "U")


def test_risk_ratios_become_hazard_ratios_with_the_comparators_risk() -> None:
    rows = [*counted(1, 40.0, 30.0), arm("TRIAL 1", "alpha", statistic=Statistic.RISK_RATIO, value=0.75, se=0.1)]
    (row,) = [row for row in engine_of(rows).prepared("death").selection.rows if row.against is not None]
    assert math.exp(row.value) == pytest.approx(math.log(0.7) / math.log(0.6))
    assert row.se == pytest.approx(0.1 * 0.3 / (0.7 * -math.log(0.7)))


def test_without_a_horizon_it_is_the_follow_up_most_studied() -> None:
    rows = [*trials([0.8] * 3, [0.1] * 3, weeks=52.0), arm("LONG", "alpha", weeks=200.0)]
    result = simulate(context_of(knowledge_of(rows)), endpoints=["death"])
    assert result.horizon_weeks == 52.0
    assert {one.horizon_weeks for one in result.estimates} == {52.0}
    assert "52 weeks" in result.assumptions[0]
    assert "(3 of 4)" in result.assumptions[0]
    asked = simulate(context_of(knowledge_of(rows)), endpoints=["death"], horizon_weeks=60)
    assert asked.horizon_weeks == 60.0
    assert not any("No time was asked for" in sentence for sentence in asked.assumptions)
    apart = [arm(f"TRIAL {i}", "alpha", weeks=weeks) for i, weeks in enumerate((40.0, 300.0, 110.0))]
    middle = simulate(context_of(knowledge_of(apart)), endpoints=["death"])
    assert middle.horizon_weeks == 110.0
    assert "middle one of the follow-ups of the 3 trials" in middle.assumptions[0]
    one = simulate(context_of(knowledge_of(apart[:1])), endpoints=["death"])
    assert "the follow-up of the one trial of alpha that reports death" in one.assumptions[0]


def width(estimate: Estimate) -> float:
    assert estimate.lower is not None
    assert estimate.upper is not None
    return estimate.upper - estimate.lower


@pytest.mark.parametrize("weeks", [104.0, 60.0])
def test_an_observed_control_arm_sets_the_level_and_leaves_the_ratio(weeks: float) -> None:
    rows = [row for i in range(6) for row in counted(i, 12.0 + 4 * i, 9.0 + 3 * i)]
    context = context_of(knowledge_of(rows))
    share = 100 * (1 - math.exp(-0.1 * weeks / WEEKS_PER_YEAR))
    given = {"endpoint": "death", "value": share, "n": 3000, "weeks": weeks}
    plain = by_id(simulate(context, endpoints=["death"], horizon_weeks=104))
    result = simulate(context, endpoints=["death"], horizon_weeks=104, observed_control=[given])
    found = by_id(result)
    truth = 100 * (1 - math.exp(-0.1 * 104 / WEEKS_PER_YEAR))
    assert abs(found["death.control"].point - truth) < 0.3 * abs(plain["death.control"].point - truth)
    for part in ("mean", "control", "difference"):
        assert width(found[f"death.{part}"]) < 0.7 * width(plain[f"death.{part}"])
    assert found["death.ratio"].point == pytest.approx(plain["death.ratio"].point, abs=0.03)
    assert any("conditional on what a placebo arm has reported (death" in one for one in result.assumptions)
    assert not any("not what the trials here led to expect" in one for one in result.warnings)


def test_an_observed_control_arm_brings_risks_where_no_trial_tells_them() -> None:
    context = context_of(knowledge_of(trials([0.7, 0.8, 0.75], [0.1] * 3)))
    given = {"endpoint": "death", "value": 10.0, "n": 5000, "weeks": 104}
    found = by_id(simulate(context, endpoints=["death"], horizon_weeks=104, observed_control=[given]))
    assert found["death.control"].point == pytest.approx(10.0, abs=0.5)
    assert found["death.mean"].point == pytest.approx(7.6, abs=0.7)


def test_an_observed_control_arm_that_surprises_is_said() -> None:
    rows = [row for i in range(8) for row in counted(i, 10.0, 8.0, n=4000)]
    given = {"endpoint": "death", "value": 80.0, "n": 4000, "weeks": 104}
    result = simulate(context_of(knowledge_of(rows)), endpoints=["death"], horizon_weeks=104, observed_control=[given])
    (said,) = [one for one in result.warnings if "not what the trials here led to expect" in one]
    assert "death 80 % at 104 weeks in 4000 people" in said
