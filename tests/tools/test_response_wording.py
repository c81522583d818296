"""Numbers in tools' own sentences."""

from __future__ import annotations

import pytest

from tools.response.wording import chance, plain, sentence_case, signed


@pytest.mark.parametrize(
    ("value", "digits", "said"),
    [
        (-1.2345, 2, "−1.2"), (0.0, 2, "0"), (-0.0, 2, "0"), (123.4, 2, "120"), (99.6, 2, "100"), (2025.0, 4, "2025"),
        (0.00084, 2, "0.00084"), (1e-7, 2, "0"), (-1e-7, 2, "0"), (69.4333, 4, "69.43"), (0.77, 3, "0.77"),
    ],
)  # fmt: skip
def test_plain(value: float, digits: int, said: str) -> None:
    assert plain(value, digits) == said


def test_signed_chance_and_capitals() -> None:
    assert (signed(0.5), signed(-0.5), signed(0.0)) == ("+0.5", "−0.5", "0")
    assert (chance(0.2), chance(99.9), chance(79.4)) == ("under 1 %", "over 99 %", "79 %")
    assert (sentence_case("age 3"), sentence_case("eGFR 3"), sentence_case("")) == ("Age 3", "eGFR 3", "")
