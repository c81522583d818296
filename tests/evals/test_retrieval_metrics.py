from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap

from evals.retrieval.metrics import ndcg, neighbour_recall, paired_bootstrap, recall

keys = st.sampled_from("abcdefghij")
rankings = st.lists(keys, unique=True, max_size=10)
relevant_sets = st.frozensets(keys, min_size=1)


def test_against_hand_computation() -> None:
    assert recall("abc", {"b", "x"}, 1) == 0
    assert recall("abc", {"b", "x"}, 2) == 0.5
    # b at rank 2 and x not found; best possible is ranks 1 and 2
    gain = 1 / math.log2(3)
    assert ndcg("abc", {"b", "x"}, 10) == pytest.approx(gain / (1 + gain))
    assert ndcg("ab", {"a", "b", "c"}, 2) == 1
    assert recall([], {"a"}, 10) == ndcg([], {"a"}, 10) == 0


def test_a_document_that_comes_twice_counts_once() -> None:
    assert recall(["a", "a", "b"], {"a", "b"}, 2) == 1
    assert ndcg(["a", "a", "b"], {"a", "b"}, 2) == 1


@given(rankings, relevant_sets, st.integers(1, 12))
def test_both_lie_between_nothing_and_the_best_that_can_be(
    ranking: list[str], relevant: frozenset[str], k: int
) -> None:
    assert 0 <= recall(ranking, relevant, k) <= min(1, k / len(relevant)) + 1e-12
    assert 0 <= ndcg(ranking, relevant, k) <= 1 + 1e-12
    ideal = [*sorted(relevant), *(key for key in ranking if key not in relevant)]
    assert ndcg(ideal, relevant, k) == pytest.approx(1)


@given(rankings, relevant_sets, st.integers(1, 10))
def test_a_relevant_document_further_up_never_scores_less(ranking: list[str], relevant: frozenset[str], k: int) -> None:
    better = list(ranking)
    for position in range(1, len(better)):
        if better[position] in relevant and better[position - 1] not in relevant:
            better[position - 1 : position + 1] = better[position], better[position - 1]
            break
    assert recall(better, relevant, k) >= recall(ranking, relevant, k)
    assert ndcg(better, relevant, k) >= ndcg(ranking, relevant, k) - 1e-12


def test_what_cannot_be_scored_is_refused() -> None:
    with pytest.raises(ValueError, match="a relevant document"):
        recall("a", set(), 1)
    with pytest.raises(ValueError, match="k of 1"):
        ndcg("a", {"a"}, 0)
    with pytest.raises(ValueError, match="2 and 1 scores"):
        paired_bootstrap([1, 2], [1])
    with pytest.raises(ValueError, match="between 0 and 1"):
        paired_bootstrap([1], [1], level=95)
    with pytest.raises(ValueError, match="one shape"):
        neighbour_recall(np.zeros((2, 3), dtype=int), np.zeros((2, 2), dtype=int))


def test_neighbour_recall_ignores_order() -> None:
    exact = np.array([[1, 2, 3], [4, 5, 6]])
    assert neighbour_recall(np.array([[3, 1, 2], [4, 9, 8]]), exact) == pytest.approx((3 + 1) / 6)
    assert neighbour_recall(exact, exact) == 1


def test_the_bootstrap_agrees_with_scipy() -> None:
    generator = np.random.default_rng(5)
    first = generator.random(400)
    second = first - generator.normal(0.02, 0.1, 400)
    ours = paired_bootstrap(first, second, resamples=20_000)
    theirs = bootstrap(
        (first - second,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(6)
    ).confidence_interval
    assert ours.mean == pytest.approx(np.mean(first - second))
    assert (ours.lower, ours.upper) == pytest.approx((theirs.low, theirs.high), abs=5e-4)


def test_pairing_takes_out_what_questions_have_in_common() -> None:
    """Scores that differ wildly between questions but by a constant between ways have an interval of no width."""
    hard = np.random.default_rng(1).random(50)
    difference = paired_bootstrap(hard + 0.125, hard)
    assert (difference.lower, difference.upper) == pytest.approx((0.125, 0.125))


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=40))
def test_the_interval_is_repeatable_and_turns_with_the_sign(pairs: list[tuple[float, float]]) -> None:
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    one = paired_bootstrap(first, second, resamples=200)
    other = paired_bootstrap(second, first, resamples=200)
    assert one == paired_bootstrap(first, second, resamples=200)
    assert (other.mean, other.lower, other.upper) == pytest.approx((-one.mean, -one.upper, -one.lower), abs=1e-12)
    assert one.lower - 1e-12 <= one.upper
