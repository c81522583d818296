from __future__ import annotations

from assistant.cohort_examples import MOST, cohort_examples
from knowledge.base import KnowledgeBase
from personas.library import PersonaLibrary


def test_examples_are_cohorts_in_whom_the_drug_was_studied(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    names = cohort_examples({"febuxostat"}, shipped, library)
    assert "Adults with gout and hyperuricaemia" in names
    assert "Adults with obesity" not in names
    assert len(cohort_examples({"semaglutide"}, shipped, library)) == MOST
    assert set(cohort_examples({"semaglutide"}, shipped, library)) > {
        "Adults with type 2 diabetes",
        "Adults with obesity",
    }


def test_without_a_drug_common_cohorts_are_named(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    names = cohort_examples((), shipped, library)
    assert names == cohort_examples({"no such drug"}, shipped, library)
    assert names[0] == "Adults with type 2 diabetes"
