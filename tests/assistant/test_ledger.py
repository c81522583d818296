from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assistant.ledger import Ledger, verify_export
from knowledge.errors import InvalidInput, LedgerTampered, StoreDamaged, UnknownRun

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def _body(text: str) -> dict[str, object]:
    return {"answer": {"question": text, "status": "answered", "headline": text, "model": "offline"}}


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = Ledger(tmp_path / "ledger.sqlite")
    for name in ("r-aaa1", "r-bbb2", "r-bbb3"):
        made.append(name, NOW, _body(f"question {name}"))
    return made


def _change(ledger: Ledger, sql: str) -> None:
    with closing(sqlite3.connect(ledger._path)) as connection, connection:
        connection.execute(sql)


def test_an_untouched_ledger_verifies_and_lists_newest_first(ledger: Ledger) -> None:
    assert ledger.verify() == 3
    assert [run.run_id for run in ledger.recent(2)] == ["r-bbb3", "r-bbb2"]


def test_a_run_is_found_by_the_start_of_its_id(ledger: Ledger) -> None:
    assert ledger.get("r-aaa").run_id == "r-aaa1"
    with pytest.raises(UnknownRun, match="More than one"):
        ledger.get("r-bbb")
    for nobody in ("r-zzz", "", "%", "r_"):
        with pytest.raises(UnknownRun):
            ledger.get(nobody)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("UPDATE runs SET body = replace(body, 'r-aaa1', 'r-aaaX') WHERE seq = 1", "changed"),
        ("UPDATE runs SET created = '2020-01-01T00:00:00+00:00' WHERE seq = 2", "changed"),
        ("UPDATE runs SET run_id = 'r-other' WHERE seq = 3", "changed"),
        ("DELETE FROM runs WHERE seq = 2", "taken out"),
        ("DELETE FROM runs WHERE seq = 3", "cut off"),
        ("UPDATE head SET rows = 2", "should hold"),
    ],
)
def test_tampering_is_detected(ledger: Ledger, sql: str, said: str) -> None:
    _change(ledger, sql)
    with pytest.raises(LedgerTampered, match=said):
        ledger.verify()


def test_a_tampered_row_is_not_shown(ledger: Ledger) -> None:
    _change(ledger, "UPDATE runs SET body = replace(body, 'answered', 'partial') WHERE seq = 1")
    with pytest.raises(LedgerTampered, match="r-aaa1"):
        ledger.get("r-aaa1")


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"this is not a database" * 100)
    with pytest.raises(StoreDamaged, match="cannot be read"):
        Ledger(path)


def test_an_export_is_checked_without_the_ledger(ledger: Ledger, tmp_path: Path) -> None:
    out = tmp_path / "runs.jsonl"
    assert ledger.export(out) == 3
    assert verify_export(out) == (3, ledger.head())
    with pytest.raises(InvalidInput, match="there already"):
        ledger.export(out)
    empty = tmp_path / "empty.jsonl"
    assert Ledger(tmp_path / "new.sqlite").export(empty) == 0
    assert verify_export(empty)[0] == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: [*lines[:2], lines[2].replace("question", "answer", 1), lines[3]], "r-bbb2"),
        (lambda lines: [*lines[:2], lines[2].replace("2026-01-02", "2026-01-03"), lines[3]], "r-bbb2"),
        (lambda lines: [lines[0], lines[2], lines[3]], "taken out"),
        (lambda lines: [*lines, lines[3]], "taken out or put in"),
        (lambda lines: lines[:3], "cut off"),
        (lambda lines: [lines[0], lines[2], lines[1], lines[3]], "taken out"),
    ],
)
def test_a_changed_export_is_detected(
    ledger: Ledger, tmp_path: Path, change: Callable[[list[str]], list[str]], said: str
) -> None:
    out = tmp_path / "runs.jsonl"
    ledger.export(out)
    out.write_text("\n".join(change(out.read_text().splitlines())) + "\n")
    with pytest.raises(LedgerTampered, match=said):
        verify_export(out)


@pytest.mark.parametrize("text", ["", "no json", "[]", '{"format": "another"}', '{"format":"cohort-ledger-1"}'])
def test_what_is_no_export_is_said(tmp_path: Path, text: str) -> None:
    path = tmp_path / "runs.jsonl"
    path.write_text(text)
    with pytest.raises(InvalidInput, match="not a ledger"):
        verify_export(path)
    with pytest.raises(InvalidInput, match="cannot be read"):
        verify_export(tmp_path / "nowhere.jsonl")


def test_a_broken_chain_is_not_exported(ledger: Ledger, tmp_path: Path) -> None:
    _change(ledger, "DELETE FROM runs WHERE seq = 2")
    with pytest.raises(LedgerTampered):
        ledger.export(tmp_path / "runs.jsonl")
    with pytest.raises(InvalidInput, match="cannot be written"):
        Ledger(tmp_path / "new.sqlite").export(tmp_path / "no folder" / "runs.jsonl")
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.endswith(("jsonl", "part"))) == []


def test_a_record_tells_all(ledger: Ledger) -> None:
    record = ledger.record("r-aaa")
    assert record["run_id"] == "r-aaa1"
    assert record["answer"]["status"] == "answered"
    assert len(record["hash"]) == 64
    assert ledger.has("r-aaa1")
    assert not ledger.has("r-aaa")
