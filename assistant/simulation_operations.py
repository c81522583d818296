"""How values of a question become the arguments of the tools for clinics, stocks and demand; see simulation_rules."""

from __future__ import annotations

import math
from typing import Any

from assistant.simulation_numbers import convert
from assistant.simulation_rules import Made

PATIENTS_A_RUN, STAYS_A_RUN, WARM_UP = 3000, 200, 1 / 6
TRIED = 15  # numbers of servers
_BY_MINUTE = ("minutes", "hours")


def clinic(made: Made) -> None:
    """One station with its servers, all times in one unit, and runs that are long enough for steady figures."""
    values, arguments = made.values, made.arguments
    station = _resource(str(values.get("resource", "servers")))
    unit, rate, stay = _timed(made, station)
    if made.missing:
        return
    if rate <= 0 or stay <= 0:
        made.faults.append("How many patients come and how long each takes lie above 0.")
        return
    load = rate * stay
    servers = int(values.get("servers", 0))
    if "lost" in values and servers:
        servers -= int(values["lost"])
        made.notes.append(f"after the loss there are {servers}")
    wanted = "wait_below" in values or "occupancy_below" in values
    if wanted:
        first = max(1, math.floor(load) + 1)
        arguments["sweep"] = {
            "station": station,
            "servers": list(range(first, first + TRIED)),
            **_target(made, unit, load),
        }
        if arguments["sweep"]["measure"] == "wait_over":
            arguments["wait_over"] = _convert(made, "wait_below", unit)
        servers = servers or first
    if servers < 1:
        made.faults.append("A clinic needs at least one server.")
        return
    arguments["time_unit"] = unit
    arguments["streams"] = [{"name": "patients", "rate": rate}]
    arguments["stations"] = [{"name": station, "servers": servers, "service": {"mean": stay}}]
    length = max(PATIENTS_A_RUN / rate, STAYS_A_RUN * stay)
    arguments["warm_up"] = math.ceil(length * WARM_UP)
    arguments["run_length"] = math.ceil(length) + arguments["warm_up"]
    made.notes.append(
        f"each run is {arguments['run_length']:,} {unit} long; the first {arguments['warm_up']:,} are left out"
    )
    made.notes.append("patients come at random, and how long each takes varies as an exponential time does")


def _timed(made: Made, station: str) -> tuple[str, float, float]:
    """(unit, patients per unit, length of stay in it)."""
    values, rate = made.values, float(made.values["rate"])
    per, stay_unit, stay = str(values["rate_per"]), made.units["length_of_stay"], float(values["length_of_stay"])
    if per in ("months", "years"):
        rate, per = rate / convert(1.0, per, "weeks"), "weeks"
    if stay_unit in _BY_MINUTE and per not in _BY_MINUTE:
        around = station == "beds" or "around_the_clock" in values
        hours = 24.0 if around else values.get("open_hours")
        if hours is None:
            made.missing.append("open_hours")
            return per, rate, stay
        rate /= convert(1.0, per, "days") * hours
        per = "hours"
        if not around:
            made.notes.append(
                f"the patients of a day come over {hours:g} hours; times are opening times, without nights"
            )
    unit = stay_unit if stay_unit in _BY_MINUTE and per in _BY_MINUTE else per
    return unit, rate * convert(1.0, unit, per), convert(stay, stay_unit, unit)


def _target(made: Made, unit: str, load: float) -> dict[str, Any]:
    """The measure and its bound: a share of open time, or a wait that 9 of 10, the mean, or another share must keep."""
    if "occupancy_below" in made.values:
        return {"measure": "utilisation", "below": made.values["occupancy_below"]}
    below = _convert(made, "wait_below", unit)
    share = made.values.get("served")
    if share is not None and abs(share - 0.9) > 1e-9:
        return {"measure": "wait_over", "below": round(1 - share, 6)}
    if "mean_wait" in made.values:
        return {"measure": "wait_mean", "below": below}
    if share is None:
        made.notes.append("the wait is that which nine of ten patients do not exceed")
    return {"measure": "wait_p90", "below": below}


def _convert(made: Made, slot: str, unit: str) -> float:
    return convert(float(made.values[slot]), made.units[slot], unit)


def _resource(word: str) -> str:
    """'beds' of 'bed', 'scanners' of 'MRI', 'beds' of 'ICU'."""
    word = word.lower().rstrip("s")
    return {"mri": "scanners", "icu": "beds"}.get(word, f"{word}s")


def stock(made: Made) -> None:
    """Demand in a period, times in whole periods, and a stock that is full at the beginning."""
    values, arguments = made.values, made.arguments
    unit, demand = _per(made)
    arguments["period"] = unit.removesuffix("s")
    if demand <= 0:
        made.faults.append("The demand lies above 0.")
        return
    arguments["demand"] = {"mean": demand}
    if "cv" in values:
        arguments["demand"] |= {"distribution": "gamma", "cv": values["cv"]}
    else:
        made.notes.append("demand varies by chance as a Poisson count does")
    for name in ("lead_time", "life"):
        if name in values:
            periods = convert(float(values[name]), made.units[name], unit)
            arguments[name] = max(1, round(periods))
            if abs(periods - round(periods)) > 0.01:
                made.notes.append(f"the {name.replace('_', ' ')} was rounded to whole {unit}")
    if "lead_time" not in values:
        made.notes.append("no lead time was given: orders are there before the demand of the same period")
    if "life" in values:
        arguments["unmet"] = "lost"
    _costs(made)
    policy = arguments["policy"]
    full = policy.get("level", policy.get("reorder", 0) + policy.get("quantity", 0))
    if full:
        arguments["start_stock"] = full
        made.notes.append("the stock is full at the beginning")


def lot(made: Made) -> None:
    """The order quantity is per unit of time of the demand; holding costs must be of the same."""
    made.notes.append(
        f"the cost of holding a unit was read as that of one {made.values['demand_per'].removesuffix('s')}"
    )
    _product(made)
    made.arguments.setdefault("currency", "money")


def _costs(made: Made) -> None:
    given = [name for name in ("fixed_cost", "holding_cost", "shortage_cost") if name in made.values]
    for name in given:
        made.arguments[name] = made.values[name]
    if given:
        made.arguments["currency"] = made.currency or "money"
    _product(made)


def _product(made: Made) -> None:
    if "product" in made.values:
        made.arguments["product"] = str(made.values["product"])


def _per(made: Made) -> tuple[str, float]:
    """(unit, demand per unit); a year is cut into months, minutes are put together to hours."""
    named = {
        "hourly": "hours",
        "daily": "days",
        "weekly": "weeks",
        "monthly": "months",
        "yearly": "years",
        "annual": "years",
    }
    unit, demand = str(made.values["demand_per"]), float(made.values["demand"])
    unit = named.get(unit, unit)
    wanted = {"years": "months", "minutes": "hours"}.get(unit, unit)
    return wanted, demand * convert(1.0, wanted, unit)


def demand(made: Made) -> None:
    """One series of counts."""
    word = str(made.values["frequency"]).rstrip("s")
    named = {
        "daily": "day",
        "weekly": "week",
        "monthly": "month",
        "quarterly": "quarter",
        "yearly": "year",
        "annual": "year",
    }
    made.arguments["frequency"] = named.get(word, word)
    made.arguments["series"] = [{"counts": list(made.values["counts"])}]
