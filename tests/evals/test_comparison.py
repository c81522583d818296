"""Two runs compared: nothing changed, a planted regression, one case that flips, changed and new cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from evals.comparison import baseline_of, compare, read_baseline, write_baseline
from evals.runner import summaries
from evals.schemas import Change, Check, EvalRun, Measure, Record, RunSettings, Suite, SuiteInfo, Verdict
from knowledge.errors import DataError


def _record(number: int, *, passed: bool = True, error: float = 0.5, content: str = "a") -> Record:
    return Record(
        case_id=f"case-{number}",
        suite=Suite.OUTCOMES,
        model="offline",
        key=f"key-{number}",
        case_hash=content,
        checks=(Check(name="status", passed=passed),),
        measures=(
            Measure(name="scaled_error", value=error, cluster=f"trial-{number // 2}", groups={"area": "obesity"}),
            Measure(name="covered_90", value=1.0, cluster=f"trial-{number // 2}"),
            Measure(name="passed", value=float(passed)),
        ),
        seconds=0.1 * number,
    )


def _run(records: Sequence[Record], **settings: object) -> EvalRun:
    return EvalRun(
        created=datetime(2026, 1, 2, tzinfo=UTC),
        seconds=1.0,
        settings=RunSettings.model_validate(settings),
        evidence_hash="e",
        code_hash="c",
        suites=(SuiteInfo(suite=Suite.OUTCOMES, hash="h", cases=len(records)),),
        records=tuple(records),
        summaries=summaries(records, ("offline",)),
    )


def _of(changes: Sequence[Change], name: str) -> Change:
    return next(one for one in changes if one.name == name)


@pytest.fixture
def before() -> EvalRun:
    return _run([_record(i, error=0.4 + 0.01 * i) for i in range(30)])


def test_a_run_against_its_own_baseline_is_the_same(before: EvalRun, tmp_path: Path) -> None:
    write_baseline(baseline_of(before), tmp_path / "baseline.json")
    kept = read_baseline(tmp_path / "baseline.json")
    assert kept == baseline_of(before)
    assert kept is not None
    found = compare(before, kept)
    assert {one.verdict for one in found.changes} == {Verdict.SAME}
    assert found.regressions == ()
    assert (found.newly_failed, found.cases_added, found.cases_gone) == ((), 0, 0)


def test_errors_that_grow_are_a_regression_of_that_metric_only(before: EvalRun) -> None:
    now = _run([_record(i, error=0.55 + 0.01 * i) for i in range(30)])
    found = compare(now, baseline_of(before))
    assert [one.name for one in found.regressions] == ["scaled_error"]
    change = found.regressions[0]
    assert change.difference == pytest.approx(0.15)
    assert change.pairs == 30
    assert change.p is not None
    assert change.p < 0.05
    better = compare(before, baseline_of(now))
    assert better.regressions == ()
    assert _of(better.changes, "scaled_error").verdict is Verdict.BETTER


def test_what_is_neither_good_nor_bad_is_never_a_regression(before: EvalRun) -> None:
    def less_covered(record: Record) -> Record:
        measures = [
            one.model_copy(update={"value": 0.0}) if one.name == "covered_90" else one for one in record.measures
        ]
        return record.model_copy(update={"measures": tuple(measures)})

    now = _run([less_covered(record) for record in before.records])
    found = compare(now, baseline_of(before))
    assert _of(found.changes, "covered_90").verdict is Verdict.UNCLEAR
    assert found.regressions == ()


def test_one_case_that_flips_is_named_but_is_noise(before: EvalRun) -> None:
    records = [_record(i, error=0.4 + 0.01 * i, passed=i != 3) for i in range(30)]
    found = compare(_run(records), baseline_of(before))
    assert found.newly_failed == ("case-3",)
    assert found.regressions == ()
    assert compare(before, baseline_of(_run(records))).newly_passed == ("case-3",)


@pytest.mark.parametrize("make", [lambda i: "a" if i < 20 else "b", lambda i: "b"])
def test_a_case_whose_content_changed_is_not_compared(before: EvalRun, make: Callable[[int], str]) -> None:
    now = _run([_record(i, error=9.0, content=make(i)) for i in range(30) if make(i) == "b"])
    found = compare(now, baseline_of(before))
    assert {one.verdict for one in found.changes} == {Verdict.NEW}
    assert found.cases_added == len(now.records)


def test_a_run_of_some_suites_misses_nothing(before: EvalRun) -> None:
    some = _run(before.records[:10], suites=("outcomes",), cases=tuple(f"case-{i}" for i in range(10)))
    found = compare(some, baseline_of(before))
    assert found.cases_gone == 0
    assert _of(found.changes, "scaled_error").verdict is Verdict.SAME
    assert _of(found.changes, "scaled_error").pairs == 10


def test_no_baseline_and_a_damaged_one(tmp_path: Path) -> None:
    assert read_baseline(tmp_path / "none.json") is None
    (tmp_path / "bad.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match=r"bad\.json"):
        read_baseline(tmp_path / "bad.json")


def test_metrics_come_whole_and_by_group(before: EvalRun) -> None:
    found = {(one.name, one.group): one for one in before.summaries["offline"]}
    whole = found["scaled_error", ""]
    assert whole.value == pytest.approx(0.545)
    assert (whole.n, whole.clusters) == (30, 15)
    assert found["scaled_error", "area=obesity"].value == pytest.approx(0.545)
    assert whole.headline
    assert not found["scaled_error", "area=obesity"].headline
    assert found["seconds", ""].wall_clock
