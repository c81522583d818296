from __future__ import annotations

from pathlib import Path

import pytest

from assistant.settings import Settings, load_settings
from knowledge.errors import InvalidInput

README = Path(__file__).resolve().parents[2] / "README.md"


def test_an_unknown_variable_is_refused_and_the_nearest_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COHORT_MODLE", "offline")
    with pytest.raises(InvalidInput, match="COHORT_MODEL"):
        load_settings()


def test_a_wrong_value_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COHORT_MAX_SECONDS", "-3")
    with pytest.raises(InvalidInput, match="MAX_SECONDS"):
        load_settings()


def test_the_readme_table_lists_every_setting_with_its_default() -> None:
    text = README.read_text(encoding="utf-8")
    for name, field in Settings.model_fields.items():
        row = next((line for line in text.splitlines() if line.startswith(f"| `COHORT_{name.upper()}`")), None)
        assert row is not None, f"README has no row for COHORT_{name.upper()}"
        if name not in ("data_dir", "api_key"):
            assert f"`{field.default}`" in row or (field.default == "" and "empty" in row), row
        assert field.description is not None
        assert field.description.strip("'") in row
