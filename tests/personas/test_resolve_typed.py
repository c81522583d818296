"""Cohorts as people type them (cohorts.yaml), each to the archetype they mean, or refused.

The rules were made with the first half; the second was written before anything was changed because of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from knowledge.errors import CohortNotCovered, CohortTwinError
from personas.library import PersonaLibrary
from personas.resolve import resolve_cohort
from personas.sampling import draw
from personas.schemas import CohortSpec
from personas.spelling import correct_spelling

HALVES: dict[str, list[dict[str, Any]]] = yaml.safe_load(
    (Path(__file__).parent / "cohorts.yaml").read_text(encoding="utf-8")
)
DEVELOPMENT, TEST = HALVES["development"], HALVES["test"]
COVERED = [case for case in DEVELOPMENT if "cohort" in case]
REFUSED = [case for case in DEVELOPMENT if "refused" in case]
LEAST_RIGHT = 0.92  # of either half


def resolved(text: str, library: PersonaLibrary) -> CohortSpec | None:
    return resolve_cohort(correct_spelling(text)[0], library)


def fault_of(case: dict[str, Any], library: PersonaLibrary) -> str:
    """What is wrong with how a sentence is read; empty when it is right.

    What is not understood must hold the words expected, and be nothing where nothing is expected.
    """
    try:
        spec = resolved(case["text"], library)
    except CohortTwinError as error:
        wanted = f"'{case.get('refused')}'"
        return "" if isinstance(error, CohortNotCovered) and wanted in error.message else error.message
    if spec is None or "refused" in case:
        return "not refused" if "refused" in case else "no cohort"
    read = spec.persona_id, sorted(str(item) for item in spec.restrictions)
    unknown = case.get("not_understood", [])
    named = bool(unknown) == bool(spec.not_understood) and all(
        any(words in said for said in spec.not_understood) for words in unknown
    )
    right = read == (case["cohort"], sorted(case.get("restrictions", []))) and named
    return "" if right else f"{read}, not understood: {spec.not_understood}"


@pytest.mark.parametrize("case", COVERED, ids=[case["text"] for case in COVERED])
def test_the_cohort_that_was_meant(shipped: PersonaLibrary, case: dict[str, Any]) -> None:
    spec = resolved(case["text"], shipped)
    assert spec is not None
    assert spec.persona_id == case["cohort"]
    assert sorted(str(item) for item in spec.restrictions) == sorted(case.get("restrictions", []))
    assert list(spec.not_understood) == case.get("not_understood", [])


@pytest.mark.parametrize("case", REFUSED, ids=[case["text"] for case in REFUSED])
def test_a_cohort_without_archetype_is_refused(shipped: PersonaLibrary, case: dict[str, Any]) -> None:
    with pytest.raises(CohortNotCovered) as caught:
        resolved(case["text"], shipped)
    assert f"'{case['refused']}'" in caught.value.message


@pytest.mark.parametrize("half", ["development", "test"])
def test_at_least_92_in_100_are_read_right(shipped: PersonaLibrary, half: str) -> None:
    faults = {case["text"]: fault_of(case, shipped) for case in HALVES[half]}
    wrong = {text: fault for text, fault in faults.items() if fault}
    assert len(faults) == len(HALVES[half]) >= 60
    assert len(wrong) <= (1 - LEAST_RIGHT) * len(faults), wrong


def test_no_sentence_is_in_both_halves() -> None:
    texts = [case["text"].lower() for half in HALVES.values() for case in half]
    assert len(texts) == len(set(texts))


def test_every_case_is_one_or_the_other_and_every_archetype_is_asked_for(shipped: PersonaLibrary) -> None:
    for half in HALVES.values():
        assert all(("cohort" in case) != ("refused" in case) for case in half)
    assert {case["cohort"] for case in COVERED} == set(shipped.ids())


def test_what_is_restricted_can_be_drawn(shipped: PersonaLibrary) -> None:
    for case in COVERED:
        if case.get("restrictions"):
            spec = resolved(case["text"], shipped)
            assert spec is not None
            assert draw(shipped.get(spec.persona_id), spec.restrictions, 10, 1).n == 10
