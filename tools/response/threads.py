"""One thread for the linear algebra."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits


@contextmanager
def one_thread() -> Iterator[None]:
    """Within this context, linear algebra uses one thread.

    The matrices here are small: on a busy machine threads that wait for one another make a prediction many times
    slower. And the last bits of the numbers no longer depend on how many threads there are.
    """
    with threadpool_limits(1, user_api="blas"):
        yield
