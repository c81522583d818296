"""Input and result of `forecast_demand`: counts per period, equally long periods, the same for all series."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field, model_validator

from knowledge.schemas import Frozen
from tools.quantities import Quantity
from tools.schemas import ToolInput, ToolResult

Name = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[a-z][a-z0-9_]*$")]
Frequency = Literal["hour", "day", "week", "month", "quarter", "year", "period"]
Model = Literal["naive", "average", "seasonal_naive", "drift", "croston", "tsb", "theta", "ets", "arima"]
MAX_PERIODS, MAX_SERIES, MAX_POINTS = 20_000, 200, 200_000
SEASONS: dict[str, int] = {"hour": 24, "day": 7, "week": 52, "month": 12, "quarter": 4, "year": 1, "period": 1}


class DemandSeries(Frozen):
    """History of one cohort, site or product, oldest first. A series that others name as parent may leave its counts out."""

    name: Name = "demand"
    counts: tuple[float | None, ...] = Field((), max_length=MAX_PERIODS, description="per period; null where unknown")
    dates: tuple[dt.date, ...] = Field((), max_length=MAX_PERIODS, description="a day within each period, in any order")
    parent: Name | Literal[""] = Field("", description="the series of which this is a part, e.g. the payer of a cohort")

    @model_validator(mode="after")
    def _fits(self) -> DemandSeries:
        if self.dates and len(self.dates) != len(self.counts):
            raise ValueError("give as many dates as counts")
        if any(count is not None and count < 0 for count in self.counts):
            raise ValueError("demand is 0 or more: take returns and corrections out of the counts")
        if self.parent == self.name:
            raise ValueError("a series is not its own parent")
        return self


class FutureEvent(Frozen):
    """Something known to come that the history does not hold, as a change of demand that the user states."""

    name: str = Field(min_length=1, max_length=60)
    change: Quantity = Field(description="share by which demand changes: 0.2 adds 20 %, -1 ends it")
    start: int = Field(1, ge=1, description="first period ahead, 1 is the next one")
    periods: int | None = Field(None, ge=1, description="how many periods; left out: to the end")
    series: tuple[Name, ...] = Field((), max_length=MAX_SERIES, description="whose demand; left out: all")


class DemandInput(ToolInput):
    """Histories and how far to look ahead."""

    series: tuple[DemandSeries, ...] = Field(min_length=1, max_length=MAX_SERIES)
    unit: str = Field("units", min_length=1, max_length=30)
    frequency: Frequency = "month"
    start: dt.date | None = Field(None, description="a day within the first period; for labels")
    season_length: int | None = Field(
        None, ge=1, le=1000, description="periods; left out: of the frequency, e.g. 12 months"
    )
    horizon: int = Field(12, ge=1, le=520, description="periods ahead")
    level: float = Field(0.9, gt=0, lt=1)
    models: tuple[Model, ...] = Field((), max_length=9, description="to choose from; left out: all that suit")
    folds: int = Field(24, ge=4, le=400, description="backtest forecasts, at most; the first half chooses the model")
    reconcile: Literal["mint_shrink", "ols", "bottom_up"] = Field(
        "mint_shrink", description="how a hierarchy is made to add up"
    )
    gaps: Literal["refuse", "zero", "interpolate"] = Field("refuse", description="what an unknown period means")
    events: tuple[FutureEvent, ...] = Field((), max_length=20)
    draws: int = Field(100, ge=1, le=5000, description="of uncertain changes")
    replicates: int = Field(10, ge=2, le=1000, description="courses of demand under each draw")
    paths: int = Field(100, ge=0, le=1000, description="courses handed on in draws, e.g. to simulate_supply")
    paths_of: Name | None = Field(None, description="of which series; left out: the total")

    @model_validator(mode="after")
    def _consistent(self) -> DemandInput:
        if len({one.name for one in self.series}) < len(self.series):
            raise ValueError("each series has its own name")
        if sum(len(one.counts) for one in self.series) > MAX_POINTS:
            raise ValueError(
                f"more than {MAX_POINTS:,} counts in one call: add up to longer periods, or split the series"
            )
        if len({bool(one.dates) for one in self.series if one.counts}) > 1:
            raise ValueError("give dates for all series or for none")
        if any(event.start > self.horizon for event in self.events):
            raise ValueError("an event begins after the horizon")
        return self


class SeriesForecast(Frozen):
    """Forecast of one series, a number for each period ahead, with its interval."""

    name: str
    model: str
    periods: tuple[str, ...]
    points: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]


class Backtest(Frozen):
    """Errors of one series: by model on the folds that chose it, and of the winner (reconciled) on the folds that did not."""

    name: str
    model: str
    chosen_by: dict[str, float] = Field(
        description="error of each model tried: mean absolute, root mean squared of intermittent demand"
    )
    mase: float | None = Field(None, description="left out when the history repeats itself exactly")
    smape: float
    owa: float | None = Field(None, description="against the reference Naive 2 of M4")
    bias: float = Field(0.0, description="mean of what came less what was forecast, per period")
    coverage: float | None = Field(
        None, description="of intervals made of the earlier folds; left out when those are too few"
    )
    mase_by_horizon: tuple[float, ...] = ()
    smape_by_horizon: tuple[float, ...] = ()


class DemandResult(ToolResult):
    """Forecasts that add up, their backtest, and courses for other tools."""

    forecasts: tuple[SeriesForecast, ...] = ()
    backtests: tuple[Backtest, ...] = ()
    draws_of: str = ""
    draws: tuple[tuple[float, ...], ...] = Field(
        (), description="courses over the horizon, as `demand.paths` of simulate_supply"
    )
    folds: int = Field(0, description="backtest forecasts, all of them behind the intervals")
    selection_folds: int = 0
    report_folds: int = 0
