"""`python -m evals run` runs the suites and writes the report; `bench` and `ingest-bench` measure speed.

`python -m evals retrieval --set FILE` scores the search on public question sets.
"""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evals.drift_cli import drift
from knowledge.errors import CohortTwinError, DataError, InvalidInput

if TYPE_CHECKING:
    from evals.drift import DriftReport
    from evals.schemas import EvalRun, RunSettings

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
app.command()(drift)


@app.command()
def run(
    suite: Annotated[list[str] | None, typer.Option(help="Only these suites.")] = None,
    case: Annotated[list[str] | None, typer.Option(help="Only these case ids.")] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="Chat models by name, side by side; offline by default.")
    ] = None,
    as_of: Annotated[str | None, typer.Option(help="YYYY-MM-DD: hide what was published later.")] = None,
    seed: Annotated[int, typer.Option(min=1, help="1 gives each case the seed that stands in its file.")] = 1,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes.")] = 2,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Begin no case once so many tokens are used.")] = None,
    max_cost: Annotated[
        float | None, typer.Option(min=0, help="The same for cost, in the currency of the prices.")
    ] = None,
    max_seconds: Annotated[float | None, typer.Option(min=0, help="The same for time.")] = None,
    grader: Annotated[str, typer.Option(help="A chat model that judges answers beside the fixed checks.")] = "",
    data_folder: Annotated[
        Path | None, typer.Option(help="Data sets of the truths suite that are not shipped.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Run again what is known from before.")] = False,
    folder: Annotated[Path | None, typer.Option(help="Where records, index and fits are kept.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the report.")] = None,
    baseline: Annotated[Path | None, typer.Option(help="Compare with this instead of the committed baseline.")] = None,
) -> None:
    """Run the cases and write the report; exit code 1 when a headline figure is worse than the baseline beyond noise.

    A run that was cut short goes on where it was: say the same again.
    """
    from assistant.settings import default_data_dir
    from evals.console import Bar
    from evals.runner import run as run_all
    from evals.schemas import RunSettings

    settings = RunSettings(
        models=tuple(dict.fromkeys(model or ("offline",))),
        suites=tuple(suite or ()),
        cases=tuple(case or ()),
        as_of=_day(as_of),
        seed=seed,
        max_tokens=max_tokens,
        max_cost=max_cost,
        max_seconds=max_seconds,
        grader=grader,
        data_folder=data_folder.name if data_folder else "",
    )
    where = folder or default_data_dir() / "evals"
    with Bar() as bar:
        found = run_all(settings, where, workers=workers, fresh=fresh, data_folder=data_folder, progress=bar)
    raise typer.Exit(_report(found, out, baseline))


@app.command()
def report(
    folder: Annotated[Path | None, typer.Option(help="Where records, index and fits are kept.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the report.")] = None,
    baseline: Annotated[Path | None, typer.Option(help="Compare with this instead of the committed baseline.")] = None,
    drift: Annotated[Path | None, typer.Option(help="What `evals drift` wrote as JSON, to be shown with it.")] = None,
) -> None:
    """Write the report of the last run again, without running anything; exit code as `run`."""
    from assistant.settings import default_data_dir
    from evals.runner import read_run

    raise typer.Exit(_report(read_run(folder or default_data_dir() / "evals"), out, baseline, drift))


@app.command()
def readme() -> None:
    """Write the figures of the last report into README.md."""
    from evals.readme import update

    _line(update())


@app.command()
def baseline(
    folder: Annotated[Path | None, typer.Option(help="Where records, index and fits are kept.")] = None,
    out: Annotated[Path | None, typer.Option(help="The baseline's file.")] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes.")] = 2,
) -> None:
    """Run all suites with the offline planner and keep the result as what later runs are compared with."""
    from assistant.settings import default_data_dir
    from evals.comparison import BASELINE, baseline_of, write_baseline
    from evals.console import Bar
    from evals.runner import run as run_all
    from evals.schemas import RunSettings

    with Bar() as bar:
        found = run_all(RunSettings(), folder or default_data_dir() / "evals", workers=workers, progress=bar)
    write_baseline(baseline_of(found), out or BASELINE)
    _line(f"Baseline: {out or BASELINE}")


@app.command()
def cases(
    suite: Annotated[list[str] | None, typer.Option(help="Only these suites.")] = None,
) -> None:
    """List the cases: suite, id, why."""
    from evals.runner import all_cases, chosen_cases
    from evals.schemas import RunSettings
    from knowledge.base import load_knowledge

    for one in chosen_cases(RunSettings(suites=tuple(suite or ())), all_cases(load_knowledge())):
        _line(f"{one.suite:<13} {one.id:<50} {one.why}")


@app.command()
def schema() -> None:
    """Write the JSON Schema of the case files to evals/cases/schema.json."""
    from evals.cases_io import SCHEMA, schema_text

    SCHEMA.write_text(schema_text(), encoding="utf-8")
    _line(f"Schema: {SCHEMA}")


