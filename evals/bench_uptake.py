"""Speed of market access, by turns with peers on the same work, and how it grows.

Funnel: against a loop over people who are eligible, covered, start and stop one by one. Multinomial logit: against
`ConditionalLogit` of statsmodels on the same choices (the coefficients are compared first).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from evals.bench_cost_effectiveness import report_rates
from evals.growth import Growth
from tools.uptake.model import fit_logit, monthly_start, monthly_stay, probabilities, run_funnel

MONTHS, LOOPED, PEOPLE, CHOICES = 12, 20_000, 1_000_000, 1500
ELIGIBLE, COVERED, YEARLY, STAY = 0.4, 0.5, 0.3, 0.5


def whole_groups(people: int, seed: int) -> tuple[int, int]:
    """Started, and on treatment at the end."""
    counts = run_funnel(
        np.random.default_rng(seed), [people], [ELIGIBLE], [COVERED], monthly_start([YEARLY], MONTHS),
        monthly_stay([STAY], MONTHS),
    )  # fmt: skip
    return int(counts.started.sum()), int(counts.on_treatment[..., -1].sum())


def person_by_person(people: int, seed: int) -> tuple[int, int]:
    """Peer: the same funnel, one person after another."""
    rng = np.random.default_rng(seed)
    begin, stay = 1 - (1 - YEARLY) ** (1 / MONTHS), STAY ** (1 / MONTHS)
    started = still = 0
    for _ in range(people):
        if rng.random() >= ELIGIBLE or rng.random() >= COVERED:
            continue
        on = ever = False
        for _month in range(MONTHS):
            if on:
                on = rng.random() < stay
            elif not ever and rng.random() < begin:
                ever, on = True, rng.random() < stay**0.5
        started += ever
        still += on
    return started, still


def lines(runs: int) -> Iterator[str]:
    """Yield the lines of the report."""
    ours, theirs = whole_groups(PEOPLE, 1), person_by_person(LOOPED, 1)
    for one, other in zip(ours, theirs, strict=True):
        assert abs(one / PEOPLE - other / LOOPED) < 5 * (one / PEOPLE / LOOPED) ** 0.5
    yield f"{runs} runs by turns; funnel of {MONTHS} months; median people per second (lowest to highest)"
    yield from report_rates(
        {
            "uptake funnel": (PEOPLE, lambda seed: whole_groups(PEOPLE, seed)),
            "peer: loop over people": (LOOPED, lambda seed: person_by_person(LOOPED, seed)),
        },
        runs,
    )
    from statsmodels.discrete.conditional_models import ConditionalLogit

    rng = np.random.default_rng(1)
    x = rng.normal(size=(CHOICES, 3, 3))
    taken = (probabilities(x @ np.array([0.8, -0.5, 0.2])).cumsum(axis=1) > rng.random((CHOICES, 1))).argmax(axis=1)
    picked = np.zeros((CHOICES, 3))
    picked[np.arange(CHOICES), taken] = 1
    groups = np.repeat(np.arange(CHOICES), 3)

    def peer(_seed: int) -> object:
        return ConditionalLogit(picked.ravel(), x.reshape(-1, 3), groups=groups).fit(disp=False)

    np.testing.assert_allclose(
        fit_logit(x, taken, ["a", "b", "c"]).coefficients, ConditionalLogit(
            picked.ravel(), x.reshape(-1, 3), groups=groups).fit(disp=False).params, atol=1e-4,
    )  # fmt: skip
    yield f"Multinomial logit, {CHOICES} choices of 3; median choices fitted per second"
    yield from report_rates(
        {
            "uptake logit": (CHOICES, lambda _: fit_logit(x, taken, ["a", "b", "c"])),
            "peer: statsmodels ConditionalLogit": (CHOICES, peer),
        },
        runs,
    )


def growth() -> Growth:
    """The funnel, by the number of people."""
    return Growth("market access funnel", "people", lambda people: whole_groups(people, 1))
