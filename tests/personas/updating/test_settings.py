"""The figures behind learning are what they say they are."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from knowledge.base import KnowledgeBase
from personas.library import ARCHETYPES, PersonaLibrary
from personas.schemas import Attribute
from personas.updating.settings import updating_settings


def test_each_number_of_people_is_printed_in_an_archetype() -> None:
    printed = " ".join(file.read_text(encoding="utf-8") for file in ARCHETYPES.rglob("*.yaml"))
    plain = printed.replace(" ", "")
    for source_id, people in updating_settings().people.items():
        assert source_id in printed, source_id
        assert str(people.n) in plain, source_id
        # The archetype that is named cites the source.
        archetype = people.where.split(",")[0]
        (file,) = ARCHETYPES.rglob(f"{archetype}.yaml")
        assert source_id in file.read_text(encoding="utf-8"), source_id


def test_the_spread_between_settings_is_that_of_the_evidence(shipped_knowledge: KnowledgeBase) -> None:
    """The SD of the trials' mean HbA1c over that of individuals, within what later trials may change."""
    means: dict[str, list[float]] = defaultdict(list)
    for arm in shipped_knowledge.arms.arms:
        if arm.area == "type_2_diabetes" and arm.cohort == "all" and arm.baseline.hba1c is not None:
            means[arm.trial].append(arm.baseline.hba1c)
    individuals = PersonaLibrary().get("t2d_adults").biomarkers["hba1c"].sd or 1.0
    found = float(np.std([np.mean(values) for values in means.values()], ddof=1)) / individuals
    assert len(means) > 50
    assert found == pytest.approx(updating_settings().between_settings_sd.value, abs=0.05)


def test_a_source_is_worth_more_than_an_assumption_and_never_more_than_the_limit() -> None:
    settings = updating_settings()
    limit = 1 / settings.between_settings_sd.value**2
    seen = Attribute.model_validate(
        {
            "distribution": "normal",
            "unit": "x",
            "mean": 1,
            "sd": 1,
            "source": {"source_id": "pmid-25452877", "locator": "t"},
        }
    )
    small = seen.model_copy(
        update={"source": seen.source and seen.source.model_copy(update={"source_id": "web-aware-ckd-t2d"})}
    )
    assumed = Attribute.model_validate(
        {"distribution": "normal", "unit": "x", "mean": 1, "sd": 1, "assumption": "made up"}
    )
    worth = [settings.people_worth(item)[0] for item in (assumed, small, seen)]
    assert worth == sorted(worth)
    assert worth[-1] < limit
    assert settings.people_worth(seen)[1] == "pmid-25452877, n = 328,908"
