"""Shared parts: one real assistant for the whole session, in a folder of its own."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import knowledge
from assistant.bootstrap import build_assistant
from assistant.service import Assistant
from assistant.settings import load_settings
from knowledge.base import KnowledgeBase, load_knowledge
from knowledge.store import FILE_NAME as STORE
from personas.library import PersonaLibrary

MAIN_QUESTION = "How would adults over 65 with type 2 diabetes and chronic kidney disease react to semaglutide 1 mg weekly over 30 weeks?"


@pytest.fixture(scope="session")
def embedded_before(pytestconfig: pytest.Config) -> Path | None:
    """Where an earlier session left vectors and the exported model, which take a minute to make; None without a cache.

    The code that makes them is part of the name, and vectors are kept by the hash of their text: what is stale is not
    used. `pytest --cache-clear` forgets them.
    """
    if pytestconfig.cache is None:
        return None
    made_by = ("embedding.py", "onnx_export.py", "store.py", "migrations.py")
    code = b"".join((Path(knowledge.__file__).parent / name).read_bytes() for name in made_by)
    return pytestconfig.cache.mkdir("cohort") / hashlib.sha256(code).hexdigest()[:16]


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory, embedded_before: Path | None) -> Path:
    folder = tmp_path_factory.mktemp("cohort")
    if embedded_before is not None and embedded_before.is_dir():
        shutil.copytree(embedded_before, folder, dirs_exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def assistant(data_dir: Path, embedded_before: Path | None) -> Iterator[Assistant]:
    with build_assistant(load_settings(data_dir=data_dir)) as built:
        yield built
    if embedded_before is not None and not embedded_before.exists() and (data_dir / "index").is_dir():
        partial = Path(tempfile.mkdtemp(dir=embedded_before.parent))
        shutil.copytree(data_dir / "models", partial / "models")
        shutil.copy(data_dir / STORE, partial / STORE)
        partial.rename(embedded_before)


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
