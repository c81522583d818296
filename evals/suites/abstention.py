"""Does the product refuse what it must refuse, and nothing else?

Precision: of what was refused, the share that had to be. Recall: of what had to be refused, the share that was. Refusing
is any status but answered and partial, with no prediction in the answer.
"""

from __future__ import annotations

from assistant.schemas import Answer, Status
from evals.case_schemas import AbstentionCase
from evals.checks import judge, predicted_ids
from evals.schemas import Check, Measure, Record, Suite
from evals.subject import Subject
from evals.suites.base import MetricSpec, SuiteRunner, ask, record_of


def refused(answer: Answer) -> bool:
    """True when nothing was predicted and the status says so."""
    return answer.status not in (Status.ANSWERED, Status.PARTIAL) and not predicted_ids(answer)


def run(case: AbstentionCase, subject: Subject) -> Record:
    """Ask, and see whether it was answered."""
    asked = ask(case, subject)
    said_no = refused(asked.answer)
    checks = judge(case.expect, asked.answer, case.exclude)
    checks.append(Check(name="refused where due", passed=said_no is not case.answerable))
    groups = {"area": case.area} if case.area else {}
    name = "answered_rightly" if case.answerable else "abstention_recall"
    measures = [Measure(name=name, value=float(said_no is not case.answerable), groups=groups)]
    if said_no:
        measures.append(Measure(name="abstention_precision", value=float(not case.answerable), groups=groups))
    return record_of(case, [asked], checks=checks, measures=measures)


RUNNER = SuiteRunner(
    Suite.ABSTENTION,
    run,
    (
        MetricSpec("abstention_precision", True, headline=True),
        MetricSpec("abstention_recall", True, headline=True),
        MetricSpec("answered_rightly", True),
    ),
)
