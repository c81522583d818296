"""Follow-ups: each turn must be right given what was said before it."""

from __future__ import annotations

from evals.case_schemas import ConversationCase
from evals.checks import judge
from evals.schemas import Check, Measure, Record, Suite
from evals.subject import Asked, Subject
from evals.suites.base import MetricSpec, SuiteRunner, record_of


def run(case: ConversationCase, subject: Subject) -> Record:
    """Ask the turns in order, in one conversation."""
    name = subject.conversation(case.id)
    view = subject.view(case.exclude)
    answers: list[Asked] = []
    checks: list[Check] = []
    measures: list[Measure] = []
    for number, turn in enumerate(case.turns, start=1):
        asked = subject.ask(turn.question, seed=case.seed, view=view, conversation=name)
        answers.append(asked)
        found = judge(turn.expect, asked.answer, case.exclude)
        checks += [check.model_copy(update={"name": f"turn {number}: {check.name}"}) for check in found]
        kind = "first" if number == 1 else "follow-up"
        measures.append(
            Measure(name="turns_right", value=float(all(check.passed for check in found)), groups={"turn": kind})
        )
    measures.append(Measure(name="conversations_right", value=float(all(check.passed for check in checks))))
    questions = " → ".join(turn.question for turn in case.turns)
    return record_of(case, answers, checks=checks, measures=measures, question=questions)


RUNNER = SuiteRunner(
    Suite.CONVERSATION,
    run,
    (MetricSpec("turns_right", True, headline=True), MetricSpec("conversations_right", True)),
)
