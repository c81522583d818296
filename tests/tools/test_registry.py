from __future__ import annotations

import pytest

from assistant.service import Assistant
from knowledge.errors import InvalidInput, UnknownTool
from tools.registry import Registry, fingerprint, tool
from tools.schemas import ToolInput, ToolResult, Validation


class _Input(ToolInput):
    x: float


@tool("double_it", input=_Input, result=ToolResult, validation=Validation.SCENARIO)
def double_it(request: _Input, context: object) -> ToolResult:
    """Doubles a number."""
    return ToolResult(title=str(2 * request.x))


def test_a_tool_is_declared_once() -> None:
    registry = Registry()
    registry.add(double_it)
    with pytest.raises(ValueError, match="declared twice"):
        registry.add(double_it)
    assert registry["double_it"].description == "Doubles a number."


def test_an_unknown_tool_names_the_nearest() -> None:
    registry = Registry()
    registry.add(double_it)
    with pytest.raises(UnknownTool, match="Did you mean double_it"):
        registry["doubel_it"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [({}, "x"), ({"x": float("nan")}, "finite"), ({"x": "ten"}, "number"), ({"x": 1, "y": 2}, "y"), ({"x": None}, "x")],
)
def test_faults_of_the_input_are_named(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        double_it.parse(arguments)


def test_a_tool_without_words_is_refused() -> None:
    def silent(request: _Input, context: object) -> ToolResult:
        return ToolResult(title="")

    with pytest.raises(ValueError, match="docstring"):
        tool("silent", input=_Input, result=ToolResult, validation=Validation.SCENARIO)(silent)


def test_fingerprints_do_not_depend_on_key_order() -> None:
    assert fingerprint({"a": 1, "b": [2, 3]}) == fingerprint({"b": [2, 3], "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})


def test_every_result_says_what_made_it(assistant: Assistant) -> None:
    result = assistant.run_tool("describe_cohort", {"cohort": {"persona_id": "t2d_adults"}}, seed=7)
    provenance = result.provenance
    assert provenance is not None
    assert (provenance.tool, provenance.seed) == ("describe_cohort", 7)
    assert len(provenance.input_hash) == len(provenance.evidence_hash) == 16
