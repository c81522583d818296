"""Each import contract of pyproject.toml holds, and fails when it is broken."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("knowledge", "personas", "tools", "assistant", "ui", "evals")

# contract id -> (file to spoil, the line that spoils it)
BREACHES = {
    "floors": ("knowledge/schemas.py", "import tools.schemas"),
    "chroma": ("assistant/service.py", "import chromadb"),
    "web": ("assistant/service.py", "import fastapi"),
    "langchain": ("tools/registry.py", "import langchain_core.tools"),
    "numeric": ("tools/response/model.py", "import sqlite3"),
    "faces": ("ui/terminal.py", "import knowledge.base"),
}


def _lint(folder: Path, *contracts: str) -> subprocess.CompletedProcess[str]:
    command = [
        str(Path(sys.executable).parent / "lint-imports"),
        "--no-cache",
        "--config",
        str(folder / "pyproject.toml"),
    ]
    for contract in contracts:
        command += ["--contract", contract]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("contracts")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package,
            folder / package,
            ignore=lambda d, names: [n for n in names if "." in n and not n.endswith(".py")],
        )
    return folder


def test_every_contract_has_a_breach_here() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert {contract["id"] for contract in declared} == set(BREACHES)


def test_all_contracts_hold(copy: Path) -> None:
    result = _lint(copy)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("contract", BREACHES)
def test_a_broken_contract_is_reported(copy: Path, contract: str) -> None:
    name, line = BREACHES[contract]
    path = copy / name
    original = path.read_text(encoding="utf-8")
    path.write_text(original + f"\n{line}\n", encoding="utf-8")
    try:
        result = _lint(copy, contract)
    finally:
        path.write_text(original, encoding="utf-8")
    assert result.returncode == 1, result.stdout + result.stderr
    assert "BROKEN" in result.stdout
