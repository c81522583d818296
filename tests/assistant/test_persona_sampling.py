"""Patients are drawn into a file without an assistant, also while another process owns the data directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.persona_sampling import sample_personas
from assistant.settings import Settings
from knowledge.errors import UnknownPersona
from knowledge.lock import DataDirLock


def test_a_data_directory_in_use_is_no_obstacle(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    with DataDirLock(settings.data_dir):
        report = sample_personas(["t2d_adults"], ["age>=65"], tmp_path / "x.csv", n=20, seed=3, settings=settings)
    assert report.patients == 20
    assert len((tmp_path / "x.csv").read_text("utf-8").splitlines()) == 21


def test_an_unknown_archetype_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownPersona, match="'martians'"):
        sample_personas(["martians"], [], tmp_path / "x.csv", n=5, settings=Settings(data_dir=tmp_path / "data"))
    assert not (tmp_path / "x.csv").exists()
