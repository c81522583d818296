"""What is still to be written of a tool call: the frames on the stack of the automaton in `constrained`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from assistant.constrained_numbers import NumberText

ENDLESS = 10**9  # the length of what cannot be finished

Frame: TypeAlias = "Literal | Gap | Text | Escape | NumberText | Value | Members | Items"
Stack: TypeAlias = tuple[Frame, ...]
"""What is still to be written, the next last. The empty stack is done."""


@dataclass(frozen=True)
class Literal:
    """Exactly this text."""

    rest: str


@dataclass(frozen=True)
class Gap:
    """One space, or none."""


@dataclass(frozen=True)
class Text:
    """The rest of a string with its closing quote: at least `least` and at most `most` characters."""

    least: int
    most: int


@dataclass(frozen=True)
class Escape:
    """The character behind a backslash."""


@dataclass(frozen=True)
class Value:
    """Any value that fits the schema of this number."""

    schema: int


@dataclass(frozen=True)
class Members:
    """The rest of an object: keys `used` so far, `free` keys beyond those that are named."""

    schema: int
    used: frozenset[str]
    free: int = 0


@dataclass(frozen=True)
class Items:
    """The rest of an array of which `count` items are written."""

    schema: int
    count: int
