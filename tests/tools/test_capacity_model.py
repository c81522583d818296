"""Closed forms of queueing theory, and the three engines against one another and against the closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.errors import InvalidInput
from tools.capacity import model
from tools.capacity.arrivals import appointments, walk_ins
from tools.capacity.laws import EMPIRICAL, EXPONENTIAL, GAMMA, LOGNORMAL, NEVER
from tools.capacity.network import Clinic, run

NOTHING = np.zeros(0, dtype=np.int64)


def clinic(**changes):
    """Registration with one server, then six chairs."""
    fields = {
        "lasting": np.array([[[EXPONENTIAL, 1 / 6, 0.0]], [[EXPONENTIAL, 1.0, 0.0]]]),
        "patience": np.array([[NEVER, 0.0, 0.0]] * 2), "values": np.zeros(1), "room": np.array([-1, -1]),
        "balk": np.zeros(2), "route_ptr": np.array([0, 1, 1, 2]), "route_to": np.array([1, 0]),
        "route_sum": np.ones(2), "route_rank": np.array([-1, -1]), "servers": np.array([1, 6]),
        "shift_time": np.zeros(0), "shift_station": NOTHING, "shift_servers": NOTHING, "cycle": 0.0,
        "rank": np.array([0]), "ranks": 1,
    }  # fmt: skip
    return Clinic(**(fields | changes))


TWO_STREAMS = {
    "lasting": np.array([[[LOGNORMAL, -2.0, 0.4], [GAMMA, 0.5, 0.2]], [[GAMMA, 2.0, 0.4], [EMPIRICAL, 0, 2]]]),
    "values": np.array([0.5, 1.1]), "rank": np.array([1, 0]), "ranks": 3, "route_ptr": np.array([0, 2, 3, 4, 5]),
    "route_to": np.array([1, 0, 0, 0, 0]), "route_sum": np.array([0.5, 0.6, 0.2, 1.0, 1.0]),
    "route_rank": np.array([2, -1, -1, -1, -1]),
}  # fmt: skip
CASES = {
    "tandem": {},
    "impatient": {"patience": np.array([[NEVER, 0, 0], [EXPONENTIAL, 0.5, 0.0]]), "room": np.array([3, -1]),
                  "balk": np.array([0, 0.1])},
    "shifts": {"shift_time": np.array([8.0, 17.0]), "shift_station": np.array([1, 1]), "shift_servers": np.array([18, 0]),
               "cycle": 24.0, "servers": np.array([1, 0])},
    "triage": TWO_STREAMS,
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_three_engines_see_the_same_patients(name):
    made = clinic(**CASES[name])
    rng = np.random.default_rng(1)
    arrive = walk_ins(rng, [5.0], 1.0, 200.0)
    stream = rng.integers(0, made.rank.size, arrive.size)
    found = []
    for engine in ("events", "simpy", *(("recursion",) if made.chain else ())):
        v = run(made, arrive, stream, 7, 10.0, 200.0, engine)
        order = np.lexsort((v.joined, v.patient))
        parts = (v.station, v.patient, v.outcome, v.joined, v.waited, v.served, v.last)
        found.append((*(part[order] for part in parts), v.left, v.waiting, v.busy))
    assert bool(made.chain) == (name == "tandem")
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.2, 6.0), st.integers(1, 6), st.integers(0, 2**32), st.sampled_from(sorted(CASES)))
def test_littles_law_and_nobody_is_lost_on_the_way(rate, chairs, seed, name):
    made = clinic(**CASES[name])
    made = made.with_servers(1, chairs) if name != "shifts" else made
    arrive = walk_ins(np.random.default_rng(seed), [rate], 1.0, 60.0)
    stream = (np.arange(arrive.size) % made.rank.size).astype(np.int64)
    v = run(made, arrive, stream, seed, 0.0, 1e12, "events")
    # From empty to empty, waiting patients integrated over time are the sum of all waits, and busy servers all services.
    for j in range(made.stations):
        here = v.station == j
        assert v.waiting[j] == pytest.approx(v.waited[here].sum(), rel=1e-6, abs=1e-6)
        assert v.busy[j] == pytest.approx(v.served[here].sum(), rel=1e-6, abs=1e-6)
    assert np.isfinite(v.left).all()
    assert (v.waited >= 0).all()
    lost = np.unique(v.patient[v.outcome > 0])
    done = np.unique(v.patient[v.last])
    assert len(lost) + len(done) == arrive.size


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 8), st.integers(0, 2**32))
def test_one_more_server_never_makes_anybody_wait_longer(servers, seed):
    arrive = walk_ins(np.random.default_rng(seed), [5.0], 1.0, 60.0)
    stream = np.zeros(arrive.size, dtype=np.int64)
    few, more = (run(clinic().with_servers(1, c), arrive, stream, seed, 0.0, 60.0) for c in (servers, servers + 1))
    assert (more.left <= few.left + 1e-9).all()


@pytest.mark.parametrize("rate", [2.0, 8.0])
def test_reneging_as_the_balance_equations_say(rate):
    made = clinic(
        lasting=np.array([[[EXPONENTIAL, 1.0, 0.0]]]), patience=np.array([[EXPONENTIAL, 0.7, 0.0]]), room=np.array([-1]),
        balk=np.zeros(1), route_ptr=np.array([0, 0, 1]), route_to=np.array([0]), route_sum=np.ones(1),
        route_rank=np.array([-1]), servers=np.array([5]),
    )  # fmt: skip
    lost = []
    for seed in range(20):
        arrive = walk_ins(np.random.default_rng(seed), [rate], 1.0, 1500.0)
        v = run(made, arrive, np.zeros(arrive.size, np.int64), seed, 0.0, 1500.0)
        lost.append((v.outcome == 1).mean())
    exact = model.erlang_a(rate, 1.0, 5, 0.7)
    assert np.mean(lost) == pytest.approx(exact.lost_share, abs=3.5 * np.std(lost) / 20**0.5 + 1e-4)


def test_closed_forms_agree_with_one_another():
    assert model.erlang_b(1, 0.5) == pytest.approx(1 / 3)
    assert model.mmc(0.8, 1, 1).wait_mean == pytest.approx(model.mg1_wait(0.8, 1, 1))
    assert model.mg1_wait(0.8, 1, 0) == pytest.approx(2.0)
    assert model.mmc(0.9, 1, 1).wait_over(1) == pytest.approx(0.9 * np.exp(-0.1))
    assert model.mmc(8, 1, 10).wait_quantile(0.99) == pytest.approx(np.log(0.4091801 / 0.01) / 2, rel=1e-6)
    assert model.mmc(8, 1, 10).wait_quantile(0.5) == 0
    assert model.erlang_a(8, 1, 10, 1e4).queue_length == pytest.approx(model.mmc(8, 1, 10).queue_length, rel=0.002)
    assert model.erlang_a(8, 1, 10, 1.0).queue_length == pytest.approx(
        sum(max(k - 10, 0) * np.exp(-8) * 8.0**k / float(np.prod(np.arange(1.0, k + 1))) for k in range(60))
    )  # patience as long as service: the number there is Poisson
    assert model.expected_arrivals([1, 2, 3], 2.0) == 12
    # conservation law: waits of all classes, weighted by load, do not depend on the order of service
    waits = model.mg1_priority_waits([0.3, 0.4], [1, 0.8], [1, 0.8])
    load = np.array([0.3, 0.32])
    residual = (0.3 * 2 + 0.4 * 2 * 0.64) / 2
    assert (load * waits).sum() == pytest.approx(load.sum() * residual / (1 - load.sum()))
    assert model.mmc_priority_waits([0.3, 0.4], 1.0, 1) == pytest.approx(model.mg1_priority_waits([0.3, 0.4], [1, 1], [1, 1]))  # fmt: skip


@given(st.floats(0.01, 50), st.integers(1, 60))
def test_erlang_b_is_the_truncated_poisson(load, servers):
    k = np.arange(servers + 1)
    log = k * np.log(load) - np.array([np.sum(np.log(np.arange(1, n + 1))) for n in k])
    weights = np.exp(log - log.max())
    assert model.erlang_b(servers, load) == pytest.approx(weights[-1] / weights.sum(), rel=1e-9)
    if load < servers:
        assert model.erlang_b(servers, load) <= model.erlang_c(servers, load) <= 1 + 1e-12


def test_a_network_with_a_way_back():
    found = model.jackson([1.0, 0.5], [[0, 0.6], [0.25, 0]], [3.0, 4.0], [1, 1])
    # λ1 = 1 + λ2/4, λ2 = 0.5 + 0.6 λ1
    assert found.throughput == pytest.approx([1.125 / 0.85, 0.5 + 0.6 * 1.125 / 0.85])
    assert found.in_system == pytest.approx(found.sojourn_mean * 1.5)


def test_thinning_follows_the_rates():
    rates = [1.0, 10.0, 0.0, 4.0]
    rng = np.random.default_rng(3)
    counts = np.array([np.histogram(walk_ins(rng, rates, 2.0, 8.0), bins=[0, 2, 4, 6, 8])[0] for _ in range(3000)])
    assert counts.mean(axis=0) == pytest.approx(2 * np.array(rates), abs=0.35)
    assert counts.var(axis=0) == pytest.approx(2 * np.array(rates), rel=0.1, abs=0.01)
    assert (counts[:, 2] == 0).all()


def test_appointments():
    rng = np.random.default_rng(1)
    assert appointments(rng, [9, 10], 24, 48) == pytest.approx([9, 10, 33, 34])
    assert appointments(rng, [9.0], 24, 24 * 20000, no_show=0.2).size == pytest.approx(16000, rel=0.02)
    late = appointments(rng, [12.0], 24, 24 * 5000, lateness_sd=0.5) % 24
    assert late.std() == pytest.approx(0.5, rel=0.05)
    with pytest.raises(InvalidInput, match="later than the cycle"):
        appointments(rng, [25], 24, 48)


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda: model.erlang_c(3, 3.0), "too much"),
        (lambda: model.erlang_b(0, 1.0), "whole number"),
        (lambda: model.erlang_b(2, -1.0), "above 0"),
        (lambda: model.mg1_wait(1.0, 1.0, 1.0), "grows for ever"),
        (lambda: model.mg1_wait(0.5, 1.0, float("nan")), "deviation"),
        (lambda: model.mmc(float("nan"), 1, 1), "above 0"),
        (lambda: model.jackson([1], [[1.0]], [2], [1]), "never leave"),
        (lambda: model.jackson([1, 1], [[0, 0.7], [0, 1.2]], [9, 9], [1, 1]), "at most one"),
        (lambda: model.expected_arrivals([-1.0]), "0 or more"),
        (lambda: model.mmc(1, 2, 1).wait_quantile(1.0), "between 0 and 1"),
        (lambda: walk_ins(np.random.default_rng(1), [1e6], 1.0, 1e3), "shorter"),
    ],
)
def test_what_cannot_be_is_refused(call, part):
    with pytest.raises(InvalidInput, match=part):
        call()
