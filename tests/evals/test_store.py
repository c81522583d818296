"""Records on disk survive a kill at any byte, and none is kept twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from evals.case_schemas import AnswersCase
from evals.keys import case_hash, code_hash, content_key, folder_hash
from evals.schemas import Record, Suite
from evals.store import FILE, RecordStore


def _record(key: str, headline: str = "ä") -> Record:
    return Record(case_id=f"case-{key}", suite=Suite.ANSWERS, model="offline", key=key, headline=headline)


def test_what_was_put_is_there_after_reopening(tmp_path: Path) -> None:
    with RecordStore(tmp_path) as store:
        store.put(_record("a"))
        store.put(_record("b", "x" * 5000))
    with RecordStore(tmp_path) as store:
        assert len(store) == 2
        assert store.get("b").headline == "x" * 5000
        assert "c" not in store
        with pytest.raises(ValueError, match="run twice"):
            store.put(_record("a"))


def test_a_line_that_was_cut_short_is_dropped_and_written_again(tmp_path: Path) -> None:
    with RecordStore(tmp_path) as store:
        store.put(_record("a"))
        store.put(_record("b"))
    whole = (tmp_path / FILE).read_bytes()
    first = whole.index(b"\n") + 1
    for cut in (first, first + 1, first + 40, len(whole) - 1):
        (tmp_path / FILE).write_bytes(whole[:cut])
        with RecordStore(tmp_path) as store:
            assert "a" in store
            assert "b" not in store
            store.put(_record("b"))
        assert (tmp_path / FILE).read_bytes() == whole


def test_a_damaged_line_does_not_hide_the_others(tmp_path: Path) -> None:
    with RecordStore(tmp_path) as store:
        store.put(_record("a"))
        store.put(_record("b"))
    lines = (tmp_path / FILE).read_bytes().splitlines(keepends=True)
    (tmp_path / FILE).write_bytes(b'{"key": "zzz"}\n' + b"nonsense\n" + lines[1])
    with RecordStore(tmp_path) as store:
        assert len(store) == 1
        assert store.get("b").case_id == "case-b"


def test_the_last_record_of_a_key_counts_after_a_fresh_run(tmp_path: Path) -> None:
    with RecordStore(tmp_path) as store:
        store.put(_record("a", "old"))
        store.forget(["a"])
        store.put(_record("a", "new"))
        assert store.get("a").headline == "new"
    with RecordStore(tmp_path) as store:
        assert store.get("a").headline == "new"


def test_a_file_that_grew_too_large_keeps_what_was_used(tmp_path: Path) -> None:
    with RecordStore(tmp_path) as store:
        for key in "abc":
            store.put(_record(key))
        store.compact(["b"], largest=10)
        assert len(store) == 1
        store.put(_record("d"))
    with RecordStore(tmp_path) as store:
        assert store.get("b").case_id == "case-b"
        assert "d" in store
        assert "a" not in store


def test_a_key_depends_on_everything_that_decides_the_answer() -> None:
    case = AnswersCase.model_validate(
        {"id": "x", "source": "test", "why": "because of it", "question": "q", "expect": {"status": "answered"}}
    )
    plain = {"model": "offline", "version": "", "evidence": "e", "settings": {"seed": 1}}

    def key(of: AnswersCase = case, **changes: object) -> str:
        return content_key(of, **(plain | changes))  # type: ignore[arg-type]

    others = [
        key(case.model_copy(update={"question": "p"})),
        key(case.model_copy(update={"seed": 2})),
        key(model="openai:x"),
        key(version="http://127.0.0.1"),
        key(evidence="f"),
        key(settings={"seed": 2}),
    ]
    assert len({key(), *others}) == 7
    assert key() == key()
    assert case_hash(case) == case_hash(case.model_copy(update={"seed": 2}))
    assert case_hash(case) != case_hash(case.model_copy(update={"question": "p"}))


def test_code_and_folders_have_hashes(tmp_path: Path) -> None:
    assert code_hash() == code_hash()
    assert code_hash(Suite.HOLDOUT) != code_hash(Suite.ANSWERS)
    assert folder_hash(None) == ""
    (tmp_path / "a.csv").write_text("1", encoding="utf-8")
    before = folder_hash(tmp_path)
    (tmp_path / "a.csv").write_text("12", encoding="utf-8")
    assert folder_hash(tmp_path) != before
