"""3+3 and BOIN: every path enumerated, invariants, and refusals."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import isotonic_regression

from knowledge.errors import InvalidInput
from tools.dose_finding import model

quick = settings(max_examples=40, deadline=None)
rates = st.lists(st.floats(0, 1), min_size=1, max_size=6)
RISING = [0.05, 0.15, 0.3, 0.45, 0.6]


def enumerate_three_plus_three(p, confirm):
    """Walk every path of cohorts by counts of DLTs; gives (none + selected, patients, toxicities)."""
    doses = len(p)
    selected, patients, toxic = np.zeros(doses + 1), np.zeros(doses), np.zeros(doses)

    def walk(dose, seen, chance, up):
        if chance == 0:
            return
        if dose < 0 or dose == doses or (not up and (seen[dose][0] == 6 or not confirm)):
            best = doses - 1 if dose == doses else dose
            if dose == doses and confirm and seen[best][0] == 3:
                walk(best, seen, chance, False)
                return
            selected[best + 1] += chance
            for d, (n, y) in enumerate(seen):
                patients[d] += chance * n
                toxic[d] += chance * y
            return
        for found in range(4):
            n, y = seen[dose][0] + 3, seen[dose][1] + found
            then = chance * stats.binom.pmf(found, 3, p[dose])
            after = [*seen[:dose], (n, y), *seen[dose + 1 :]]
            if not up:
                if y <= 1:
                    best = dose
                    selected[best + 1] += then
                    for d, (m, z) in enumerate(after):
                        patients[d] += then * m
                        toxic[d] += then * z
                else:
                    walk(dose - 1, after, then, False)
            elif y == 0 or (n == 6 and y == 1):
                walk(dose + 1, after, then, True)
            elif n == 3 and y == 1:
                walk(dose, after, then, True)
            else:
                walk(dose - 1, after, then, False)

    walk(0, [(0, 0)] * doses, 1.0, True)
    return selected, patients, toxic


@pytest.mark.parametrize("confirm", [False, True])
@pytest.mark.parametrize("p", [[0.2], [0.1, 0.4], [0.3, 0.2, 0.6], [0.05, 0.5, 0.1]])
def test_every_path_of_three_plus_three(p, confirm):
    selected, patients, toxic = enumerate_three_plus_three(p, confirm)
    found = model.three_plus_three(p, confirm=confirm)
    np.testing.assert_allclose([found.none, *found.selected], selected, atol=1e-12)
    np.testing.assert_allclose(found.patients, patients, atol=1e-12)
    np.testing.assert_allclose(found.toxicities, toxic, atol=1e-12)


@quick
@given(rates, st.booleans())
def test_probabilities_sum_to_one(p, confirm):
    found = model.three_plus_three(p, confirm=confirm)
    assert found.none + found.selected.sum() == pytest.approx(1, abs=1e-12)
    assert (found.selected >= -1e-15).all()
    assert (found.patients <= 6 + 1e-9).all()


@quick
@given(st.floats(0, 1), st.floats(0, 1))
def test_a_more_toxic_dose_is_passed_less_often(one, other):
    low, high = sorted((one, other))
    assert model.escalation_probability(low) >= model.escalation_probability(high) - 1e-12


def test_escalation_in_closed_form():
    np.testing.assert_allclose(
        model.escalation_probability([0.1, 0.2, 0.4, 0.5]), [0.906147, 0.708608, 0.309312, 0.171875], atol=1e-6
    )
    assert model.escalation_probability(0) == 1
    assert model.escalation_probability(1) == 0


def test_simulated_three_plus_three_agrees_with_the_exact_one():
    made = model.simulate_three_plus_three(RISING, 40_000, np.random.default_rng(3))
    want = model.three_plus_three(RISING)
    shares = [(made.chosen == i).mean() for i in range(-1, 5)]
    np.testing.assert_allclose(shares, [want.none, *want.selected], atol=0.01)
    np.testing.assert_allclose(made.people.mean(axis=0), want.patients, atol=0.04)
    np.testing.assert_allclose(made.toxicities.mean(axis=0), want.toxicities, atol=0.02)


@quick
@given(st.floats(0.05, 0.6), st.floats(0.3, 0.9), st.floats(1.1, 1.6))
def test_boundaries_bracket_the_target(target, low, high):
    up, down = model.boundaries(target, low * target, high * target)
    assert low * target < up < target < down < high * target


def test_boundaries_are_where_two_hypotheses_are_equally_likely():
    up, down = model.boundaries(0.25, 0.15, 0.35)
    for rate, other in ((up, 0.15), (down, 0.35)):
        assert rate * np.log(0.25) + (1 - rate) * np.log(0.75) == pytest.approx(
            rate * np.log(other) + (1 - rate) * np.log(1 - other)
        )


def test_decision_table_against_the_posterior():
    table = model.decision_table(0.3, 0.18, 0.42, 30, 0.95)
    for n in range(1, 31):
        eliminated = [y for y in range(n + 1) if n >= 3 and stats.beta.cdf(0.3, y + 1, n - y + 1) < 0.05]
        assert table.eliminate[n - 1] == (eliminated[0] if eliminated else 1_000_000)
    assert (table.escalate < table.deescalate).all()
    assert (table.deescalate <= table.eliminate).all()


@quick
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 5)), min_size=1, max_size=8))
def test_isotonic_against_scipy(rows):
    values, weights = (np.array(column) for column in zip(*rows, strict=True))
    np.testing.assert_allclose(
        model.isotonic(values, weights), isotonic_regression(values, weights=weights).x, atol=1e-9
    )


def exact_boin(p, table, target, cohorts, size):
    """Probability of each choice by walking all counts of DLTs."""
    doses = len(p)
    chosen = np.zeros(doses + 1)

    def walk(cohort, dose, top, n, y, chance):
        for found in range(size + 1):
            then = chance * stats.binom.pmf(found, size, p[dose])
            m = tuple(v + size * (d == dose) for d, v in enumerate(n))
            z = tuple(v + found * (d == dose) for d, v in enumerate(y))
            row, highest = m[dose] - 1, top
            if z[dose] >= table.eliminate[row]:
                highest = dose
                if dose == 0:
                    chosen[0] += then
                    continue
            if cohort == cohorts - 1:
                chosen[model.choose_dose(m, z, target, 0.95) + 1] += then
                continue
            step = 0
            if z[dose] <= table.escalate[row]:
                step = int(dose + 1 < highest)
            elif z[dose] >= table.deescalate[row]:
                step = -int(dose > 0)
            walk(cohort + 1, dose + step, highest, m, z, then)

    walk(0, 0, doses, (0,) * doses, (0,) * doses, 1.0)
    return chosen


@pytest.mark.parametrize(("p", "cohorts"), [([0.1, 0.3, 0.6], 5), ([0.5, 0.6], 4), ([0.02, 0.2, 0.35, 0.4], 5)])
def test_simulated_boin_agrees_with_all_its_paths(p, cohorts):
    table = model.decision_table(0.3, 0.18, 0.42, 3 * cohorts, 0.95)
    want = exact_boin(p, table, 0.3, cohorts, 3)
    assert want.sum() == pytest.approx(1)
    made = model.simulate_boin(p, table, 0.3, 40_000, np.random.default_rng(2), cohorts=cohorts)
    shares = np.array([(made.chosen == i).mean() for i in range(-1, len(p))])
    np.testing.assert_allclose(shares, want, atol=0.011)


def test_the_compiled_choice_is_the_plain_one():
    table = model.decision_table(0.25, 0.15, 0.35, 24, 0.95)
    made = model.simulate_boin([0.3, 0.2, 0.4, 0.6], table, 0.25, 400, np.random.default_rng(5), cohorts=8, start=1)
    for chosen, n, y in zip(made.chosen, made.people, made.toxicities, strict=True):
        if model.choose_dose(n, y, 0.25, 0.95) != chosen:
            pytest.fail(f"{n} {y}: {chosen}")


def test_early_end_saves_people():
    table = model.decision_table(0.3, 0.18, 0.42, 60, 0.95)
    whole, short = (
        model.simulate_boin(RISING, table, 0.3, 2000, np.random.default_rng(1), cohorts=20, enough=enough)
        for enough in (None, 12)
    )
    assert short.people.sum(axis=1).mean() < 0.7 * whole.people.sum(axis=1).mean()
    assert (whole.people.sum(axis=1) <= 60).all()


def test_package_example_of_choosing():
    assert model.choose_dose([3, 3, 15, 9, 0], [0, 0, 4, 4, 0], 0.3, 0.95) == 2
    assert model.choose_dose([3, 0], [3, 0], 0.3, 0.95) == -1
    assert model.most_tolerated(RISING, 0.3) == 2


@pytest.mark.parametrize(
    "call",
    [
        lambda: model.three_plus_three([]),
        lambda: model.three_plus_three([0.1, np.nan]),
        lambda: model.escalation_probability(1.2),
        lambda: model.boundaries(0.3, 0.3, 0.42),
        lambda: model.boundaries(0.8, 0.48, 1.12),
        lambda: model.decision_table(0.3, 0.18, 0.42, 0, 0.95),
        lambda: model.decision_table(0.3, 0.18, 0.42, 10, 1.0),
        lambda: model.choose_dose([3], [4], 0.3, 0.95),
        lambda: model.simulate_three_plus_three(RISING, 0, np.random.default_rng(1)),
        lambda: model.simulate_three_plus_three(RISING, 10**8, np.random.default_rng(1)),
        lambda: model.simulate_boin(
            RISING, model.decision_table(0.3, 0.18, 0.42, 9, 0.95), 0.3, 10, np.random.default_rng(1)
        ),
        lambda: model.simulate_boin(
            RISING, model.decision_table(0.3, 0.18, 0.42, 30, 0.95), 0.3, 10, np.random.default_rng(1), start=5
        ),
    ],
)
def test_refuses_what_cannot_be(call):
    with pytest.raises(InvalidInput):
        call()


def test_all_small_tables_have_an_order():
    for target, n in product((0.1, 0.2, 0.33, 0.5), (3, 6, 9)):
        table = model.decision_table(target, 0.6 * target, 1.4 * target, n, 0.95)
        assert (np.diff(table.escalate) >= 0).all()
        assert (np.diff(table.deescalate) >= 0).all()
