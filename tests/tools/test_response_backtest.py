"""The backtest: nothing of the held-out trial may reach its own prediction, and the scores are what they say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from knowledge.arms import EvidenceTable
from knowledge.base import KnowledgeBase
from knowledge.errors import UnknownEndpoint
from knowledge.schemas import (
    ArmRole,
    Baseline,
    Design,
    Direction,
    Drug,
    Endpoint,
    Family,
    Seen,
    Source,
    Statistic,
    TrialArm,
)  # fmt: skip
from knowledge.vocabulary import Vocabulary
from tools.response.backtest import LEVELS, METHODS, BacktestRow, Forecast, leave_one_trial_out, score
from tools.response.baselines import class_mean, grand_mean, ridge
from tools.response.engine import ResponseEngine

DRUGS = {
    "placebo": Drug(name="placebo", drug_class="placebo"),
    "alpha": Drug(name="alpha", drug_class="first", dose_unit="mg", frequency="once daily"),
    "beta": Drug(name="beta", drug_class="first", dose_unit="mg", frequency="once daily"),
    "lone": Drug(name="lone", drug_class="second", dose_unit="mg", frequency="once daily"),
}
ENDPOINTS = {
    name: Endpoint(
        endpoint_id=name, label=name, family=family, unit="u", direction=Direction.LOWER_IS_BETTER, baseline=baseline,
        limits=(-100, 100),
    )
    for name, family, baseline in (("hba1c_change", Family.CONTINUOUS, "hba1c"), ("nausea", Family.PROPORTION, ""))
}  # fmt: skip


def knowledge_of(rows: Sequence[TrialArm]) -> KnowledgeBase:
    source = Source(source_id="s", title="made up", published="2015", design=Design.RCT, seen=Seen.FULL_TEXT)
    return KnowledgeBase(
        Path("."), Vocabulary(DRUGS, ENDPOINTS), {"s": source}, EvidenceTable(tuple(rows), {"s": source})
    )


def arm(trial: str, name: str, value: float, **fields: Any) -> TrialArm:
    control = name == "placebo"
    given: dict[str, Any] = {
        "row_id": "x:1", "area": "type_2_diabetes", "trial": trial, "source_id": "s", "arm": name,
        "arm_role": ArmRole.PLACEBO if control else ArmRole.ACTIVE, "intervention": name,
        "drug_class": DRUGS[name].drug_class, "dose": None if control else 10.0, "dose_unit": "" if control else "mg",
        "frequency": "once daily", "n": 120, "endpoint": "hba1c_change", "statistic": Statistic.MEAN_CHANGE,
        "weeks": 26.0, "value": round(value, 3), "se": 0.1, "se_from": "printed", "locator": "table 1",
        "seen": Seen.FULL_TEXT, "published": "2015",
    }  # fmt: skip
    given.update(fields)
    return TrialArm(**given)


def trials(count: int = 8) -> list[TrialArm]:
    generator = np.random.default_rng(4)
    rows = []
    for index in range(count):
        name = ("alpha", "beta")[index % 2]
        base = {"baseline": Baseline(hba1c=7.6 + 0.15 * index), "registry_id": f"NCT0000000{index}"}
        shift = 0.15 * generator.standard_normal()
        rows.append(arm(f"T {index}", "placebo", -0.1 + shift, **base))
        rows.append(arm(f"T {index}", name, -0.9 + shift + 0.08 * generator.standard_normal(), **base))
        proportion = {"endpoint": "nausea", "statistic": Statistic.PROPORTION, "se": None, **base}
        rows.append(arm(f"T {index}", "placebo", 6.0 + index % 3, **proportion))
        rows.append(arm(f"T {index}", name, 18.0 + index % 4, **proportion))
    return rows


@pytest.mark.parametrize("endpoint", ["hba1c_change", "nausea"])
def test_nothing_of_the_held_out_trial_reaches_its_prediction(endpoint: str) -> None:
    """Other results in the held-out trial (also under another name with its registry id): the same forecasts."""
    rows = trials()
    rows.append(arm("T 3 extension", "beta", -1.0, registry_id="NCT00000003", weeks=52.0))
    lies = [
        row.model_copy(update={"value": 40.0, "se": None} if row.endpoint == "nausea" else {"value": -3.0, "se": 0.3})
        if row.registry_id == "NCT00000003"
        else row
        for row in rows
    ]
    forecasts = []
    for table in (rows, lies):
        result = leave_one_trial_out(knowledge_of(table), endpoint, trials=["T 3"])
        forecasts.append([(row.arm, row.contrast, row.forecasts) for row in result.rows])
        assert {row.trial for row in result.rows} == {"T 3"}
    assert forecasts[0] == forecasts[1]


def test_rows_scores_and_baselines() -> None:
    result = leave_one_trial_out(knowledge_of(trials()), "hba1c_change")
    arms = [row for row in result.rows if not row.contrast]
    differences = [row for row in result.rows if row.contrast]
    assert (len(arms), len(differences), result.not_predicted) == (16, 8, 0)
    observed = {(row.trial, row.arm): row.observed for row in arms}
    for row in differences:
        assert row.observed == pytest.approx(observed[row.trial, row.arm] - observed[row.trial, "placebo"])
        assert row.se == pytest.approx(0.1 * 2**0.5)
    for row in result.rows:
        assert set(row.forecasts) == set(METHODS)
        for forecast in row.forecasts.values():
            edges = [forecast.intervals[level] for level in LEVELS]
            assert edges[2][0] < edges[1][0] < edges[0][0] < edges[0][1] < edges[1][1] < edges[2][1]
    held_out = next(row for row in arms if row.trial == "T 0" and row.arm == "placebo")
    others = [row.observed for row in arms if row.trial != "T 0"]
    assert held_out.forecasts["grand_mean"].point == pytest.approx(np.mean(others), abs=1e-6)
    same = [row.observed for row in arms if row.trial != "T 0" and row.arm == "placebo"]
    assert held_out.forecasts["class_mean"].point == pytest.approx(np.mean(same), abs=1e-6)
    scores = result.scores(contrast=False)
    assert scores["response_engine"].mean_absolute_error < scores["grand_mean"].mean_absolute_error
    # 0.9 within what sixteen rows can tell (3.3 binomial SDs).
    assert scores["response_engine"].coverage[0.9] > 0.65
    assert (scores["ridge"].rows, scores["ridge"].trials) == (16, 8)


def test_a_class_that_only_one_trial_studied_is_not_predicted() -> None:
    rows = [*trials(4), arm("LONE", "placebo", -0.1), arm("LONE", "lone", -1.0)]
    result = leave_one_trial_out(knowledge_of(rows), "hba1c_change", trials=["LONE"])
    assert result.not_predicted == 1
    assert [row.arm for row in result.rows] == ["placebo"]


def test_a_difference_without_its_arms_is_predicted_too() -> None:
    gap = {"statistic": Statistic.MEAN_DIFFERENCE, "comparator_arm": "placebo", "se": 0.15}
    rows = [*trials(), arm("GAP", "alpha", -0.8, **gap), arm("GAP", "placebo", 7.0, endpoint="nausea", se=None,
            statistic=Statistic.PROPORTION)]  # fmt: skip
    (row,) = leave_one_trial_out(knowledge_of(rows), "hba1c_change", trials=["GAP"]).rows
    assert row.contrast
    assert row.forecasts["response_engine"].point == pytest.approx(-0.8, abs=0.3)


def test_progress_and_unknown_endpoint() -> None:
    seen: list[tuple[float, str]] = []
    leave_one_trial_out(knowledge_of(trials(4)), "nausea", progress=lambda share, text: seen.append((share, text)))
    assert seen == [(0.0, "T 0"), (0.25, "T 1"), (0.5, "T 2"), (0.75, "T 3")]
    with pytest.raises(UnknownEndpoint):
        leave_one_trial_out(knowledge_of(trials(4)), "wonder")


def test_scores_by_hand() -> None:
    def row(observed: float, point: float, half: float) -> BacktestRow:
        forecast = Forecast(point, {level: (point - half * level, point + half * level) for level in LEVELS})
        return BacktestRow("T", "all", "a", "s", "alpha", 26.0, False, observed, 0.1, {"m": forecast}, 1)

    rows = [row(0.0, 0.0, 1.0), row(1.2, 0.0, 1.0)]
    result = score(rows, "m")
    assert result.mean_absolute_error == pytest.approx(0.6)
    assert result.coverage == {0.5: 0.5, 0.8: 0.5, 0.9: 0.5}
    # Width 1.8, and the second row misses by 0.3, charged 2 / 0.1 times.
    assert result.interval_score[0.9] == pytest.approx(1.8 + 0.5 * 20 * 0.3)


def test_baselines_recover_what_they_model() -> None:
    prepared = ResponseEngine(knowledge_of(trials())).prepared("hba1c_change")
    data = prepared.data
    y = data.y
    assert grand_mean(data, data.plus).means == pytest.approx(np.full(len(y), y.mean()))
    by_class = class_mean(data, data.plus).means
    control = data.plus.drug_class < 0
    assert by_class[control] == pytest.approx(np.full(control.sum(), y[control].mean()))
    fitted = ridge(data, prepared.layout, data.plus)
    assert np.mean((fitted.means - y) ** 2) < 0.5 * np.var(y)
    assert (fitted.sds > 0).all()
