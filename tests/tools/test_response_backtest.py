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
from tools.response.backtest import leave_out
from tools.response.tables.forecasts import ENGINE, METHODS
from tools.response.tables.holdout import Holdout
from tools.response.tables.report import make_report
from tools.response.tables.scoring import MEDIAN, interval

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
    sources = {
        row.source_id: Source(source_id=row.source_id, title="made up", published=row.published, design=Design.RCT,
                              seen=Seen.FULL_TEXT)
        for row in rows
    }  # fmt: skip
    return KnowledgeBase(Path("."), Vocabulary(DRUGS, ENDPOINTS), sources, EvidenceTable(tuple(rows), sources))


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
    told = []
    for table in (rows, lies):
        found = leave_out(knowledge_of(table), endpoint, trials=["T 3"])
        assert set(found.arms.study) == {"T 3"}
        told.append((found.arms, found.contrasts))
    for true, false in zip(*told, strict=True):
        assert list(true.arm) == list(false.arm)
        assert not np.array_equal(true.observed, false.observed)
        for method in METHODS:
            np.testing.assert_array_equal(true.quantiles[method], false.quantiles[method])


def test_figures_and_rivals() -> None:
    found = leave_out(knowledge_of(trials()), "hba1c_change")
    arms, contrasts = found.arms, found.contrasts
    assert (len(arms), len(contrasts), found.not_predicted) == (16, 8, 0)
    observed = {(trial, name): value for trial, name, value in zip(arms.study, arms.arm, arms.observed, strict=True)}
    for trial, name, value in zip(contrasts.study, contrasts.arm, contrasts.observed, strict=True):
        assert value == pytest.approx(observed[trial, name] - observed[trial, "placebo"])
    for part in (arms, contrasts):
        assert set(part.quantiles) == set(METHODS)
        for quantiles in part.quantiles.values():
            assert (np.diff(quantiles, axis=0) > 0).all()
    place = next(i for i in range(16) if (arms.study[i], arms.arm[i]) == ("T 0", "placebo"))
    others = [value for (trial, _), value in observed.items() if trial != "T 0"]
    assert arms.quantiles["grand_mean"][MEDIAN, place] == pytest.approx(np.mean(others), abs=1e-6)
    same = [value for (trial, name), value in observed.items() if trial != "T 0" and name == "placebo"]
    assert arms.quantiles["class_mean"][MEDIAN, place] == pytest.approx(np.mean(same), abs=1e-6)
    section = make_report("trial", [("made up", found)]).tables[0].sections[0]
    assert section.scores[ENGINE].mean_absolute_error < section.scores["grand_mean"].mean_absolute_error
    # 0.9 within what sixteen rows can tell (3.3 binomial SDs).
    assert section.scores[ENGINE].coverage[0.9] > 0.65
    assert (section.figures, section.trials) == (16, 8)


def test_a_class_that_only_one_trial_studied_is_not_predicted() -> None:
    rows = [*trials(4), arm("LONE", "placebo", -0.1), arm("LONE", "lone", -1.0)]
    found = leave_out(knowledge_of(rows), "hba1c_change", trials=["LONE"])
    assert found.not_predicted == 1
    assert list(found.arms.arm) == ["placebo"]


def test_cold_starts_are_wider() -> None:
    """A drug, then a class, that no remaining trial gave: forecast from its class, then from all drugs."""
    whole = leave_out(
        knowledge_of([*trials(), arm("LONE", "placebo", -0.1), arm("LONE", "lone", -1.0)]), "hba1c_change"
    )
    base = knowledge_of([*trials(), arm("LONE", "placebo", -0.1), arm("LONE", "lone", -1.0)])
    by_drug, by_class = (leave_out(base, "hba1c_change", by=by) for by in ("drug", "class"))
    assert set(by_drug.arms.arm) == {"alpha", "beta"}
    assert by_drug.not_predicted == 1
    assert set(by_class.arms.group) == {"first", "second"}

    def width(found: Holdout, name: str) -> float:
        lower, upper = interval(found.arms.quantiles[ENGINE][:, found.arms.arm == name], 0.9)
        return float(np.mean(upper - lower))

    assert width(by_drug, "alpha") > width(whole, "alpha")
    assert width(by_class, "lone") > width(whole, "alpha")


def test_by_year_knows_only_what_was_published_before() -> None:
    rows = [
        row.model_copy(update={"published": str(2016 + int(row.trial[2:])), "source_id": f"s{row.trial[2:]}"})
        for row in trials()
    ]
    late = [row.model_copy(update={"value": -9.0}) if row.published >= "2022" else row for row in rows]
    early = [leave_out(knowledge_of(table), "hba1c_change", by="year") for table in (rows, late)]
    for group in ("2020", "2021"):
        at = early[0].arms.group == group
        assert at.any()
        np.testing.assert_array_equal(
            early[0].arms.quantiles[ENGINE][:, at], early[1].arms.quantiles[ENGINE][:, early[1].arms.group == group]
        )


def test_a_difference_without_its_arms_is_predicted_too() -> None:
    gap = {"statistic": Statistic.MEAN_DIFFERENCE, "comparator_arm": "placebo", "se": 0.15}
    rows = [*trials(), arm("GAP", "alpha", -0.8, **gap), arm("GAP", "placebo", 7.0, endpoint="nausea", se=None,
            statistic=Statistic.PROPORTION)]  # fmt: skip
    found = leave_out(knowledge_of(rows), "hba1c_change", trials=["GAP"])
    assert (len(found.arms), len(found.contrasts)) == (0, 1)
    assert found.contrasts.quantiles[ENGINE][MEDIAN, 0] == pytest.approx(-0.8, abs=0.3)


def test_progress_and_unknown_endpoint() -> None:
    seen: list[tuple[float, str]] = []
    leave_out(knowledge_of(trials(4)), "nausea", progress=lambda share, text: seen.append((share, text)))
    assert seen == [(0.0, "T 0"), (0.25, "T 1"), (0.5, "T 2"), (0.75, "T 3")]
    with pytest.raises(UnknownEndpoint):
        leave_out(knowledge_of(trials(4)), "wonder")
