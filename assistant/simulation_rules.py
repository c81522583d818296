"""What a template cannot say: how values of a question become a tool's arguments where they have to be combined.

Numbers come from the question alone. What belongs to the simulation itself (how long a run is) is said in the notes.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

DEAD, CONDITION, EARLY, ADVANCED = "dead", "patients", "early stage", "advanced stage"
_NAME = re.compile(
    r"(?:^|[.,;:?!/()]|\b(?:and|versus|vs\.?|against|of|than|instead of|while|whereas|is|please)\b)", re.I
)
_LEAD = re.compile(r"^(?:the|a|an|our|treatment with)\s+", re.I)
_COSTS = re.compile(
    r"[\s(:,=]*\b(?:which |that )?(?:costs?|cost(?:ing)?|at|is|priced at|for)\b[\s(:,=]*(?:about|around)?\s*$", re.I
)


@dataclass
class Made:
    """Arguments in the making; `missing` slots and `faults` (sentences) are added where the values do not suffice."""

    arguments: dict[str, Any]
    values: dict[str, Any]
    units: dict[str, str]
    text: str
    currency: str = ""
    notes: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def epidemic(made: Made) -> None:
    """Groups where shares of people are told, measures where contacts fall."""
    values, arguments = made.values, made.arguments
    r0 = values["reproduction_number"]
    if (r0[0] if isinstance(r0, tuple) else r0) <= 0:
        made.faults.append("A reproduction number lies above 0.")
    if "no_latency" in values and "latent_days" not in values:
        arguments["latent_days"] = 0
    shares = {name: values[name] for name in ("immune", "vaccinated", "hospitalised", "died") if name in values}
    for name, share in shares.items():
        if not 0 <= share <= 1:
            made.faults.append(f"The share {name} lies between 0 and 100 %.")
    if shares:
        arguments["groups"] = [{"name": "everybody", "people": arguments.pop("population"), **shares}]
    if "vaccinated" in values:
        arguments["vaccine"] = {"against_infection": values["efficacy"]}
    if "contacts_kept" in values:
        start = int(values["measure_start"])
        last = max(int(values.get("horizon_days", 365)), start + 1)
        end = int(values.get("measure_end", last))
        arguments["measures"] = [
            {"name": "fewer contacts", "start_day": start, "end_day": end, "contacts_kept": values["contacts_kept"]}
        ]
        if "measure_end" not in values:
            made.notes.append("nobody said when the measures end: they last to the end of the simulation")
    if re.search(r"incubat", made.text, re.I):
        made.notes.append("the incubation period was read as the latent period, which may be shorter")


def strategies(made: Made) -> None:
    """Costs and effects in the order they were said, each with the name before it."""
    costs, effects = made.values["costs"], made.values["effects"]
    if len(costs) != len(effects) or len(costs) < 2:
        made.missing += ["costs", "effects"]
        return
    _threshold(made)
    names = _names(made)
    made.arguments["model"]["strategies"] = [
        {"name": name, "cost": cost, "effect": effect} for name, cost, effect in zip(names, costs, effects, strict=True)
    ]


def yearly(made: Made) -> None:
    """A price a month as one a year, and starters for each year of the horizon."""
    values, model = made.values, made.arguments["model"]
    if "cost_per_year" not in values:
        model["cost_per_year"] = 12 * values["cost_per_month"]
        made.notes.append("the cost a month was taken twelve times for a year")
    _threshold(made)
    if "starters" in values:
        years = max(1, math.ceil(values.get("years", 1.0)))
        given = [float(one) for one in values["starters"]]
        made.arguments["starters"] = given * years if len(given) == 1 else given


def _threshold(made: Made) -> None:
    """The usual willingness to pay is in dollars: other money needs its own."""
    if made.currency not in ("", "US$") and "threshold" not in made.values:
        made.missing.append("threshold")


def _names(made: Made) -> list[str]:
    """What stands before each cost, up to the words before it that separate."""
    names: list[str] = []
    for position, start in enumerate(made.values["costs_at"]):
        before = _COSTS.sub("", made.text[:start]).rstrip(" (:,=")
        name = _LEAD.sub("", _NAME.split(before)[-1].strip())
        short = " ".join(name.split()[-4:])
        names.append(
            short if short and short != "strategies" and not re.search(r"\d{2}", short) else f"strategy {position + 1}"
        )
    return names if len(set(names)) == len(names) else [f"strategy {i + 1}" for i in range(len(names))]


def coverage(made: Made) -> None:
    """Who is not said to be left out is covered; members of a plan all have its payer."""
    rule = made.arguments["payers"][0]
    if "treatment" in made.arguments:
        made.arguments["treatment"] = made.arguments["treatment"]["intervention"]
    if rule["payer"] in ("private", "employer"):
        rule["payer"] = "commercial"
    if "covered" not in rule:
        rule["covered"] = 1.0
        made.notes.append("it is covered for all who are eligible, as nothing else was said")
    if "members" in made.values:
        rule["share"] = 1.0
        made.notes.append("the people are members of the plan, so all of them have this payer")


def one_stage(made: Made) -> None:
    """People with a condition, who come as new cases and die."""
    values = made.values
    _years(made)
    made.arguments["states"] = [
        {"name": CONDITION, "people": values["people_now"], "new_per_year": values["new_cases"]},
        {"name": DEAD, "dead": True},
    ]
    if "die" in values:
        made.arguments["moves"] = [_move(made, CONDITION, DEAD, values["die"])]
    else:
        made.arguments["stays"] = [{"state": CONDITION, "mean_years": values["mean_survival"], "goes_to": {DEAD: 1.0}}]


def two_stages(made: Made) -> None:
    """Early and advanced stage; new cases are early."""
    values = made.values
    _years(made)
    made.notes.append("new cases are in the early stage")
    made.arguments["states"] = [
        {"name": EARLY, "people": values["early_people"], "new_per_year": values["new_cases"], "stage": "early"},
        {"name": ADVANCED, "people": values["advanced_people"], "stage": "advanced"},
        {"name": DEAD, "dead": True},
    ]
    made.arguments["moves"] = [
        _move(made, EARLY, ADVANCED, values["progress"]),
        _move(made, EARLY, DEAD, values["die_early"]),
        _move(made, ADVANCED, DEAD, values["die_advanced"]),
    ]


def _years(made: Made) -> None:
    values = made.values
    years = values.get("years")
    if years is None:
        years = values["until_year"] - values["from_year"]
    if not 1 <= years <= 60:
        made.faults.append("A forecast reaches from 1 to 60 years ahead.")
    made.arguments["years"] = max(1, min(60, round(years)))


def _move(made: Made, source: str, target: str, share: float) -> dict[str, Any]:
    """A share in a year as a rate: −ln(1 − share)."""
    if not 0 <= share < 1:
        made.faults.append("The share that leaves in a year lies between 0 and 100 %.")
        share = 0.0
    note = "shares in a year were turned into rates that give them"
    if note not in made.notes:
        made.notes.append(note)
    return {"source": source, "target": target, "rate": -math.log1p(-share)}


def trial(made: Made) -> None:
    """What all two-arm trials share: size or power, alpha, sides, dropout, looks."""
    values, arguments = made.values, made.arguments
    for name, field_name in (
        ("power", "power"), ("alpha", "alpha"), ("dropout", "dropout_share"), ("ratio", "ratio"), ("looks", "looks"),
    ):  # fmt: skip
        if name in values:
            arguments[field_name] = int(values[name]) if name == "looks" else values[name]
    if "sides" in values:
        arguments["sides"] = 1 if values["sides"] in ("one", "1") else 2
    if not 0 < values.get("power", 0.8) < 1:
        made.faults.append("A power lies between 0 and 100 %.")
    if not 0 < values.get("alpha", 0.05) < 0.5:
        made.faults.append("An alpha lies between 0 and 50 %.")
    if values.get("sd", 1.0) <= 0:
        made.faults.append("A standard deviation lies above 0.")
    if "margin" in arguments:
        arguments["sides"] = 1
        arguments.setdefault("alpha", 0.025)
        arguments["assumed"].setdefault("difference", 0.0)
        made.notes.append("a non-inferiority trial has a one-sided test; without an alpha it is 0.025")
        if "difference" not in values:
            made.notes.append("both treatments are taken to do equally well")
    if "n_per_arm" in values:
        arguments["n_per_arm"] = int(values["n_per_arm"])
        arguments.pop("power", None)
    elif "wants_power" in values:
        made.missing.append("n_per_arm")


def policy(made: Made) -> None:
    """The rule of coverage, where the question says more than that it is covered."""
    rule = {name: made.values[name] for name in ("covered", "approved") if name in made.values}
    if rule:
        made.arguments["rules"] = [{"name": "the plan", **rule}]
    if made.arguments["payer"] in ("private", "employer"):
        made.arguments["payer"] = "commercial"
    if "members" in made.values:
        made.arguments["payer_share"] = 1.0
        made.notes.append("the people are members of the plan, so all of them have this payer")


def adherence(made: Made) -> None:
    """A share without a time is that after a year, as the tool takes it; that is said."""
    if "at_days" not in made.values:
        made.notes.append("the share still on treatment was read as that after a year")
    elif "horizon_days" not in made.values:
        made.arguments["horizon_days"] = made.values["at_days"]


def adverse_counts(made: Made) -> None:
    """So many of so many."""
    events, among = int(made.values["events"]), int(made.values["among"])
    if events > among:
        made.faults.append("No more people can have the event than there are.")
    made.arguments["counts"] = [{"name": "the event", "events": events, "people": among}]


def adverse_risk(made: Made) -> None:
    """One event with its risk by a time."""
    values = made.values
    made.arguments["events"] = [
        {"name": "the event", "risk": values["risk"]} | ({"stops": values["stops"]} if "stops" in values else {})
    ]
    made.arguments["weeks"] = values["by_weeks"]
    if "people" in values:
        made.arguments["people"] = int(values["people"])
