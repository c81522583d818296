"""The peers of the bench draw what we draw; otherwise their speed would say nothing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from evals.bench_personas import ARCHETYPE, RARE, Prepared, copula_library, one_by_one, rejection, whole_columns
from personas.library import PersonaLibrary
from personas.restrictions import parse_restrictions
from personas.sampling import draw, prevalence_of


@pytest.mark.parametrize(("peer", "n"), [(one_by_one, 2_000), (whole_columns, 20_000), (copula_library, 20_000)])
def test_a_peer_has_the_same_means_and_rank_correlations(peer, n) -> None:  # type: ignore[no-untyped-def]
    persona = PersonaLibrary().get(ARCHETYPE)
    prepared = Prepared.of(persona)
    own, other = draw(persona, (), n, 1).columns, peer(prepared, n, 2)
    assert list(other) == list(prepared.attributes)
    for name, column in other.items():
        spread = own[name].astype(float).std()
        # Ours lack the few that no person can have; 5 standard errors and a percent of the SD.
        assert abs(column.mean() - own[name].mean()) < (5 * np.sqrt(2 / n) + 0.01) * spread, name
    for item in persona.correlations:
        if set(item.between) <= set(other):
            a, b = (other[name] for name in item.between)
            assert spearmanr(a, b).statistic == pytest.approx(item.spearman, abs=0.02 + 4 / np.sqrt(n))


def test_rejection_draws_as_many_as_the_prevalence_says() -> None:
    persona = PersonaLibrary().get(ARCHETYPE)
    share = prevalence_of(persona, parse_restrictions(RARE))
    assert 0.003 < share < 0.007
    drawn = rejection(Prepared.of(persona), RARE, 1000, 1)
    assert drawn == pytest.approx(1000 / share, rel=0.6)


@pytest.mark.slow
def test_draw_is_faster_than_its_peers() -> None:
    """Half of what the bench shows, so that a busy machine does not fail it."""
    from evals.bench_personas import run_bench

    lines = list(run_bench(2))
    (ahead,) = [line for line in lines if "faster than the peers" in line]
    ratios = [float(text.replace(",", "")) for text in ahead.split("factor of ")[1].split(" (")[0].split(", ")]
    assert all(ratio > 1.2 for ratio in ratios), lines
    assert float(lines[-1].split("factor of ")[1].rstrip(".").replace(",", "")) > 20, lines
