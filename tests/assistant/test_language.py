from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assistant import language


def test_a_minus_is_a_minus_and_zero_has_no_sign() -> None:
    assert language.number(-1.25, 1) == "−1.2"
    assert language.number(-0.04, 1) == "0.0"
    assert language.signed(0.31, 1) == "+0.3"


@given(st.floats(-1e6, 1e6), st.integers(0, 2))
def test_a_written_number_reads_back_within_its_rounding(value: float, places: int) -> None:
    read = float(language.number(value, places).replace("−", "-"))
    assert abs(read - value) <= 0.5 * 10**-places + 1e-6


def test_uncertainty_words_follow_the_figures() -> None:
    assert [language.likelihood(p) for p in (0.9, 0.66, 0.5, 0.33, 0.2)] == [
        "very likely", "likely", "about as likely as not", "about as likely as not", "unlikely",
    ]  # fmt: skip