@app.command()
def calibrate(
    endpoint: Annotated[list[str] | None, typer.Option(help="Only these endpoint ids; the other curves stay.")] = None,
) -> None:
    """Backtest the response engine (each trial predicted from the others) and write its confidence curves."""
    from knowledge.base import load_knowledge
    from tools.response.calibrate import endpoints_to_calibrate, make_curve, write_calibrations
    from tools.response.confidence import calibrations

    knowledge = load_knowledge()
    curves = dict(calibrations())
    for name in endpoint or endpoints_to_calibrate(knowledge):
        curve = make_curve(knowledge, name)
        if curve is None:
            curves.pop(name, None)
            _line(f"{name}: too few trials that can be predicted, no curve")
            continue
        curves[name] = curve
        write_calibrations(curves)
        _line(
            f"{name}: {curve.n_arms} arms of {curve.n_trials} trials, MAE {curve.mean_absolute_error:.2f} {curve.unit}, "
            f"90 % interval covers {100 * curve.coverage:.0f} %, Brier {curve.brier:.3f} (constant {curve.brier_constant:.3f})"
        )


@app.command()
def routing(
    show: Annotated[bool, typer.Option(help="List what failed in the development half.")] = False,
    prototypes: Annotated[
        bool, typer.Option("--prototypes", help="Let the nearest prototype decide where no rule does.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for the report.")] = None,
) -> None:
    """Score the offline planner's plans on questions as people type them; no prediction is made."""
    from evals.report import REPORTS
    from evals.routing import Router, failure, of_half, report, scores
    from evals.routing_cases import Half, load_routing_cases
    from knowledge.base import load_knowledge
    from knowledge.embedding import SentenceTransformerEmbedder
    from personas.library import PersonaLibrary

    embedder = SentenceTransformerEmbedder() if prototypes else None
    router = Router(load_knowledge(), PersonaLibrary(), embedder.embed if embedder is not None else None)
    verdicts = [router.judge(case) for case in load_routing_cases()]
    for half in Half:
        _line(f"{half} half")
        for share in scores(of_half(verdicts, half)):
            _line(f"  {share}")
    for verdict in of_half(verdicts, Half.DEVELOPMENT) if show else ():
        if not verdict.right:
            _line(failure(verdict))
    folder = out or REPORTS
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "routing.md").write_text(report(verdicts), encoding="utf-8")
    _line(f"Report: {folder / 'routing.md'}")


@app.command()
def bench(
    runs: Annotated[int, typer.Option(min=2, max=50, help="Interleaved repetitions.")] = 5,
    tools: Annotated[bool, typer.Option("--tools", help="Only the simulation tools.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for the page.")] = None,
) -> None:
    """Measure start and answer times, interleaved with named peers, and how the simulations grow."""
    from evals.bench import bench_tools, run_bench
    from evals.bench_page import bench_page
    from evals.growth import Curve
    from evals.report import REPORTS

    said: list[str] = []
    curves: list[Curve] = []
    for line in (bench_tools if tools else run_bench)(runs, curves):
        _line(line)
        said.append(line)
    folder = out or REPORTS
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bench.html").write_text(bench_page(said, curves), encoding="utf-8")
    _line(f"Report: {folder / 'bench.html'}")


@app.command()
def retrieval(
    sets: Annotated[list[Path], typer.Option("--set", help="ori_pqal.json of PubMedQA, or BioASQ as .jsonl.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the report.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder that keeps vectors for the next time.")] = None,
) -> None:
    """Score BM25, dense and hybrid search side by side; exit code 1 unless hybrid is the best of them."""
    from evals.report import REPORTS
    from evals.retrieval.run import markdown, passed, run_retrieval, write

    results = run_retrieval(sets, data_dir=data, progress=_line)
    text, _data = write(results, out or REPORTS)
    _line(markdown(results))
    _line(f"Report: {text}")
    raise typer.Exit(0 if passed(results) else 1)


@app.command()
def ingest_bench(
    sets: Annotated[Path | None, typer.Option("--set", help="Take passages and questions from this set.")] = None,
    passages: Annotated[int, typer.Option(min=20, max=1_000_000, help="How many.")] = 10_000,
    queries: Annotated[int, typer.Option(min=10, max=100_000, help="How many.")] = 300,
) -> None:
    """Measure ingest and queries against a plain sentence-transformers + Chroma loop, by turns."""
    from evals.retrieval.ingest_bench import report, run_ingest_bench

    result = run_ingest_bench(passages, queries, path=sets, progress=_line)
    for line in report(result):
        _line(line)


def _report(found: EvalRun, out: Path | None, baseline: Path | None, drift: Path | None = None) -> int:
    """Write the report and say the headline; the exit code."""
    from evals.comparison import BASELINE, compare, read_baseline
    from evals.console import lines_of
    from evals.report import REPORTS, headline, write

    before = read_baseline(baseline or BASELINE)
    comparison = compare(found, before) if before is not None and _comparable(found.settings) else None
    files = write(found, comparison, out or REPORTS, None if drift is None else _drift(drift))
    for line in (*headline(found, comparison), *lines_of(found, comparison)):
        _line(line)
    _line(f"Report: {files[0]}")
    return 1 if comparison is not None and comparison.regressions else 0


def _drift(path: Path) -> DriftReport:
    from evals.drift import DriftReport

    try:
        return DriftReport.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(
            f"'{path.name}' is no report of drift.", "Make it with: python -m evals drift --json FILE"
        ) from error


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(f"'{text}' is no day.", "Write it as 2021-12-31.") from error


def _comparable(settings: RunSettings) -> bool:
    """The baseline is of all the evidence, and of the seeds that stand in the files."""
    return settings.as_of is None and settings.seed == 1 and settings.models[0] == "offline"


def _line(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        app()
    except CohortTwinError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None
