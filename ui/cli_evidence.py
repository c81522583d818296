"""`cohort evidence`: what the evidence base holds, search in it, import of one's own files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ui.console import JsonFlag, open_assistant, say, write, write_json

evidence_app = typer.Typer(help="The evidence base: counts, search, import.", no_args_is_help=True)


@evidence_app.command("stats")
def stats(as_json: JsonFlag = False) -> None:
    """Trials, figures, sources and passages by area."""
    with open_assistant() as assistant:
        rows, warnings = assistant.evidence_stats(), assistant.evidence_warnings()
    if as_json:
        write_json([row.model_dump(mode="json") for row in rows])
        return
    write(f"{'area':<20}{'trials':>8}{'rows':>8}{'with SE':>9}{'subgroups':>11}{'sources':>9}{'passages':>10}")
    for row in rows:
        write(
            f"{row.area:<20}{row.trials:>8}{row.rows:>8}{row.rows_with_se:>9}{row.subgroup_rows:>11}"
            f"{row.sources:>9}{row.passages:>10}"
        )
    for warning in warnings:
        write(warning)


@evidence_app.command("search")
def search(
    query: Annotated[list[str], typer.Argument(help="What to look for, in plain words.")],
    k: Annotated[int, typer.Option("-k", min=1, max=20, help="Number of passages.")] = 5,
    drug: Annotated[list[str] | None, typer.Option(help="Only passages about this drug.")] = None,
    area: Annotated[list[str] | None, typer.Option(help="Only this area.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Passages nearest to a query, with source, grade and why they were found."""
    arguments = {"query": " ".join(query), "k": k, "drugs": drug or [], "areas": area or []}
    with open_assistant(one_question=True) as assistant:
        result = assistant.run_tool("search_literature", arguments)
    if as_json:
        write_json(result.model_dump(mode="json"))
        return
    for hit in result.passages:
        write(f"{hit.source.citation}  [{hit.source.design.value}, {hit.passage.locator}; {hit.reason}]")
        write(f"  {hit.passage.heading}: {hit.passage.text}\n")
    for warning in result.warnings:
        write(warning)


@evidence_app.command("import")
def import_files(
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders of files.")],
    mapping: Annotated[
        Path | None, typer.Option("--map", help="YAML file that maps the columns of an arm table.")
    ] = None,
    area: Annotated[str, typer.Option(help="Area of documents that state none.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be taken.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Take in PubMed (.nbib, XML), JATS XML, PDF, Markdown, text and arm tables (CSV). Bad files are reported, the rest lands.

    Exit code 1 when a file could not be used.
    """
    with open_assistant() as assistant:
        report = assistant.import_evidence(paths, mapping=mapping, area=area, dry_run=dry_run, progress=say)
    if as_json:
        write_json(report.model_dump(mode="json"))
    else:
        for file in report.files:
            write(f"{file.status.value:<10} {file.path}  {file.reason}".rstrip())
            for fault in file.faults[:10]:
                write(f"             {fault}")
        would = "would be " if dry_run else ""
        write(
            f"{report.taken} files {would}taken ({report.sources} sources, {report.passages} passages, {report.arms} trial arms), "
            f"{report.duplicates} already there, {report.skipped} could not be used."
        )
    raise typer.Exit(1 if report.skipped else 0)
