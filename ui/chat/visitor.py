"""Who is at the page: a signed-in user with a store of its own, or a browser that sees what it asked itself."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assistant.owners import LOCAL
from knowledge.errors import UnknownRun

if TYPE_CHECKING:
    import gradio as gr

    from assistant.owners import Owners
    from assistant.schemas import Answer, Turn
    from assistant.service import Assistant

MOST_CONVERSATIONS = 2000
MOST_RUNS = 200


@dataclass(frozen=True)
class Visitor:
    """The owner whose store is used, and the beginning of the names of its conversations.

    A signed-in user sees every conversation of its store; a browser without sign-in those that begin with its own id.
    """

    name: str
    assistant: Assistant
    prefix: str

    def new_conversation(self) -> str:
        """A name that no other conversation has."""
        return f"{self.prefix or 'chat-'}{secrets.token_hex(5)}"

    def turns(self) -> list[Turn]:
        """What this visitor asked here, the newest first."""
        memory = self.assistant.memory
        names = [one.name for one in memory.recent(MOST_CONVERSATIONS) if one.name.startswith(self.prefix)]
        turns = [turn for name in names for turn in memory.show(name)]
        return sorted(turns, key=lambda turn: turn.asked, reverse=True)[:MOST_RUNS]

    def answer(self, run_id: str) -> Answer:
        """A recorded answer of this visitor's own (UnknownRun for any other)."""
        if run_id not in {turn.run_id for turn in self.turns()}:
            raise UnknownRun(f"There is no run '{run_id[:40]}' of yours.", "The Runs tab lists them.")
        return self.assistant.show_run(run_id)


def visitor_of(owners: Owners, request: gr.Request) -> Visitor:
    """The visitor behind an event of the page."""
    if request.username:
        return Visitor(request.username, owners.of(request.username), "")
    browser = dict(request.headers).get("x-cohort-visitor", "")
    # Without the guard in front there is no telling browsers apart: then nobody sees anything of before.
    return Visitor(LOCAL, owners.of(LOCAL), f"chat-{browser or secrets.token_hex(16)}-")
