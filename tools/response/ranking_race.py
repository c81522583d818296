"""One endpoint, all treatments in one new trial: the joint draws, and who ties with the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from knowledge.errors import InvalidInput, NoEvidence
from knowledge.schemas import Direction, Endpoint
from personas.cohort import Cohort
from tools.response.cohorts import cohort_covariates
from tools.response.engine import ResponseEngine
from tools.response.estimates import DRAWS, EndpointResult, sources_carrying
from tools.response.features import FloatArray
from tools.response.ranking import Ranks, predictable, ranks_of
from tools.response.treatments import Treatment

# A difference as likely as not, and one whose 90 % interval does not span nought (%).
EVEN, SURE = 50.0, 95.0


@dataclass(frozen=True)
class Race:
    """One endpoint, all that can be predicted on it; the comparator is the last one.

    Attributes
    ----------
    results : by treatment, alike but for the sources that carry each difference from the comparator.
    benefit : (K, m) joint draws, higher is better.
    order : positions from best to worst by expected rank.
    """

    results: tuple[EndpointResult, ...]
    benefit: FloatArray
    ranks: Ranks
    order: tuple[int, ...]

    @property
    def endpoint(self) -> Endpoint:
        """What is ranked on."""
        return self.results[0].endpoint

    @property
    def treatments(self) -> tuple[Treatment, ...]:
        """All runners, the comparator last."""
        return self.results[0].predicted.treatments

    @property
    def comparator(self) -> int:
        """Position of the comparator."""
        return len(self.treatments) - 1

    @property
    def mcid(self) -> float | None:
        """The minimal important difference where a sourced one is on the scale of the draws."""
        endpoint = self.endpoint
        return endpoint.mcid if endpoint.mcid_source and not self.logged else None

    @property
    def logged(self) -> bool:
        """Whether the endpoint is a time to event or a rate: differences are ratios."""
        return self.results[0].predicted.prediction.log

    def near_best(self, i: int) -> float | None:
        """Probability (%) that no treatment is better by the minimal important difference; None without one."""
        if self.mcid is None:
            return None
        return 100.0 * float(np.mean(self.benefit[:, i] > self.benefit.max(axis=1) - self.mcid))

    def first_better(self, i: int) -> tuple[float, float | None]:
        """Probability (%) that the first is better than this one, and by at least the minimal important difference."""
        gain = self.benefit[:, self.order[0]] - self.benefit[:, i]
        important = None if self.mcid is None else 100.0 * float(np.mean(gain >= self.mcid))
        return 100.0 * float(np.mean(gain > 0)), important

    def tied(self, i: int) -> bool:
        """Whether it ties with the first: that it is behind by what matters is less likely than not.

        Without a minimal important difference: the 90 % interval of the difference from the first spans nought.
        """
        better, important = self.first_better(i)
        return better < SURE if important is None else important < EVEN

    def better(self, i: int) -> tuple[float, float | None]:
        """Probability (%) of being better than the comparator, and by at least the minimal important difference."""
        gain = self.benefit[:, i] - self.benefit[:, self.comparator]
        important = None if self.mcid is None else 100.0 * float(np.mean(gain >= self.mcid))
        return 100.0 * float(np.mean(gain > 0)), important

    def shown(self, count: int) -> list[int]:
        """Positions of the first `count` from the top, and of the comparator."""
        first = list(self.order[:count])
        return first if self.comparator in first else [*first, self.comparator]


def refuse_neutral(endpoints: Sequence[Endpoint]) -> None:
    """InvalidInput for an endpoint without a better side."""
    for endpoint in endpoints:
        if endpoint.direction is Direction.NEUTRAL:
            raise InvalidInput(f"{endpoint.label} has no better side to rank on.", "Rank on another endpoint.")


def run_race(
    engine: ResponseEngine,
    name: str,
    rivals: Sequence[Treatment],
    comparator: Treatment,
    cohort: Cohort,
    weeks: float,
    *,
    own: bool,
) -> Race:
    """Rank on one endpoint; with `own` only treatments with trials of their own on it.

    Raises
    ------
    InvalidInput : the endpoint has no better side.
    NoEvidence : fewer than two of the rivals, or not the comparator, can be predicted on it.
    """
    endpoint = engine.knowledge.vocabulary.endpoint(name)
    refuse_neutral([endpoint])
    runners = predictable(engine, name, rivals, comparator, own=own)
    if len(runners) < 2:
        only = f"only {runners[0].label} can be predicted" if runners else "none of the treatments can be predicted"
        raise NoEvidence(f"On {endpoint.label} {only}, and a ranking needs two.", "Rank on another endpoint.")
    results = _predicted(engine, name, runners, comparator, cohort, weeks)
    draws = results[0].draws
    benefit = -draws if endpoint.direction is Direction.LOWER_IS_BETTER else draws
    ranks = ranks_of(benefit)
    return Race(results, benefit, ranks, tuple(int(i) for i in np.argsort(ranks.expected, kind="stable")))


def run_harms(
    engine: ResponseEngine,
    names: Sequence[str],
    rivals: Sequence[Treatment],
    comparator: Treatment,
    cohort: Cohort,
    weeks: float,
) -> list[tuple[EndpointResult, ...]]:
    """Harms of the rivals that have evidence on them, the comparator last; harms without evidence are left out."""
    found = []
    for name in names:
        runners = predictable(engine, name, rivals, comparator, own=False)
        if runners:
            found.append(_predicted(engine, name, runners, comparator, cohort, weeks))
    return found


def _predicted(
    engine: ResponseEngine, name: str, runners: Sequence[Treatment], comparator: Treatment, cohort: Cohort, weeks: float
) -> tuple[EndpointResult, ...]:
    covariates = cohort_covariates(cohort, engine.knowledge.vocabulary.endpoint(name))
    together = (*runners, comparator)
    predicted = engine.predict(name, together, covariates, weeks)
    draws = predicted.prediction.draws(DRAWS)
    results, difference = [], np.array([1.0, -1.0])
    for treatment in together:
        # The comparator's own mean rests on the same trials as the differences from it.
        pair = (treatment if treatment is not comparator else together[0], comparator)
        influences = engine.influence(name, pair, covariates, weeks, difference)
        results.append(EndpointResult(predicted, draws, tuple(influences), sources_carrying(influences)))
    return tuple(results)
