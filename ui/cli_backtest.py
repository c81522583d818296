"""`cohort backtest`: each trial predicted from the others, beside the forecasts an analyst would make by hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from knowledge.errors import InvalidInput
from ui.console import JsonFlag, open_assistant, write, write_json

if TYPE_CHECKING:
    from assistant.backtesting import BacktestReport

BY = ("trial", "drug", "class", "year")
_NAMES = {
    "response_engine": "response engine",
    "grand_mean": "grand mean",
    "class_mean": "class mean",
    "class_by_time": "class x time",
    "agent_dose_time_mean": "agent x dose x time",
    "random_effects": "random effects",
    "ridge": "ridge regression",
}


def backtest(
    arms: Annotated[
        list[Path] | None,
        typer.Option("--arms", help="CSV of published arms, one row an arm; the shipped evidence if absent."),
    ] = None,
    mapping: Annotated[Path | None, typer.Option("--map", help="YAML file that maps the columns of the CSV.")] = None,
    by: Annotated[str, typer.Option(help="What is left out at once: trial, drug, class or year.")] = "trial",
    endpoint: Annotated[
        list[str] | None, typer.Option(help="Only this endpoint (of the shipped evidence, or of the CSV).")
    ] = None,
    min_trials: Annotated[int, typer.Option(min=3, help="Leave out endpoints with fewer trials than this.")] = 8,
    as_json: JsonFlag = False,
) -> None:
    """Predict each published trial from the others, and score it beside simple baselines in the same run.

    A ratio below 1 means that the response engine is better. The 90 % interval score is the width of the interval plus
    a charge for each figure it misses.
    """
    if by not in BY:
        raise InvalidInput(f"'{by}' is nothing that can be left out.", f"Choose one of {', '.join(BY)}.")
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    with (
        open_assistant() as assistant,
        Progress(TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), transient=True) as bar,
    ):
        task = bar.add_task("reading", total=1.0)
        report = assistant.backtest(
            arms=tuple(arms or ()),
            mapping=mapping,
            by=by,
            endpoints=tuple(endpoint or ()),
            min_trials=min_trials,
            progress=lambda share, text: bar.update(task, completed=share, description=text[:40]),
        )
    if as_json:
        write_json(report.model_dump(mode="json"))
        return
    print_backtest(report)


def print_backtest(report: BacktestReport) -> None:
    """The report as text."""
    for table in report.tables:
        write(f"\n{table.table}: {table.endpoint}" + (f" ({table.unit})" if table.unit else ""))
        for note in table.notes:
            write(f"  {note}")
        if table.not_predicted:
            write(f"  {table.not_predicted} figures were not predicted: nothing else says anything about their class.")
        for section in table.sections:
            what = "arms" if section.what == "arms" else "differences from control"
            write(f"  {section.figures} {what} of {section.trials} trials")
            write(
                f"    {'':<20}{'MAE':>9}{'CRPS':>9}{'score 90':>10}{'width 90':>10}{'in 50':>7}{'in 80':>7}{'in 90':>7}  engine / this"
            )
            for name, score in section.scores.items():
                skill = section.skill.get(name)
                ratio = f"{skill.ratio:.2f} ({skill.lower:.2f}-{skill.upper:.2f})" if skill else ""
                inside = "".join(f"{share:>6.0%} " for share in score.coverage.values())
                write(
                    f"    {_NAMES.get(name, name):<20}{score.mean_absolute_error:>9.3g}{score.crps:>9.3g}"
                    f"{score.interval_score:>10.3g}{score.width:>10.3g}{inside}  {ratio}"
                )
            write(f"    PIT histogram of the engine (flat is honest): {' '.join(str(count) for count in section.pit)}")
            if section.within is not None:
                write(f"    {_within(section.within)}")
    for pooled in report.pooled:
        write(
            f"\nAll {pooled.tables} tables, {pooled.what}: engine / rival (geometric mean, 90 % interval by resampling trials)"
        )
        for name, skill in pooled.interval_score.items():
            error = pooled.mean_absolute_error[name]
            write(f"  {_NAMES.get(name, name):<20} score 90: {_ratio(skill)}   MAE: {_ratio(error)}")
        shares = ", ".join(f"{share:.0%} inside {level:.0%}" for level, share in _levels(pooled.coverage))
        write(f"  Coverage, averaged over trials: {shares}.")


def _within(found: Any) -> str:
    rank = "" if found.auroc is None else f", AUROC {found.auroc:.2f}"
    return (
        f"Within {found.tolerance:g} of the point: {found.share:.0%}, forecast {found.said:.0%}; Brier {found.brier:.3f} "
        f"(always {found.share:.0%}: {found.brier_of_share:.3f}){rank}, calibration error {found.calibration_error:.3f} "
        f"({found.excess:+.3f} against a perfectly calibrated forecaster)."
    )


def _ratio(skill: Any) -> str:
    return f"{skill.ratio:.2f} ({skill.lower:.2f}-{skill.upper:.2f})"


def _levels(coverage: Any) -> list[tuple[float, float]]:
    return [(float(level), share) for level, share in coverage.items()]
