"""Speed of the epidemic, by turns with starsim on the same epidemic, and how it grows.

The same SIR epidemic (R0 = 2, ten days infectious, random mixing). starsim (PyPI, MIT; 3.7.2 measured, when it is installed)
follows agents on a network that is drawn anew each day; here people are counted, which is less work for the same outcome. Attack
rates are compared before anything is timed; starsim's was two points lower when it was measured, why was not looked into.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from evals.bench_cost_effectiveness import report_rates
from evals.growth import Growth
from tools.epidemic.model import Biology, plain_setting, simulate_runs

DAYS, R0, INFECTIOUS, CONTACTS, AGENTS, SEEDED = 200, 2.0, 10.0, 10, 20_000, 0.01


def ours(people: int, seed: int) -> float:
    """Share infected."""
    setting = plain_setting([people], [[1.0]], DAYS, [int(SEEDED * people)])
    runs = simulate_runs(setting, Biology(R0, 0.0, INFECTIOUS), 1, np.random.default_rng(seed))
    return float(runs.infections.sum() / people)


def starsim_way(people: int, seed: int) -> float | None:
    """Peer: agents on a random network; None when starsim is not installed."""
    try:
        import starsim as ss  # type: ignore[import-not-found]
    except ImportError:
        return None
    disease = ss.SIR(
        beta=ss.probperday(R0 / CONTACTS / INFECTIOUS), init_prev=ss.bernoulli(SEEDED),
        dur_inf=ss.expon(scale=ss.days(INFECTIOUS)), p_death=ss.bernoulli(0.0),
    )  # fmt: skip
    network = ss.RandomNet(n_contacts=ss.constant(CONTACTS), dur=0)
    sim = ss.Sim(
        n_agents=people, diseases=disease, networks=network, dt=ss.days(1), start=ss.days(0), dur=ss.days(DAYS),
        rand_seed=seed, verbose=0,
    )  # fmt: skip
    sim.run()
    return float(1 - np.mean(np.asarray(sim.diseases[0].susceptible)))


def lines(runs: int) -> Iterator[str]:
    """Yield the lines of the report."""
    ours(1000, 0)
    own = np.mean([ours(AGENTS, seed) for seed in range(20)])
    ways = {"epidemic": (AGENTS, lambda seed: ours(AGENTS, seed))}
    peer = starsim_way(AGENTS, 0)
    if peer is None:
        yield "starsim is not installed; only this project's epidemic is timed (pip install starsim)."
    else:
        yield f"Attack rate: {own:.3f} here, {peer:.3f} with starsim"
        assert abs(own - peer) < 0.03
        ways["peer: starsim"] = (AGENTS, lambda seed: starsim_way(AGENTS, seed) or 0.0)
    yield f"{runs} runs by turns; {DAYS} days, {AGENTS:,} people; median people per second (lowest to highest)"
    if len(ways) > 1:
        yield from report_rates(ways, runs)


def growth() -> Growth:
    """One epidemic, by the number of people."""
    return Growth("epidemic", "people", lambda people: ours(people, 1))
