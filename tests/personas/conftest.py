"""The archetypes made for the tests (tests/personas/archetypes), and the shipped ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from personas.library import PersonaLibrary
from personas.schemas import Persona


@pytest.fixture(scope="session")
def library() -> PersonaLibrary:
    """Every kind of margin, correlations, a child and a grandchild."""
    return PersonaLibrary(Path(__file__).parent / "archetypes")


@pytest.fixture(scope="session")
def people(library: PersonaLibrary) -> Persona:
    """The root of them."""
    return library.get("people")


@pytest.fixture(scope="session")
def shipped() -> PersonaLibrary:
    """The archetypes of the product."""
    return PersonaLibrary()
