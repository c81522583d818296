"""Observed outcomes: every wrong row is named; right ones find their prediction; the command tells an alarm by its exit code."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from assistant.ledger import Ledger
from assistant.schemas import Answer
from assistant.service import Assistant
from evals.drift_cli import drift
from evals.observations import match, read_observations
from knowledge.errors import InvalidInput, LedgerTampered

HEAD = "run_id,estimate_id,observed,unit,date,n,se\n"


def today() -> date:
    """Not a constant: a session may begin before midnight and ask after it."""
    return datetime.now(UTC).date()


def written(folder: Path, text: str, name: str = "observed.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def answer(assistant: Assistant) -> Answer:
    return assistant.ask("How would adults with type 2 diabetes react to semaglutide 1 mg weekly over 30 weeks?")


def test_rows_are_read_from_csv_and_json(tmp_path: Path) -> None:
    text = "﻿run_id, estimate_id, observed, unit, date, n\nr-1,a.mean,-1.2,%-points,2026-11-01,40\n\n"
    [(place, one)] = read_observations(written(tmp_path, text))
    assert (place, one.observed, one.n, one.se) == ("row 2", -1.2, 40, None)
    entry = {"run_id": "r-1", "estimate_id": "a.mean", "observed": 1, "unit": "kg", "date": "2026-11-01", "se": 0.5}
    [(place, one)] = read_observations(written(tmp_path, json.dumps([entry]), "observed.json"))
    assert (place, one.se) == ("entry 1", 0.5)


def test_every_wrong_row_is_named(tmp_path: Path) -> None:
    rows = [
        "r-1,a.mean,minus one,kg,2026-11-01,40,",
        "r-1,a.mean,nan,kg,2026-11-01,40,",
        "r-1,a.mean,1,,2026-11-01,40,",
        "r-1,a.mean,1,kg,01/11/2026,40,",
        "r-1,a.mean,1,kg,2026-11-01,0,",
        "r-1,a.mean,1,kg,2026-11-01,,-1",
        "r-1,a.mean,1,kg,2026-11-01,,",
        "r-1,a.mean,1,kg,2026-11-01,40,1,surplus",
        "r-1,a.mean,1,kg,2026-11-01,40,1",
    ]
    with pytest.raises(InvalidInput) as caught:
        read_observations(written(tmp_path, HEAD + "\n".join(rows)))
    message = caught.value.message
    for row in range(2, 10):
        assert f"row {row}:" in message
    assert "row 10" not in message
    assert "how surely" in message
    assert "minus one" in message


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "run_id,observed\nr-1,1\n", "no column estimate_id, unit, date"),
        ("a.csv", HEAD, "holds no observed outcome"),
        ("a.json", "{", "not JSON"),
        ("a.json", "{}", "not a list"),
        ("a.json", "[3]", "entry 1"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        read_observations(written(tmp_path, text, name))
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_observations(tmp_path / "missing.csv")


def test_outcomes_find_their_prediction(assistant: Assistant, answer: Answer, tmp_path: Path) -> None:
    text = HEAD + f"{answer.run_id[:10]},hba1c_change.mean,-1.3,%-points,{today()},200,\n"
    text += f"{answer.run_id},nausea.mean,25,%,{today()},100,\n"
    path = written(tmp_path, text)
    found = match(read_observations(path), assistant.ledger, path, shares={"nausea"})
    by_id = {one.estimate_id: one for one in found}
    predicted = {estimate.id: estimate for estimate in answer.estimates}
    first = by_id["hba1c_change.mean"]
    assert (first.point, first.lower) == (predicted["hba1c_change.mean"].point, predicted["hba1c_change.mean"].lower)
    assert first.probability == answer.confidence.probability
    assert first.se is None
    share = predicted["nausea.mean"].point / 100
    assert by_id["nausea.mean"].se == pytest.approx(100 * (share * (1 - share) / 100) ** 0.5)


def test_outcomes_that_belong_to_no_prediction_are_named(assistant: Assistant, answer: Answer, tmp_path: Path) -> None:
    run = answer.run_id
    rows = [
        f"r-nothing,hba1c_change.mean,1,%-points,{today()},9,",
        f"{run},hba1c_chang.mean,1,%-points,{today()},9,",
        f"{run},hba1c_change.mean,1,mmol/mol,{today()},9,",
        f"{run},hba1c_change.mean,1,%-points,{today() - timedelta(days=2)},9,",
        f"{run},hba1c_change.mean,1,%-points,{today() + timedelta(days=2)},9,",
        f"{run},hba1c_change.individual_range,1,%-points,{today()},9,",
        f"{run},nausea.mean,120,%,{today()},9,",
        f"{run},weight_change.mean,-5,kg,{today()},9,",
        f"{run},weight_change.mean,-5,kg,{today()},9,",
    ]
    path = written(tmp_path, HEAD + "\n".join(rows))
    with pytest.raises(InvalidInput) as caught:
        match(read_observations(path), assistant.ledger, path, shares={"nausea"})
    lines = caught.value.message.splitlines()
    expected = {
        2: "no run",
        3: "it predicted hba1c_change.mean",
        4: "predicted in '%-points'",
        5: "no forecast",
        6: "in the future",
        7: "is no prediction",
        8: "no share",
        10: "in row 9 already",
    }
    for row, words in expected.items():
        assert any(f"row {row}:" in line and words in line for line in lines), (row, lines)
    assert not any("row 9:" in line for line in lines)


@pytest.fixture
def command() -> typer.Typer:
    app = typer.Typer()
    app.command()(drift)
    return app


def test_the_command_rings_by_its_exit_code(
    assistant: Assistant, answer: Answer, data_dir: Path, tmp_path: Path, command: typer.Typer
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    ledger = Ledger(folder / "ledger.sqlite")
    body = assistant.ledger.get(answer.run_id).body
    mean = next(one for one in answer.estimates if one.id == "hba1c_change.mean")
    assert mean.upper is not None
    for number in range(12):
        ledger.append(f"r-follow{number:02d}", datetime.now(UTC), body)

    def run(observed: float) -> tuple[int, str, Path]:
        rows = [f"r-follow{number:02d},hba1c_change.mean,{observed},%-points,{today()},,0.01" for number in range(12)]
        path = written(tmp_path, HEAD + "\n".join(rows))
        out = tmp_path / "report.json"
        found = CliRunner().invoke(command, ["--observed", str(path), "--data", str(folder), "--json", str(out)])
        return found.exit_code, found.stdout, out

    code, text, out = run(mean.point)
    assert (code, "no alarm" in text) == (0, True), text
    code, text, out = run(mean.point + 2.0)
    assert code == 1
    assert "ALARM on" in text
    report = json.loads(out.read_text(encoding="utf-8"))
    assert [bool(chart["alarms"]) for chart in report["charts"]] == [True, True, True]


def test_a_ledger_that_was_changed_is_not_used(
    assistant: Assistant, answer: Answer, data_dir: Path, tmp_path: Path, command: typer.Typer
) -> None:
    import sqlite3

    folder = tmp_path / "data"
    folder.mkdir()
    shutil.copy(data_dir / "ledger.sqlite", folder)
    connection = sqlite3.connect(folder / "ledger.sqlite")
    with connection:
        connection.execute("UPDATE runs SET body = replace(body, 'semaglutide', 'sitagliptin')")
    connection.close()
    path = written(tmp_path, HEAD + f"{answer.run_id},hba1c_change.mean,-1,%-points,{today()},9,\n")
    found = CliRunner().invoke(command, ["--observed", str(path), "--data", str(folder)])
    assert isinstance(found.exception, LedgerTampered)
    missing = CliRunner().invoke(command, ["--observed", str(path), "--data", str(tmp_path)])
    assert isinstance(missing.exception, InvalidInput)
