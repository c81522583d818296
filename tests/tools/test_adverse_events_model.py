"""Competing risks, hazards, pharmacokinetics and the marrow against other solvers, closed forms and invariants."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad, solve_ivp

from knowledge.errors import InvalidInput
from tools.adverse_events import model

quick = settings(max_examples=30, deadline=None)
PACLITAXEL = model.compartments(285, [290, 995], [204])
LEUKOCYTES = model.Marrow(7.21, 124, 0.239, 28.9)
INFUSION = model.doses([0], 350, 3)


def competing(seed, n, ties=False):
    rng = np.random.default_rng(seed)
    times = rng.exponential(1, n).round(1) if ties else rng.exponential(1, n)
    return times, rng.integers(0, 4, n)


# Aalen-Johansen


@quick
@given(st.integers(0, 9999), st.integers(1, 200), st.booleans())
def test_incidences_and_the_event_free_share_sum_to_one(seed, n, ties):
    times, causes = competing(seed, n, ties)
    causes[0] = 1
    found = model.aalen_johansen(times, causes)
    np.testing.assert_allclose(found.incidence.sum(axis=1) + found.survival, 1, atol=1e-12)
    assert (np.diff(found.incidence, axis=0) >= 0).all()
    assert found.left.sum() == n
    lower, upper = model.interval(found.incidence, found.variance, 0.9)
    assert ((lower <= found.incidence + 1e-12) & (found.incidence <= upper + 1e-12)).all()
    assert ((lower >= 0) & (upper <= 1)).all()


def test_against_lifelines():
    from lifelines import AalenJohansenFitter

    times, causes = competing(4, 400)
    found = model.aalen_johansen(times, causes)
    for j, cause in enumerate(found.causes):
        peer = AalenJohansenFitter(alpha=0.1).fit(times, causes, event_of_interest=int(cause))
        np.testing.assert_allclose(found.incidence[:, j], peer.cumulative_density_.to_numpy()[1:, 0], atol=1e-12)
        variance = peer.variance_.to_numpy()[1:-1]
        np.testing.assert_allclose(found.variance[:-1, j], variance, atol=1e-12)
        lower, upper = model.interval(found.incidence, found.variance, 0.9)
        inside = (found.incidence[:-1, j] > 0).nonzero()[0]
        peer_limits = np.sort(peer.confidence_interval_.to_numpy()[1:-1], axis=1)
        np.testing.assert_allclose(lower[inside, j], peer_limits[inside, 0], atol=1e-10)
        np.testing.assert_allclose(upper[inside, j], peer_limits[inside, 1], atol=1e-10)


def test_one_cause_without_leaving_is_the_empirical_share():
    times = np.arange(1.0, 101)
    found = model.aalen_johansen(times, np.ones(100, int))
    share, _, variance = found.at([25, 60.5])[1][:, 0], 0, found.at([25, 60.5])[2][:, 0]
    np.testing.assert_allclose(share, [0.25, 0.6])
    np.testing.assert_allclose(variance, [0.25 * 0.75 / 100, 0.6 * 0.4 / 100])


def test_constant_hazards_are_recovered_and_covered():
    rng = np.random.default_rng(8)
    hits, hazards, at = 0, np.array([0.4, 0.25]), 1.2
    truth = hazards[0] / hazards.sum() * (1 - np.exp(-hazards.sum() * at))
    for _ in range(300):
        latent = rng.exponential(1 / hazards, (150, 2))
        leave = rng.exponential(3, 150)
        times = np.minimum(latent.min(axis=1), leave)
        causes = np.where(leave < latent.min(axis=1), 0, latent.argmin(axis=1) + 1)
        _, share, variance = model.aalen_johansen(times, causes).at([at])
        lower, upper = model.interval(share[0, 0], variance[0, 0], 0.9)
        hits += lower <= truth <= upper
    assert 0.85 < hits / 300 < 0.95


# Hazards

hazard = st.floats(0, 5)
shares = st.floats(0, 1)


@quick
@given(st.lists(st.tuples(hazard, st.floats(0.2, 4), shares), min_size=1, max_size=5), hazard, hazard)
def test_nobody_is_lost(events, other, death):
    h, k, s = (np.array([column]) for column in zip(*events, strict=True))
    course = model.expected_course(h, [*k[0], 1.3, 0.8], s, [[other, death]])
    total = course.stopped.sum(axis=2) + course.otherwise + course.died + course.treated
    np.testing.assert_allclose(total, 1, atol=1e-9)
    for part in (course.occurred, course.stopped, course.otherwise[..., None], course.died[..., None]):
        assert (np.diff(part, axis=1) >= -1e-9).all()
        assert ((part >= -1e-12) & (part <= 1 + 1e-9)).all()
    assert (course.occurred >= course.stopped - 1e-9).all()
    assert (course.event_free <= course.treated + 1e-9).all()


@quick
@given(hazard, hazard, st.floats(0.3, 3), shares)
def test_more_hazard_more_events(one, other, shape, stops):
    low, high = sorted((one, other))
    course = model.expected_course([[low, 0.4], [high, 0.4]], [shape, 1, 1, 1], [[stops, 1]] * 2, [[0.2, 0.1]] * 2)
    assert course.occurred[1, -1, 0] >= course.occurred[0, -1, 0] - 1e-9
    assert course.occurred[1, -1, 1] <= course.occurred[0, -1, 1] + 1e-6


@pytest.mark.parametrize("shape", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("scale", [1e-6, 1, 100])
def test_same_shape_in_closed_form(shape, scale):
    h = np.array([0.5, 0.3]) * scale
    course = model.expected_course([h], [shape] * 4, [[1, 1]], [[0.2 * scale, 0.1 * scale]])
    grown = -np.expm1(-1.1 * scale * course.times**shape)
    np.testing.assert_allclose(course.stopped[0], [0.5 / 1.1, 0.3 / 1.1] * grown[:, None], rtol=1e-9)
    np.testing.assert_allclose(course.died[0], 0.1 / 1.1 * grown, rtol=1e-9)
    np.testing.assert_allclose(course.treated[0], 1 - grown, atol=1e-12)


def test_different_shapes_against_quadrature():
    h, k, s, e = np.array([4.0, 0.7]), [0.4, 2.0, 1.0, 1.5], np.array([0.3, 0.0]), [0.5, 0.2]
    course = model.expected_course([h], k, [s], [e])

    def stays(t, without):
        alone = [1 - s[j] * -np.expm1(-h[j] * t ** k[j]) for j in range(2) if j != without]
        return np.prod(alone) * np.exp(-e[0] * t ** k[2] - e[1] * t ** k[3])

    for j in range(2):
        # In terms of the share with the event, so that a steep hazard at 0 does no harm.
        last = -np.expm1(-h[j])
        back = lambda f, j=j: (-np.log1p(-f) / h[j]) ** (1 / k[j])  # noqa: E731
        want = quad(lambda f, j=j, back=back: stays(back(f), j), 0, last, limit=200)[0]
        assert course.occurred[0, -1, j] == pytest.approx(want, abs=2e-5)
        assert course.stopped[0, -1, j] == pytest.approx(s[j] * want, abs=1e-5)


def test_people_one_by_one_and_counted_agree_with_the_integrals():
    given_ = ([0.5, 0.3, 1.2], [0.6, 1.5, 1, 1.3, 2], [0.3, 1, 0], [0.2, 0.1])
    course = model.expected_course([given_[0]], given_[1], [given_[2]], [given_[3]])
    n = 400_000
    for made in (
        model.follow_people(n, *given_, np.random.default_rng(1)),
        model.count_people(n, course, 0, np.random.default_rng(1)),
    ):
        assert made.stopped.sum() + made.otherwise + made.died + made.treated == n
        want = np.concatenate([course.occurred[0, -1], course.stopped[0, -1], course.otherwise[0, -1:],
                               course.died[0, -1:], course.treated[0, -1:], course.event_free[0, -1:]])  # fmt: skip
        got = np.array([*made.occurred, *made.stopped, made.otherwise, made.died, made.treated, made.event_free]) / n
        assert (np.abs(got - want) < 4.5 * np.sqrt(want * (1 - want) / n) + 3e-6).all()


def test_counted_chance_is_that_of_people():
    given_ = ([0.5], [1, 1, 1], [0.4], [0.2, 0.1])
    course = model.expected_course([given_[0]], given_[1], [given_[2]], [given_[3]])
    one = [model.follow_people(100, *given_, np.random.default_rng(i)).occurred[0] for i in range(800)]
    other = [model.count_people(100, course, 0, np.random.default_rng(i)).occurred[0] for i in range(800)]
    assert np.mean(one) == pytest.approx(np.mean(other), abs=0.8)
    assert np.std(one) == pytest.approx(np.std(other), rel=0.12)


# Exact bounds


@quick
@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.99))
def test_exact_interval_against_scipy(counts, level):
    events, people = counts
    want = stats.binomtest(events, people).proportion_ci(level, method="exact")
    np.testing.assert_allclose(model.exact_interval(events, people, level), (want.low, want.high), atol=1e-9)
    assert model.exact_upper_bound(events, people, (1 + level) / 2) == pytest.approx(want.high, abs=1e-9)


@quick
@given(st.integers(1, 10**6))
def test_rule_of_three(n):
    bound = model.exact_upper_bound(0, n)
    assert bound == pytest.approx(1 - 0.05 ** (1 / n), rel=1e-6)
    assert bound <= 3 / n


# Pharmacokinetics


@pytest.mark.parametrize(
    ("volumes", "exchange", "absorption"),
    [([20], [], None), ([20, 50], [8], None), ([10, 30, 200], [5, 2], None), ([20, 50], [8], 0.7), ([20], [], 0.25)],
)
def test_concentration_against_the_differential_equations(volumes, exchange, absorption):
    clearance, count = 5.0, len(volumes)
    given_ = model.doses([0, 12, 30], [100, 60, 80], [0, 2.5, 6] if absorption is None else 0)
    times = np.linspace(0.1, 60, 50)

    def slope(t, y):
        c = y[:count] / volumes
        rate = sum(
            a / n
            for s, a, n in zip(given_.times, given_.amounts, given_.lengths, strict=True)
            if n > 0 and s <= t < s + n
        )
        central = rate - clearance * c[0]
        if absorption is not None:
            central += absorption * y[count]
        moved = np.array([q * (c[0] - c[i + 1]) for i, q in enumerate(exchange)])
        return [central - moved.sum(), *moved, -(absorption or 0) * y[count]]

    y, edges = np.zeros(count + 1), [0, 12, 14.5, 30, 36, 60]
    wanted = []
    for begin, end in pairwise(edges):
        for s, a, n in zip(given_.times, given_.amounts, given_.lengths, strict=True):
            if s == begin and n == 0:
                y[0 if absorption is None else count] += a * (1 if absorption is None else 0.8)
        inside = times[(times >= begin) & (times < end)]
        middle = (begin + end) / 2
        step = solve_ivp(lambda t, y, m=middle, e=end: slope(m if t >= e else t, y), (begin, end), y, "LSODA", rtol=1e-10,
                         atol=1e-12, t_eval=[*inside, end])  # fmt: skip
        wanted += (step.y[0, :-1] / volumes[0]).tolist()
        y = step.y[:, -1]
    found = model.concentration(times[times < 60], model.compartments(clearance, volumes, exchange), given_,
                                absorption=absorption, available=0.8 if absorption else 1.0)  # fmt: skip
    np.testing.assert_allclose(found[0], wanted, rtol=1e-6, atol=1e-9)


@quick
@given(st.floats(0.1, 100), st.floats(1, 500), st.floats(1, 500), st.floats(0.1, 50))
def test_area_under_the_curve_is_dose_over_clearance(clearance, central, other, flow):
    modes = model.compartments(clearance, [central, other], [flow])
    assert (modes.coefficient / modes.decay).sum() == pytest.approx(1 / clearance, rel=1e-6)
    assert modes.coefficient.sum() == pytest.approx(1 / central)


# Marrow


def lsoda(marrow, modes, given_, hours):
    """Densely solved by scipy, from one change of the input to the next."""
    ktr = 4 / marrow.transit

    def slope(t, y):
        c = model.concentration([t], modes, given_)[0, 0]
        effect = marrow.slope * c + marrow.emax * c / (marrow.ec50 + c)
        grow = ktr * y[0] * ((1 - effect) * (marrow.baseline / y[4]) ** marrow.feedback - 1)
        return [grow, *(ktr * (y[i] - y[i + 1]) for i in range(4))]

    y = np.full(5, float(marrow.baseline))
    edges = np.unique([0, hours, *given_.times, *(given_.times + given_.lengths)])
    when, counts = [0.0], [y[4]]
    for begin, end in pairwise(edges):
        grid = np.linspace(begin, end, 1500)[1:]
        step = solve_ivp(slope, (begin, end), y, "LSODA", rtol=1e-8, atol=1e-10, t_eval=grid)
        when += grid.tolist()
        counts += step.y[4].tolist()
        y = step.y[:, -1]
    return np.array(when), np.array(counts)


@pytest.mark.parametrize(
    ("marrow", "modes", "given_", "hours"),
    [
        (LEUKOCYTES, PACLITAXEL, INFUSION, 1008),
        (LEUKOCYTES, PACLITAXEL, model.doses([0, 504], 450, 3), 1008),
        (
            model.Marrow(5.0, 90, 0.16, 0.0, 1.2, 0.8),
            model.compartments(6, [30]),
            model.doses([0, 24, 48], 100, 0),
            600,
        ),
    ],
)
def test_marrow_against_lsoda(marrow, modes, given_, hours):
    when, counts = lsoda(marrow, modes, given_, hours)
    grid = np.arange(12, hours, 36.0)
    found = model.suppress(marrow, modes, given_, hours, grid=grid)
    assert found.nadir[0] == pytest.approx(counts.min(), rel=2e-5)
    assert found.nadir_day[0] == pytest.approx(when[counts.argmin()] / 24, abs=0.03)
    np.testing.assert_allclose(found.counts[0], np.interp(grid, when, counts), rtol=1e-4)


def test_paclitaxel_nadir():
    found = model.suppress(LEUKOCYTES, PACLITAXEL, INFUSION, 1008)
    assert found.nadir[0] == pytest.approx(3.0516, abs=1e-3)
    assert found.nadir_day[0] == pytest.approx(9.2021, abs=5e-3)


@quick
@given(st.floats(0, 2000), st.floats(0, 2000))
def test_more_drug_fewer_cells(one, other):
    low, high = sorted((one, other))
    found = [model.suppress(LEUKOCYTES, PACLITAXEL, model.doses([0], dose, 3), 700).nadir[0] for dose in (low, high)]
    assert 0 < found[1] <= found[0] + 1e-6 <= 7.21 + 2e-6


def test_no_drug_no_change_and_recovery():
    idle = model.suppress(LEUKOCYTES, PACLITAXEL, model.doses([0], 0.0, 3), 500, grid=[0, 250, 500])
    np.testing.assert_allclose(idle.counts, 7.21)
    assert idle.nadir_day[0] == 0
    late = model.suppress(LEUKOCYTES, PACLITAXEL, INFUSION, 24 * 300, grid=[24 * 300])
    assert late.counts[0, 0] == pytest.approx(7.21, rel=1e-3)


def test_patients_do_not_depend_on_their_neighbours():
    rng = np.random.default_rng(4)
    slopes = 28.9 * np.exp(0.4 * rng.standard_normal(20))
    together = model.suppress(model.Marrow(7.21, 124, 0.239, slopes), PACLITAXEL, INFUSION, 504)
    for i in (0, 7, 19):
        alone = model.suppress(model.Marrow(7.21, 124, 0.239, slopes[i]), PACLITAXEL, INFUSION, 504)
        assert alone.nadir[0] == together.nadir[i]
    np.testing.assert_allclose(model.grade_shares(together.nadir, [0, 3.0, 100]), [0, (together.nadir < 3).mean(), 1])


@pytest.mark.parametrize(
    "call",
    [
        lambda: model.aalen_johansen([], []),
        lambda: model.aalen_johansen([1, -2], [1, 0]),
        lambda: model.aalen_johansen([1, np.nan], [1, 0]),
        lambda: model.aalen_johansen([1, 2], [0, 0]),
        lambda: model.aalen_johansen([1, 2], [0.5, 1]),
        lambda: model.aalen_johansen([1, 2], [1]),
        lambda: model.interval(0.5, 0.1, 1.0),
        lambda: model.expected_course([[np.inf]], [1, 1, 1], [[0]], [[0, 0]]),
        lambda: model.expected_course([[0.1]], [0, 1, 1], [[0]], [[0, 0]]),
        lambda: model.expected_course([[0.1]], [1, 1, 1], [[1.5]], [[0, 0]]),
        lambda: model.expected_course([0.1], [1, 1, 1], [0], [0, 0]),
        lambda: model.follow_people(0, [0.1], [1, 1, 1], [0], [0, 0], np.random.default_rng(1)),
        lambda: model.exact_interval(4, 3),
        lambda: model.exact_upper_bound(0, 0),
        lambda: model.exact_upper_bound(0, 10, 1.0),
        lambda: model.compartments(5, [10, 0], [1]),
        lambda: model.compartments(5, [10, 10]),
        lambda: model.compartments(-5, [10]),
        lambda: model.doses([-1], 5),
        lambda: model.doses([], 5),
        lambda: model.doses([1], np.nan),
        lambda: model.concentration([1], PACLITAXEL, INFUSION, absorption=0.0),
        lambda: model.concentration([1], PACLITAXEL, INFUSION, available=1.5),
        lambda: model.suppress(model.Marrow(0, 124, 0.2, 1), PACLITAXEL, INFUSION, 100),
        lambda: model.suppress(model.Marrow(7, np.nan, 0.2, 1), PACLITAXEL, INFUSION, 100),
        lambda: model.suppress(LEUKOCYTES, PACLITAXEL, INFUSION, -1),
        lambda: model.suppress(LEUKOCYTES, PACLITAXEL, INFUSION, 100, grid=[50, 20]),
        lambda: model.suppress(model.Marrow(np.ones(3), 124, 0.2, np.ones(2)), PACLITAXEL, INFUSION, 100),
        lambda: model.grade_shares([], [1]),
    ],
)
def test_refuses_what_cannot_be(call):
    with pytest.raises(InvalidInput):
        call()
