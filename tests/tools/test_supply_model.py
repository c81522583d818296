"""Exact rules against search and simulation, the compiled loops against plain ones."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from knowledge.errors import InvalidInput
from tools.supply import model
from tools.supply.kernels import BASE_STOCK, R_Q, S_S, one_stock, serial
from tools.supply.perishable import order_table, perishable_orders

NO_TABLE = np.zeros(1, dtype=np.int64)


def plain(demand, lead, leaves, policy, low, level, life, lifo, waits, begin):
    """The same stock as `kernels.one_stock`, unit lists instead of arrays: (order, short, waste, stock) per period."""
    batches, coming, owed, rows = [[0, begin]], [], 0.0, []
    for t, asked in enumerate(demand):

        def receive(amount, t=t, batches=batches):
            nonlocal owed
            back = min(amount, owed)
            owed -= back
            batches.append([t, amount - back])

        here = [one for one in coming if one[0] == t]
        coming = [one for one in coming if one[0] != t]
        for _, amount in here:
            receive(amount)
        position = sum(b[1] for b in batches) + sum(one[1] for one in coming) - owed
        order = 0.0
        if policy == BASE_STOCK:
            order = max(level - position, 0.0)
        elif policy == S_S and position <= low:
            order = level - position
        elif policy == R_Q:
            while position + order <= low:
                order += level
        if order > 0:
            there = leaves[t] + lead[t]
            if there <= t:
                receive(order)
            else:
                coming.append((there, order))
        left = asked
        for batch in sorted(batches, key=lambda b: b[0], reverse=lifo):
            taken = min(batch[1], left)
            batch[1] -= taken
            left -= taken
        owed += left if waits else 0.0
        waste = sum(b[1] for b in batches if life and t - b[0] >= life - 1)
        batches = [b for b in batches if not (life and t - b[0] >= life - 1)]
        rows.append((order, left, waste, sum(b[1] for b in batches)))
    return np.array(rows)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([BASE_STOCK, S_S, R_Q]), st.integers(0, 4), st.integers(0, 4), st.booleans(), st.integers(0, 2**32),
    st.integers(5, 30),
)  # fmt: skip
def test_stock_as_a_plain_loop_keeps_it(policy, lead, life, lifo, seed, level):
    rng = np.random.default_rng(seed)
    demand = rng.poisson(5, 60).astype(float)
    leads = rng.integers(0, lead + 1, 60)
    up = rng.random(60) > 0.2
    leaves = np.array([next((u for u in range(t, 60) if up[u]), 60) for t in range(60)])
    waits = life == 0
    trace = np.zeros((60, 4))
    sums = one_stock(
        demand, leads, leaves, policy, level / 2, float(level), life, lifo, waits, NO_TABLE, 1, 7.0, 0, trace
    )
    rows = plain(demand, leads, leaves, policy, level / 2, float(level), life, lifo, waits, 7.0)
    np.testing.assert_allclose(trace, rows, atol=1e-9)
    asked, met, short = sums[:3]
    assert asked == pytest.approx(demand.sum())
    assert met + short == pytest.approx(asked)
    # What came in is handed out, wasted, or still there (and on its way): nothing appears from nowhere.
    assert met + sums[7] <= 7.0 + sums[6] + 1e-9


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 3), st.integers(3, 20))
def test_a_chain_of_one_is_a_base_stock(seed, lead, level):
    demand = np.random.default_rng(seed).poisson(4, 80).astype(float)
    now = np.arange(80)
    sums, owed = serial(demand, now, np.array([float(level)]), np.array([lead + 1]), 0)
    trace = np.zeros((80, 4))
    one_stock(
        demand,
        np.full(80, lead),
        now,
        BASE_STOCK,
        0.0,
        float(level),
        0,
        False,
        True,
        NO_TABLE,
        1,
        float(level),
        0,
        trace,
    )
    assert sums[0, 0] == pytest.approx(trace[:, 3].sum())
    assert owed.min() >= 0


@settings(max_examples=15, deadline=None)
@given(st.floats(0.5, 8), st.floats(0.2, 3), st.floats(1, 30), st.floats(0, 40))
def test_no_other_pair_is_cheaper(mean, holding, shortage, fixed):
    pmf = model.poisson_pmf(mean)
    best = model.s_s_optimal(holding, shortage, fixed, pmf)
    s, top = (int(x) for x in best.policy)
    assert model.s_s_cost(s, top, holding, shortage, fixed, pmf) == pytest.approx(best.cost)
    tried = [
        model.s_s_cost(low, high, holding, shortage, fixed, pmf)
        for low in range(s - 3, s + 4)
        for high in range(max(top - 4, low + 1), top + 5)
    ]
    assert min(tried) >= best.cost - 1e-9


def test_renewal_cost_solves_the_chain():
    # Stationary distribution of the position after ordering, from its transition matrix.
    s, top, pmf = 4, 10, model.poisson_pmf(6)
    states = np.arange(s + 1, top + 1)
    move = np.zeros((states.size, states.size))
    for i, y in enumerate(states):
        for d, chance in enumerate(pmf):
            after = y - d
            move[i, (after if after > s else top) - s - 1] += chance
    share = np.linalg.matrix_power(move, 4000)[0]
    order = sum(share[i] * pmf[y - s :].sum() for i, y in enumerate(states))
    cost = 5 * order + sum(share[i] * model.base_stock_cost(y, 1, 4, pmf) for i, y in enumerate(states))
    assert model.s_s_cost(s, top, 1, 4, 5, pmf) == pytest.approx(cost)


def test_formulas_against_searching():
    pmf = model.poisson_pmf(7.3)
    rule = model.newsvendor(1.0, 9.0, pmf)
    assert rule.cost == pytest.approx(min(model.base_stock_cost(y, 1, 9, pmf) for y in range(40)))
    assert rule.level == stats.poisson.ppf(0.9, 7.3)
    normal = model.newsvendor_normal(1, 9, 100, 10, lead_time=3)
    sample = np.random.default_rng(1).normal(400, 20, 400_000)
    off = normal.level - sample
    assert normal.cost == pytest.approx(np.mean(np.maximum(off, 0) + 9 * np.maximum(-off, 0)), rel=0.01)
    lot = model.eoq_with_disruptions(10, 2, 8, 100, 0.5, 6)
    near = [model.eoq_with_disruptions_cost(lot.level * f, 10, 2, 8, 100, 0.5, 6) for f in (0.97, 1.03)]
    assert min(near) > lot.cost
    assert model.eoq_with_disruptions(8, 0.225, 5, 1300, 1e-9, 14).level == pytest.approx(304.0467800, rel=1e-4)
    assert model.negative_binomial_pmf(4, 9) @ np.arange(len(model.negative_binomial_pmf(4, 9))) == pytest.approx(4)
    assert model.rounded_gamma_pmf(4, 0.5).sum() == pytest.approx(1)


def test_lots_with_outages_as_simulated():
    rng, quantity = np.random.default_rng(2), 60.0
    n = 200_000
    lasts = quantity / 100
    # Is the supplier down when the stock is used up? It was up when the lot came.
    down = rng.random(n) < 0.5 / 6.5 * (1 - np.exp(-6.5 * lasts))
    wait = np.where(down, rng.exponential(1 / 6, n), 0.0)
    cost = (10 + 2 * quantity * lasts / 2 + 8 * 100 * wait).sum() / (lasts + wait).sum()
    assert model.eoq_with_disruptions_cost(quantity, 10, 2, 8, 100, 0.5, 6) == pytest.approx(cost, rel=0.01)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=7), st.floats(0, 200), st.floats(0.1, 5))
def test_known_demand_as_by_trying_everything(demand, fixed, holding):
    orders, cost = model.wagner_whitin(demand, fixed, holding)
    held = np.cumsum(orders) - np.cumsum(demand)
    assert (held >= -1e-9).all()
    assert cost == pytest.approx(fixed * sum(q > 0 for q in orders) + holding * held.sum())
    tried = []
    for days in itertools.product((False, True), repeat=len(demand)):
        due, spent = [t for t, day in enumerate(days) if day], 0.0
        if any(asked and not any(t <= when for t in due) for when, asked in enumerate(demand)):
            continue
        for when, asked in enumerate(demand):
            spent += holding * asked * (when - max((t for t in due if t <= when), default=when))
        tried.append(spent + fixed * len(due))
    assert cost == pytest.approx(min(tried))


@settings(max_examples=15, deadline=None)
@given(st.floats(0.5, 6), st.floats(1, 5), st.floats(5, 60), st.floats(0, 80))
def test_no_other_lot_and_reorder_point_is_cheaper(rate, holding, shortage, fixed):
    best = model.r_q_optimal(holding, shortage, fixed, rate, 1.0)
    r, q = int(best.reorder), int(best.level)
    assert model.r_q_cost(r, q, holding, shortage, fixed, rate, 1.0) == pytest.approx(best.cost)
    tried = [
        model.r_q_cost(low, lot, holding, shortage, fixed, rate, 1.0)
        for low in range(r - 2, r + 3)
        for lot in range(max(q - 2, 1), q + 3)
    ]
    assert min(tried) >= best.cost - 1e-9


@given(st.lists(st.integers(1, 9), min_size=2, max_size=6), st.sampled_from(["fifo", "lifo"]), st.integers(1, 2))
@settings(max_examples=10, deadline=None)
def test_best_orders_beat_a_base_stock(weights, issuing, way):
    pmf = np.array(weights) / sum(weights)
    settings_ = {
        "life": 2,
        "lead_time": way,
        "max_order": 6,
        "issuing": issuing,
        "order_cost": 1,
        "shortage_cost": 6,
        "waste_cost": 2,
        "holding_cost": 0.5,
    }
    plan = perishable_orders(pmf, **settings_)
    demand = np.random.default_rng(1).choice(len(pmf), 30_000, p=pmf).astype(float)
    lead, now = np.full(30_000, way), np.arange(30_000)

    def cost(policy, level, table, base):
        sums = one_stock(
            demand, lead, now, policy, 0.0, level, 2, issuing == "lifo", False, table, base, 0.0, 100, np.zeros((0, 4))
        )
        return (sums[6] + 6 * sums[2] + 2 * sums[7] + 0.5 * sums[4]) / 29_900

    own = cost(3, 0.0, plan.orders.ravel(), 7)
    assert own == pytest.approx(-plan.gain, rel=0.05)
    assert own <= min(cost(BASE_STOCK, float(level), NO_TABLE, 1) for level in range(10)) * 1.02
    assert (np.diff(plan.orders, axis=way - 1) <= 0).all()  # more fresh stock, no larger order


def test_orders_with_a_longer_way():
    pmf = model.poisson_pmf(2)
    near, far = (perishable_orders(pmf, life=2, lead_time=k, max_order=5, order_cost=0.5, price=1.0) for k in (1, 2))
    assert far.orders.shape == (6, 6, 6)
    assert far.gain < near.gain
    with pytest.raises(InvalidInput, match="life of 2"):
        order_table(pmf, 3, life=3, max_order=4)


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda: model.eoq(0, 1, 1), "above 0"),
        (lambda: model.newsvendor_normal(1, float("nan"), 5, 1), "above 0"),
        (lambda: model.s_s_cost(5, 5, 1, 1, 1, [0.5, 0.5]), "below the second"),
        (lambda: model.s_s_optimal(1, 1, 1, [0.5, 0.4]), "not to one"),
        (lambda: model.s_s_optimal(1, 1, 1, [1.0]), "Nobody"),
        (lambda: model.poisson_pmf(1e7), "packs"),
        (lambda: model.negative_binomial_pmf(4, 3), "above its mean"),
        (lambda: perishable_orders([0.5, 0.5], life=6, max_order=20), "too many states"),
        (lambda: perishable_orders([0.5, 0.5], life=2, issuing="any"), "fifo"),
        (lambda: model.base_stock_with_disruptions(1, 2, 10, 0.1, 0), "between 0 and 1"),
    ],
)
def test_what_cannot_be_is_refused(call, part):
    with pytest.raises(InvalidInput, match=part):
        call()
