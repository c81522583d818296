"""Shared parts: one real assistant for the whole session, in a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.bootstrap import build_assistant
from assistant.service import Assistant
from assistant.settings import load_settings
from knowledge.base import KnowledgeBase, load_knowledge
from personas.library import PersonaLibrary

MAIN_QUESTION = (
    "How would adults over 65 with type 2 diabetes and chronic kidney disease react to semaglutide 1 mg weekly over 30 weeks?"
)


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cohort")


@pytest.fixture(scope="session")
def assistant(data_dir: Path) -> Iterator[Assistant]:
    with build_assistant(load_settings(data_dir=data_dir)) as built:
        yield built


@pytest.fixture(scope="session")
def shipped() -> KnowledgeBase:
    return load_knowledge()


@pytest.fixture(scope="session")
def library() -> PersonaLibrary:
    return PersonaLibrary()
