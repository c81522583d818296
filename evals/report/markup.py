"""HTML and SVG elements as values; every text is escaped in one place, here."""

from __future__ import annotations

import html
import re

# What no document may hold, and the marks that turn the direction of all that follows (words may be right to left without).
_UNSHOWN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")
_VOID = frozenset({"meta", "br", "hr", "col"})


class Markup(str):
    """Text that is markup already. Only `element`, `raw` and `joined` make it."""

    __slots__ = ()


def clean(text: str) -> str:
    """The text without characters that no document may hold, or that would reorder the words around it."""
    return _UNSHOWN.sub("�", text)


def escaped(text: str) -> Markup:
    """Text for use between tags or in a quoted attribute."""
    return Markup(html.escape(clean(text), quote=True))


def raw(text: str) -> Markup:
    """Text of ours that is markup already; never anything from a run."""
    return Markup(text)


def joined(*parts: str | None) -> Markup:
    """Parts one after the other; plain strings are escaped, None is left out."""
    return Markup("".join(part if isinstance(part, Markup) else escaped(part) for part in parts if part is not None))


def element(name: str, /, *children: str | None, **attributes: str | float | bool | None) -> Markup:
    """One element. `class_` is written `class`, `data_x` is `data-x`; True is a bare attribute, None and False none."""
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{joined(*children)}</{name}>")


def anchor(text: str) -> str:
    """A name that can be an id: lower case letters, digits and hyphens; 'x' when nothing is left."""
    return _NOT_IN_NAMES.sub("-", text.lower()).strip("-") or "x"


def _attribute(key: str, value: str | float | bool | None) -> str:
    name = key.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    if value is True:
        return f" {name}"
    shown = value if isinstance(value, str) else coordinate(value)
    return f' {name}="{escaped(shown)}"'


def coordinate(value: float) -> str:
    """A number for an attribute: at most two decimals, the same on every machine."""
    shown = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if shown in ("-0", "") else shown
