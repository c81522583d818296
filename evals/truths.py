"""Runs truths: a tool or a model's function with stated inputs, held against what is published.

`python -m evals.truths --file evals/cases/truths/<tool>.yaml` runs the cases of one file and says what is wrong. It opens
neither the index nor the run ledger, so that it can be used while another process owns the data directory.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from evals.case_schemas import TruthsCase
from evals.truths_data import NotThere, table
from evals.truths_values import Verdict, arguments_of, judge, named
from knowledge.base import load_knowledge
from knowledge.errors import CohortTwinError
from knowledge.retrieval import LiteratureRetriever
from personas.library import PersonaLibrary
from tools.catalog import build_registry
from tools.context import ToolContext
from tools.registry import Registry


@dataclass(frozen=True)
class Truth:
    """What came of a case: a verdict per figure, or why it was not run (`missing`), or what broke (`error`)."""

    case: TruthsCase
    arguments: dict[str, Any]
    result: Any = None
    verdicts: tuple[Verdict, ...] = ()
    missing: str = ""
    error: str = ""

    @property
    def right(self) -> bool:
        """Run, and every figure right."""
        return bool(self.verdicts) and not self.error and all(verdict.right for verdict in self.verdicts)


def run_truth(case: TruthsCase, registry: Registry, context: ToolContext, folder: Path | None = None) -> Truth:
    """Run one case and judge each of its figures. A fault of the case or the tool is its `error`, not an exception."""
    lookup = partial(table, folder=folder)
    arguments: dict[str, Any] = {}
    try:
        for name in case.needs:
            lookup(name)
        arguments = arguments_of(case, lookup)
        if case.tool:
            declared = registry[case.tool]
            result = declared(declared.parse(arguments), context)
        else:
            result = named(case.function)(**arguments)
        return Truth(case, arguments, result, tuple(judge(figure, result) for figure in case.figures))
    except NotThere as error:
        return Truth(case, arguments, missing=str(error))
    except CohortTwinError as error:
        return Truth(case, arguments, error=str(error))
    except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        # A function is called with what the case says: a wrong argument is the case's fault and is reported as such.
        return Truth(case, arguments, error=f"{type(error).__name__}: {error}")


def report_lines(truth: Truth) -> list[str]:
    """A line for the case, and one for each figure that is wrong."""
    if truth.missing:
        return [f"not run  {truth.case.id}: {truth.missing}"]
    if truth.error:
        return [f"FAIL     {truth.case.id}: {truth.error}"]
    wrong = [verdict for verdict in truth.verdicts if not verdict.right]
    head = (
        f"{'FAIL' if wrong else 'pass':<8} {truth.case.id}: {len(truth.verdicts) - len(wrong)} of {len(truth.verdicts)}"
    )
    return [head, *(f"         {verdict.figure.path or 'result'}: {verdict.detail}" for verdict in wrong)]


def plain_context(seed: int) -> ToolContext:
    """A context over what is shipped, without a search index."""
    return ToolContext(knowledge=load_knowledge(), personas=PersonaLibrary(), retriever=_no_search, seed=seed)


def _no_search() -> LiteratureRetriever:
    raise ValueError("a truth may not depend on a literature search")


def main(
    file: Annotated[list[Path], typer.Option(help="A file of truths cases.")],
    case: Annotated[list[str] | None, typer.Option(help="Only these case ids.")] = None,
    data_folder: Annotated[Path | None, typer.Option(help="Folder with data sets that are not shipped.")] = None,
) -> None:
    """Run the truths of a file; exit code 1 when a figure is wrong."""
    from dataclasses import replace

    from evals.cases_io import read_file
    from evals.schemas import Suite

    registry, context = build_registry(), plain_context(1)
    truths = []
    for path in file:
        for one in read_file(path, Suite.TRUTHS):
            if case and one.id not in case:
                continue
            truth = run_truth(cast(TruthsCase, one), registry, replace(context, seed=one.seed), data_folder)
            truths.append(truth)
            sys.stdout.write("\n".join(report_lines(truth)) + "\n")
    run = [truth for truth in truths if not truth.missing]
    sys.stdout.write(
        f"{sum(truth.right for truth in run)} of {len(run)} cases right, {len(truths) - len(run)} not run\n"
    )
    raise typer.Exit(0 if all(truth.right for truth in run) else 1)


if __name__ == "__main__":
    try:
        typer.run(main)
    except CohortTwinError as fault:
        sys.stderr.write(f"{fault}\n")
        raise SystemExit(1) from None
