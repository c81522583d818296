"""Input and result of `simulate_supply`. One period throughout, e.g. a day; costs are per unit and period."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from knowledge.schemas import Frozen
from tools.quantities import Quantity
from tools.schemas import ToolInput, ToolResult

Share = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[a-z][a-z0-9_]*$")]
MAX_PERIODS = 1_000_000


class Demand(Frozen):
    """Units asked for in a period: a distribution, or paths that another tool (a forecast) has drawn."""

    distribution: Literal["poisson", "negative_binomial", "gamma", "rounded_gamma", "normal", "fixed"] = "poisson"
    mean: Quantity | None = Field(None, description="units per period")
    cv: float | None = Field(None, gt=0, le=20, description="standard deviation over mean; not for poisson and fixed")
    pattern: tuple[Annotated[float, Field(ge=0)], ...] = Field(
        (), max_length=10_000, description="factors on the mean in consecutive periods, repeated (season, weekday)"
    )
    paths: tuple[tuple[Annotated[float, Field(ge=0)], ...], ...] = Field(
        (), max_length=5000, description="draws of demand over the horizon, each of at least its length"
    )

    @model_validator(mode="after")
    def _one(self) -> Demand:
        if (self.mean is None) == (not self.paths):
            raise ValueError("give a mean, or paths of demand")
        if self.paths and (self.cv is not None or self.pattern):
            raise ValueError("paths of demand have no cv and no pattern")
        if not self.paths and (self.cv is None) == (self.distribution not in ("poisson", "fixed")):
            raise ValueError("poisson and fixed demand have no cv, the other distributions need one")
        if self.pattern and not sum(self.pattern) > 0:
            raise ValueError("a pattern of demand has a factor above 0")
        return self


class Policy(Frozen):
    """When and how much is ordered, by position: on hand and on order less what is owed."""

    kind: Literal["base_stock", "s_S", "r_Q", "newsvendor", "optimal_s_S", "optimal_perishable"]
    level: float | None = Field(None, ge=0, description="base_stock, s_S: order up to this many units")
    reorder: float | None = Field(None, description="s_S, r_Q: order at or below this position")
    quantity: float | None = Field(None, gt=0, description="r_Q: units in a lot")
    max_order: int = Field(10, ge=1, le=200, description="optimal_perishable: largest order")

    @model_validator(mode="after")
    def _needs(self) -> Policy:
        needed = {"base_stock": {"level"}, "s_S": {"level", "reorder"}, "r_Q": {"reorder", "quantity"}}.get(
            self.kind, set()
        )
        given = {name for name in ("level", "reorder", "quantity") if getattr(self, name) is not None}
        if given != needed:
            raise ValueError(f"{self.kind} takes {', '.join(sorted(needed)) or 'none of level, reorder and quantity'}")
        if self.kind == "s_S" and not (self.reorder or 0.0) < (self.level or 0.0):
            raise ValueError("the reorder point lies below the level")
        return self


class Outage(Frozen):
    """Periods in which the supplier ships nothing."""

    start: int = Field(ge=0, lt=MAX_PERIODS, description="first period, from 0")
    periods: int = Field(ge=1, le=MAX_PERIODS)


class Disruption(Frozen):
    """When the supplier is down; what is ordered meanwhile leaves when it is up again."""

    fails: Quantity = Field(0.0, description="probability per period of going down")
    recovers: Quantity = Field(1.0, description="probability per period of coming up again")
    outages: tuple[Outage, ...] = Field((), max_length=200)


class Stage(Frozen):
    """One stock of a chain; the first named stands next to the customers."""

    name: Name
    level: float = Field(ge=0, description="its own base stock: on hand and on order less what it owes")
    lead_time: int = Field(1, ge=0, le=500)
    holding_cost: Quantity = Field(0.0, description="per unit on hand, or on its way to the next stock")


class Lot(Frozen):
    """Economic order quantity: steady demand, ordered when the stock is used up. Any unit of time, e.g. a year."""

    demand_rate: float = Field(gt=0)
    fixed_cost: float = Field(gt=0)
    holding_cost: float = Field(gt=0)
    shortage_cost: float | None = Field(None, gt=0, description="per unit lost in an outage")
    disruption_rate: float | None = Field(None, gt=0)
    recovery_rate: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _whole(self) -> Lot:
        if len({self.shortage_cost is None, self.disruption_rate is None, self.recovery_rate is None}) > 1:
            raise ValueError("disruptions need shortage_cost, disruption_rate and recovery_rate")
        return self


class SupplyInput(ToolInput):
    """A stock or a chain of stocks to simulate, an order quantity to compute, or both."""

    product: str = Field("the product", max_length=80)
    period: Literal["hour", "day", "week", "month"] = "day"
    unit: str = Field("units", min_length=1, max_length=30)
    currency: str = Field("", max_length=10, description="needed with costs")
    demand: Demand | None = None
    policy: Policy | None = None
    stages: tuple[Stage, ...] = Field((), max_length=20, description="a chain, instead of a policy")
    lead_time: int = Field(0, ge=0, le=500, description="periods; 0: there before the demand of the same period")
    lead_time_shares: tuple[Share, ...] = Field((), max_length=200, description="of orders that take 0, 1, 2 … periods")
    disruption: Disruption | None = None
    life: int = Field(0, ge=0, le=400, description="periods in which a unit can be used; 0: it keeps")
    issuing: Literal["fifo", "lifo"] = Field("fifo", description="oldest or freshest first")
    unmet: Literal["waits", "lost"] = Field("waits", description="what becomes of unmet demand")
    start_stock: float = Field(0.0, ge=0)
    fixed_cost: Quantity = Field(0.0, description="per order")
    unit_cost: Quantity = Field(0.0, description="per unit ordered")
    holding_cost: Quantity = Field(0.0, description="per unit in stock at the end of a period")
    shortage_cost: Quantity = Field(0.0, description="per unit owed at the end of a period, or lost")
    waste_cost: Quantity = Field(0.0, description="per unit that expires")
    price: Quantity = Field(0.0, description="received per unit handed out at once or later")
    periods: int = Field(365, ge=1, le=MAX_PERIODS, description="of one run, warm-up included")
    warm_up: int = Field(0, ge=0, description="periods left out of all figures")
    lot: Lot | None = None
    draws: int = Field(1, ge=1, le=5000, description="of uncertain quantities, or paths")
    replicates: int = Field(40, ge=2, le=2000, description="runs under each draw")
    level: float = Field(0.9, gt=0, lt=1)

    @model_validator(mode="after")
    def _consistent(self) -> SupplyInput:
        if (self.demand is None) != (self.policy is None and not self.stages):
            raise ValueError("give a demand with a policy or stages")
        if self.policy is not None and self.stages:
            raise ValueError("give a policy or stages, not both")
        if self.demand is None and self.lot is None:
            raise ValueError("give a demand with a policy or stages, or a lot")
        if self.warm_up >= self.periods:
            raise ValueError("the warm-up is shorter than the run")
        if self.demand and self.demand.paths and min(len(path) for path in self.demand.paths) < self.periods:
            raise ValueError("a path of demand is shorter than the run")
        if self.lead_time_shares and abs(sum(self.lead_time_shares) - 1) > 1e-9:
            raise ValueError("the shares of lead times add up to one")
        if self.stages and (self.life or self.lead_time or self.lead_time_shares or self.unmet == "lost"):
            raise ValueError("stages have lead times of their own, keep what they hold, and let unmet demand wait")
        if len({one.name for one in self.stages}) < len(self.stages):
            raise ValueError("each stage has its own name")
        if self.life and self.unmet == "waits":
            raise ValueError("with a life of the product, unmet demand is lost: give unmet lost")
        if self.policy and self.policy.kind == "optimal_perishable" and not self.life:
            raise ValueError("give the life of the perishable product")
        return self


class SupplyResult(ToolResult):
    """Service, waste and cost."""

    standard_errors: dict[str, dict[str, float]] = Field(
        default_factory=dict, description="Monte Carlo error of each estimate, by the two parts of its id"
    )
    reorder: float | None = None
    order_up_to: float | None = None
    best_orders: tuple[tuple[int, ...], ...] = Field(
        (), description="life 2, lead time 1: rows fresh, columns old stock"
    )
    runs: int = 0
