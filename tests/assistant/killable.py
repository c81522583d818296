"""A light process that answers the questions of one conversation with the real graph, and can be killed inside a tool.

Reads jobs from standard input, one JSON object a line, and answers each in a forked child, so that the imports are paid
for once: `{"question": …, "block_at": 2}` blocks inside the tool's second step, 0 in none. Said on standard output:
`child PID`, `inside STEP` (then it blocks), `answered RUN_ID`, `gone`. No model weights, no index, no torch.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolCall, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langgraph.checkpoint.sqlite import SqliteSaver  # noqa: F401 - paid for once, before the children

import assistant.recovery
import assistant.runner  # noqa: F401
from assistant.circuit import Backing
from assistant.ledger import Ledger
from assistant.memory import Memory
from assistant.persona_bank import PersonaBank
from assistant.schemas import Question
from assistant.service import Assistant, Parts
from assistant.settings import Settings
from knowledge.base import KnowledgeBase, load_knowledge
from knowledge.lock import DataDirLock
from personas.library import PersonaLibrary
from tools.context import ToolContext
from tools.registry import Registry, tool
from tools.schemas import ToolInput, ToolResult, Validation

STEPS = (1, 2, 3)


class PonderInput(ToolInput):
    question: str
    step: int


def said(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def registry(folder: Path, block_at: int) -> Registry:
    @tool("ponder", input=PonderInput, result=ToolResult, validation=Validation.VERIFIED)
    def ponder(request: PonderInput, context: ToolContext) -> ToolResult:
        """Think about a step of a question."""
        with (folder / "tool.log").open("a") as log:
            log.write(json.dumps([request.question, request.step]) + "\n")
        if request.step == block_at:
            said(f"inside {request.step}")
            time.sleep(60)
        return ToolResult(title=f"Step {request.step} of {request.question}", assumptions=("it was thought about",))

    made = Registry()
    made.add(ponder)
    return made


class Scripted(BaseChatModel):
    """Two calls at once, then one, then the answer. Its call ids are the same in every turn, as weak models' are."""

    log: Path

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        with self.log.open("a") as log:
            log.write(json.dumps([plain(message) for message in messages]) + "\n")
        place = max(index for index, message in enumerate(messages) if isinstance(message, HumanMessage))
        question = str(messages[place].content)
        done = sum(isinstance(message, ToolMessage) for message in messages[place:])
        if done < len(STEPS):
            wanted = STEPS[:2] if done == 0 else STEPS[done:]
            calls = [
                ToolCall(name="ponder", args={"question": question, "step": step}, id=f"call-{step}", type="tool_call")
                for step in wanted
            ]
            return _reply(AIMessage("", tool_calls=calls))
        return _reply(AIMessage(f"## Answer to {question}\n\nIt was thought about."))


def _reply(message: AIMessage) -> ChatResult:
    return ChatResult(generations=[ChatGeneration(message=message)])


def plain(message: BaseMessage) -> dict[str, Any]:
    return {
        "type": message.type,
        "text": str(message.content),
        "calls": [call["id"] for call in getattr(message, "tool_calls", [])],
        "answers": getattr(message, "tool_call_id", None),
    }


def open_assistant(folder: Path, block_at: int, knowledge: KnowledgeBase, personas: PersonaLibrary) -> Assistant:
    settings = Settings(data_dir=folder)
    owner = ExitStack()
    owner.enter_context(DataDirLock(folder))
    tools = registry(folder, block_at)
    return Assistant(
        Parts(
            settings=settings,
            knowledge=knowledge,
            personas=personas,
            registry=tools,
            retriever=lambda: None,  # type: ignore[arg-type,return-value]
            model=lambda: Scripted(log=folder / "seen.jsonl"),
            backing=Backing(),
            ledger=Ledger(folder / "ledger.sqlite"),
            memory=Memory(folder / "conversations.sqlite", tools),
            owner=owner,
            bank=PersonaBank(folder, personas, knowledge, settings.embedder),
        )
    )


def main() -> None:
    folder = Path(sys.argv[1])
    knowledge, personas = load_knowledge(), PersonaLibrary()
    assert "torch" not in sys.modules
    assert threading.active_count() == 1, "a fork would lose the other threads"
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            with open_assistant(folder, job["block_at"], knowledge, personas) as assistant:
                answer = assistant.ask(Question(text=job["question"], conversation="talk"))
            said(f"answered {answer.run_id}")
            os._exit(0)
        said(f"child {child}")
        os.waitpid(child, 0)
        said("gone")


if __name__ == "__main__":
    main()
