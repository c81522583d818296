"""The tool registry: one declaration serves the agent, REST, the CLI and the docs.

A tool is a function `(request, context) -> ToolResult`, declared with `@tool`. Its name, docstring, input model and
validation class are taken from the declaration; nobody writes a signature twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import ValidationError
from rapidfuzz import process

from knowledge.errors import InvalidInput, UnknownTool
from tools.context import ToolContext
from tools.schemas import Provenance, ToolInput, ToolResult, Validation

I = TypeVar("I", bound=ToolInput)  # noqa: E741
R = TypeVar("R", bound=ToolResult)


@dataclass(frozen=True)
class Tool(Generic[I, R]):
    """A declared tool.

    Attributes
    ----------
    name : snake_case, a verb and its object.
    input_model, result_model : pydantic types.
    validation : how far its numbers are to be believed.
    version : changes when the same input may give another number.
    offered : whether a chat model sees it at once; it opens others when it needs them, as the schemas of large
        simulations would fill its context in every call.
    """

    name: str
    description: str
    input_model: type[I]
    result_model: type[R]
    validation: Validation
    version: str
    function: Callable[[I, ToolContext], R]
    offered: bool = True

    def parse(self, arguments: dict[str, Any]) -> I:
        """Validate raw arguments; every fault is named in one sentence (InvalidInput)."""
        try:
            return self.input_model.model_validate(arguments)
        except ValidationError as error:
            raise InvalidInput(f"{self.name}: {describe_validation_error(error)}") from error

    def __call__(self, request: I, context: ToolContext) -> R:
        """Run and stamp the provenance."""
        result = self.function(request, context)
        return result.model_copy(
            update={
                "provenance": Provenance(
                    tool=self.name,
                    version=self.version,
                    seed=context.seed,
                    input_hash=fingerprint(request.model_dump(mode="json")),
                    evidence_hash=context.knowledge.evidence_hash(context.view),
                )
            }
        )


class Registry:
    """Tools by name, in the order they were declared."""

    def __init__(self) -> None:
        self._tools: dict[str, Tool[Any, Any]] = {}

    def add(self, declared: Tool[I, R]) -> None:
        """Add a tool; a second one of the same name is a programming error (ValueError)."""
        if declared.name in self._tools:
            raise ValueError(f"tool {declared.name} declared twice")
        self._tools[declared.name] = declared

    def __getitem__(self, name: str) -> Tool[Any, Any]:
        """The tool of this name; UnknownTool names the nearest one."""
        if name not in self._tools:
            near = process.extractOne(name, list(self._tools), score_cutoff=50)
            hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(self._tools)}."
            raise UnknownTool(f"There is no tool called '{name}'.", hint)
        return self._tools[name]

    def __iter__(self) -> Iterator[Tool[Any, Any]]:
        return iter(self._tools.values())

    def __len__(self) -> int:
        return len(self._tools)


def tool(
    name: str,
    *,
    input: type[I],
    result: type[R],
    validation: Validation,
    version: str = "1",
    offered: bool = True,
) -> Callable[[Callable[[I, ToolContext], R]], Tool[I, R]]:
    """Declare a tool. The function's docstring is what the model, REST and the docs show."""

    def declare(function: Callable[[I, ToolContext], R]) -> Tool[I, R]:
        if not function.__doc__:
            raise ValueError(f"tool {name} needs a docstring")
        return Tool(
            name=name,
            description=" ".join(function.__doc__.split()),
            input_model=input,
            result_model=result,
            validation=validation,
            version=version,
            function=function,
            offered=offered,
        )

    return declare


def fingerprint(value: Any) -> str:
    """SHA-256 of the canonical JSON of `value`, 16 hex digits."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def describe_validation_error(error: ValidationError) -> str:
    """All faults of a pydantic error in one sentence, without echoing long or unprintable input."""
    faults = []
    for fault in error.errors(include_url=False, include_context=False):
        where = ".".join(str(part) for part in fault["loc"]) or "input"
        faults.append(f"{where}: {fault['msg']}")
    return "; ".join(faults[:6]) + ("; …" if len(faults) > 6 else "")
