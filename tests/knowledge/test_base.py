"""The knowledge base as a whole, and the command that checks it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from knowledge.base import load_knowledge
from knowledge.check import check
from knowledge.errors import InvalidInput
from knowledge.schemas import EvidenceView, TrialArm

REPOSITORY = Path(__file__).parents[2]


def run_check(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "knowledge.check", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60)


def test_source_and_evidence_hash(folder) -> None:
    base = folder.load()
    assert base.source("pmid-1").title == "A trial of semaglutide"
    assert base.evidence_hash() == base.evidence_hash(EvidenceView()) == base.arms.hash
    assert base.evidence_hash(EvidenceView(exclude=("SUSTAIN 1",))) != base.evidence_hash()
    with pytest.raises(InvalidInput, match="There is no source 'pmid-2'"):
        base.source("pmid-2")


def test_an_empty_folder_is_an_empty_knowledge_base(tmp_path: Path) -> None:
    base = load_knowledge(tmp_path)
    assert base.arms.arms == ()
    assert base.passages == ()
    assert base.arms.view(EvidenceView(exclude=("*",))).trials() == ()


def test_check_prints_every_fault_and_the_counts(folder) -> None:
    folder.arms(*[{"value": "x", "weeks": str(week)} for week in range(1, 31)], {})
    folder.passage("pmid-1", "Weight fell by 14.9 % with semaglutide.")
    done = run_check(str(folder.root))
    assert done.returncode == 1, done.stderr
    assert done.stdout.count("is not a number") == 30
    assert "evidence/obesity.csv:31: value:" in done.stdout
    assert "obesity       1     1        1        1         1" in done.stdout
    assert done.stdout.rstrip().endswith("30 faults")


def test_check_is_content_with_a_good_folder(folder) -> None:
    done = run_check(str(folder.root))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.rstrip().endswith("no faults")


def test_every_shipped_file_is_without_fault() -> None:
    report = check(REPOSITORY / "knowledge")
    assert [str(fault) for fault in report.faults] == []
    assert report.arms.arms
    assert report.passages


def test_every_shipped_row_passes_full_validation() -> None:
    base = load_knowledge()
    for arm in base.arms.arms:
        TrialArm.model_validate(arm.model_dump())
        assert base.vocabulary.drugs[arm.intervention].drug_class == arm.drug_class
        assert arm.endpoint in base.vocabulary.endpoints
        assert (arm.se is None) == (arm.se_from == "missing")
    assert len({arm.row_id for arm in base.arms.arms}) == len(base.arms.arms)
    assert all(passage.source_id in base.sources for passage in base.passages)


def test_no_shipped_trial_survives_its_own_exclusion() -> None:
    base = load_knowledge()
    for trial in base.arms.trials():
        kept = base.arms.view(EvidenceView(exclude=(trial,)))
        assert trial not in kept.trials()
        assert len(kept.arms) < len(base.arms.arms)
