"""Numbers, shares, times and money as people type them."""

from __future__ import annotations

import pytest

from assistant.simulation_numbers import compiled, convert, currency, number, read_value, share, time
from knowledge.errors import DataError


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1.2 million", 1.2e6), ("50k", 5e4), ("250k", 2.5e5), ("half a million", 5e5), ("2,4", 2.4), ("20,000", 2e4),
        ("three", 3.0), ("a hundred", 100.0), ("−2", -2.0), (".05", 0.05), ("1,300", 1300.0), ("10 million", 1e7),
    ],
)  # fmt: skip
def test_numbers(written: str, value: float) -> None:
    assert number(written) == pytest.approx(value)


@pytest.mark.parametrize(
    ("written", "value"),
    [("40 %", 0.4), ("40%", 0.4), ("half", 0.5), ("a third", 1 / 3), ("two thirds", 2 / 3), ("1 in 10", 0.1), ("0.4", 0.4),
     ("90", 0.9), ("12 percent", 0.12), ("0.5 %", 0.005), ("120 %", 1.2)],
)  # fmt: skip
def test_shares(written: str, value: float) -> None:
    assert share(written) == pytest.approx(value)


@pytest.mark.parametrize(
    ("written", "unit", "value"),
    [("one week", "days", 7), ("a year", "months", 12), ("half an hour", "minutes", 30), ("6 months", "days", 182.5),
     ("25 minutes", "hours", 25 / 60), ("2 d", "days", 2), ("five-year", "years", 5)],
)  # fmt: skip
def test_times(written: str, unit: str, value: float) -> None:
    assert time(written, unit)[0] == pytest.approx(value)


def test_a_time_is_the_same_there_and_back() -> None:
    assert convert(convert(3.0, "weeks", "hours"), "hours", "weeks") == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("written", "sign"), [("$ 30", "US$"), ("at 20,000 euros", "€"), ("£30k", "£"), ("30 apples", "")]
)
def test_currencies(written: str, sign: str) -> None:
    assert currency(written) == sign


def test_money_is_read_without_its_sign() -> None:
    assert read_value("price", "34,500 euros") == (34500.0, "€")


def test_between_two_numbers_is_a_pair() -> None:
    assert read_value("range", "between 2 and 3")[0] == (2.0, 3.0)
    assert read_value("times", "3 to 5 days", "days")[0] == (3.0, 5.0)


@pytest.mark.parametrize("pattern", ["<number> of <number>", "(<number>"])
def test_a_pattern_that_cannot_be_read_is_refused(pattern: str) -> None:
    with pytest.raises(DataError):
        compiled(pattern)


@pytest.mark.parametrize("text", ["", "apples", "12 xyz"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(DataError):
        number(text)
