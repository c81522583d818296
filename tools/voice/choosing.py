"""Shares, a simulated group and its members' choices, for options that published experiments weigh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from knowledge.errors import NoEvidence
from knowledge.views import NamePatterns, published_by
from personas.cohort import Cohort
from tools.context import ToolContext
from tools.voice.model import (
    FloatArray,
    IntArray,
    calibrated_constant,
    choice_probabilities,
    drawn_weights,
    group_counts,
    simulated_choices,
)
from tools.voice.options import Task, design_row
from tools.voice.people import value_counts
from tools.voice.preferences import Experiment, experiments

PATIENTS = 2000  # virtual patients behind a share; the first of them are the participants
DRAWS = 4000
LEVEL = 0.9
TAILS = (0.05, 0.95)


@dataclass(frozen=True)
class Chosen:
    """What an experiment says of a task.

    Attributes
    ----------
    shares : (J,) at the published weights; lower, upper : (J,) 90 % limits. All 0–1.
    draws : (D, J) shares under drawn weights.
    utilities : (C, J) log odds of the options by class; belonging : (N, C) chance of each patient to belong to it.
    """

    task: Task
    shares: FloatArray
    lower: FloatArray
    upper: FloatArray
    draws: FloatArray
    utilities: FloatArray
    belonging: FloatArray


def covered_experiments(cohort: Cohort, context: ToolContext) -> tuple[Experiment, ...]:
    """Experiments on people like the cohort that the evidence view lets through.

    Raises
    ------
    NoEvidence : there is none; names the cohorts for which there are some.
    """
    seen = [one for one in experiments() if _visible(one, context)]
    parts = cohort.parts or (cohort.persona,)
    kinds = [{part.id, *context.personas.ancestors(part.id)} for part in parts]
    found = tuple(one for one in seen if all(kind.intersection(one.personas) for kind in kinds))
    if not found:
        names = dict.fromkeys(context.personas.get(name).name for one in seen for name in one.personas)
        known = f"There are such weights for: {'; '.join(names)}." if names else "There are none in this evidence view."
        raise NoEvidence(f"No published choice experiment here is about {cohort.label}.", known)
    return found


def choose(task: Task, cohort: Cohort, seed: int) -> Chosen:
    """Shares of the options with 90 % limits from the standard errors of the published weights."""
    experiment = task.experiment
    rng = _generator(seed, experiment.id)
    design = np.array([design_row(experiment, profile) for profile in task.profiles])
    drawn = []
    for weights in experiment.all_classes:
        mean, se = np.array([weight.log_odds() for weight in weights]).T
        drawn.append(drawn_weights(mean, se, DRAWS, rng) @ design.T)
    utilities = np.stack(drawn, axis=1)  # (D, C, J)
    belonging = _belonging(experiment, cohort)
    shares = np.einsum("c,dcj->dj", belonging.mean(axis=0), choice_probabilities(utilities))
    lower, upper = np.quantile(shares, TAILS, axis=0)
    return Chosen(task, shares[0], lower, upper, shares, utilities[0], belonging)


def participants_choose(chosen: Chosen, people: int, seed: int) -> IntArray:
    """The option of each of the first `people` patients, (people,)."""
    rng = _generator(seed, f"participants {chosen.task.experiment.id}")
    chances = np.cumsum(chosen.belonging[:people], axis=1)
    member = (rng.random((people, 1)) > chances).sum(axis=1).clip(max=chances.shape[1] - 1)
    return simulated_choices(chosen.utilities[member], rng)


def count_limits(chosen: Chosen, people: int, seed: int) -> IntArray:
    """(2, J): 5th and 95th percentile of how many of such a group choose each option."""
    counts = group_counts(chosen.draws, people, _generator(seed, f"groups {chosen.task.experiment.id}"))
    return np.asarray(np.quantile(counts, TAILS, axis=0, method="nearest"), dtype=np.int64)


def share_within(chosen: Chosen, members: Sequence[bool] | FloatArray) -> FloatArray:
    """Shares (J,) among some of the patients."""
    inside = np.asarray(members, dtype=bool)
    return np.asarray(chosen.belonging[inside].mean(axis=0) @ choice_probabilities(chosen.utilities))


def _belonging(experiment: Experiment, cohort: Cohort) -> FloatArray:
    """(N, C) chance of each patient to belong to each class; all the same where nothing tells them apart."""
    count = cohort.patients.n
    if not experiment.classes:
        return np.ones((count, 1))
    offsets = np.zeros(count)
    for item in experiment.membership:
        has = value_counts(cohort, item.attribute, item.value)
        if has is not None:
            offsets = offsets + item.coefficient * has
    constant = calibrated_constant(offsets, experiment.classes[0].share)
    first = 1.0 / (1.0 + np.exp(-(constant + offsets)))
    return np.column_stack([first, 1.0 - first])


def _visible(experiment: Experiment, context: ToolContext) -> bool:
    source = context.knowledge.source(experiment.source_id)
    names = (source.source_id, source.registry_id)
    excluded = NamePatterns(context.view.exclude)
    return published_by(source, context.view.as_of) and not any(excluded.match(name) for name in names)


def _generator(seed: int, purpose: str) -> np.random.Generator:
    """A stream of its own for each purpose: one more quote changes no share."""
    return np.random.default_rng([seed, *purpose.encode()])
