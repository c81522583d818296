"""`python -m evals drift --observed FILE`: outcomes observed later against what was predicted; exit code 1 on an alarm."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from knowledge.errors import InvalidInput

LEDGER = "ledger.sqlite"


def drift(
    observed: Annotated[Path, typer.Option(help="CSV or JSON: run_id, estimate_id, observed, unit, date, n or se.")],
    data: Annotated[
        Path | None, typer.Option(help="Data directory with the run ledger; by default that of the settings.")
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Leave out earlier outcomes, e.g. after a mended fault."),
    ] = None,
    window: Annotated[int, typer.Option(min=5, max=1000, help="Runs per stretch of the calibration over time.")] = 20,
    false_alarms: Annotated[
        float, typer.Option(min=0.001, max=0.5, help="Chance of a false alarm in 100 runs.")
    ] = 0.05,
    json_out: Annotated[Path | None, typer.Option("--json", help="Write the whole report to this file.")] = None,
) -> None:
    """Compare answered questions with outcomes observed later; exit code 1 when predictions veer off."""
    from assistant.ledger import Ledger
    from assistant.settings import load_settings
    from evals.drift import assess
    from evals.observations import match, read_observations
    from knowledge.base import load_knowledge
    from knowledge.schemas import Family

    folder = data or load_settings().data_dir
    if not (folder / LEDGER).is_file():
        raise InvalidInput("There is no run ledger in the data directory.", "Name the data directory with --data.")
    ledger = Ledger(folder / LEDGER)
    ledger.verify()
    endpoints = load_knowledge().vocabulary.endpoints.values()
    shares = {one.endpoint_id for one in endpoints if one.family in (Family.PROPORTION, Family.TIME_TO_EVENT)}
    followed_up = match(read_observations(observed), ledger, observed, shares)
    if since is not None:
        followed_up = [one for one in followed_up if one.observed_on >= since.date()]
    if not followed_up:
        raise InvalidInput("No outcome is left to compare.", "Choose an earlier day with --since.")
    report = assess(followed_up, window=window, false_alarms=false_alarms)
    sys.stdout.write(report.text() + "\n")
    if json_out is not None:
        json_out.write_text(report.model_dump_json(indent=1) + "\n", encoding="utf-8")
    raise typer.Exit(1 if report.alarm else 0)
