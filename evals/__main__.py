"""`python -m evals run` asks the cases and writes the report; `bench` and `ingest-bench` measure speed.

`python -m evals retrieval --set FILE` scores the search on public question sets.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from knowledge.errors import CohortTwinError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def run(
    case: Annotated[list[str] | None, typer.Option(help="Only these case ids.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the report.")] = None,
) -> None:
    """Ask every case with the model of the settings; exit code 1 when a case fails."""
    from assistant.bootstrap import build_assistant
    from assistant.settings import load_settings
    from evals.report import REPORTS, headline, write
    from evals.runner import load_cases, run_cases

    cases = [item for item in load_cases() if not case or item.id in case]
    with TemporaryDirectory() as folder, build_assistant(load_settings(data_dir=Path(folder))) as assistant:
        results = run_cases(
            cases,
            assistant,
            lambda result: _line(
                f"{'pass' if result.passed else 'FAIL'}  {result.case.id:<34} {result.seconds:6.2f} s"
            ),
        )
        text, _data = write(results, assistant.knowledge.arms.hash, assistant.settings.model, out or REPORTS)
    _line(headline(results))
    _line(f"Report: {text}")
    raise typer.Exit(0 if all(result.passed for result in results) else 1)


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
) -> None:
    """Measure start and answer times, interleaved with named peers."""
    from evals.bench import run_bench

    for line in run_bench(runs):
        _line(line)


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


def _line(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        app()
    except CohortTwinError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None
