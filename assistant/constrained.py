"""Which text may come next when a tool is called: JSON that fits one of the tools' schemas, and nothing else.

A pushdown automaton over characters, made from JSON Schema (the idea of Willard & Louf 2023, arXiv:2307.09702, with a
stack in place of a regular expression). It reads: object (required, additionalProperties), string (length), number and
integer (bounds), boolean, null, enum, const, array (length), anyOf, oneOf, allOf of one, $ref. Formats and patterns are
left to the tool, which checks them anyway.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from assistant.constrained_frames import (
    ENDLESS,
    Escape,
    Frame,
    Gap,
    Items,
    Literal,
    Members,
    Stack,
    Text,
    Value,
)
from assistant.constrained_numbers import NumberText, number_schema

_MAX_KEY = 40  # characters of a free key
_MAX_FREE_ITEMS = 8  # items of an array, or keys of a free object, that sets no limit
_ESCAPES = '"\\/bfnrt'


class Grammar:
    """The calls `{"name": …, "arguments": …}` of some tools.

    Parameters
    ----------
    tools : name → JSON Schema of its arguments.
    """

    def __init__(self, tools: Mapping[str, Mapping[str, Any]]) -> None:
        self._schemas: list[Mapping[str, Any]] = []
        self._roots: list[Mapping[str, Any]] = []
        self._numbers: dict[tuple[int, int], int] = {}
        self._shortest: dict[int, int] = {}
        calls = []
        for name, schema in tools.items():
            value = Value(self._number(schema, schema))
            calls.append((Literal("}"), value, Gap(), Literal(f'"name": {json.dumps(name)}, "arguments":')))
        self.start: frozenset[Stack] = frozenset((*call, Literal("{")) for call in calls)

    def advance(self, stacks: frozenset[Stack], text: str) -> frozenset[Stack]:
        """What is still to be written after `text`; empty when `text` may not come."""
        for character in text:
            stacks = frozenset(
                after for stack in stacks for ready in self._expand(stack) for after in _consume(ready, character)
            )
            if not stacks:
                break
        return stacks

    def first_characters(self, stacks: frozenset[Stack]) -> tuple[frozenset[str], bool]:
        """The characters that may come next, and whether nearly any other may too (inside a free string)."""
        characters: set[str] = set()
        free = False
        for stack in stacks:
            for ready in self._expand(stack):
                top = ready[-1]
                if isinstance(top, Literal):
                    characters.add(top.rest[0])
                elif isinstance(top, NumberText):
                    characters.update(top.next_characters)
                elif isinstance(top, Escape):
                    characters.update(_ESCAPES)
                elif isinstance(top, Text):
                    free = free or top.most > 0
                    characters.update('"' if top.least <= 0 else "")
        return frozenset(characters), free

    def shortest(self, stacks: frozenset[Stack]) -> int:
        """Characters of the shortest way to the end."""
        return min((sum(self._length(frame) for frame in stack) for stack in stacks), default=ENDLESS)

    def _number(self, schema: Any, root: Mapping[str, Any]) -> int:
        """A number for a schema; references stay within the root that they stand in."""
        if isinstance(schema, bool):
            schema = {}
        key = (id(schema), id(root))
        if key not in self._numbers:
            self._numbers[key] = len(self._schemas)
            self._schemas.append(schema)
            self._roots.append(root)
        return self._numbers[key]

    def _expand(self, stack: Stack) -> Iterator[Stack]:
        """The same stack with a frame on top that takes a character, in every way that is possible."""
        if not stack:
            return
        *below, top = stack
        rest = tuple(below)
        if isinstance(top, Gap):
            yield (*rest, Literal(" "))
            yield from self._expand(rest)
        elif isinstance(top, Value | Members | Items):
            for choice in self._choices(top):
                yield from self._expand((*rest, *choice))
        elif isinstance(top, NumberText):
            if top.more:
                yield stack
            if top.complete:
                yield from self._expand(rest)
        else:
            yield stack

    def _choices(self, frame: Value | Members | Items) -> Iterator[Stack]:
        schema, root = self._schemas[frame.schema], self._roots[frame.schema]
        if isinstance(frame, Members):
            yield from self._member_choices(frame, schema, root)
        elif isinstance(frame, Items):
            yield from self._item_choices(frame, schema, root)
        else:
            yield from self._value_choices(frame.schema, schema, root)

    def _value_choices(self, number: int, schema: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[Stack]:
        if "$ref" in schema:
            yield (Value(self._number(_resolve(schema["$ref"], root), root)),)
            return
        branches = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
        if branches:
            for branch in branches:
                yield (Value(self._number(branch, root)),)
            return
        fixed = [schema["const"]] if "const" in schema else schema.get("enum")
        if fixed is not None:
            for value in fixed:
                # Both ways to write 'µg': not every tokenizer has a token for each letter.
                for text in {json.dumps(value, ensure_ascii=False): 0, json.dumps(value): 0}:
                    yield (Literal(text),)
            return
        kinds = schema.get("type") or ("object" if "properties" in schema else ["string", "number", "boolean", "null"])
        for kind in [kinds] if isinstance(kinds, str) else kinds:
            if kind == "string":
                yield (Text(schema.get("minLength", 0), schema.get("maxLength", ENDLESS)), Literal('"'))
            elif kind in ("number", "integer"):
                yield (number_schema(schema, integer=kind == "integer"),)
            elif kind == "boolean":
                yield (Literal("true"),)
                yield (Literal("false"),)
            elif kind == "null":
                yield (Literal("null"),)
            elif kind == "array":
                yield (Items(number, 0), Literal("["))
            elif kind == "object":
                yield (Members(number, frozenset()), Literal("{"))

    def _member_choices(self, frame: Members, schema: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[Stack]:
        properties = schema.get("properties", {})
        if frame.used.issuperset(schema.get("required", ())):
            yield (Literal("}"),)
        first = not frame.used and not frame.free
        comma: Stack = () if first else (Gap(), Literal(","))
        for name, inner in properties.items():
            if name not in frame.used:
                after = Members(frame.schema, frame.used | {name}, frame.free)
                key = Literal(json.dumps(name, ensure_ascii=False) + ":")
                yield (after, Value(self._number(inner, root)), Gap(), key, *comma)
        extra = schema.get("additionalProperties", False)
        if extra is not False and not properties and frame.free < _MAX_FREE_ITEMS:
            after = Members(frame.schema, frame.used, frame.free + 1)
            inner = {} if extra is True else extra
            colon = (Gap(), Literal(":"))
            yield (after, Value(self._number(inner, root)), *colon, Text(1, _MAX_KEY), Literal('"'), *comma)

    def _item_choices(self, frame: Items, schema: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[Stack]:
        fixed: Sequence[Any] = schema.get("prefixItems", ())
        least = schema.get("minItems", len(fixed))
        most = schema.get("maxItems", max(len(fixed), least) if fixed else max(_MAX_FREE_ITEMS, least))
        if frame.count >= least:
            yield (Literal("]"),)
        if frame.count < most:
            inner = fixed[frame.count] if frame.count < len(fixed) else schema.get("items", {})
            comma: Stack = () if frame.count == 0 else (Gap(), Literal(","))
            yield (Items(frame.schema, frame.count + 1), Value(self._number(inner, root)), *comma)

    def _length(self, frame: Frame) -> int:
        """Characters of the shortest text of a frame."""
        if isinstance(frame, Literal):
            return len(frame.rest)
        if isinstance(frame, Gap):
            return 0
        if isinstance(frame, Text):
            return frame.least + 1
        if isinstance(frame, Escape):
            return 1
        if isinstance(frame, NumberText):
            return frame.shortest
        if isinstance(frame, Value):
            return self._shortest_value(frame)
        return min(
            (sum(self._length(part) for part in choice) for choice in self._short_choices(frame)), default=ENDLESS
        )

    def _short_choices(self, frame: Members | Items) -> Iterator[Stack]:
        """Of the ways on, those that can be shortest: close, or write the next that is required."""
        for choice in self._choices(frame):
            if isinstance(choice[0], Literal):
                yield choice
                return
        required = set(self._schemas[frame.schema].get("required", ())) if isinstance(frame, Members) else set()
        for choice in self._choices(frame):
            after = choice[0]
            if isinstance(after, Items) or (isinstance(frame, Members) and isinstance(after, Members)
                                            and after.used - frame.used <= required):  # fmt: skip
                yield choice
                return

    def _shortest_value(self, frame: Value) -> int:
        if frame.schema not in self._shortest:
            self._shortest[frame.schema] = ENDLESS  # a schema that needs itself cannot be finished this way
            self._shortest[frame.schema] = min(
                (sum(self._length(part) for part in choice) for choice in self._choices(frame)), default=ENDLESS
            )
        return self._shortest[frame.schema]


def _consume(stack: Stack, character: str) -> Iterator[Stack]:
    """The stack after one character; nothing where it does not fit."""
    *below, top = stack
    rest = tuple(below)
    if isinstance(top, Literal):
        if top.rest[0] == character:
            yield (*rest, Literal(top.rest[1:])) if len(top.rest) > 1 else rest
    elif isinstance(top, Text):
        if character == '"':
            if top.least <= 0:
                yield rest
        elif top.most > 0 and character >= " " and character not in "\x7f\ufffd":
            after = Text(max(0, top.least - 1), top.most - (top.most < ENDLESS))
            yield (*rest, after, Escape()) if character == "\\" else (*rest, after)
    elif isinstance(top, Escape):
        if character in _ESCAPES:
            yield rest
    elif isinstance(top, NumberText):
        longer = top.with_character(character)
        if longer is not None:
            yield (*rest, longer)


@lru_cache(maxsize=256)
def _steps(reference: str) -> tuple[str, ...]:
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in reference.lstrip("#/").split("/") if part)


def _resolve(reference: str, root: Mapping[str, Any]) -> Any:
    """What a local reference such as '#/$defs/CohortSpec' points at."""
    found: Any = root
    for step in _steps(reference):
        found = found[step]
    return found
