"""Input and result of `simulate_clinic_capacity`. One unit of time throughout; rates are per that unit."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from knowledge.schemas import Frozen
from tools.quantities import Quantity
from tools.schemas import ToolInput, ToolResult

Name = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[a-z][a-z0-9_]*$")]
Share = Annotated[float, Field(ge=0, le=1)]
Servers = Annotated[int, Field(ge=0, le=10_000)]


class Duration(Frozen):
    """How long something lasts: a mean with a distribution, or durations that were observed."""

    mean: Quantity | None = Field(None, description="in the unit of time")
    distribution: Literal["exponential", "fixed", "lognormal", "gamma", "empirical"] = "exponential"
    cv: float | None = Field(None, gt=0, le=20, description="lognormal, gamma: standard deviation over mean")
    values: tuple[Annotated[float, Field(ge=0)], ...] = Field((), max_length=100_000, description="empirical: observed")

    @model_validator(mode="after")
    def _whole(self) -> Duration:
        if (self.distribution == "empirical") != bool(self.values) or (self.mean is None) != bool(self.values):
            raise ValueError("give a mean, or the observed values of an empirical distribution")
        if (self.distribution in ("lognormal", "gamma")) != (self.cv is not None):
            raise ValueError("a lognormal and a gamma need cv, the other distributions have none")
        return self


class Shift(Frozen):
    """Servers from `start` to `end` of every cycle; shifts add up."""

    start: float = Field(ge=0)
    end: float = Field(gt=0)
    servers: Servers

    @model_validator(mode="after")
    def _order(self) -> Shift:
        if self.start >= self.end:
            raise ValueError("a shift ends after it starts; split one that passes the end of the cycle")
        return self


class Next(Frozen):
    """Where a share of the patients goes."""

    to: Name
    share: Share = 1.0
    priority: int | None = Field(None, ge=0, le=20, description="new priority from here on (triage); 0 comes first")


class Station(Frozen):
    """Beds, scanners, chairs or staff with a queue; what has begun is finished, also after closing."""

    name: Name
    service: Duration
    servers: Servers | None = Field(None, description="always there; or give shifts")
    shifts: tuple[Shift, ...] = Field((), max_length=200)
    service_of: dict[Name, Duration] = Field(default_factory=dict, description="by stream, where it differs")
    then: tuple[Next, ...] = Field((), max_length=20, description="what remains to one leaves")
    waiting_room: int | None = Field(None, ge=0, le=1_000_000, description="places; a full one turns patients away")
    balk_share: Share = Field(0.0, description="of those who find a wait, share that leaves at once")
    patience: Duration | None = Field(None, description="after which a waiting patient gives up")
    staff: tuple[Name, ...] = Field((), max_length=5, description="pools of which one member each is needed as well")
    cost_per_server: Quantity | None = Field(None, description="money per server and unit of time")
    cost_per_visit: Quantity | None = Field(None, description="money per patient served")

    @model_validator(mode="after")
    def _servers(self) -> Station:
        if (self.servers is None) == (not self.shifts):
            raise ValueError("give servers or shifts")
        if not (self.servers or any(shift.servers for shift in self.shifts)):
            raise ValueError("a station without any server never serves")
        return self


class Staff(Frozen):
    """A pool of people that several stations share."""

    name: Name
    servers: int = Field(ge=1, le=10_000)


class Stream(Frozen):
    """Patients who come in the same way: at a rate, at rates that vary, or by appointment."""

    name: Name = "patients"
    rate: Quantity | None = Field(None, description="arrivals per unit of time")
    rates: tuple[Annotated[float, Field(ge=0)], ...] = Field(
        (), max_length=10_000, description="arrivals per unit of time in consecutive periods, repeated"
    )
    period: float = Field(1.0, gt=0, description="length of the periods of `rates`")
    scale: Quantity = Field(1.0, description="factor on rate or rates, e.g. growth of demand from a forecast")
    appointments: tuple[float, ...] = Field((), max_length=10_000, description="times in the cycle")
    no_show: Share = 0.0
    lateness_sd: float = Field(0.0, ge=0, description="of appointments, in the unit of time")
    enter: tuple[Next, ...] = Field((), max_length=20, description="first station; the first listed when left out")
    priority: int = Field(0, ge=0, le=20, description="0 comes first; service that has begun is not interrupted")

    @model_validator(mode="after")
    def _one(self) -> Stream:
        if sum((self.rate is not None, bool(self.rates), bool(self.appointments))) != 1:
            raise ValueError("give rate, rates or appointments")
        return self


class Sweep(Frozen):
    """Try several numbers of servers at a station, until a target is met."""

    station: Name
    servers: tuple[Annotated[int, Field(ge=1, le=10_000)], ...] = Field(min_length=1, max_length=40)
    measure: Literal["wait_mean", "wait_p90", "wait_over", "lost_share", "utilisation", "in_clinic_p90"] = "wait_p90"
    below: float = Field(gt=0, description="the target: the measure lies below it (time, or a share 0–1)")


class ClinicInput(ToolInput):
    """A clinic, who comes, and for how long it is simulated."""

    stations: tuple[Station, ...] = Field(min_length=1, max_length=40)
    streams: tuple[Stream, ...] = Field(min_length=1, max_length=20)
    staff: tuple[Staff, ...] = Field((), max_length=10)
    time_unit: Literal["minutes", "hours", "days", "weeks"] = "hours"
    cycle: float = Field(0.0, ge=0, description="after which shifts and appointments repeat, e.g. 24 hours; 0: never")
    run_length: float = Field(gt=0, description="of one run, in the unit of time, warm-up included")
    warm_up: float = Field(0.0, ge=0, description="left out of all figures, as the clinic starts empty")
    wait_over: float | None = Field(None, ge=0, description="also report the share that waits longer than this")
    waiting_cost: Quantity | None = Field(None, description="money per patient and unit of time waited")
    currency: str = Field("", max_length=10, description="needed with costs")
    sweep: Sweep | None = None
    draws: int = Field(1, ge=1, le=2000, description="of uncertain quantities")
    replicates: int = Field(30, ge=2, le=2000, description="runs under each draw")
    level: float = Field(0.9, gt=0, lt=1)

    @model_validator(mode="after")
    def _consistent(self) -> ClinicInput:
        if self.warm_up >= self.run_length:
            raise ValueError("the warm-up is shorter than the run")
        names = [one.name for one in self.stations]
        streams = [one.name for one in self.streams]
        pools = [one.name for one in self.staff]
        for given in (names, streams, pools):
            if len(set(given)) < len(given):
                raise ValueError("each station, stream and pool has its own name")
        for route in [*(s.then for s in self.stations), *(s.enter for s in self.streams)]:
            if any(one.to not in names for one in route):
                raise ValueError(f"a pathway leads to a station that is not there; there are: {', '.join(names)}")
            if sum(one.share for one in route) > 1 + 1e-9:
                raise ValueError("the shares of a pathway add up to more than one")
        for one in self.stations:
            if any(name not in pools for name in one.staff) or any(name not in streams for name in one.service_of):
                raise ValueError(f"{one.name} names staff or a stream that is not there")
            if one.shifts and (self.cycle <= 0 or max(shift.end for shift in one.shifts) > self.cycle):
                raise ValueError("shifts lie within a cycle: give its length")
        if self.sweep and self.sweep.station not in names:
            raise ValueError(f"the sweep names a station that is not there; there are: {', '.join(names)}")
        if self.sweep and self.sweep.measure == "wait_over" and self.wait_over is None:
            raise ValueError("give wait_over, the wait that the sweep is about")
        costs = [self.waiting_cost, *(c for s in self.stations for c in (s.cost_per_server, s.cost_per_visit))]
        if any(cost is not None for cost in costs) and not self.currency:
            raise ValueError("name the currency of the costs")
        return self


class ClinicResult(ToolResult):
    """Waits, utilisation and cost."""

    standard_errors: dict[str, dict[str, float]] = Field(
        default_factory=dict, description="Monte Carlo error of each estimate, by the two parts of its id"
    )
    servers_needed: int | None = None
    sweep: tuple[dict[str, float], ...] = ()
    runs: int = 0
    patients: int = Field(0, description="simulated in all")
