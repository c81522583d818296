"""Can the scorers see? Plants faults in the product (evals/faults.py) and shows which metrics get worse.

`python -m evals.mutations --data FOLDER` writes evals/reports/mutations.md. The same cases are run with and without each
fault, in one process; metrics are compared pair by pair, resampled by cluster, as runs are against the baseline.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from evals.case_schemas import CaseBase
from evals.faults import FAULTS, Fault
from evals.mutation_cases import CONTROLS, Bench
from evals.runner import all_cases
from evals.schemas import Record, Suite
from evals.statistics import paired_difference
from evals.subject import Subject
from evals.suites import runners
from evals.workers import run_case
from knowledge.errors import CohortTwinError
from knowledge.schemas import Frozen

ALPHA = 0.05
SECONDS = "seconds"
REPORT = Path(__file__).parent / "reports" / "mutations.md"
# Verdicts on the whole case: whatever is wrong, they are; and what is counted, not scored.
_COMPOSITE = frozenset({"passed", "nothing_wrong", "tokens", "cost"})
_OLDER = re.compile(r"\b(60|65|75) and over|over 65")

Rows = dict[tuple[str, str], tuple[float, float]]  # (case, cluster) -> (sum of weight * value, sum of weights)


class Effect(Frozen):
    """A metric with and without a fault. `worse` is beyond noise; `p` None: too few clusters to say.

    `moved` is worse at all: where there are too few clusters, any change for the worse is held against the fault, since
    the same product gives the same answers.
    """

    metric: str
    before: float | None
    after: float | None
    p: float | None
    worse: bool
    moved: bool


class Mutation(Frozen):
    """A fault and what came of it. `unexpected` got worse though nothing it stands on was broken."""

    fault: str
    what: str
    noticed: tuple[Effect, ...]
    missed: tuple[Effect, ...]
    followed: tuple[Effect, ...]
    unexpected: tuple[Effect, ...]
    compared: int

    @property
    def proven(self) -> bool:
        """Every metric that should notice did, and no other."""
        return bool(self.noticed) and not self.missed and not self.unexpected


def run_cases(cases: Sequence[CaseBase], subject: Subject) -> list[Record]:
    """All, in order."""
    return [run_case(case, subject) for case in cases]


def metrics_of(records: Sequence[Record]) -> dict[str, Rows]:
    """'suite/metric' (of fairness also 'fairness/metric[older]') -> what each case and cluster gives to it."""
    found: dict[str, dict[tuple[str, str], list[float]]] = defaultdict(lambda: defaultdict(lambda: [0.0, 0.0]))
    for record in records:
        for measure in record.measures:
            names = [measure.name] if measure.pooled and measure.name not in _COMPOSITE else []
            if record.suite is Suite.FAIRNESS and (age := measure.groups.get("age")):
                names.append(f"{measure.name}[{'older' if _OLDER.search(age) else 'younger'}]")
            for name in names:
                row = found[f"{record.suite}/{name}"][record.case_id, measure.cluster or record.case_id]
                row[0] += measure.weight * measure.value
                row[1] += measure.weight
        seconds = found[f"{record.suite}/{SECONDS}"][record.case_id, record.case_id]
        seconds[0], seconds[1] = record.seconds, 1.0
    return {name: {key: (total, weight) for key, (total, weight) in rows.items()} for name, rows in found.items()}


def effect(metric: str, before: Rows, after: Rows) -> Effect:
    """Compare one metric pair by pair. Coverage counts as worse when it falls."""
    keys = sorted(before.keys() | after.keys())
    first, second = [before.get(key, (0.0, 0.0)) for key in keys], [after.get(key, (0.0, 0.0)) for key in keys]
    mean_before, mean_after = _mean(first), _mean(second)
    if mean_before is None or mean_after is None:
        return Effect(metric=metric, before=mean_before, after=mean_after, p=None, worse=False, moved=False)
    difference = paired_difference(second, first, [cluster for _, cluster in keys])
    worse_when = _worse_when(metric)
    wrong_way = worse_when * difference.value > 1e-9
    p = difference.p
    return Effect(
        metric=metric,
        before=mean_before,
        after=mean_after,
        p=p,
        worse=wrong_way and p is not None and p < ALPHA,
        moved=wrong_way and (p is None or p < ALPHA),
    )


def mutation(fault: Fault, cases: Sequence[CaseBase], subject: Subject, records: Sequence[Record]) -> Mutation:
    """Plant a fault, run the cases, and see who notices. `records` are of these cases without a fault."""
    chosen = {case.id for case in cases}
    healthy = metrics_of([record for record in records if record.case_id in chosen])
    with fault.plant():
        ill = metrics_of(run_cases(cases, subject))
    timed = any(name.endswith(f"/{SECONDS}") for name in fault.notices)
    effects = {
        name: effect(name, rows, ill.get(name, {}))
        for name, rows in healthy.items()
        if timed or not name.endswith(f"/{SECONDS}")
    }
    suites = {case.suite.value for case in cases}
    nobody = Effect(metric="", before=None, after=None, p=None, worse=False, moved=False)
    noticing = [
        effects.get(name, nobody.model_copy(update={"metric": name}))
        for name in fault.notices
        if name.split("/")[0] in suites
    ]
    others = [one for name, one in effects.items() if name not in fault.notices and one.moved]
    return Mutation(
        fault=fault.name,
        what=fault.what,
        noticed=tuple(one for one in noticing if one.worse),
        missed=tuple(one for one in noticing if not one.worse),
        followed=tuple(one for one in others if _may_follow(one.metric, fault, timed=timed)),
        unexpected=tuple(one for one in others if not _may_follow(one.metric, fault, timed=timed)),
        compared=len(effects),
    )


def _may_follow(metric: str, fault: Fault, *, timed: bool) -> bool:
    if timed and metric.endswith(f"/{SECONDS}"):
        return True
    return any(metric == one or (one.endswith("/") and metric.startswith(one)) for one in fault.follows)


def _mean(rows: Sequence[tuple[float, float]]) -> float | None:
    weight = sum(one for _, one in rows)
    return sum(total for total, _ in rows) / weight if weight else None


def _worse_when(metric: str) -> int:
    """1 when a rise is for the worse, -1 when a fall is, 0 when neither."""
    suite, _, name = metric.partition("/")
    plain = name.partition("[")[0]
    if plain == SECONDS:
        return 1
    if plain.startswith("covered_"):
        return -1
    spec = next((one for one in runners()[Suite(suite)].metrics if one.name == plain), None)
    return 0 if spec is None or spec.higher_is_better is None else -1 if spec.higher_is_better else 1


def markdown(mutations: Sequence[Mutation], cases: int) -> str:
    """The table."""
    proven = sum(one.proven for one in mutations)
    lines = [
        "# Can the scorers see? Planted faults and who notices",
        "",
        f"{proven} of {len(mutations)} faults are noticed by the metric that should notice them, and by no other than those "
        f"that stand on it. Each fault is planted by wrapping the real component. Of {cases} cases those of "
        f"the suites that should notice are run with and without it, and {CONTROLS} of each other suite; every metric is compared pair by "
        "pair (cluster bootstrap, p < 0.05; with fewer than 5 clusters any change counts). Made by "
        "`python -m evals.mutations --data FOLDER`.",
        "",
        "| Planted fault | What is broken | Metric that notices | Before | After | Gets worse with it | Metrics unmoved |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in mutations:
        moved = len(one.noticed) + len(one.followed) + len(one.unexpected)
        lines.append(
            f"| {one.fault} | {one.what} | {_cell(one, lambda e: e.metric)} | {_cell(one, lambda e: _number(e.before))} | "
            f"{_cell(one, lambda e: _number(e.after))} | {_names(one.followed)}"
            f"{f' **unexpected: {_names(one.unexpected)}**' if one.unexpected else ''} | {one.compared - moved} |"
        )
    return "\n".join(lines) + "\n"


def _cell(one: Mutation, show: Callable[[Effect], str]) -> str:
    found = [show(effect) for effect in one.noticed]
    found += [f"**{show(effect)} (not noticed)**" for effect in one.missed]
    return "<br>".join(found)


def _names(effects: Sequence[Effect]) -> str:
    return ", ".join(f"{one.metric} ({_number(one.before)} → {_number(one.after)})" for one in effects) or "none"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def main(
    data: Annotated[Path, typer.Option(help="Data directory with a built index; it is used by this process alone.")],
    fault: Annotated[list[str] | None, typer.Option(help="Only these faults.")] = None,
    per_suite: Annotated[int, typer.Option(min=5, help="Cases of each suite.")] = 6,
    out: Annotated[Path, typer.Option(help="The table.")] = REPORT,
) -> None:
    """Plant every fault and write the table; exit code 1 when one is not noticed, or by the wrong metric."""
    from assistant.bootstrap import build_assistant
    from assistant.settings import load_settings

    with build_assistant(load_settings(data_dir=data, model="offline")) as assistant:
        bench = Bench(Subject(assistant), all_cases(assistant.knowledge), per_suite)
        found = []
        for one in FAULTS:
            if fault and one.name not in fault:
                continue
            chosen = bench.for_fault(one)
            seen = mutation(one, chosen, bench.subject, [bench.healthy(case) for case in chosen])
            found.append(seen)
            names = ", ".join(effect.metric for effect in (*seen.missed, *seen.unexpected))
            sys.stdout.write(f"{'seen' if seen.proven else 'NOT SEEN AS IT SHOULD BE'}: {one.name}. {names}\n")
            sys.stdout.flush()
    out.write_text(markdown(found, len(bench.known)), encoding="utf-8")
    raise typer.Exit(0 if all(one.proven for one in found) else 1)


if __name__ == "__main__":
    try:
        typer.run(main)
    except CohortTwinError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None
