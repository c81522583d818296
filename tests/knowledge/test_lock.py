"""One owner per data directory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from knowledge.errors import StoreError, StoreInUse
from knowledge.lock import LOCK_NAME, DataDirLock

REPOSITORY = Path(__file__).parents[2]
HOLD = """
import sys, time
from pathlib import Path
from knowledge.lock import DataDirLock
with DataDirLock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def another_owner(path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def test_a_second_process_is_refused_within_a_second_and_told_by_whom(tmp_path: Path) -> None:
    with another_owner(tmp_path) as owner:
        start = time.perf_counter()
        with pytest.raises(StoreInUse) as caught:
            DataDirLock(tmp_path).acquire()
        assert time.perf_counter() - start < 1.0
        assert f"process {owner.pid}" in caught.value.message
        assert str(tmp_path) in caught.value.message
        assert "COHORT_DATA_DIR" in caught.value.hint


def test_a_killed_owner_leaves_the_directory_free(tmp_path: Path) -> None:
    with another_owner(tmp_path) as owner:
        os.kill(owner.pid, signal.SIGKILL)
        owner.wait()
        with DataDirLock(tmp_path):
            assert str(os.getpid()) in (tmp_path / LOCK_NAME).read_text()


def test_one_process_may_enter_more_than_once(tmp_path: Path) -> None:
    first, second = DataDirLock(tmp_path), DataDirLock(tmp_path / "." / "x" / "..")
    (tmp_path / "x").mkdir()
    with first:
        with second, first:
            pass
        assert refused_elsewhere(tmp_path)
    assert not refused_elsewhere(tmp_path)
    first.release()
    with first:
        assert refused_elsewhere(tmp_path)


def test_a_forked_child_neither_owns_nor_keeps_the_lock(tmp_path: Path) -> None:
    lock = DataDirLock(tmp_path).acquire()
    child = os.fork()
    if child == 0:
        try:
            DataDirLock(tmp_path).acquire()
        except StoreInUse:
            lock.release()
            os._exit(7)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7
    assert refused_elsewhere(tmp_path)
    lock.release()
    assert not refused_elsewhere(tmp_path)


def test_an_owner_that_has_not_signed_is_another_process(tmp_path: Path) -> None:
    with another_owner(tmp_path):
        (tmp_path / LOCK_NAME).write_text("")
        with pytest.raises(StoreInUse, match="in use by another process"):
            DataDirLock(tmp_path).acquire()


def test_a_folder_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be used"):
        DataDirLock(tmp_path / "file" / "data").acquire()


def refused_elsewhere(path: Path) -> bool:
    """Whether another process is refused now."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom knowledge.errors import StoreInUse\n"
        "from knowledge.lock import DataDirLock\n"
        "try:\n    DataDirLock(Path(sys.argv[1])).acquire()\nexcept StoreInUse:\n    sys.exit(3)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], cwd=REPOSITORY, check=False, timeout=30)
    assert done.returncode in (0, 3)
    return done.returncode == 3
