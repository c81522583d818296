"""Archetypes, sources, passages and runs as MCP resources."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from mcp import types
from pydantic import AnyUrl

from knowledge.errors import InvalidInput, UsageError

if TYPE_CHECKING:
    from assistant.service import Assistant

PAGE = 100  # resources listed at once
_RUNS = 50  # newest runs that are listed; older ones can still be read
_SUGGESTED = 50
_JSON, _TEXT = "application/json", "text/markdown"


class UnknownResource(UsageError):
    """There is no resource at this address."""


def list_resources(assistant: Assistant, request: types.ListResourcesRequest) -> types.ServerResult:
    """Archetypes first, then the newest runs, page by page. Sources and passages are read through their templates."""
    found = [
        _resource("persona", name, assistant.personas.get(name).name, assistant.personas.get(name).summary, _JSON)
        for name in assistant.personas.ids()
    ]
    found += [
        _resource(
            "run", run.run_id, f"Run {run.run_id}", f"{run.created:%Y-%m-%d %H:%M} UTC: {run.question[:200]}", _TEXT
        )
        for run in assistant.runs(_RUNS)
    ]
    cursor = request.params.cursor if request and request.params else None
    start = _start(cursor)
    after = str(start + PAGE) if start + PAGE < len(found) else None
    return types.ServerResult(types.ListResourcesResult(resources=found[start : start + PAGE], nextCursor=after))


def _start(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 10):
        raise InvalidInput(f"'{cursor[:40]}' is no cursor of this list.", "Start without one.")
    return int(cursor)


def _resource(kind: str, name: str, title: str, description: str, media_type: str) -> types.Resource:
    return types.Resource(
        uri=AnyUrl(f"{kind}://{quote(name, safe='')}"),
        name=name,
        title=title,
        description=description,
        mimeType=media_type,
    )


_TEMPLATES = (
    ("persona://{persona_id}", "persona", "An archetype", "Who a cohort is: each value with its source or assumption.", _JSON),
    ("source://{source_id}", "source", "A source", "A publication with the passages that were taken from it.", _JSON),
    ("passage://{source_id}/{number}", "passage", "A passage", "One passage of a source; passages count from 1.", _JSON),
    ("run://{run_id}", "run", "A run", "The answer of a recorded run, as text and as typed JSON.", _TEXT),
)  # fmt: skip


def templates(_assistant: Assistant, _request: Any) -> types.ServerResult:
    """How addresses are made."""
    made = [
        types.ResourceTemplate(uriTemplate=uri, name=name, title=title, description=told, mimeType=media_type)
        for uri, name, title, told, media_type in _TEMPLATES
    ]
    return types.ServerResult(types.ListResourceTemplatesResult(resourceTemplates=made))


def read_resource(assistant: Assistant, request: types.ReadResourceRequest) -> types.ServerResult:
    """What stands at an address (UnknownPersona, UnknownRun, UnknownResource)."""
    address = request.params.uri
    kind, _, rest = str(address).partition("://")
    name = unquote(rest)
    readers: dict[str, Callable[[Assistant, str], list[tuple[str, str]]]] = {
        "persona": _persona,
        "source": _source,
        "passage": _passage,
        "run": _run,
    }
    if kind not in readers:
        raise UnknownResource(
            f"There is no resource of the kind '{kind[:40]}'.", "There are persona, source, passage, run."
        )
    contents: list[types.TextResourceContents | types.BlobResourceContents] = [
        types.TextResourceContents(uri=address, mimeType=media_type, text=text)
        for media_type, text in readers[kind](assistant, name)
    ]
    return types.ServerResult(types.ReadResourceResult(contents=contents))


def _dumped(value: Any) -> list[tuple[str, str]]:
    return [(_JSON, json.dumps(value, ensure_ascii=False, indent=1))]


def _persona(assistant: Assistant, name: str) -> list[tuple[str, str]]:
    return _dumped(assistant.persona(name).model_dump(mode="json", exclude_none=True))


def _source(assistant: Assistant, name: str) -> list[tuple[str, str]]:
    source = assistant.knowledge.sources.get(name)
    if source is None:
        raise UnknownResource(f"There is no source '{name[:120]}'.", "Find sources with the tool search_literature.")
    passages = [one for one in assistant.knowledge.passages if one.source_id == name]
    return _dumped(
        {
            "source": source.model_dump(mode="json"),
            "citation": source.citation,
            "passages": [passage.model_dump(mode="json") for passage in passages],
        }
    )


def _passage(assistant: Assistant, name: str) -> list[tuple[str, str]]:
    source, _, number = name.rpartition("/")
    wanted = f"{source}#{number}"
    for passage in assistant.knowledge.passages:
        if passage.passage_id == wanted:
            cited = assistant.knowledge.sources[passage.source_id].citation
            return _dumped({"passage": passage.model_dump(mode="json"), "citation": cited})
    raise UnknownResource(f"There is no passage '{name[:120]}'.", "Find passages with the tool search_literature.")


def _run(assistant: Assistant, name: str) -> list[tuple[str, str]]:
    answer = assistant.show_run(name)
    return [(_TEXT, answer.markdown), *_dumped(answer.model_dump(mode="json"))]


def complete(assistant: Assistant, request: types.CompleteRequest) -> types.ServerResult:
    """Ids of archetypes, sources and runs that begin with, or contain, what has been typed."""
    argument = request.params.argument
    known: dict[str, Callable[[], list[str]]] = {
        "persona_id": lambda: list(assistant.personas.ids()),
        "source_id": lambda: sorted(assistant.knowledge.sources),
        "run_id": lambda: [run.run_id for run in assistant.runs(_RUNS)],
        "treatment": lambda: sorted(assistant.knowledge.vocabulary.drugs),
    }
    names = known[argument.name]() if argument.name in known else []
    typed = argument.value.casefold()
    begin = [name for name in names if name.casefold().startswith(typed)]
    hits = begin + [name for name in names if typed in name.casefold() and name not in set(begin)]
    values = types.Completion(values=hits[:_SUGGESTED], total=len(hits), hasMore=len(hits) > _SUGGESTED)
    return types.ServerResult(types.CompleteResult(completion=values))
