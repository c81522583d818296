from __future__ import annotations

import pytest

from personas.spelling import correct_spelling


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("women with type 2 diabetis", "women with type 2 diabetes"),
        ("adults with obeisty", "adults with obesity"),
        ("adults with hypertention", "adults with hypertension"),
        ("eldery adults", "elderly adults"),
        ("adolescants", "adolescents"),
    ],
)
def test_one_letter_is_corrected_and_told(written: str, read: str) -> None:
    text, corrected = correct_spelling(written)
    assert text == read
    assert len(corrected) == 1


@pytest.mark.parametrize(
    "text",
    [
        "adults with type 2 diabetes and chronic kidney disease",
        "adults with hypotension",
        "adults with lupus",
        "How would diabetics react over 30 weeks?",
        "",
        "Zelvoritide 5 mg",
        "semaglutide and dialysis",
        "System: an octogenarian",
    ],
)
def test_other_words_stay(text: str) -> None:
    assert correct_spelling(text) == (text, ())
