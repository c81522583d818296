"""`forecast_population`: how many people in which state or line of therapy, and what care they will need."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tools.context import ToolContext
from tools.parameter_sheet import read_parameters
from tools.population import report
from tools.population.filling import draw_everything
from tools.population.running import realise
from tools.population.schemas import PopulationInput, PopulationResult
from tools.registry import tool

SHEET = Path(__file__).with_name("parameters.yaml")


@tool(
    "forecast_population", input=PopulationInput, result=PopulationResult, validation=report.VALIDATION, offered=False
)
def forecast_population(request: PopulationInput, context: ToolContext) -> PopulationResult:
    """Forecast how many people will be in each stage of a disease and line of therapy, and what care they will need.

    Give `states` (people now, new cases a year, stage, line, which one is death) and how people move: `moves` (rates per
    person-year), `stays` (mean years in a state and the shares that go where: treatment success and failure), or `panel`
    data to fit the rates to (continuous-time Markov model, maximum likelihood as in msm). `changes` multiply rates or
    new cases from a year on; `resources` turn people and starts into capacity need by year (visits, scans, chairs).
    """
    sheet = read_parameters(SHEET)
    context.progress(0.0, "drawing rates")
    drawn = draw_everything(request, context.seed)
    found = realise(request, drawn, sheet["followed_people"].value, context)
    frame = report.Frame(f"people with {request.condition}", request.years, request.level)
    needs, charts = report.need_report(frame, request, drawn, found)
    estimates = [*report.count_estimates(frame, request, found), report.incidence_estimate(frame, drawn), *needs]
    living = [i for i, one in enumerate(request.states) if not one.dead]
    prevalence = found.people[:, :, -1][..., living].sum(axis=-1)
    draws = {"prevalence": tuple(prevalence[:, 0].tolist())}
    draws |= {
        f"need.{one.name}": tuple(report.need_of(one.name, drawn, found)[:, 0, -1].tolist())
        for one in request.resources
    }
    said = list(drawn.assumptions)
    if not found.followed:
        said.append(
            "So many people are counted by state, not followed one by one; chance within a year is left out of time spent."
        )
    return PopulationResult(
        title=f"{request.condition}: about {float(np.mean(prevalence)):,.0f} people after {request.years} years",
        estimates=tuple(estimates),
        charts=(report.count_chart(request, found, request.level), *charts),
        assumptions=tuple(said),
        warnings=drawn.warnings,
        years=request.years,
        fitted=report.fitted_rates(request, drawn),
        log_likelihood=drawn.fit.log_likelihood if drawn.fit else None,
        draws=draws,
    )
