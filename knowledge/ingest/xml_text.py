"""Text of XML elements as a reader sees it."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree.ElementTree import Element

from knowledge.ingest.text import clean

Skip = Callable[[Element], bool]
SEPARATORS = " \t\n,;–—-"
_BREAKS = frozenset({"p", "title", "sec", "list-item", "td", "th", "tr", "break", "disp-quote", "caption", "label"})


def text_of(element: Element | None, skip: Skip | None = None) -> str:
    """All text in an element, on one line, without the elements that `skip` says to leave out.

    A superscript after a digit is a power: 10<sup>3</sup> reads 10^3.
    """
    if element is None:
        return ""
    parts: list[str] = []
    _collect(element, skip, parts)
    return clean("".join(parts))


def child_text(element: Element | None, path: str) -> str:
    """Text of the first descendant at `path`; empty when there is none."""
    return text_of(element.find(path)) if element is not None else ""


def _collect(element: Element, skip: Skip | None, parts: list[str]) -> None:
    """Recursive: the reader bounds the depth."""
    if element.tag in _BREAKS:
        parts.append(" ")
    before = next((part[-1] for part in reversed(parts) if part), "")
    if element.tag == "sup" and before.isdigit() and element.text:
        parts.append("^")
    parts.append(element.text or "")
    skipped = False
    for child in element:
        between_skipped, skipped = skipped, skip is not None and skip(child)
        if between_skipped and skipped and parts[-1].strip(SEPARATORS) == "":
            parts.pop()  # the comma between two reference numbers
        if not skipped:
            _collect(child, skip, parts)
        parts.append(child.tail or "")
    if element.tag in _BREAKS:
        parts.append(" ")
