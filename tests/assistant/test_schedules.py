"""Times on and off a drug, estimands and steps of a dose, as people type them."""

from __future__ import annotations

import pytest

from assistant.schedules import StopTimes, Titration, read_estimand, read_stop_times, read_titration


@pytest.mark.parametrize(
    ("text", "on", "off"),
    [
        ("obese adults quit tirzepatide 15 mg after 36 weeks, what is their weight one year later", 36, 52),
        ("six months after the last dose of semaglutide 2.4 mg", None, 26),
        ("treated with wegovy for 68 weeks then taken off it, weight 12 months on?", 68, 52),
        ("and if they stop after a year?", 52, None),
        ("after 68 weeks of semaglutide 2.4 mg they stop, what is left after 1 year", 68, 52),
        ("weight regain after withdrawal of tirzepatide in obese adults over 52 weeks", None, 52),
        ("they stop tirzepatide at week 36", 36, None),
        ("what happens when adults over 65 years stop it", None, None),
        ("people who have had diabetes for 10 years stop metformin", None, None),
        ("stop semaglutide 1 mg once a week", None, None),
    ],
)
def test_weeks_on_and_off(text: str, on: float | None, off: float | None) -> None:
    assert read_stop_times(text) == StopTimes(on, off)


@pytest.mark.parametrize(
    ("text", "estimand"),
    [
        ("how many lose 15 % while they take it?", "efficacy"),
        ("what if everyone stays on it", "efficacy"),
        ("assuming nobody stops", "efficacy"),
        ("in practice", "treatment policy"),
        ("whether or not they stop", "treatment policy"),
        ("HbA1c at 30 weeks", None),
    ],
)
def test_estimands(text: str, estimand: str | None) -> None:
    assert read_estimand(text) == estimand


@pytest.mark.parametrize(
    ("text", "dose", "steps"),
    [
        (
            "semaglutide 0.25 mg for 4 weeks, then 0.5 mg for 4 weeks, then 1 mg over 40 weeks",
            1.0,
            ((0.0, 0.25), (4.0, 0.5), (8.0, 1.0)),
        ),
        (
            "titrated 0.25, 0.5, 1, 1.7, 2.4 mg every 4 weeks",
            2.4,
            ((0.0, 0.25), (4.0, 0.5), (8.0, 1.0), (12.0, 1.7), (16.0, 2.4)),
        ),
        (
            "tirzepatide from 5 mg increasing by 5 mg every 4 weeks to 15 mg",
            15.0,
            ((0.0, 5.0), (4.0, 10.0), (8.0, 15.0)),
        ),
        ("semaglutide 1 mg over 30 weeks", 1.0, ()),
    ],
)
def test_steps_of_a_dose(text: str, dose: float, steps: tuple[tuple[float, float], ...]) -> None:
    assert read_titration(text, dose, "mg") == Titration(steps)


def test_steps_that_nobody_said_are_not_guessed() -> None:
    read = read_titration("starting at 0.25 mg and stepping up every 4 weeks to 2.4 mg", 2.4, "mg")
    assert read.steps == ()
    assert "0.25" in read.told
