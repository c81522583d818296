"""What a run used: model calls, tokens and cost; budgets per run and per day.

Prices stand in `prices.yaml`, each with the place where it was seen, or come from the settings. A model without a price
costs "unknown", never nothing.
"""

from __future__ import annotations

import math
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from assistant.settings import Settings
from knowledge.errors import InvalidInput, LimitReached, StoreDamaged

PER = 1_000_000  # prices are given for this many tokens
# Models that run on the user's own machine: nobody sends a bill.
_OWN_MACHINE = ("offline", "hf", "ollama")
_SNAPSHOT = re.compile(r"-(?:\d{8}|\d{4}-\d{2}-\d{2}|latest)$")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS usage (
    day TEXT NOT NULL, model TEXT NOT NULL, calls INTEGER NOT NULL, input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL, cost REAL NOT NULL, unpriced INTEGER NOT NULL, PRIMARY KEY (day, model)
);
"""


@dataclass(frozen=True)
class Price:
    """Price of a million tokens, in `currency`."""

    input: float
    output: float
    currency: str = ""
    source: str = ""

    def of(self, input_tokens: int, output_tokens: int) -> float:
        """What these tokens cost at list price; discounts, for instance of cached input, are not counted."""
        return (input_tokens * self.input + output_tokens * self.output) / PER


@dataclass(frozen=True)
class Usage:
    """Calls and tokens; `cost` is None where the price is not known, `estimated` where a provider reported no count."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = 0.0
    currency: str = ""
    estimated: bool = False

    @property
    def tokens(self) -> int:
        """Tokens in and out."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        known = self.cost is not None and other.cost is not None
        return Usage(
            calls=self.calls + other.calls,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cost=math.fsum((self.cost or 0.0, other.cost or 0.0)) if known else None,
            currency=self.currency or other.currency,
            estimated=self.estimated or other.estimated,
        )

    def record(self) -> dict[str, Any]:
        """For the ledger; an unknown cost is the word 'unknown'."""
        return {
            "calls": self.calls,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cost": "unknown" if self.cost is None else round(self.cost, 8),
            "currency": self.currency,
            "estimated": self.estimated,
        }


def price_of(settings: Settings) -> Price | None:
    """The price of the model that is set: from the settings, else from the price table; None where nobody told it.

    A server at an address of one's own has its own prices: the table is not asked for it.

    Raises
    ------
    InvalidInput
        Only one of the two prices is set.
    """
    given = (settings.price_input, settings.price_output)
    if given[0] is not None and given[1] is not None:
        return Price(given[0], given[1], source="settings")
    if given != (None, None):
        raise InvalidInput("Only one of COHORT_PRICE_INPUT and COHORT_PRICE_OUTPUT is set.", "Set both, or none.")
    if settings.model.partition(":")[0] in _OWN_MACHINE:
        return Price(0.0, 0.0, source="runs on one's own machine")
    return None if settings.base_url else price_table().get(_SNAPSHOT.sub("", settings.model))


def price_table() -> dict[str, Price]:
    """The prices of `prices.yaml` by model name."""
    rows = yaml.safe_load(files("assistant").joinpath("prices.yaml").read_text(encoding="utf-8"))
    return {
        row["model"]: Price(float(row["input"]), float(row["output"]), rows["currency"], row["source"])
        for row in rows["prices"]
    }


class UsageBook:
    """Tokens and cost by day (UTC) and model, in a small SQLite file; without a path they live as long as the book."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._memory: dict[str, Usage] = {}
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            with self._connect(path) as connection:
                connection.executescript(_SCHEMA)

    @staticmethod
    @contextmanager
    def _connect(path: Path) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(path, timeout=10)) as connection, connection:
                yield connection
        except sqlite3.DatabaseError as error:
            raise StoreDamaged(
                f"The record of tokens used cannot be read ({error}).", f"Move {path.name} away to start a new one."
            ) from error

    def add(self, model: str, used: Usage) -> None:
        """Count a call."""
        day = _today()
        if self._path is None:
            self._memory[day] = self._memory.get(day, Usage()) + used
            return
        with self._connect(self._path) as connection:
            connection.execute(
                "INSERT INTO usage VALUES (?,?,?,?,?,?,?) ON CONFLICT (day, model) DO UPDATE SET "
                "calls = calls + excluded.calls, input_tokens = input_tokens + excluded.input_tokens, "
                "output_tokens = output_tokens + excluded.output_tokens, cost = cost + excluded.cost, "
                "unpriced = unpriced + excluded.unpriced",
                (day, model, used.calls, used.input_tokens, used.output_tokens, used.cost or 0.0, int(used.cost is None)),
            )  # fmt: skip

    def today(self) -> Usage:
        """All that was used since midnight UTC; the cost is None when a model without a price was among it."""
        if self._path is None:
            return self._memory.get(_today(), Usage())
        with self._connect(self._path) as connection:
            calls, sent, written, cost, unpriced = connection.execute(
                "SELECT COALESCE(SUM(calls),0), COALESCE(SUM(input_tokens),0), COALESCE(SUM(output_tokens),0), "
                "COALESCE(SUM(cost),0.0), COALESCE(SUM(unpriced),0) FROM usage WHERE day = ?",
                (_today(),),
            ).fetchone()
        return Usage(calls, sent, written, None if unpriced else cost)


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


