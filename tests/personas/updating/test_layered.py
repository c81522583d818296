"""An ask pays next to nothing for what can be learned: the types and numbers of learning are not even imported."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from knowledge.errors import StoreDamaged
from personas.updating.layered import LayeredLibrary
from personas.updating.learner import Learner

ROOT = Path(__file__).parents[1] / "archetypes"
CODE = """
import sys
from pathlib import Path
import assistant.persona_bank
from personas.updating.layered import LayeredLibrary
library = LayeredLibrary(Path(sys.argv[1]), Path(sys.argv[2]))
print(library.get("people").biomarkers["sbp"].mean)
print(sorted(name for name in sys.modules if name.startswith(("personas.bank.", "personas.updating."))))
"""


def test_serving_what_was_learned_imports_nothing_of_learning(
    learner: Learner, write: Callable[..., Path], overlay: Path
) -> None:
    header = "attribute,unit,n,mean,sd,date"
    report = learner.update("people", write(header, "sbp,mmHg,60,136,12,2026-01-15"))
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(overlay), str(ROOT)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT.parents[2],
    )
    served, modules = done.stdout.splitlines()
    assert float(served) == pytest.approx(report.entry.changes[0].figures[0].after, rel=1e-5)
    assert modules == str(["personas.updating.layered", "personas.updating.thread"])


def test_a_damaged_file_of_threads_is_said(overlay: Path) -> None:
    overlay.mkdir(parents=True)
    (overlay / "threads.sqlite").write_bytes(b"this is not a database, however long it may be" * 40)
    with pytest.raises(StoreDamaged, match="threads of the archetypes cannot be read"):
        LayeredLibrary(overlay, ROOT).get("people")


def test_an_empty_file_of_threads_is_no_thread(overlay: Path) -> None:
    """A crash before the first entry leaves an empty database."""
    overlay.mkdir(parents=True)
    (overlay / "threads.sqlite").touch()
    library = LayeredLibrary(overlay, ROOT)
    assert library.get("people").biomarkers["sbp"].mean == 128
    assert library.threads.entries("people") == ()
