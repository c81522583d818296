"""The command line: parses, calls the service, renders. Heavy imports happen inside the commands."""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from knowledge.errors import CohortTwinError, InvalidInput
from ui.cli_access import keys_app, users_app
from ui.cli_backtest import backtest
from ui.cli_chat import chat
from ui.cli_conversations import conversations_app
from ui.cli_doctor import doctor
from ui.cli_evidence import evidence_app
from ui.cli_finetune import finetune_app
from ui.cli_personas import personas_app
from ui.cli_runs import runs_app
from ui.cli_serve import evaluate, mcp, serve
from ui.console import JsonFlag, open_assistant, write, write_json

_EPILOG = """\b
Exit codes:
  0    done; an answer was given
  1    a check failed: a replay differs, a file could not be used, the doctor found a fault
  2    the request cannot be used: a wrong option, an empty question, an unknown name
  3    nothing could be predicted; the answer says why
  4    store, ledger or data
  5    chat model
  6    a limit was reached: time, calls, tokens or cost
  130  stopped with Ctrl-C

\b
Answers and lists go to standard output, all else to standard error; --json gives JSON for programs.
In a pipe there is no colour and no wrapping. Tab completion: cohort --install-completion
"""

app = typer.Typer(
    name="cohort",
    epilog=_EPILOG,
    help="How would this cohort react? Predictions from published trials, every number traceable.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.command()
def ask(
    question: Annotated[
        list[str], typer.Argument(help="The question, in plain words; - reads it from standard input.")
    ],
    as_json: JsonFlag = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the virtual patients.")] = 1,
    as_of: Annotated[str, typer.Option(help="Use only what was published by this date (YYYY-MM-DD).")] = "",
    exclude: Annotated[list[str] | None, typer.Option(help="Leave out a trial and every text about it.")] = None,
    conversation: Annotated[
        str,
        typer.Option(help="Name of a conversation to begin or go on with: a follow-up leans on what was asked in it."),
    ] = "",
) -> None:
    """Ask how a cohort would react.

    Exit codes: 0 answered; 2 the question cannot be used; 3 nothing could be predicted (the answer says why);
    4 store; 5 chat model; 6 limit reached.
    """
    from assistant.schemas import Question
    from knowledge.schemas import EvidenceView
    from ui.faults import EXIT_CODES

    text = sys.stdin.read() if question == ["-"] else " ".join(question)
    view = EvidenceView(as_of=_date(as_of), exclude=tuple(exclude or ()))
    with open_assistant(one_question=True) as assistant:
        answer = assistant.ask(Question(text=text, seed=seed, view=view, conversation=conversation))
    if as_json:
        write_json(answer.model_dump(mode="json"))
    else:
        from ui.terminal import print_answer

        print_answer(answer)
    raise typer.Exit(EXIT_CODES[answer.status])


def _date(text: str) -> Any:
    from datetime import date

    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(f"'{text}' is not a date.", "Write it as YYYY-MM-DD, for example 2021-06-30.") from error


@app.command()
def tool(
    name: Annotated[str, typer.Argument(help="Tool name; without one, the tools are listed.")] = "",
    arguments: Annotated[str, typer.Option("--json", help="Arguments as JSON, or @file.json.")] = "{}",
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the tool's input schema; without a name, all of them.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0)] = 1,
) -> None:
    """Run one tool, or list them."""
    with open_assistant() as assistant:
        if not name and schema:
            write_json({declared.name: declared.input_model.model_json_schema() for declared in assistant.registry})
            return
        if not name:
            for declared in assistant.registry:
                write(f"{declared.name:<28} {declared.validation.value:<10} {declared.description.split('. ')[0]}")
            return
        if schema:
            write_json(assistant.registry[name].input_model.model_json_schema())
            return
        result = assistant.run_tool(name, _arguments(arguments), seed=seed)
    write_json(result.model_dump(mode="json"))


def _arguments(text: str) -> dict[str, Any]:
    if text.startswith("@"):
        path = Path(text[1:])
        if not path.is_file():
            raise InvalidInput(f"There is no file {path}.", "Give JSON, or @ and the path of a JSON file.")
        text = path.read_text(encoding="utf-8")
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInput(
            f"The arguments are not JSON: {error.msg} at line {error.lineno}, column {error.colno}.",
            'For example: --json \'{"query": "nausea with semaglutide"}\'',
        ) from error
    if not isinstance(value, dict):
        raise InvalidInput("The arguments must be a JSON object.", 'For example: --json \'{"query": "adherence"}\'')
    return value


@app.command()
def index(
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Build the literature index anew.")] = False,
    drugs: Annotated[bool, typer.Option("--drugs", help="List the drugs that are known.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """State of the evidence base and its literature index."""
    with open_assistant() as assistant:
        if drugs and as_json:
            known = assistant.knowledge.vocabulary.drugs
            write_json({name: drug.model_dump(mode="json") for name, drug in sorted(known.items())})
            return
        if drugs:
            for name, drug in sorted(assistant.knowledge.vocabulary.drugs.items()):
                write(f"{name:<32} {drug.drug_class:<22} {', '.join(drug.brands)}")
            return
        report = assistant.index_report(rebuild=rebuild)
    if as_json:
        write_json(report)
        return
    for key, value in report.items():
        write(f"{key.replace('_', ' '):<22} {value}")


app.add_typer(personas_app, name="personas")
app.add_typer(conversations_app, name="conversations")
app.add_typer(runs_app, name="runs")
app.add_typer(evidence_app, name="evidence")
app.add_typer(finetune_app, name="finetune")
app.add_typer(keys_app, name="keys")
app.add_typer(users_app, name="users")
app.command("chat")(chat)
app.command("backtest")(backtest)
app.command("serve")(serve)
app.command("mcp")(mcp)
app.command(
    "eval",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)(evaluate)
app.command("doctor")(doctor)


def _leave(ending: SystemExit) -> NoReturn:
    """End the process without taking down, object by object, the frameworks it has loaded (half a second)."""
    code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    if isinstance(ending.__context__, BrokenPipeError):
        code = 0  # the reader of our pipe went away (`cohort … | head`): nothing is wrong here
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
        sys.stderr.flush()
    atexit._run_exitfuncs()  # working copies of the index are removed there
    os._exit(code)


def main() -> None:
    """Entry point: typed errors become one sentence on standard error and an exit code."""
    # Imports and the evidence tables make many objects that stay: looking through them again and again costs a tenth of
    # a question's time.
    gc.set_threshold(100_000, 20, 50)
    try:
        app()
    except CohortTwinError as error:
        from ui.faults import fault_of

        fault = fault_of(error)
        sys.stderr.write(f"{fault.title}: {error}\n")
        raise SystemExit(fault.exit_code) from None
    except KeyboardInterrupt:
        sys.stderr.write("Stopped.\n")
        raise SystemExit(130) from None
    except SystemExit as ending:
        _leave(ending)
    except BrokenPipeError:
        # The reader of our pipe went away (`cohort … | head`): nothing is wrong here.
        sys.stderr.close()
        raise SystemExit(0) from None


if __name__ == "__main__":
    main()
