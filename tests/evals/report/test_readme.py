"""The README's figures are those of the committed report."""

from __future__ import annotations

from pathlib import Path

import pytest

from evals import readme
from evals.report import gather, write
from evals.report.telling import sentences
from evals.schemas import EvalRun
from knowledge.errors import DataError


def test_the_readme_says_what_the_committed_report_says() -> None:
    text = readme.README.read_text(encoding="utf-8")
    assert readme.filled(text, readme.committed()) == text, "run: python -m evals readme"


def test_update_writes_between_the_markers_only(tmp_path: Path, run: EvalRun) -> None:
    write(run, None, tmp_path)
    target = tmp_path / "README.md"
    target.write_text(f"before\n{readme.BEGIN}\nold\n{readme.END}\nafter\n", encoding="utf-8")
    assert "now says" in readme.update(target, tmp_path)
    made = target.read_text(encoding="utf-8")
    assert made.startswith(f"before\n{readme.BEGIN}\n- The offline planner passes ")
    assert made.endswith(f"{readme.END}\nafter\n")
    assert "old" not in made
    assert "| Leave one trial out | Inside the 90 % interval | 89 % |" in made
    assert "says what" in readme.update(target, tmp_path)
    assert target.read_text(encoding="utf-8") == made


@pytest.mark.parametrize(
    "text", ["nothing", f"{readme.END} {readme.BEGIN}", f"{readme.BEGIN} {readme.BEGIN} {readme.END}"]
)
def test_a_readme_without_its_markers_is_refused(text: str, run: EvalRun) -> None:
    contents = gather(run).model_copy(update={"headline": tuple(sentences(gather(run)))})
    with pytest.raises(DataError, match="no place"):
        readme.filled(text, contents)


def test_a_report_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("[]", encoding="utf-8")
    with pytest.raises(DataError, match="cannot be read"):
        readme.committed(tmp_path)
