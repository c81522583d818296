"""Which texts are about an excluded trial."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.views import NamePatterns, TrialMentions, folded


@pytest.mark.parametrize(
    ("excluded", "text", "found"),
    [
        ("SUSTAIN 3", "In SUSTAIN-3 weight fell.", True),
        ("SUSTAIN 3", "in sustain 3, weight fell", True),
        ("SUSTAIN 3", "SUSTAIN 30 and SUSTAIN 13", False),
        ("SUSTAIN 3", "SUSTAIN 1 to 5 and 7", True),
        ("SUSTAIN 6", "SUSTAIN 1 to 5 and 7", False),
        ("SUSTAIN 7", "SUSTAIN 1 to 5 and 7", True),
        ("SUSTAIN 3", "SUSTAIN 1–5 by age", True),
        ("SUSTAIN 3", "SUSTAIN 1, SUSTAIN 3 and PIONEER 4", True),
        ("SUSTAIN 4", "SUSTAIN 1, SUSTAIN 3 and PIONEER 4", False),
        ("SUSTAIN 3", "the five first SUSTAIN trials", True),
        ("SUSTAIN 3", "over the SUSTAIN clinical trial programme", True),
        ("SUSTAIN 3", "they sustain trials of patience", False),
        ("SUSTAIN 3", "PIONEER 3", False),
        ("ORION-10", "ORION-9/10/11 pooled", True),
        ("SURMOUNT-1", "SURMOUNT-1 and SURMOUNT-2 pooled", True),
        ("RIO-Europe", "RIO pooled", True),
        ("SELECT", "SELECT followed 17,604 adults", True),
        ("SELECT", "select the dose; selected patients", False),
        ("COR-I", "COR-II was larger", False),
        ("COR-I", "COR-I was smaller", True),
        ("NCT01234567", "registered as NCT01234567.", True),
        ("STEP*", "a STEP-HFpEF sub-study", True),
        ("C++ (trial) [x]", "C++ (trial) [x] ended", True),
    ],
)
def test_mentions(excluded: str, text: str, found: bool) -> None:
    assert TrialMentions([excluded]).found_in(text) is found
    assert TrialMentions([], [excluded]).found_in(text) is found


def test_nothing_excluded_mentions_nothing() -> None:
    assert not TrialMentions([]).found_in("SUSTAIN 1")
    assert not TrialMentions([], ["", "*"]).found_in("SUSTAIN 1")
    assert not NamePatterns(["", " "])


@given(st.text(min_size=1, max_size=30), st.text(max_size=60))
def test_any_name_is_found_where_it_stands_alone(name: str, around: str) -> None:
    if folded(name).strip("* ") and "*" not in name:
        assert TrialMentions([name]).found_in(f"{around}\n({name.strip()})\n{around}")


@given(st.text(max_size=20))
def test_a_name_matches_itself_in_any_case(name: str) -> None:
    if folded(name):
        assert NamePatterns([name]).match(name)
        assert NamePatterns(["*"]).match(name)
