"""The official `mcp` client over both transports: a process of its own, and the service on a loopback port."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import jsonschema
import pytest
from mcp import ClientSession, McpError, StdioServerParameters, types
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from pydantic import AnyUrl

from assistant.keys import new_key
from assistant.owners import Owners
from assistant.schemas import Answer
from assistant.service import Assistant
from tests.ui.serving import serving
from ui.mcp_prompts import PROMPTS
from ui.server import create_app

QUESTION = "How would adults with type 2 diabetes react to semaglutide 1 mg weekly over 30 weeks?"
COHORT = str(Path(sys.executable).parent / "cohort")
Opened = Callable[[], Any]


@pytest.fixture(scope="module")
def address(owners: Owners) -> Iterator[str]:
    with serving(create_app(owners, chat=False)) as found:
        yield found


@pytest.fixture(scope="module")
def folder(copy_of_store: Callable[[], Path]) -> Path:
    return copy_of_store()


@asynccontextmanager
async def _over_stdio(folder: Path) -> AsyncIterator[ClientSession]:
    server = StdioServerParameters(command=COHORT, args=["mcp"], env={**os.environ, "COHORT_DATA_DIR": str(folder)})
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        yield session


@asynccontextmanager
async def _over_http(address: str, key: str = "") -> AsyncIterator[ClientSession]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with (
        httpx.AsyncClient(headers=headers, timeout=60) as client,
        streamable_http_client(f"{address}/mcp", http_client=client) as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        yield session


@pytest.fixture(params=["stdio", "http"])
def opened(request: pytest.FixtureRequest) -> Opened:
    if request.param == "stdio":
        folder: Path = request.getfixturevalue("folder")
        return lambda: _over_stdio(folder)
    address: str = request.getfixturevalue("address")
    return lambda: _over_http(address)


def test_tools_are_those_of_the_registry_and_answer(opened: Opened, assistant: Assistant) -> None:
    async def talk() -> None:
        async with opened() as session:
            tools = {tool.name: tool for tool in (await session.list_tools()).tools}
            assert set(tools) == {"ask", *(declared.name for declared in assistant.registry)}
            for declared in assistant.registry:
                listed = tools[declared.name]
                assert listed.inputSchema == declared.input_model.model_json_schema()
                assert listed.outputSchema == declared.result_model.model_json_schema(mode="serialization")
                assert listed.annotations is not None
                assert listed.annotations.readOnlyHint
                assert declared.description in (listed.description or "")
            steps: list[tuple[float, str | None]] = []

            async def note(progress: float, total: float | None, message: str | None) -> None:
                steps.append((progress, message))

            answered = await session.call_tool("ask", {"text": QUESTION}, progress_callback=note)
            assert not answered.isError
            answer = Answer.model_validate(answered.structuredContent)
            jsonschema.validate(answered.structuredContent, tools["ask"].outputSchema or {})
            assert answer.estimates
            assert answered.content[0].text == answer.markdown
            assert [progress for progress, _ in steps] == sorted(progress for progress, _ in steps)
            assert any("simulate treatment response" in (message or "") for _, message in steps)
            followed = await session.call_tool("ask", {"text": "and in women?", "earlier": [QUESTION]})
            assert "limited to women" in followed.content[0].text
            found = await session.call_tool("search_literature", {"query": "adherence to injections", "k": 3})
            assert not found.isError
            assert len((found.structuredContent or {})["passages"]) == 3
            assert json.loads(found.content[0].text)["title"]
            computed = await session.call_tool("describe_cohort", {"cohort": {"persona_id": "t2d_adults"}})
            direct = assistant.run_tool("describe_cohort", {"cohort": {"persona_id": "t2d_adults"}})
            assert computed.structuredContent == direct.model_dump(mode="json")
            read = await session.read_resource(AnyUrl(f"run://{answer.run_id}"))
            assert [content.mimeType for content in read.contents] == ["text/markdown", "application/json"]
            assert Answer.model_validate_json(read.contents[1].text) == answer  # type: ignore[union-attr]

    anyio.run(talk)


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("serch_literature", {}, "Did you mean search_literature?"),
        ("search_literature", {"quary": "x"}, "quary"),
        ("ask", {}, "text: Field required"),
        ("ask", {"text": "?!"}, "The question is empty. Ask for example"),
        ("ask", {"text": QUESTION, "conversation": "c", "earlier": ["x"]}, "cannot bring earlier questions"),
        ("describe_cohort", {"cohort": {"persona_id": "martians"}}, "no archetype 'martians'. The nearest"),
    ],
)
def test_errors_are_tool_errors_with_a_hint(address: str, tool: str, arguments: dict[str, Any], said: str) -> None:
    async def talk() -> types.CallToolResult:
        async with _over_http(address) as session:
            return await session.call_tool(tool, arguments)

    result = anyio.run(talk)
    assert result.isError
    assert said in result.content[0].text  # type: ignore[union-attr]
    assert "Traceback" not in result.content[0].text  # type: ignore[union-attr]


def test_resources_templates_and_completion(opened: Opened, assistant: Assistant) -> None:
    async def talk() -> None:
        async with opened() as session:
            listed: list[types.Resource] = []
            cursor = None
            while True:
                page = await session.list_resources(params=types.PaginatedRequestParams(cursor=cursor))
                listed += page.resources
                cursor = page.nextCursor
                if cursor is None:
                    break
            personas = {str(one.uri) for one in listed if str(one.uri).startswith("persona://")}
            assert personas == {f"persona://{name}" for name in assistant.personas.ids()}
            persona = await session.read_resource(AnyUrl("persona://t2d_ckd_older"))
            assert json.loads(persona.contents[0].text)["id"] == "t2d_ckd_older"  # type: ignore[union-attr]
            made = {one.uriTemplate for one in (await session.list_resource_templates()).resourceTemplates}
            assert made == {
                "persona://{persona_id}", "source://{source_id}", "passage://{source_id}/{number}", "run://{run_id}",
            }  # fmt: skip
            passage = assistant.knowledge.passages[0]
            source = await session.read_resource(AnyUrl(f"source://{passage.source_id}"))
            body = json.loads(source.contents[0].text)  # type: ignore[union-attr]
            assert passage.text in [one["text"] for one in body["passages"]]
            one = await session.read_resource(AnyUrl(f"passage://{passage.passage_id.replace('#', '/')}"))
            assert json.loads(one.contents[0].text)["passage"]["text"] == passage.text  # type: ignore[union-attr]
            for address in (
                "persona://martians",
                "source://nothing",
                "passage://a/9",
                "run://r-none",
                "file:///etc/passwd",
            ):
                with pytest.raises(McpError) as caught:
                    await session.read_resource(AnyUrl(address))
                assert caught.value.error.code == -32002
            reference = types.ResourceTemplateReference(type="ref/resource", uri="persona://{persona_id}")
            completed = await session.complete(reference, {"name": "persona_id", "value": "t2d_ckd"})
            assert "t2d_ckd_older" in completed.completion.values

    anyio.run(talk)


def test_prompts_by_role(opened: Opened) -> None:
    async def talk() -> None:
        async with opened() as session:
            listed = {prompt.name: prompt for prompt in (await session.list_prompts()).prompts}
            assert set(listed) == set(PROMPTS)
            for name, prompt in listed.items():
                given = {one.name: f"some {one.name}" for one in prompt.arguments or [] if one.required}
                filled = (await session.get_prompt(name, given)).messages[0].content.text  # type: ignore[union-attr]
                assert all(value in filled for value in given.values())
                assert "{" not in filled
            with pytest.raises(McpError, match="needs: cohort, treatment"):
                await session.get_prompt("clinician", {})
            with pytest.raises(McpError, match="no prompt called 'poet'"):
                await session.get_prompt("poet", {})

    anyio.run(talk)


def test_nothing_but_the_protocol_is_on_standard_output(folder: Path) -> None:
    """A question makes every library load and log; each line of standard output is still a message."""
    messages = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": types.LATEST_PROTOCOL_VERSION, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "ask", "arguments": {"text": QUESTION}}},
    ]  # fmt: skip
    process = subprocess.Popen(
        [COHORT, "mcp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "COHORT_DATA_DIR": str(folder), "COHORT_LOG_LEVEL": "DEBUG"},
    )  # fmt: skip
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("not json\n" + "".join(json.dumps(message) + "\n" for message in messages))
        process.stdin.flush()
        seen = []
        for line in process.stdout:
            seen.append(json.loads(line))
            if seen[-1].get("id") == 2:
                break
        assert all(message["jsonrpc"] == "2.0" for message in seen)
        assert not seen[-1]["result"].get("isError")
        rest, _ = process.communicate(timeout=30)
        assert rest == ""
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait(30)


def test_a_cancelled_question_leaves_no_run(address: str, assistant: Assistant) -> None:
    async def talk() -> None:
        async with _over_http(address) as session:
            with anyio.move_on_after(0.2):
                await session.call_tool(
                    "ask", {"text": "How would men with obesity react to tirzepatide 15 mg over 72 weeks?"}
                )
            # The connection goes on.
            found = await session.call_tool("search_literature", {"query": "nausea"})
            assert not found.isError

    anyio.run(talk)


INITIALIZE = {
    "jsonrpc": "2.0", "id": 1, "method": "initialize",
    "params": {"protocolVersion": types.LATEST_PROTOCOL_VERSION, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}  # fmt: skip
HEADERS = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


def test_a_wrong_host_is_misdirected(owners: Owners) -> None:
    from ui.auth import LOOPBACK_HOSTS

    with serving(create_app(owners, chat=False, hosts=LOOPBACK_HOSTS)) as address:
        right = httpx.post(f"{address}/mcp", json=INITIALIZE, headers=HEADERS, timeout=30)
        assert right.status_code == 200
        wrong = httpx.post(f"{address}/mcp", json=INITIALIZE, headers={**HEADERS, "host": "evil.example"}, timeout=30)
        assert wrong.status_code == 421


def test_a_session_and_its_runs_belong_to_the_key(owners: Owners, address: str) -> None:
    settings = owners.settings
    keys = [new_key(settings, name) for name in ("mcp-ann", "mcp-bob")]

    async def ask(key: str) -> str:
        async with _over_http(address, key) as session:
            answered = await session.call_tool("ask", {"text": QUESTION})
            return str((answered.structuredContent or {})["run_id"])

    async def read(key: str, run_id: str) -> types.ReadResourceResult:
        async with _over_http(address, key) as session:
            listed = {str(one.uri) for one in (await session.list_resources()).resources}
            assert (f"run://{run_id}" in listed) == (key == keys[0])
            return await session.read_resource(AnyUrl(f"run://{run_id}"))

    try:
        assert httpx.post(f"{address}/mcp", json=INITIALIZE, headers=HEADERS, timeout=30).status_code == 401
        run_id = anyio.run(ask, keys[0])
        assert anyio.run(read, keys[0], run_id).contents
        with pytest.raises(BaseExceptionGroup) as caught:
            anyio.run(read, keys[1], run_id)
        assert re.search("There is no run", _messages(caught.value))
        ann, bob = ({**HEADERS, "authorization": f"Bearer {key}"} for key in keys)
        session_id = httpx.post(f"{address}/mcp", json=INITIALIZE, headers=ann, timeout=30).headers["mcp-session-id"]
        ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
        for headers, status in ((bob, 404), (ann, 200)):
            told = httpx.post(
                f"{address}/mcp", json=ping, headers={**headers, "mcp-session-id": session_id}, timeout=30
            )
            assert told.status_code == status
    finally:
        (settings.data_dir / "api_keys.txt").unlink()


def _messages(group: BaseException) -> str:
    if isinstance(group, BaseExceptionGroup):
        return " ".join(_messages(one) for one in group.exceptions)
    return str(group)
