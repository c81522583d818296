"""Reading YAML that a user wrote: plain mappings of text only.

Anchors and deep nesting can stop a parser for good, and YAML's guesses at types turn "no" into False and an impossible
date into a crash. So every value is text, and what it means is decided where it is used.
"""

from __future__ import annotations

from typing import Any, Final

import yaml

from knowledge.errors import DataError, LiteratureError

MAX_CHARACTERS: Final = 200_000
MAX_DEPTH: Final = 20
_Loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_OPENING = (
    yaml.BlockMappingStartToken, yaml.BlockSequenceStartToken, yaml.FlowMappingStartToken, yaml.FlowSequenceStartToken
)  # fmt: skip
_CLOSING = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)


def read_user_yaml(
    text: str, name: str, *, first_line: int = 1, error: type[DataError] = LiteratureError
) -> dict[str, Any]:
    """A YAML mapping as a dictionary whose values are text, lists and dictionaries.

    Parameters
    ----------
    text : the YAML.
    name : under which it is reported.
    first_line : line of the file on which `text` begins.
    error : the class to raise.

    Raises
    ------
    error
        naming the line: not YAML, not a mapping, anchors or aliases, too long, too deep, a key twice.
    """
    if len(text) > MAX_CHARACTERS:
        raise error(f"{name}:{first_line}: has more than {MAX_CHARACTERS} characters of YAML.", "Shorten it.")

    def refused(line: int, what: str, hint: str) -> DataError:
        return error(f"{name}:{line + first_line}: {what}.", hint)

    try:
        depth = 0
        for token in yaml.scan(text, Loader=_Loader):
            if isinstance(token, (yaml.AnchorToken, yaml.AliasToken)):
                raise refused(token.start_mark.line, "uses a YAML anchor or alias", "Write the value out.")
            depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
            if depth > MAX_DEPTH:
                raise refused(token.start_mark.line, f"is nested more than {MAX_DEPTH} deep", "Flatten it.")
        node = yaml.compose(text, Loader=_Loader)
        if node is None:
            return {}
        if not isinstance(node, yaml.MappingNode):
            raise refused(0, "is not a mapping of names to values", "Write lines of the form 'name: value'.")
        repeated = _repeated_key(node)
        if repeated is not None:
            raise refused(repeated.start_mark.line, f"has the key '{str(repeated.value)[:60]}' twice", "Keep one.")
        loaded: dict[str, Any] = yaml.load(text, Loader=_Loader)
        return loaded
    except yaml.YAMLError as fault:
        mark = getattr(fault, "problem_mark", None)
        what = str(getattr(fault, "problem", None) or fault)[:120]
        raise refused(mark.line if mark else 0, f"is not valid YAML ({what})", "Correct the line.") from fault


def _repeated_key(node: yaml.Node) -> yaml.Node | None:
    """The first key that appears twice in its mapping: one of the two values would silently be lost."""
    if isinstance(node, yaml.SequenceNode):
        return next((found for child in node.value if (found := _repeated_key(child)) is not None), None)
    if not isinstance(node, yaml.MappingNode):
        return None
    seen: set[str] = set()
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.value in seen:
            return key  # type: ignore[no-any-return]
        seen.add(key.value)
        if (found := _repeated_key(value)) is not None:
            return found
    return None
