"""Conversations: listed, shown, gone on with, forgotten."""

from __future__ import annotations

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Path, Request, Response

from assistant.schemas import Answer, ConversationSummary, Turn
from ui.rest.asking import Askers
from ui.rest.deps import Mine, Owner
from ui.rest.pages import Cursor, Limit, link_next, page, read_cursor

Name = Annotated[str, Path(max_length=64, description="name of the conversation", examples=["weight-clinic"])]
MOST = 100_000


def add_conversation_routes(routes: APIRouter) -> None:
    """Everything below /conversations."""

    @routes.get("/conversations", tags=["conversations"])
    def conversations(
        request: Request, response: Response, assistant: Mine, limit: Limit = 50, cursor: Cursor = ""
    ) -> list[ConversationSummary]:
        """Your conversations, the one used last first."""
        rows, after = assistant.memory.recent(MOST), read_cursor(cursor)
        place = next((number for number, row in enumerate(rows, start=1) if row.name == after), 0)
        shown, more = page(rows[place:], limit)
        if more:
            link_next(request, response, shown[-1].name)
        return shown

    @routes.get("/conversations/{name}", tags=["conversations"])
    def conversation(name: Name, assistant: Mine) -> list[Turn]:
        """The questions of a conversation, oldest first. What was answered: /runs/{run_id}."""
        return assistant.memory.show(name)

    @routes.delete("/conversations/{name}", tags=["conversations"], status_code=204, response_class=Response)
    def forget_conversation(name: Name, assistant: Mine) -> Response:
        """Forget a conversation. Its runs stay in the ledger, which forgets nothing."""
        assistant.memory.delete(name)
        return Response(status_code=204)

    @routes.post("/conversations/{name}/resume", tags=["conversations"], response_model=Answer)
    async def resume_conversation(request: Request, name: Name, assistant: Mine, owner: Owner) -> Response:
        """Answer the question of a conversation that was cut short, behind its last finished step."""
        askers: Askers = request.app.state.askers
        with askers.one(owner):
            content = await to_thread.run_sync(lambda: askers.answered(assistant.resume(name)), limiter=askers.threads)
        return Response(content, media_type="application/json")
