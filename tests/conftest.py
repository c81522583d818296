"""Shared parts: one real assistant for the whole session, in a folder of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from assistant.bootstrap import build_assistant
from assistant.service import Assistant
from assistant.settings import load_settings
from knowledge.base import KnowledgeBase, load_knowledge
from personas.library import PersonaLibrary

MAIN_QUESTION = "How would adults over 65 with type 2 diabetes and chronic kidney disease react to semaglutide 1 mg weekly over 30 weeks?"


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cohort")


@pytest.fixture(scope="session")
def assistant(data_dir: Path) -> Iterator[Assistant]:
    with build_assistant(load_settings(data_dir=data_dir)) as built:
        yield built


@pytest.fixture(scope="session")
def copy_of_store(assistant: Assistant, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """A folder of its own with the index already built, for tests that start other processes."""
    assistant.index_report()

    def copy() -> Path:
        folder = tmp_path_factory.mktemp("store") / "cohort"
        shutil.copytree(data_dir, folder, ignore=shutil.ignore_patterns("owner.lock", "open-*", "ledger*"))
        return folder

    return copy


@pytest.fixture(scope="session")
def shipped() -> KnowledgeBase:
    return load_knowledge()


@pytest.fixture(scope="session")
def library() -> PersonaLibrary:
    return PersonaLibrary()
