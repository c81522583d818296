"""What a chat model put into its own tool calls, taken out of what may be quoted: it is no source."""

from __future__ import annotations

import re
from typing import Any

from assistant.numerals import read_numerals
from tools.schemas import ToolResult


def claims_of(arguments: Any) -> list[str]:
    """Texts with a number among a call's arguments."""
    if isinstance(arguments, dict):
        arguments = list(arguments.values())
    if isinstance(arguments, list | tuple):
        return [claim for value in arguments for claim in claims_of(value)]
    return [arguments] if isinstance(arguments, str) and read_numerals(arguments) else []


def without_claims(arguments: Any) -> Any:
    """Arguments without texts that hold a number."""
    if isinstance(arguments, dict):
        return {name: without_claims(value) for name, value in arguments.items()}
    if isinstance(arguments, list | tuple):
        return [without_claims(value) for value in arguments]
    return "" if claims_of(arguments) else arguments


def refusal_without_echo(refusal: str, arguments: Any) -> str:
    """What a tool said when it refused a call, without the numbers and texts of the call itself."""
    for claim in claims_of(arguments):
        refusal = refusal.replace(claim, "")
    for number in _numbers(arguments):
        refusal = re.sub(rf"(?<![\d.]){re.escape(f'{number:g}')}(?:\.0)?(?!\.?\d)", "", refusal)
    return refusal


def _numbers(arguments: Any) -> list[float]:
    if isinstance(arguments, dict):
        arguments = list(arguments.values())
    if isinstance(arguments, list | tuple):
        return [number for value in arguments for number in _numbers(value)]
    return [float(arguments)] if isinstance(arguments, int | float) and not isinstance(arguments, bool) else []


def without_echo(result: ToolResult, claims: list[str]) -> ToolResult:
    """A result without the words of its own call, which some tools repeat in their title or notes."""

    def clean(text: str) -> str:
        for claim in claims:
            text = text.replace(claim, "")
        return text

    notes = {name: tuple(clean(note) for note in getattr(result, name)) for name in ("assumptions", "warnings")}
    return result.model_copy(update={"title": clean(result.title), **notes}) if claims else result
