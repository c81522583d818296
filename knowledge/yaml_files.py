"""Reading YAML mappings: fast (libyaml), with line numbers, and without silently dropping repeated keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from knowledge.faults import Fault

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_mapping(path: Path, file: str, faults: list[Fault]) -> tuple[dict[str, Any], dict[str, int]]:
    """The top-level mapping of a YAML file and the line (from 1) of each of its keys.

    Parameters
    ----------
    path : the file, UTF-8.
    file : the name under which faults are reported.
    faults : receives syntax errors, repeated keys and keys that are not text.
    """
    try:
        return parse_mapping(path.read_text(encoding="utf-8-sig"), file, faults)
    except UnicodeDecodeError as error:
        faults.append(Fault(file, 0, "", f"is not UTF-8 (byte {error.start}); save it as UTF-8"))
        return {}, {}


def parse_mapping(
    text: str, file: str, faults: list[Fault], *, first_line: int = 1
) -> tuple[dict[str, Any], dict[str, int]]:
    """As `read_mapping`, from text that starts at line `first_line` of its file."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return {}, {}
        if not isinstance(node, yaml.MappingNode):
            faults.append(Fault(file, first_line, "", "needs a mapping of names to fields"))
            return {}, {}
        before = len(faults)
        _refuse_repeats(node, file, first_line, faults)
        if len(faults) > before:
            return {}, {}
        lines = {key.value: key.start_mark.line + first_line for key, _ in node.value}
        return loader.construct_document(node), lines
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + first_line if mark is not None else 0
        faults.append(Fault(file, line, "", f"is not valid YAML ({getattr(error, 'problem', None) or error})"))
        return {}, {}
    finally:
        loader.dispose()


def _refuse_repeats(node: yaml.Node, file: str, first_line: int, faults: list[Fault]) -> None:
    """A key that appears twice in one mapping would silently lose its first value."""
    if isinstance(node, yaml.SequenceNode):
        for child in node.value:
            _refuse_repeats(child, file, first_line, faults)
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, value in node.value:
        line = key.start_mark.line + first_line
        if key.tag != "tag:yaml.org,2002:str":
            faults.append(Fault(file, line, str(key.value), "is not a text key; put it in quotes"))
        elif key.value in seen:
            faults.append(Fault(file, line, key.value, "appears twice in this mapping; keep one"))
        seen.add(str(key.value))
        _refuse_repeats(value, file, first_line, faults)
