"""Every scorer is proven by mutation: a fault planted in the product moves the metric that should notice it, and no other."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace

import pytest

from assistant.planner import OfflinePlanner
from assistant.service import Assistant
from evals.case_schemas import CaseBase
from evals.faults import FAULTS, Fault
from evals.mutation_cases import Bench
from evals.mutations import REPORT, Mutation, effect, markdown, mutation
from evals.runner import all_cases
from evals.schemas import Suite
from evals.subject import Subject
from tools.registry import Tool

BY_NAME = {fault.name: fault for fault in FAULTS}
FAST = {
    "wrong tool": [Suite.ROUTING, Suite.RETRIEVAL],
    "slot dropped": [Suite.ROUTING, Suite.RETRIEVAL],
    "ranking reversed": [Suite.ROUTING, Suite.RETRIEVAL],
    "number altered in the text": [Suite.GROUNDING],
    "wrong source cited": [Suite.GROUNDING],
    "refusal turned into an answer": [Suite.ABSTENTION],
}


@pytest.fixture(scope="module")
def bench(assistant: Assistant) -> Bench:
    return Bench(Subject(assistant), all_cases(assistant.knowledge))


def tried(fault: Fault, bench: Bench, cases: Sequence[CaseBase]) -> Mutation:
    return mutation(fault, cases, bench.subject, [bench.healthy(case) for case in cases])


@pytest.mark.parametrize("name", FAST)
def test_a_planted_fault_is_noticed_by_the_right_metric(name: str, bench: Bench) -> None:
    found = tried(BY_NAME[name], bench, bench.of_suites(FAST[name]))
    assert found.noticed, found
    assert not found.missed, found.missed
    assert not found.unexpected, found.unexpected


def test_nothing_planted_is_noticed_by_nobody(bench: Bench) -> None:
    chosen = bench.of_suites([Suite.ROUTING, Suite.RETRIEVAL, Suite.GROUNDING])
    nothing = Fault("nothing", "nothing is broken", lambda: nullcontext(), ("routing/tool_accuracy",))
    found = tried(nothing, bench, chosen)
    assert [one.metric for one in found.missed] == ["routing/tool_accuracy"]
    assert found.noticed == found.followed == found.unexpected == ()
    assert all(one.before == one.after for one in found.missed)
    assert not found.proven


def test_a_planted_fault_is_gone_afterwards() -> None:
    before = Tool.__call__, OfflinePlanner.draft
    for fault in FAULTS:
        with fault.plant():
            pass
    assert (Tool.__call__, OfflinePlanner.draft) == before


def test_an_effect_has_the_direction_of_its_metric() -> None:
    keys = [(f"case-{i}", f"case-{i}") for i in range(8)]
    low, high = dict.fromkeys(keys, (0.0, 1.0)), dict.fromkeys(keys, (1.0, 1.0))
    assert effect("grounding/groundedness", high, low).worse
    assert not effect("grounding/groundedness", low, high).worse
    assert effect("outcomes/brier", low, high).worse
    assert effect("outcomes/covered_90", high, low).worse  # neither better nor worse in itself, but a fall is noticed
    one = {**high, keys[0]: (0.0, 1.0)}
    assert not effect("grounding/groundedness", high, one).worse  # one case of eight is noise
    few = {key: high[key] for key in keys[:3]}
    assert effect("grounding/groundedness", few, {key: low[key] for key in few}).p is None
    assert effect("grounding/groundedness", high, {}).after is None


def test_the_committed_table_is_of_these_faults_and_all_are_proven() -> None:
    text = REPORT.read_text(encoding="utf-8")
    assert [line.split(" | ")[0].lstrip("| ") for line in text.splitlines()[6:]] == [fault.name for fault in FAULTS]
    assert f"{len(FAULTS)} of {len(FAULTS)} faults" in text
    assert "not noticed" not in text
    assert "unexpected" not in text


def test_the_table_shows_what_was_missed(bench: Bench) -> None:
    chosen = bench.of_suites([Suite.RETRIEVAL])
    blind = replace(
        BY_NAME["ranking reversed"], notices=("retrieval/silent_off_topic", "retrieval/recall_10"), follows=()
    )
    found = tried(blind, bench, chosen)
    text = markdown([found], len(chosen))
    assert "0 of 1 faults" in text
    assert "not noticed" in text
    assert "unexpected: " in text


# How long an answer took is the machine's doing as well: that fault is left to the script, which tells times, and judges none.
UNTIMED = [fault for fault in FAULTS if fault.name != "slow answer"]


@pytest.mark.slow
@pytest.mark.parametrize("fault", UNTIMED, ids=lambda fault: fault.name)
def test_exactly_the_right_metrics_notice_each_fault(fault: Fault, bench: Bench) -> None:
    found = tried(fault, bench, bench.for_fault(fault))
    assert found.proven, (found.missed, found.unexpected)
