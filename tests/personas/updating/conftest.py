"""A user's folder over the archetypes made for the tests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from knowledge.base import KnowledgeBase, load_knowledge
from knowledge.schemas import Design, Seen, Source
from personas.updating.layered import LayeredLibrary
from personas.updating.learner import Learner

ROOT = Path(__file__).parents[1] / "archetypes"
TODAY = date(2026, 6, 30)
SOURCES = {
    "pmid-1": Source(
        source_id="pmid-1", title="made up", published="2016-06-30", design=Design.OBSERVATIONAL, seen=Seen.ABSTRACT
    )
}


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    return tmp_path / "data" / "personas"


@pytest.fixture
def layered(overlay: Path) -> LayeredLibrary:
    return LayeredLibrary(overlay, ROOT)


@pytest.fixture
def learner(layered: LayeredLibrary) -> Learner:
    return Learner(layered, SOURCES, today=lambda: TODAY)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """A file of observations: the header and rows as given."""

    def make(*lines: str, name: str = "clinic.csv") -> Path:
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return make


@pytest.fixture(scope="session")
def shipped_knowledge() -> KnowledgeBase:
    return load_knowledge()
