"""`cohort conversations`: what was asked one after the other, and what was cut short."""

from __future__ import annotations

from typing import Annotated

import typer

from ui.console import JsonFlag, open_assistant, write, write_json

conversations_app = typer.Typer(
    help="Conversations: list, show, resume what was cut short, delete. Begin one with: cohort ask --conversation NAME",
    no_args_is_help=True,
)
Name = Annotated[str, typer.Argument(help="The conversation's name.")]


@conversations_app.command("list")
def conversations_list(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most this many.")] = 20, as_json: JsonFlag = False
) -> None:
    """The conversations, the one used last first."""
    with open_assistant() as assistant:
        found = assistant.memory.recent(limit)
    if as_json:
        write_json([item.model_dump(mode="json") for item in found])
        return
    if not found:
        write('There is no conversation yet. Begin one: cohort ask --conversation NAME "…"')
    for item in found:
        turns = "1 question" if item.turns == 1 else f"{item.turns} questions"
        cut = "  (the last one was cut short)" if item.interrupted else ""
        write(f"{item.name:<28} {item.last:%Y-%m-%d %H:%M}  {turns}{cut}")


@conversations_app.command("show")
def conversations_show(name: Name, as_json: JsonFlag = False) -> None:
    """The questions of a conversation with their answers' headlines and run ids."""
    from assistant.schemas import TurnState

    with open_assistant() as assistant:
        turns = assistant.memory.show(name)
    if as_json:
        write_json([turn.model_dump(mode="json") for turn in turns])
        return
    for turn in turns:
        write(f"{turn.number}. {turn.question.text}")
        match turn.state:
            case TurnState.ANSWERED:
                write(f"   {turn.headline}")
                write(f"   {turn.asked:%Y-%m-%d %H:%M}, run {turn.run_id}")
            case TurnState.INTERRUPTED:
                write(f"   {turn.asked:%Y-%m-%d %H:%M}, interrupted and not taken up again")
            case TurnState.OPEN:
                write(
                    f"   {turn.asked:%Y-%m-%d %H:%M}, cut short. Finish it: cohort conversations resume {_quoted(name)}"
                )


@conversations_app.command("resume")
def conversations_resume(name: Name, as_json: JsonFlag = False) -> None:
    """Finish the question that was cut short, from the last step that was saved.

    Exit codes as those of `cohort ask`.
    """
    from ui.faults import EXIT_CODES

    with open_assistant(one_question=True) as assistant:
        answer = assistant.resume(name)
    if as_json:
        write_json(answer.model_dump(mode="json"))
    else:
        from ui.terminal import print_answer

        print_answer(answer)
    raise typer.Exit(EXIT_CODES[answer.status])


@conversations_app.command("delete")
def conversations_delete(name: Name, as_json: JsonFlag = False) -> None:
    """Forget a conversation. Its runs stay in the ledger, which forgets nothing."""
    with open_assistant() as assistant:
        turns = assistant.memory.delete(name)
    if as_json:
        write_json({"name": name, "questions": turns})
        return
    write(
        f"Forgot the conversation {name} ({'1 question' if turns == 1 else f'{turns} questions'}). Its runs stay recorded."
    )


def _quoted(name: str) -> str:
    return f'"{name}"' if " " in name else name
