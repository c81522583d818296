"""The suites: how a case of each is run, and which metrics come of it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module

from evals.schemas import Suite
from evals.suites.base import SuiteRunner


@lru_cache(maxsize=1)
def runners() -> Mapping[Suite, SuiteRunner]:
    """All suites in the order in which they are reported (imported when first asked for: some bring much with them)."""
    return {suite: import_module(f"evals.suites.{suite.value}").RUNNER for suite in Suite}
