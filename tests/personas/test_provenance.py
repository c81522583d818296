"""The page of everything that is assumed, against the archetypes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from personas.library import PersonaLibrary, provenance_summary
from personas.provenance import PAGE, assumed_values, provenance_page


def test_the_page_is_current(shipped: PersonaLibrary) -> None:
    """After a change of an archetype: `python -m personas.provenance`."""
    assert PAGE.read_text("utf-8") == provenance_page(shipped)


def test_every_value_without_a_source_is_listed(shipped: PersonaLibrary) -> None:
    """Each has a reason, and stands under the archetype that states it or under one it inherits it from."""
    page = provenance_page(shipped)
    sections = {part.split("`")[1]: part for part in page.split("\n## ")[1:]}
    count = 0
    for persona in shipped:
        line = (persona.id, *shipped.ancestors(persona.id))
        for name, item in persona.values.items():
            if item.source is not None:
                continue
            reason = " ".join((item.assumption or "").split())
            assert len(reason) >= 5, (persona.id, name)
            assert any(reason in sections.get(ancestor, "") for ancestor in line), (persona.id, name)
            count += 1
    assert count == sum(provenance_summary(persona)[1] for persona in shipped)


def test_a_child_lists_only_its_own(library: PersonaLibrary) -> None:
    people, older = library.get("people"), library.get("people_older")
    assert set(assumed_values(people)) >= {"age", "correlation of age and egfr", "rate of death"}
    assert "hba1c" not in assumed_values(people)
    assert "age" not in assumed_values(older, people) or older.attributes["age"] != people.attributes["age"]
    assert set(assumed_values(older, people)) < set(assumed_values(older))
    assert "## Older people (`people_older`)" in provenance_page(library)


def test_shares(library: PersonaLibrary) -> None:
    for persona in library:
        sourced, assumed, share = provenance_summary(persona)
        assert sourced + assumed == len(persona.values)
        assert persona.assumed_share == pytest.approx(1 - share)
        assert f"| {persona.id} | {sourced + assumed} | {assumed} | {100 * (1 - share):.0f} % |" in provenance_page(
            library
        )


def test_the_page_is_the_same_in_every_process() -> None:
    code = (
        "import sys; from personas.library import PersonaLibrary; from personas.provenance import provenance_page;"
        "sys.stdout.buffer.write(provenance_page(PersonaLibrary()).encode())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=Path(__file__).parents[2])
    assert done.stdout.decode("utf-8") == provenance_page(PersonaLibrary())
