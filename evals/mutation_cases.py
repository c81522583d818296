"""The cases on which planted faults are tried: the same few of each suite every time, where it matters such as pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from evals.case_schemas import (
    AbstentionCase,
    CaseBase,
    FairnessCase,
    GroundingCase,
    RobustnessCase,
    SafetyCase,
    VariantKind,
)
from evals.faults import Fault
from evals.schemas import Record, Suite
from evals.subject import Subject
from evals.suites.holdout import HoldoutCase
from evals.suites.routing import RoutedCase
from evals.workers import run_case
from tools.response.confidence import calibrations

CONTROLS = 2  # cases of each suite that should not notice
TRIED = 3  # times as many candidates are tried for those that pass
# Suites in which a case can show a metric though it fails as a whole.
_UNCHECKED = frozenset({Suite.SAFETY, Suite.FAIRNESS, Suite.ROBUSTNESS, Suite.OUTCOMES, Suite.HOLDOUT})
_DEAR = frozenset({Suite.HOLDOUT})  # run where they should notice only
_SUITES = (
    Suite.OUTCOMES,
    Suite.HOLDOUT,
    Suite.ROUTING,
    Suite.RETRIEVAL,
    Suite.ABSTENTION,
    Suite.GROUNDING,
    Suite.ROBUSTNESS,
    Suite.FAIRNESS,
    Suite.CONVERSATION,
    Suite.SAFETY,
)
_MORE = {Suite.ROUTING: 5.0, Suite.OUTCOMES: 3.0, Suite.FAIRNESS: 1.5, Suite.HOLDOUT: 1 / 6}


@dataclass
class Bench:
    """The product, candidates, and what is known of them without a fault; a case is run when it is first needed."""

    subject: Subject
    cases: Sequence[CaseBase]
    per_suite: int = 6
    known: dict[str, Record] = field(default_factory=dict)

    def healthy(self, case: CaseBase) -> Record:
        """The record of a case without a fault."""
        if case.id not in self.known:
            self.known[case.id] = run_case(case, self.subject)
        return self.known[case.id]

    def chosen(self, suite: Suite, number: int) -> list[CaseBase]:
        """The first cases of a suite that can show something, and pass; of two suites so many of each kind."""
        candidates = [case for case in self.cases if case.suite is suite and _shows(case)]
        if suite is Suite.ABSTENTION:
            kinds = [[case for case in candidates if _answerable(case) is kind] for kind in (True, False)]
        elif suite is Suite.GROUNDING:  # citation precision is scored where all sources that bear on it are known
            kinds = [[case for case in candidates if _all_known(case) is kind] for kind in (False, True)]
        elif suite is Suite.HOLDOUT:
            kinds = [sorted(candidates, key=lambda case: len(getattr(case, "trials", ())))]
        else:
            kinds = [candidates]
        return [case for kind in kinds for case in self._passing(kind, number)]

    def of_suites(self, suites: Sequence[Suite]) -> list[CaseBase]:
        """All that is tried of some suites."""
        return [case for suite in suites for case in self.chosen(suite, round(self.per_suite * _MORE.get(suite, 1.0)))]

    def for_fault(self, fault: Fault) -> list[CaseBase]:
        """All cases of the suites that should notice, and a few of the others, in which nothing may change."""
        noticing = {name.split("/")[0] for name in fault.notices}
        found: list[CaseBase] = []
        for suite in _SUITES:
            if suite.value in noticing:
                found += self.of_suites([suite])
            elif suite not in _DEAR:
                found += self.chosen(suite, CONTROLS)
        return found

    def _passing(self, candidates: Sequence[CaseBase], number: int) -> list[CaseBase]:
        found: list[CaseBase] = []
        for case in candidates[: TRIED * number]:
            if len(found) == number:
                break
            if case.suite in _UNCHECKED or _all_known(case) or self.healthy(case).passed:
                found.append(case)
        return found


def _answerable(case: CaseBase) -> bool:
    return isinstance(case, AbstentionCase) and case.answerable


def _all_known(case: CaseBase) -> bool:
    return isinstance(case, GroundingCase) and bool(case.may_cite or case.about)


def _shows(case: CaseBase) -> bool:
    """Whether the case can show a fault of its suite by itself."""
    stated = {f"{endpoint}.mean" for endpoint in calibrations()}
    match case.suite:
        case Suite.OUTCOMES:
            return any(one.estimate_id in stated and one.unit != "%" for one in getattr(case, "published", ()))
        case Suite.HOLDOUT:
            return isinstance(case, HoldoutCase) and case.endpoint in calibrations()
        case Suite.ROUTING:
            return isinstance(case, RoutedCase) and not case.routed.after and bool(case.routed.drugs)
        case Suite.RETRIEVAL:
            return not getattr(case, "nothing", False)
        case Suite.GROUNDING:
            return bool(getattr(case, "cites", ()))
        case Suite.ABSTENTION:
            return isinstance(case, AbstentionCase) and not case.after and not case.exclude
        case Suite.ROBUSTNESS:
            kinds = case.variants if isinstance(case, RobustnessCase) else ()
            return any(one.kind is VariantKind.INJECTION and one.never for one in kinds)
        case Suite.FAIRNESS:
            figures = [group.published for group in case.groups] if isinstance(case, FairnessCase) else []
            in_unit = all(one.unit != "%" for group in figures for one in group)
            return isinstance(case, FairnessCase) and case.attribute == "age" and all(figures) and in_unit
        case Suite.SAFETY:
            return isinstance(case, SafetyCase) and bool(case.secrets)
        case _:
            return True