class Meter:
    """Counts what one run uses and says when a budget is reached.

    Raises
    ------
    InvalidInput
        A cost budget is set, but the model's price is not known.
    """

    def __init__(self, settings: Settings, book: UsageBook | None = None) -> None:
        self._settings = settings
        self._book = book or UsageBook()
        self._price = price_of(settings)
        self.usage = Usage(cost=0.0 if self._price else None, currency=self._price.currency if self._price else "")
        if self._price is None and (settings.max_run_cost or settings.max_day_cost):
            raise InvalidInput(
                f"A cost budget is set, but the price of '{settings.model}' is not known.",
                "Set COHORT_PRICE_INPUT and COHORT_PRICE_OUTPUT (per million tokens), or budget tokens instead.",
            )

    def check(self, next_tokens: int = 0) -> None:
        """Refuse a call that would break a budget; `next_tokens` is the size of what would be sent (LimitReached)."""
        limits = self._settings
        if limits.model == "offline":
            return
        _refuse_tokens(self.usage.tokens, next_tokens, limits.max_run_tokens, "This question", "COHORT_MAX_RUN_TOKENS")
        _refuse_cost(self.usage.cost, limits.max_run_cost, "This question", "COHORT_MAX_RUN_COST")
        if limits.max_day_tokens or limits.max_day_cost:
            today = self._book.today()
            _refuse_tokens(today.tokens, next_tokens, limits.max_day_tokens, "Today", "COHORT_MAX_DAY_TOKENS")
            _refuse_cost(today.cost, limits.max_day_cost, "Today", "COHORT_MAX_DAY_COST")

    def add(self, input_tokens: int, output_tokens: int, *, estimated: bool = False) -> None:
        """Count one call, in this run and in the day. The offline planner reads no tokens: the day has nothing to keep."""
        if self._settings.model == "offline":
            self.usage = replace(self.usage, calls=self.usage.calls + 1)
            return
        cost = self._price.of(input_tokens, output_tokens) if self._price else None
        used = Usage(1, input_tokens, output_tokens, cost, self.usage.currency, estimated)
        self.usage = replace(self.usage + used, currency=self.usage.currency)
        self._book.add(self._settings.model, used)


def _refuse_tokens(used: int, more: int, limit: int, who: str, setting: str) -> None:
    if limit and used + more > limit:
        raise LimitReached(
            f"{who} has used {used:,} tokens and would need about {more:,} more; the budget is {limit:,}.",
            _what_to_do(who, setting),
        )


def _refuse_cost(used: float | None, limit: float, who: str, setting: str) -> None:
    if limit and used is not None and used >= limit:
        raise LimitReached(f"{who} has cost {used:.4f}; the budget is {limit:.4f}.", _what_to_do(who, setting))


def _what_to_do(who: str, setting: str) -> str:
    other = "wait until midnight UTC" if who == "Today" else "ask something narrower"
    return f"Raise {setting}, {other}, or use the offline planner with COHORT_MODEL=offline."
