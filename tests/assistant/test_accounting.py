from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import yaml

from assistant.accounting import Meter, Price, Usage, UsageBook, price_of, price_table
from assistant.settings import Settings, load_settings
from knowledge.errors import InvalidInput, LimitReached, StoreDamaged


def _settings(**overrides: object) -> Settings:
    return load_settings(**{"model": "openai:gpt-4o-mini", **overrides})


def test_a_price_is_for_a_million_tokens() -> None:
    assert Price(2.0, 10.0).of(500_000, 100_000) == pytest.approx(2.0)


@pytest.mark.parametrize("name", ["openai:gpt-4o-mini", "openai:gpt-4o-mini-2024-07-18", "openai:gpt-4o-mini-latest"])
def test_a_dated_name_has_the_price_of_its_model(name: str) -> None:
    price = price_of(_settings(model=name))
    assert price == price_table()["openai:gpt-4o-mini"]
    assert price is not None
    assert price.source


@pytest.mark.parametrize("name", ["offline", "hf:models/mine", "ollama:llama3.1"])
def test_what_runs_here_costs_nothing(name: str) -> None:
    price = price_of(_settings(model=name))
    assert price is not None
    assert price.of(10**9, 10**9) == 0


def test_a_price_nobody_told_is_unknown_and_not_nothing() -> None:
    assert price_of(_settings(model="openai:made-up")) is None
    assert price_of(_settings(base_url="http://127.0.0.1:1/v1")) is None
    meter = Meter(_settings(model="openai:made-up"))
    meter.add(10, 10)
    assert meter.usage.record()["cost"] == "unknown"
    with pytest.raises(InvalidInput, match="COHORT_PRICE_INPUT"):
        Meter(_settings(model="openai:made-up", max_run_cost=1))


def test_prices_of_the_settings_come_first_and_only_in_pairs() -> None:
    price = price_of(_settings(price_input=1, price_output=2))
    assert price is not None
    assert (price.input, price.output) == (1, 2)
    with pytest.raises(InvalidInput, match="Only one"):
        price_of(_settings(price_input=1))


def test_each_shipped_price_says_where_and_when_it_was_seen() -> None:
    path = Path(__file__).resolve().parents[2] / "assistant" / "prices.yaml"
    rows = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert rows["currency"] == "USD"
    assert len(rows["prices"]) == len(price_table())
    for row in rows["prices"]:
        assert row["source"]
        assert row["seen"]
        assert 0 < row["input"] <= row["output"]


def test_a_run_adds_up_and_so_does_the_day(tmp_path: Path) -> None:
    book = UsageBook(tmp_path / "usage.sqlite")
    meter = Meter(_settings(), book)
    meter.add(1_000_000, 0)
    meter.add(0, 1_000_000, estimated=True)
    price = price_table()["openai:gpt-4o-mini"]
    assert meter.usage == Usage(2, 1_000_000, 1_000_000, price.input + price.output, "USD", estimated=True)
    again = UsageBook(tmp_path / "usage.sqlite").today()
    assert (again.calls, again.tokens, again.cost) == (2, 2_000_000, pytest.approx(price.input + price.output))


def test_a_day_with_an_unpriced_model_has_no_known_cost(tmp_path: Path) -> None:
    book = UsageBook(tmp_path / "usage.sqlite")
    Meter(_settings(model="openai:made-up"), book).add(5, 5)
    assert book.today().cost is None
    assert book.today().tokens == 10


def test_the_offline_planner_counts_calls_and_no_tokens() -> None:
    meter = Meter(_settings(model="offline", max_run_tokens=1))
    meter.add(500, 500, estimated=True)
    meter.check(10**6)
    assert meter.usage == Usage(1, 0, 0, 0.0, "", estimated=False)


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        ({"max_run_tokens": 100}, "COHORT_MAX_RUN_TOKENS"),
        ({"max_day_tokens": 100}, "COHORT_MAX_DAY_TOKENS"),
        ({"max_run_cost": 0.5, "price_input": 10_000, "price_output": 10_000}, "COHORT_MAX_RUN_COST"),
        ({"max_day_cost": 0.5, "price_input": 10_000, "price_output": 10_000}, "COHORT_MAX_DAY_COST"),
    ],
)
def test_a_budget_ends_it_and_names_its_setting(limits: dict[str, float], name: str) -> None:
    meter = Meter(_settings(**limits))
    meter.check(50)
    meter.add(60, 0)
    with pytest.raises(LimitReached, match=name) as caught:
        meter.check(50)
    assert "COHORT_MODEL=offline" in caught.value.hint


def test_a_budget_of_the_day_counts_other_runs(tmp_path: Path) -> None:
    book = UsageBook(tmp_path / "usage.sqlite")
    Meter(_settings(), book).add(90, 0)
    with pytest.raises(LimitReached, match="Today"):
        Meter(_settings(max_day_tokens=100), book).check(20)


def test_a_damaged_record_is_said(tmp_path: Path) -> None:
    path = tmp_path / "usage.sqlite"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(StoreDamaged, match=r"Move usage\.sqlite away"):
        UsageBook(path)


def test_runs_in_parallel_lose_no_token(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    book = UsageBook(tmp_path / "usage.sqlite")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: book.add("openai:gpt-4o-mini", Usage(1, 2, 3, 0.0)), range(40)))
    with sqlite3.connect(tmp_path / "usage.sqlite") as connection:
        assert connection.execute("SELECT calls, input_tokens, output_tokens FROM usage").fetchone() == (40, 80, 120)
    connection.close()
