"""`forecast_uptake`: how many are covered, start and stay on when a payer's rules change."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from knowledge.errors import InvalidInput
from tools.context import ToolContext
from tools.quantities import as_uncertain
from tools.registry import tool
from tools.schemas import Chart, Estimate, Level, Point, Series
from tools.uptake import report
from tools.uptake.filling import Shares, access_by, shares_of
from tools.uptake.schemas import FittedCoefficient, GroupAccess, UptakeInput, UptakeResult
from tools.uptake.simulation import choose, diffusion_draws, simulate

SHEET = Path(__file__).with_name("parameters.yaml")


@tool("forecast_uptake", input=UptakeInput, result=UptakeResult, validation=report.VALIDATION, offered=False)
def forecast_uptake(request: UptakeInput, context: ToolContext) -> UptakeResult:
    """Forecast market access and uptake: how many people are eligible, covered, start a treatment and stay on it.

    Give a `population` (people), a `cohort` (its archetype tells prevalence and payers) and for each payer the share
    covered, copay (US$ a month), approval; months to forecast. Counts have intervals from parameter draws and chance,
    compared with before the plan. Also Bass diffusion (`diffusion`: coefficients a year, or counts to fit them to) and
    what people choose among options (`choice`: multinomial or mixed logit, given or fitted, with the gain in consumer
    surplus in money). `access_by` compares coverage between groups, e.g. ethnicity. A scenario from published shares.
    """
    estimates: list[Estimate] = []
    charts: list[Chart] = []
    fitted: tuple[FittedCoefficient, ...] = ()
    access: tuple[GroupAccess, ...] = ()
    draws: dict[str, tuple[float, ...]] = {}
    title: list[str] = []
    shares: Shares | None = None
    frame = report.Frame("the market given", request.treatment, request.level, ())
    if request.population is not None:
        shares = shares_of(request, context.personas, SHEET, context.seed)
        frame = report.Frame(shares.population, request.treatment, request.level, tuple(shares.source_ids))
        context.progress(0.1, "following people through the funnel")
        after = simulate(request, shares, context)
        before = simulate(request, shares, context, before=True) if shares.covered_before.any() else None
        estimates += report.funnel_estimates(frame, shares.payers, after, before)
        charts += report.funnel_charts(frame, shares.payers, after)
        draws = {
            "eligible": tuple(after.eligible[:, 0].sum(axis=-1).astype(np.float64).tolist()),
            "covered": tuple(after.covered[:, 0].sum(axis=-1).astype(np.float64).tolist()),
            "started": tuple(after.started[:, 0].sum(axis=(-1, -2)).astype(np.float64).tolist()),
            "on_treatment": tuple(after.on_treatment[:, 0, :, -1].sum(axis=-1).astype(np.float64).tolist()),
            "treatment_years": tuple(report.treatment_years(after)[:, 0].sum(axis=-1).tolist()),
            "persistence": tuple(shares.persistence.mean(axis=1).tolist()),
        }
        started = float(after.started.sum(axis=(-1, -2)).mean())
        title.append(
            f"{shares.population}: about {started:,.0f} start {request.treatment} within {request.months} months"
        )
        if request.access_by:
            access, chart = _access(request, shares)
            charts.append(chart)
            estimates += _access_estimates(frame, access)
    if request.diffusion is not None:
        given = request.diffusion
        sure = not given.adopters and all(as_uncertain(v or 0.0).certain for v in (given.p, given.q, given.market))
        p, q, market, fitted = diffusion_draws(given, 1 if sure else request.draws, context.seed)
        made, chart = report.diffusion_report(frame, p, q, market, request.diffusion.years)
        estimates += made
        charts.append(chart)
        title.append(f"adoption of {request.treatment}")
    likelihood = None
    if request.choice is not None:
        chosen = choose(request.choice, request.draws, context.seed)
        made, bars = report.choice_report(frame, chosen)
        estimates += made
        charts += bars
        fitted, likelihood = (*fitted, *chosen.fitted), chosen.log_likelihood
        title.append("what people choose")
    return UptakeResult(
        title="; ".join(title),
        estimates=tuple(estimates),
        charts=tuple(charts),
        assumptions=tuple(shares.assumptions) if shares else (),
        warnings=tuple(dict.fromkeys(shares.warnings)) if shares else (),
        source_ids=tuple(shares.source_ids) if shares else (),
        months=request.months if shares else 0,
        access=access,
        fitted=fitted,
        log_likelihood=likelihood,
        draws=draws,
    )


def _access(request: UptakeInput, shares: Shares) -> tuple[tuple[GroupAccess, ...], Chart]:
    """Covered share of each group of the cohort."""
    if shares.cohort is None:
        raise InvalidInput("Access can be compared within a cohort only.", "Give 'cohort'.")
    covered = {
        payer.lower(): (float(shares.covered[:, g].mean()), float(shares.covered_before[:, g].mean()))
        for g, payer in enumerate(shares.payers)
    }
    groups = tuple(
        GroupAccess(group=group, share_of_cohort=size, covered=after, covered_before=before)
        for group, size, after, before in access_by(shares.cohort, request.access_by, covered)
    )
    series = tuple(
        Series(name=name, points=tuple(Point(x=one.group, y=100 * getattr(one, field)) for one in groups))
        for name, field in (("before", "covered_before"), ("under the plan", "covered"))
    )
    chart = Chart(
        kind="bars", title=f"Covered, by {request.access_by}", x_label="% of the group", y_label="", series=series
    )
    return groups, chart


def _access_estimates(frame: report.Frame, access: tuple[GroupAccess, ...]) -> list[Estimate]:
    return [
        frame.estimate(
            f"covered_share.{one.group}", f"covered under the plan: {one.group}", "share", [one.covered], Level.SHARE
        )
        for one in access
    ]
