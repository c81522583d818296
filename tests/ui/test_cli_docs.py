"""The examples of ui/docs are run as they stand there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from assistant.owners import Owners
from tests.ui.serving import serving
from ui.server import create_app

DOCS = Path(__file__).resolve().parents[2] / "ui" / "docs"
BIN = Path(sys.executable).parent
SERVED = "http://127.0.0.1:7860"


def _blocks(name: str, language: str) -> list[str]:
    text = (DOCS / name).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def _run(command: list[str], folder: Path, place: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, timeout=400, check=False, cwd=place,
        env={**os.environ, "COHORT_DATA_DIR": str(folder), "PATH": f"{BIN}:{os.environ['PATH']}"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def address(owners: Owners) -> Iterator[str]:
    with serving(create_app(owners, chat=False)) as found:
        yield found


@pytest.mark.slow
def test_the_commands_of_cli_md(copy_of_store: Callable[[], Path], tmp_path: Path) -> None:
    folder = copy_of_store()
    blocks = _blocks("cli.md", "bash")
    assert len(blocks) >= 7
    for block in blocks:
        done = _run(["bash", "-eo", "pipefail", "-c", block], folder, tmp_path)
        assert done.returncode == 0, f"{block}\n{done.stdout[-2000:]}\n{done.stderr}"
        assert "Traceback" not in done.stderr
    assert (tmp_path / "answer.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "ann.key").read_text().startswith("ct_")


def test_the_exit_codes_of_cli_md_are_those_of_the_help() -> None:
    told = dict(re.findall(r"^\| (\d+) \| (.+?) \|$", (DOCS / "cli.md").read_text(encoding="utf-8"), re.MULTILINE))
    from ui.cli import app

    assert told == dict(re.findall(r"^  (\d+) +(.+)$", str(app.info.epilog), re.MULTILINE))


@pytest.mark.parametrize(
    ("name", "said"),
    [("openai.md", ("limited to women", "HbA1c|weight", "r-")), ("mcp.md", ("'ask'", "HbA1c", "t2d_adults"))],
)
def test_the_python_of_the_docs(name: str, said: tuple[str, ...], address: str, tmp_path: Path) -> None:
    for block in _blocks(name, "python"):
        done = _run([sys.executable, "-c", block.replace(SERVED, address)], tmp_path, tmp_path)
        assert done.returncode == 0, done.stderr
        for words in said:
            assert re.search(words, done.stdout), words


def test_the_curl_of_openai_md(address: str, tmp_path: Path) -> None:
    (block,) = _blocks("openai.md", "bash")
    done = _run(["bash", "-c", block.replace(SERVED, address)], tmp_path, tmp_path)
    assert "HbA1c" in json.loads(done.stdout)["choices"][0]["message"]["content"]


def test_the_configuration_of_mcp_md_starts_a_server() -> None:
    (block,) = _blocks("mcp.md", "json")
    server = json.loads(block)["mcpServers"]["cohort-twin"]
    assert [server["command"], *server["args"]] == ["cohort", "mcp"]
    from ui.cli import app

    assert "mcp" in {command.name for command in app.registered_commands}
