"""Sentences and tables about times to event and rates."""

from __future__ import annotations

from typing import Any

import pytest

from assistant import events
from assistant.answering import published_figure
from knowledge.schemas import Direction, Endpoint, Family
from tools.response.schemas import EvidenceWeight, ResponseResult
from tools.schemas import Estimate, Kind, Level, Validation

DEATH = Endpoint(
    endpoint_id="death", label="death from any cause", family=Family.TIME_TO_EVENT, unit="hazard ratio",
    direction=Direction.LOWER_IS_BETTER, limits=(0, 100),
)  # fmt: skip
ATTACKS = DEATH.model_copy(update={"endpoint_id": "attacks", "label": "attacks", "family": Family.RATE})
RATE = "per 100 person-years"


def estimate(name: str, point: float, lower: float | None, upper: float | None, unit: str, **fields: Any) -> Estimate:
    given: dict[str, Any] = {
        "id": name, "quantity": name, "endpoint": name.partition(".")[0], "arm": "placebo" if "control" in name else "alpha",
        "unit": unit, "horizon_weeks": 104.0, "population": "adults", "point": point, "lower": lower, "upper": upper,
        "kind": Kind.PREDICTIVE, "of": Level.COHORT_MEAN, "validation": Validation.VERIFIED, "n_trials": 2,
    }  # fmt: skip
    return Estimate(**{**given, **fields})


def result(*estimates: Estimate) -> ResponseResult:
    return ResponseResult(
        title="made up", treatment="alpha 10 mg", comparator="placebo", horizon_weeks=104.0, estimates=estimates
    )


SURE = (
    estimate("death.ratio", 0.8, 0.7, 0.92, "hazard ratio"),
    estimate("death.mean", 8.21, 4.04, 15.96, "%"),
    estimate("death.control", 10.3, 5.1, 19.4, "%"),
    estimate("death.difference", -2.04, -4.1, -0.6, "%-points"),
    estimate(
        "death.number_needed",
        49.0,
        24.4,
        166.7,
        "people",
        quantity="people on treatment per person helped (NNT), death",
    ),
)


def test_the_headline_says_ratio_and_risks() -> None:
    by_id = {one.id: one for one in SURE}
    assert events.headline(DEATH, by_id, "placebo") == (
        "death from any cause: hazard ratio 0.80 against placebo (90 % of such trials would report 0.70 to 0.92); within "
        "104 weeks about 8.2 in 100 people have such an event, against 10.3 on placebo."
    )
    alone = {"death.ratio": by_id["death.ratio"]}
    assert events.headline(DEATH, alone, "placebo").endswith("would report 0.70 to 0.92).")


def test_the_headline_does_not_hide_that_nothing_may_happen() -> None:
    open_end = {"death.ratio": estimate("death.ratio", 0.99, 0.62, 1.49, "hazard ratio")}
    assert "0.62 to 1.49: one without any difference would be no surprise" in events.headline(
        DEATH, open_end, "placebo"
    )


def test_rates_are_told_per_person_time() -> None:
    by_id = {
        one.id: one
        for one in (
            estimate("attacks.ratio", 0.66, 0.54, 0.81, "rate ratio"),
            estimate("attacks.mean", 74.0, 18.3, 281.6, RATE),
            estimate("attacks.control", 112.1, 28.0, 420.6, RATE),
        )
    }
    text = events.headline(ATTACKS, by_id, "placebo")
    assert text.endswith("about 74 per 100 person-years, against 112 on placebo.")


def test_tables_keep_ratios_and_risks_apart() -> None:
    lines = events.section(result(*SURE), [DEATH], "placebo").splitlines()
    assert "| Death from any cause, hazard ratio | 0.80 (0.70 to 0.92), 2 trials |" in lines
    assert (
        "| Death from any cause, within 104 weeks (%) | 8.2 (4.0 to 16.0) | 10 (5 to 19) | −2.0 (−4.1 to −0.6) |"
        in lines
    )
    assert (
        "- For one fewer with death from any cause within 104 weeks, about 49 people would be treated (24 to 167)."
        in lines
    )


def test_a_number_needed_without_limits_is_not_told() -> None:
    note = "the interval runs from one helped in 22 through nobody to one harmed in 21: no effect is within it"
    needed = SURE[-1].model_copy(update={"lower": None, "upper": None, "note": note})
    text = events.section(result(*SURE[:-1], needed), [DEATH], "placebo")
    assert "is open: the interval runs from one helped in 22 through nobody to one harmed in 21." in text
    assert "49" not in text


@pytest.mark.parametrize(
    ("point", "lower", "upper", "unit", "text"),
    [
        (0.777, 0.61, 1.0, "hazard ratio", "0.78 (0.61 to 1.00)"),
        (-36.6, -146.9, -8.1, RATE, "−37 (−147 to −8)"),
        (4.04, None, None, "%", "4.0"),
    ],
)
def test_ends_have_the_digits_of_the_middle(
    point: float, lower: float | None, upper: float | None, unit: str, text: str
) -> None:
    assert events.with_interval(estimate("death.mean", point, lower, upper, unit)) == text


def test_what_is_not_known_is_said() -> None:
    assert events.with_interval(None) == "not known"


def test_two_treatments_are_told_side_by_side() -> None:
    pair = "death.ratio.alpha.vs.beta"
    both = estimate(pair, 0.84, 0.62, 0.95, "hazard ratio", arm="alpha 10 mg versus beta 5 mg")
    assert events.side_by_side(result(both), DEATH) == (
        "With alpha 10 mg rather than with beta 5 mg, death from any cause has a hazard ratio of 0.84 (90 % of such trials "
        "would report 0.62 to 0.95)."
    )
    assert events.side_by_side(result(), DEATH) == ""


def test_rows_of_a_comparison_name_the_time_of_risks_only() -> None:
    assert (
        events.compared_row(SURE[1], DEATH)
        == "| Death from any cause, within 104 weeks (%) | alpha | 8.2 (4.0 to 16.0) |"
    )
    assert (
        events.compared_row(SURE[0], DEATH) == "| Death from any cause (hazard ratio) | alpha | 0.80 (0.70 to 0.92) |"
    )
    assert events.compared_row(SURE[-1], DEATH) == ""


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"value": 0.8, "unit": "hazard ratio", "against": "placebo"}, "death from any cause, hazard ratio 0.80 against placebo"),
        ({"value": 113.0, "unit": RATE}, "death from any cause 113.0 per 100 person-years"),
        ({"value": 12.4, "unit": "%"}, "death from any cause 12.4 %"),
    ],
)  # fmt: skip
def test_published_figures_have_their_unit_and_ratios_two_digits(fields: dict[str, Any], text: str) -> None:
    weight = EvidenceWeight(
        endpoint="death", trial="T 1", source_id="s", cohort="all", arm="alpha", intervention="alpha", n=None, weeks=None,
        se=None, weight=40.0, sign=1, agrees=True, **fields,
    )  # fmt: skip
    assert published_figure(weight, DEATH) == text
