"""What two figures of one trial have in common: arms they share, people who are in both, trials that join drugs."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from knowledge.schemas import TrialArm
from tools.response.figures import Row

# Words of a subgroup's name that say which part of a partition it is, and not what was divided.
_PARTS = re.compile(
    r"[\d.,%]+|\b(?:with|without|no|non|in|outside|inside|and|or|over|under|more|less|to|lowest|middle|highest|third|"
    r"half|quarter|years?|months?|enrolled|at|least|baseline|from|than|the|of)\b|[-–;:]",
    re.IGNORECASE,
)


def pair(one: Row) -> tuple[object, ...]:
    """What is compared with what in which trial, whoever the people."""
    against = "" if one.against is None else one.against.intervention
    return (one.arm.trial, one.arm.intervention, one.arm.dose, against)


def partition(arm: TrialArm) -> tuple[str, str]:
    """What a subgroup's name divides people by, and the report that does; parts of one partition share nobody."""
    words = " ".join(_PARTS.sub(" ", arm.cohort.casefold()).split())
    return ("sex" if words in ("men", "women", "male", "female") else words, arm.source_id)


class Overlaps:
    """Sampling covariance of the figures of one trial.

    * Two ratios that share an arm: half of the smaller variance, negative where the arm is above in one and below in
      the other. A ratio and the hazard of one of its arms: plus or minus that hazard's variance.
    * A subgroup and its whole trial, or subgroups by different attributes: the variance of the whole, because people are
      shared; so all subgroups together never say more about the common effect than the whole does.
    """

    def __init__(self, figures: Sequence[Row]) -> None:
        self._whole: dict[tuple[object, ...], float] = {}
        parts: dict[tuple[object, ...], dict[tuple[str, str], float]] = defaultdict(lambda: defaultdict(float))
        for one in figures:
            if one.arm.cohort == "all":
                self._whole[pair(one)] = one.se**2
            else:
                parts[pair(one)][partition(one.arm)] += one.se**-2
        for compared, information in parts.items():
            # The partition that says most holds most of the trial.
            self._whole.setdefault(compared, 1.0 / max(information.values()))

    def __call__(self, first: Row, second: Row) -> float:
        """Covariance of two different figures of one trial."""
        if first.arm.study_key != second.arm.study_key:
            return self._across(first, second)
        if first.against is not None and second.against is not None:
            sign = _ends(first, second)
            return sign * 0.5 * min(first.se, second.se) ** 2
        if first.against is None and second.against is None:
            return 0.0
        ratio, single = (first, second) if first.against is not None else (second, first)
        if ratio.arm.arm == single.arm.arm:
            return single.se**2
        assert ratio.against is not None
        return -(single.se**2) if ratio.against.arm == single.arm.arm else 0.0

    def _across(self, first: Row, second: Row) -> float:
        if pair(first) != pair(second):
            return 0.0
        if "all" not in (first.arm.cohort, second.arm.cohort) and partition(first.arm) == partition(second.arm):
            return 0.0
        return min(self._whole[pair(first)], first.se**2, second.se**2)


def _ends(first: Row, second: Row) -> int:
    """+1 when two ratios share an arm on the same side, -1 on opposite sides, 0 when they share none."""
    assert first.against is not None
    assert second.against is not None
    if first.arm.arm == second.arm.arm or first.against.arm == second.against.arm:
        return 1
    return -1 if first.arm.arm == second.against.arm or first.against.arm == second.arm.arm else 0


def joined_by_trials(figures: Iterable[Row], first: str | None, second: str | None) -> bool:
    """Whether a chain of trials joins two drug classes (None: controls), so that their ratio has evidence.

    Arms of one trial are joined by a ratio or by being in the same study.
    """
    root: dict[str, str] = {}

    def top(name: str) -> str:
        while root.setdefault(name, name) != name:
            name = root[name]
        return name

    def name(arm: TrialArm) -> str:
        return "class " if arm.arm_role.is_control else f"class {arm.drug_class}"

    for one in figures:
        root[top(name(one.arm))] = top(f"study {one.arm.study_key}")
        if one.against is not None:
            root[top(name(one.against))] = top(f"study {one.arm.study_key}")
    return top(f"class {first or ''}") == top(f"class {second or ''}")


def background_trials(figures: Iterable[Row]) -> int:
    """Number of trials that tell how often events happen, and not only how two arms compare."""
    return len({one.arm.trial for one in figures if one.against is None})
