"""Killed at any moment, the library keeps what was acknowledged, and a rerun completes the rest."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from knowledge.base import KnowledgeBase
from knowledge.embedding import Embedder
from knowledge.errors import StoreError
from knowledge.ingest.ingestor import open_ingestor
from knowledge.ingest.library import Library
from knowledge.ingest.schemas import FileStatus
from knowledge.retrieval import LiteratureRetriever
from knowledge.store import FILE_NAME, Store

REPOSITORY = Path(__file__).parents[2]
IMPORT_AND_INDEX = """
import sys
from pathlib import Path
from knowledge.base import load_knowledge
from knowledge.ingest.ingestor import open_ingestor
from knowledge.retrieval import LiteratureRetriever
from knowledge.embedding import open_embedder
knowledge, data_dir, library = map(Path, sys.argv[1:])
base = load_knowledge(knowledge)
print("ready", flush=True)
with open_ingestor(data_dir, base) as ingestor:
    ingestor.import_paths([library], acknowledge=lambda report: print(report.model_dump_json(), flush=True))
    ingestor.embed(open_embedder(data_dir / "models"))
    LiteratureRetriever.open(base, data_dir).close()
print("done", flush=True)
"""
NOUNS = ("kidney", "heart", "liver", "weight", "pressure", "glucose", "sleep", "hunger", "nausea", "vision")


def text(number: int) -> str:
    """Text with a word of its own, so that a search for it finds it and no other."""
    own = "".join("bdfgklmnpr"[int(digit)] + "aeiou"[int(digit) % 5] for digit in str(number))
    words = " ".join(f"{NOUNS[number * step % 10]} {number * step}" for step in range(1, 15))
    return f"Semaglutide and the {NOUNS[number % 10]} of {number} people called {own}. In detail: {own} {words} {own}."


def write(folder: Path, number: int) -> Path:
    """One file of one of three kinds; every fifth one changes a file that was there before."""
    kind = number % 3
    if kind == 0:
        path = folder / f"{number}.nbib"
        head = "TI  - Study\nDP  - 2020\nAB  -"
        ids = (10 * number + 1, 10 * number + 2)
        path.write_text("\n".join(f"PMID- {own}\n{head} {text(own)}\n" for own in ids))
    elif kind == 1:
        path = folder / f"{number - number % 5}.md"
        path.write_text(f"---\ntitle: Note of {number}\npublished: 2021\n---\n{text(number)}\n")
    else:
        path = folder / f"{number}.csv"
        row = f"Trial {number},semaglutide,1,100,-1.{number % 10},1.1,{number},hba1c_change,2020"
        path.write_text(f"study,treatment,dose,n,mean,sd,time,outcome,year\n{row}\n")
    return path


def content(data_dir: Path) -> tuple[object, ...]:
    """All imported rows but for the times of import."""
    with Store(data_dir / FILE_NAME) as store:
        library = Library(store)
        return library.sources(), library.passages(), library.arms(), library.paths()


def check(data_dir: Path, acknowledged: dict[str, tuple[int, int, int]]) -> None:
    """Each acknowledged file is there whole."""
    with closing(sqlite3.connect(data_dir / FILE_NAME)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    with Store(data_dir / FILE_NAME) as store:
        library = Library(store)
        passages = {passage.passage_id for passage in library.passages()}
        for path, counts in acknowledged.items():
            brought = library.belongings(path)
            assert brought is not None, path
            assert (len(brought.sources), len(brought.passages), len(brought.arms)) == counts, path
            assert brought.passages <= passages


def kill_repeatedly(rounds: int, files: int, seed: int, base: KnowledgeBase, data_dir: Path, folder: Path) -> None:
    folder.mkdir()
    data_dir.mkdir(exist_ok=True)
    chance = random.Random(seed)
    acknowledged: dict[str, tuple[int, int, int]] = {}
    killed_early = number = 0
    command = [sys.executable, "-c", IMPORT_AND_INDEX, str(base.root), str(data_dir), str(folder)]
    for _ in range(rounds):
        for _ in range(files):
            number += 1
            acknowledged.pop(str(write(folder, number)), None)
        with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(chance.choice([0.05, 0.3, 2.0]) * chance.random())
            process.kill()
            lines = process.stdout.read().splitlines()
        killed_early += "done" not in lines
        for line in lines:
            if line.startswith("{") and line.endswith("}"):
                report = json.loads(line)
                if report["status"] == FileStatus.TAKEN:
                    acknowledged[report["path"]] = (report["sources"], report["passages"], report["arms"])
        check(data_dir, acknowledged)
        with LiteratureRetriever.open(base, data_dir) as retriever, Store(data_dir / FILE_NAME) as store:
            passages = store.passages()
            assert retriever.count == len(passages)
            for passage in chance.sample(passages, min(3, len(passages))):
                assert passage.text in {hit.passage.text for hit in retriever.search(passage.text, k=20)}
    assert killed_early >= rounds // 2
    with open_ingestor(data_dir, base) as ingestor:
        assert ingestor.import_paths([folder]).skipped == 0
        assert ingestor.import_paths([folder]).taken == 0
    with open_ingestor(data_dir.with_name("reference"), base) as ingestor:
        ingestor.import_paths([folder])
    assert content(data_dir) == content(data_dir.with_name("reference"))


@pytest.fixture
def data_dir(tmp_path: Path, models_dir: Path, embedder: Embedder) -> Path:
    assert (models_dir / embedder.name).is_dir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "models").symlink_to(models_dir)
    return tmp_path / "data"


@pytest.mark.slow
def test_killed_ten_times_nothing_acknowledged_is_lost_and_a_rerun_completes(
    folder, data_dir: Path, tmp_path: Path
) -> None:
    kill_repeatedly(10, 24, 5, folder.load(), data_dir, tmp_path / "library")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_a_hundred_times(folder, data_dir: Path, tmp_path: Path) -> None:
    kill_repeatedly(100, 15, 6, folder.load(), data_dir, tmp_path / "library")


def test_one_bad_file_among_a_thousand_is_reported_and_passed_over(folder, tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    for number in range(1, 1001):
        record = f"PMID- {number}0\nTI  - Study {number}\nDP  - 2020\nAB  - {text(number)}\n"
        (library / f"{number}.nbib").write_text("rubbish" if number == 500 else record)
    with open_ingestor(tmp_path / "data", folder.load()) as ingestor:
        start = time.perf_counter()
        first = ingestor.import_paths([library])
        seconds = time.perf_counter() - start
        assert (first.taken, first.duplicates, first.skipped, first.passages) == (999, 0, 1, 999)
        (bad,) = first.of(FileStatus.SKIPPED)
        assert bad.path.endswith("500.nbib")
        assert "500.nbib:1: 'rubbish' is neither a field" in bad.reason
        start = time.perf_counter()
        second = ingestor.import_paths([library])
        assert time.perf_counter() - start < max(seconds, 1.0)
        assert (second.taken, second.duplicates, second.skipped, second.passages) == (0, 999, 1, 0)


def test_a_write_that_fails_leaves_what_was_and_the_file_is_taken_next_time(
    folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "library"
    library.mkdir()
    for number in (3, 6, 9):
        write(library, number)
    base = folder.load()
    acknowledged: list[str] = []
    with open_ingestor(tmp_path / "data", base) as ingestor:
        add = Library._add

        def fail(self: Library, database: sqlite3.Connection, *arguments: object) -> None:
            add(self, database, *arguments)  # type: ignore[arg-type]
            if len(acknowledged) == 1:
                raise sqlite3.OperationalError("disk I/O error")

        monkeypatch.setattr(Library, "_add", fail)
        with pytest.raises(StoreError, match="disk I/O error"):
            ingestor.import_paths([library], acknowledge=lambda report: acknowledged.append(report.path))
        monkeypatch.undo()
        assert ingestor.library.paths() == acknowledged
        assert len(ingestor.library.sources()) == 2
        again = ingestor.import_paths([library])
        assert (again.taken, again.duplicates) == (2, 1)
