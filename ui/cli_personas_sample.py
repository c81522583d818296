"""`cohort personas sample`: virtual patients into a file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ui.console import JsonFlag, write, write_json

# Fewer are drawn before a bar could be read.
_PATIENTS_FOR_A_BAR = 500_000


def personas_sample(
    persona: Annotated[
        list[str],
        typer.Argument(
            metavar="PERSONA_ID...", help="An archetype, or several with their shares: t2d_adults=0.7 t2d_ckd=0.3."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="The file to write, .parquet or .csv.")],
    n: Annotated[int, typer.Option("-n", "--patients", help="How many virtual patients.")] = 1000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same patients.")] = 1,
    restrict: Annotated[
        list[str] | None, typer.Option("--restrict", help="Only those who meet it, e.g. 'age>=65'. May be repeated.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that exists.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Draw virtual patients of an archetype, or of a mixture, and write them to a file."""
    from assistant.persona_sampling import sample_personas

    with _bar(n) as progress:
        report = sample_personas(persona, restrict or (), out, n=n, seed=seed, force=force, progress=progress)
    if as_json:
        write_json(report.model_dump(mode="json"))
        return
    write(f"{report.label}: {report.patients:,} virtual patients, {report.attributes} attributes, seed {report.seed}.")
    if restrict:
        write(f"{100 * report.prevalence:.3g} % of the unrestricted cohort meet the restrictions.")
    if report.left_out:
        write(f"Left out, because not every archetype states them: {', '.join(report.left_out)}.")
    write(f"Effective sample size {report.effective_sample_size:,.0f}: every row is drawn independently.")
    write(f"Written to {report.path}.")


@contextmanager
def _bar(n: int) -> Iterator[Callable[[float, str], None]]:
    """A progress bar on a terminal, when there is time to see it."""
    if n < _PATIENTS_FOR_A_BAR or not sys.stderr.isatty():
        yield lambda _share, _text: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("drawing", total=1.0)
        yield lambda share, text: bar.update(task, completed=share, description=text)
