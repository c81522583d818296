"""`cohort runs`: the run ledger."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from knowledge.errors import InvalidInput
from ui.cli_chat import write_new
from ui.console import JsonFlag, open_assistant, write, write_json

runs_app = typer.Typer(help="The run ledger: list, show, replay, verify, export.", no_args_is_help=True)
RunId = Annotated[str, typer.Argument(help="The run's id, or the start of it.")]


@runs_app.command("list")
def runs_list(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most this many.")] = 20, as_json: JsonFlag = False
) -> None:
    """The newest runs."""
    with open_assistant() as assistant:
        runs = assistant.runs(limit)
    if as_json:
        write_json([run.model_dump(mode="json") for run in runs])
        return
    if not runs:
        write('No run is recorded yet. Ask something: cohort ask "…"')
    for run in runs:
        write(f"{run.run_id}  {run.created:%Y-%m-%d %H:%M}  {run.status:<12} {run.question[:80]}")


@runs_app.command("show")
def runs_show(
    run_id: RunId,
    record: Annotated[
        bool, typer.Option("--record", help="Print everything that was recorded, as JSON: plan, calls, seed, usage …")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """The answer of a recorded run."""
    with open_assistant() as assistant:
        if record:
            write_json(assistant.ledger.record(run_id))
            return
        answer = assistant.show_run(run_id)
    if as_json:
        write_json(answer.model_dump(mode="json"))
        return
    from ui.terminal import print_answer

    print_answer(answer)


@runs_app.command("replay")
def runs_replay(run_id: RunId, as_json: JsonFlag = False) -> None:
    """Compute a run again and compare every number. Exit code 1 when one differs."""
    with open_assistant() as assistant:
        report = assistant.replay(run_id)
    if as_json:
        write_json(report.model_dump(mode="json"))
    else:
        verdict = "identical" if report.identical else f"{len(report.differences)} differences"
        write(f"Run {report.run_id}: {report.compared} numbers computed again, {verdict}.")
        if report.evidence_changed:
            write("The evidence base has changed since the run was recorded.")
        for difference in report.differences:
            write(f"  {difference}")
    raise typer.Exit(0 if report.identical else 1)


@runs_app.command("verify")
def runs_verify(
    file: Annotated[
        Path | None, typer.Option(help="Check an exported ledger instead; needs no data directory.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Check the hash chain of the ledger, or of an exported one."""
    if file is not None:
        from assistant.ledger import verify_export

        count, head = verify_export(file)
    else:
        with open_assistant() as assistant:
            count, head = assistant.verify_runs(), assistant.ledger.head()
    if as_json:
        write_json({"runs": count, "intact": True, "head": head})
        return
    write(f"{_runs(count)}, hash chain intact. Newest hash: {head}")


@runs_app.command("export")
def runs_export(
    out: Annotated[Path | None, typer.Option(help="File to write; an answer goes to standard output with '-'.")] = None,
    run_id: Annotated[
        str, typer.Argument(help="Export the answer of this run; without one, the whole ledger is exported.")
    ] = "",
    form: Annotated[str, typer.Option("--format", help="Of an answer: html, pdf, docx, json or csv.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Write an answer as a document, or the whole ledger (JSON lines) so that it can be checked without this machine."""
    if run_id:
        _export_answer(run_id, form, out, as_json)
        return
    if form:
        raise InvalidInput("The ledger is always written as JSON lines.", "To export an answer, name its run.")
    if out is None:
        raise InvalidInput("No file was named.", "For example: cohort runs export --out runs.jsonl")
    with open_assistant() as assistant:
        count, head = assistant.ledger.export(out), assistant.ledger.head()
    if as_json:
        write_json({"runs": count, "file": str(out), "head": head})
        return
    write(f"{_runs(count)} written to {out}. Newest hash: {head}")
    write(f"Check it anywhere with: cohort runs verify --file {out}")


def _export_answer(run_id: str, form: str, out: Path | None, as_json: bool) -> None:
    from ui.exports import export_run

    with open_assistant() as assistant:
        suffix = out.suffix.removeprefix(".") if out is not None else ""
        made = export_run(assistant.ledger.record(run_id), form or suffix or "html")
    if out is not None and str(out) == "-":
        sys.stdout.buffer.write(made.content)
        return
    path = out or Path(made.file_name)
    write_new(path, made.content)
    if as_json:
        write_json({"run": run_id, "file": str(path), "media_type": made.media_type, "bytes": len(made.content)})
        return
    write(f"Written to {path}.")


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"
