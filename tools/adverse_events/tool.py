"""`simulate_adverse_events`: how many people have which harm, and what becomes of their treatment."""

from __future__ import annotations

from pathlib import Path

from tools.adverse_events import report
from tools.adverse_events.harms import predicted_harms
from tools.adverse_events.running import realise
from tools.adverse_events.schemas import AdverseEventsInput, AdverseEventsResult
from tools.context import ToolContext
from tools.parameter_sheet import read_parameters
from tools.registry import tool
from tools.schemas import Chart, Estimate

SHEET = Path(__file__).with_name("parameters.yaml")


@tool(
    "simulate_adverse_events",
    input=AdverseEventsInput,
    result=AdverseEventsResult,
    validation=report.VALIDATION,
    offered=False,
)
def simulate_adverse_events(request: AdverseEventsInput, context: ToolContext) -> AdverseEventsResult:
    """Say how many people of a cohort have an adverse event, stop treatment for it, stop for another reason, or die.

    Any of four ways: `evidence` (cohort, treatment, comparator and harms: the response engine predicts the shares from
    published trials; outcomes such as nausea, discontinuation_adverse_event or discontinuation_gastrointestinal),
    `events` with hazards (risk by `weeks` or rate per 100 person-years, constant or Weibull, and the share who stop),
    which compete with `other_stopping` and `death`; `observed` times and causes of first events (Aalen-Johansen
    cumulative incidence with intervals); and `counts` (exact binomial bounds, the rule of three among them). `people`
    is the size of the cohort.
    """
    sheet = read_parameters(SHEET)
    estimates: list[Estimate] = []
    charts: list[Chart] = []
    said: list[str] = []
    warned: list[str] = []
    sources: list[str] = []
    draws: dict[str, tuple[float, ...]] = {}
    titles = []
    if request.evidence is not None:
        context.progress(0.0, "reading the trials")
        harms = predicted_harms(request.evidence, context)
        made, drawn, kept = report.harm_report(request, harms, context.seed)
        estimates += made
        charts += drawn
        draws |= kept
        said += harms.assumptions
        warned += harms.warnings
        sources += [one for harm in harms.harms for one in harm.source_ids]
        titles.append(f"harms of {harms.treatment} in {harms.population}")
    if request.events:
        found = realise(request, sheet["followed_people"].value, context)
        made, drawn = report.event_report(request, found)
        estimates += made
        charts += drawn
        draws |= {
            f"stopped.{one.name}": tuple(found.stopped[..., i].ravel()[: request.draws].tolist())
            for i, one in enumerate(request.events)
        }
        titles.append(f"adverse events within {request.weeks:g} weeks")
        said += [
            "Only the first occurrence of each event counts, and events on treatment only.",
            "Events come independently of each other until one of them ends treatment; a risk is that which would be seen "
            "if nothing else came first.",
            *([] if request.death else ["Nobody dies: no hazard of death was given."]),
            *([] if request.other_stopping else ["Nobody stops for another reason: no hazard of that was given."]),
        ]
        if not any(one.stops != 0.0 for one in request.events):
            said.append("Nobody stops for an adverse event: no share that stops was given.")
    if request.observed is not None:
        made, drawn = report.observed_report(request.observed, request.level)
        estimates += made
        charts += drawn
        titles.append("observed competing events")
        said.append("People who left without an event are taken to be like those who stayed (independent censoring).")
    if request.counts:
        estimates += report.count_report(request.counts, request.level)
        titles.append("exact bounds of counts")
    title = "; ".join(titles)
    return AdverseEventsResult(
        title=f"{title[:1].upper()}{title[1:]}",
        estimates=tuple(estimates),
        charts=tuple(charts),
        assumptions=tuple(dict.fromkeys(said)),
        warnings=tuple(dict.fromkeys(warned)),
        source_ids=tuple(dict.fromkeys(sources)),
        people=request.people,
        draws=draws,
    )
