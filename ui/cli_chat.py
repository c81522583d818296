"""`cohort chat`: a conversation in the terminal. Ctrl-C stops the question that is being answered, not the conversation."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from knowledge.errors import CohortTwinError, ConversationBusy, InvalidInput
from ui.console import JsonFlag, open_assistant, write, write_json

if TYPE_CHECKING:
    from assistant.schemas import Answer, Event
    from assistant.service import Assistant

WHY = "Why do you say so?"
HELP = """\
Ask in plain words; a follow-up leans on what was asked before ("and in women?").
/why                  what the last prediction rests on
/export FORM [FILE]   write the last answer as html, pdf, docx, json or csv
/new [NAME]           begin another conversation
/help                 this list
/quit                 end (or Ctrl-D); Ctrl-C stops a question that is being answered"""
_PATIENCE = 15.0  # seconds for a stopped question to let go of its conversation


def chat(
    conversation: Annotated[str, typer.Option(help="Name of a conversation to begin or go on with.")] = "",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the virtual patients.")] = 1,
    as_json: JsonFlag = False,
) -> None:
    """Talk with the assistant; the conversation is kept and can be gone on with.

    Reads questions line by line when standard input is not a terminal; the exit code is then that of the last one.
    """
    with open_assistant() as assistant:
        talk = Talk(assistant, conversation.strip() or _fresh_name(), seed, as_json)
        if sys.stdin.isatty():
            _prompted(talk, assistant.settings.data_dir / "chat_history")
            return
        for line in sys.stdin:
            if not talk.take(line):
                break
        raise typer.Exit(talk.exit_code)


def _fresh_name() -> str:
    return f"chat-{datetime.now():%Y%m%d-%H%M%S}"


def _prompted(talk: Talk, history: Path) -> None:
    """Lines from a person, with the keys and the memory of readline where there is one."""
    write(f"Conversation {talk.name}. /help lists the commands, /quit ends.")
    with _lines_kept(history):
        while True:
            try:
                if not talk.take(input("\n> ")):
                    return
            except EOFError:
                write("")
                return
            except KeyboardInterrupt:
                write("\n(/quit or Ctrl-D ends the conversation)")


@contextlib.contextmanager
def _lines_kept(path: Path) -> Iterator[None]:
    try:
        import readline
    except ImportError:  # not built into this Python
        yield
        return
    with contextlib.suppress(OSError):
        readline.read_history_file(path)
    try:
        yield
    finally:
        readline.set_history_length(1000)
        with contextlib.suppress(OSError):
            path.touch(mode=0o600, exist_ok=True)
            readline.write_history_file(path)


class Talk:
    """A conversation and its last answer."""

    def __init__(self, assistant: Assistant, name: str, seed: int, as_json: bool) -> None:
        from assistant.turns import check_name

        self.name = check_name(name)
        self.exit_code = 0
        self._assistant, self._seed, self._as_json = assistant, seed, as_json
        self._last: Answer | None = None

    def take(self, line: str) -> bool:
        """Do what a line says; False when it ends the conversation. Errors are told and the conversation goes on."""
        words = line.split()
        if not words:
            return True
        commands: dict[str, Callable[[list[str]], None]] = {
            "/help": lambda _rest: write(HELP),
            "/why": lambda _rest: self._ask(WHY),
            "/export": self._export,
            "/new": self._new,
        }
        try:
            if words[0] in ("/quit", "/exit"):
                return False
            if words[0] in commands:
                commands[words[0]](words[1:])
            elif words[0].startswith("/"):
                raise InvalidInput(f"There is no command {words[0][:40]}.", "/help lists the commands.")
            else:
                self._ask(line.strip())
        except CohortTwinError as error:
            from ui.faults import fault_of

            fault = fault_of(error)
            self.exit_code = fault.exit_code
            sys.stderr.write(f"{fault.title}: {error}\n")
        return True

    def _ask(self, text: str) -> None:
        from assistant.schemas import Question
        from ui.faults import EXIT_CODES

        question = Question(text=text, seed=self._seed, conversation=self.name)
        with self._progress() as show:
            answer = self._streamed(question, show)
        if answer is None:
            sys.stderr.write("\nStopped.\n")
            self.exit_code = 130
            return
        self._last, self.exit_code = answer, EXIT_CODES[answer.status]
        if self._as_json:
            write_json(answer.model_dump(mode="json"))
            return
        from ui.terminal import print_answer

        print_answer(answer)

    def _streamed(self, question: object, show: Callable[[Event], None]) -> Answer | None:
        """The answer, or None when Ctrl-C stopped it. A question stopped just before may need a moment to let go."""
        from assistant.schemas import Question

        assert isinstance(question, Question)
        give_up = time.monotonic() + _PATIENCE
        while True:
            try:
                with closing(self._assistant.stream(question)) as events:
                    for event in events:
                        if event.answer is not None:
                            return event.answer
                        show(event)
                return None
            except ConversationBusy:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.1)
            except KeyboardInterrupt:
                return None

    @contextlib.contextmanager
    def _progress(self) -> Iterator[Callable[[Event], None]]:
        """What is being done, on standard error, while a person waits."""
        if not sys.stderr.isatty():
            yield lambda _event: None
            return
        from rich.console import Console
        from rich.markup import escape

        from ui.terminal import progress_line

        with Console(stderr=True).status("Reading …") as status:
            yield lambda event: status.update(escape(progress_line(event)))

    def _export(self, words: list[str]) -> None:
        if self._last is None:
            raise InvalidInput("Nothing was answered yet that could be written.", "Ask something first.")
        if not words:
            raise InvalidInput("Say as what, for example: /export pdf")
        from ui.exports import export_run

        made = export_run(self._assistant.ledger.record(self._last.run_id), words[0])
        path = Path(" ".join(words[1:]) or made.file_name).expanduser()
        write_new(path, made.content)
        write(f"Written to {path}.")

    def _new(self, words: list[str]) -> None:
        from assistant.turns import check_name

        self.name, self._last = check_name(" ".join(words) or _fresh_name()), None
        write(f"Conversation {self.name}.")


def write_new(path: Path, content: bytes) -> None:
    """Write a file that is not there yet (InvalidInput)."""
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError as error:
        raise InvalidInput(f"{path} is there already.", "Choose another name.") from error
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written ({error.strerror or error}).") from error
