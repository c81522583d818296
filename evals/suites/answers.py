"""Behaviour of the whole product on one question: everything that was expected of the answer holds."""

from __future__ import annotations

from evals.case_schemas import AnswersCase
from evals.checks import judge
from evals.schemas import Record, Suite
from evals.subject import Subject
from evals.suites.base import MetricSpec, SuiteRunner, ask, record_of


def run(case: AnswersCase, subject: Subject) -> Record:
    """Ask and judge."""
    asked = ask(case, subject)
    return record_of(case, [asked], checks=judge(case.expect, asked.answer, case.exclude))


RUNNER = SuiteRunner(Suite.ANSWERS, run, (MetricSpec("passed", True, headline=True),))
