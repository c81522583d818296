"""The same numbers wherever the pieces of a simulation are computed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.errors import InvalidInput
from tools.execution import InThisThread, Piece, Processes, Threads, pieces


def mean_of_piece(piece: Piece) -> tuple[int, float]:
    return piece.index, float(piece.rng().normal(size=piece.size).mean())


@given(st.integers(1, 5000), st.integers(1, 700), st.integers(0, 2**31 - 1))
def test_pieces_cover_every_draw_once(draws, size, seed):
    cut = pieces(draws, seed, size=size)
    assert [draw for piece in cut for draw in range(piece.start, piece.stop)] == list(range(draws))
    assert max(piece.size for piece in cut) <= size


@pytest.mark.parametrize("executor", [Threads(3), Processes(2)])
def test_executors_agree(executor):
    cut = pieces(1000, 7)
    assert executor.map(mean_of_piece, cut) == InThisThread().map(mean_of_piece, cut)


def test_streams_differ_between_pieces_and_seeds():
    first = [mean for _, mean in InThisThread().map(mean_of_piece, pieces(1000, 7))]
    second = [mean for _, mean in InThisThread().map(mean_of_piece, pieces(1000, 8))]
    assert len({*first, *second}) == len(first) + len(second)


def test_a_stream_starts_anew_each_time():
    piece = pieces(10, 3)[0]
    assert np.array_equal(piece.rng().random(5), piece.rng().random(5))


def test_no_draws_are_refused():
    with pytest.raises(InvalidInput, match="at least one draw"):
        pieces(0, 1)
