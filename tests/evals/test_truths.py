"""Truths: what a figure accepts, what it must not, where it looks, and what is not run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from evals.case_schemas import Figure, TruthsCase
from evals.cases_io import read_cases
from evals.schemas import Suite
from evals.suites.truths import NOT_RUN, record_of_truth
from evals.truths import Truth, plain_context, report_lines, run_truth
from evals.truths_data import NotThere, table
from evals.truths_values import found_at, judge, named, value_of
from knowledge.errors import DataError
from tools.catalog import build_registry
from tools.context import ToolContext
from tools.registry import Registry


def figure(value: Any, **fields: Any) -> Figure:
    return Figure(value=value, source="closed form", **fields)


def truth(**fields: Any) -> TruthsCase:
    return TruthsCase.model_validate(
        {"id": "truth-try", "source": "closed form", "why": "Tries the machine itself.", **fields}
    )


@pytest.fixture(scope="module")
def registry() -> Registry:
    return build_registry()


@pytest.fixture(scope="module")
def context() -> ToolContext:
    return plain_context(1)


@pytest.mark.parametrize(
    ("wanted", "found", "right"),
    [
        (figure(2.0, tolerance=0.1), 2.09, True),
        (figure(2.0, tolerance=0.1), 2.11, False),
        (figure(-2.0, relative=0.1), -2.19, True),
        (figure(-2.0, relative=0.1), -2.21, False),
        (figure([1, 2, 3], tolerance=0.5), np.array([1.4, 2.4, 3.4]), True),
        (figure([1, 2, 3], tolerance=0.5), [1.0, 2.0, 3.6], False),
        (figure([1, 2], tolerance=0.5), [1.0, 2.0, 3.0], False),
        (figure({"a": 1, "b": 2}, tolerance=0.1), {"a": 1.05, "b": 1.95, "c": 9}, True),
        (figure({"a": 1, "b": 2}, tolerance=0.1), {"a": 1.0}, False),
        (figure(0.05, how="at_most"), 0.05, True),
        (figure(0.05, how="at_most"), 0.051, False),
        (figure(0.9, how="at_least", tolerance=0.01), 0.891, True),
        (figure(0.9, how="at_least", tolerance=0.01), 0.889, False),
        (figure(2.0, tolerance=0.1), float("nan"), False),
        (figure(2.0, tolerance=0.1), None, False),
        (figure(2.0, tolerance=0.1), "two", False),
        (figure("futility"), "futility", True),
        (figure("futility"), "efficacy", False),
        (figure(True), np.True_, True),
        (figure(True), False, False),
    ],
)
def test_a_figure_is_right_within_its_room_and_nowhere_else(wanted: Figure, found: Any, right: bool) -> None:
    assert judge(wanted, found).right is right


def test_standard_errors_of_the_result_and_of_the_source_add_up() -> None:
    wanted = figure(10.0, path="mean", standard_errors=2, se="se", published_se=0.3)
    assert judge(wanted, {"mean": 10.99, "se": 0.4}).right  # 2 * sqrt(0.16 + 0.09) = 1
    verdict = judge(wanted, {"mean": 11.01, "se": 0.4})
    assert not verdict.right
    assert verdict.distance == pytest.approx(1.01)
    assert "expected 10, found 11.01" in verdict.detail


@pytest.mark.parametrize(
    "fields",
    [
        {"value": 1.0},
        {"value": "word", "tolerance": 1},
        {"value": True, "how": "at_most"},
        {"value": 1.0, "standard_errors": 2},
        {"value": 1.0, "tolerance": 1, "se": "se"},
    ],
)
def test_a_figure_that_says_no_room_or_a_senseless_one_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Figure(source="closed form", **fields)


def test_a_case_names_a_tool_or_a_function_not_both() -> None:
    figures = [{"value": 1, "tolerance": 1, "source": "closed form"}]
    with pytest.raises(ValidationError, match="either"):
        truth(figures=figures)
    with pytest.raises(ValidationError, match="either"):
        truth(tool="describe_cohort", function="tools.schemas:Estimate", figures=figures)


@pytest.mark.parametrize("reference", ["os:system", "tools.registry:_silent", "tools.context:_silent"])
def test_only_public_names_of_the_product_can_be_called(reference: str) -> None:
    with pytest.raises(DataError, match="may not be called"):
        named(reference)


def test_a_name_that_is_not_there_is_an_error_of_the_case(registry: Registry, context: ToolContext) -> None:
    case = truth(function="tools.schemas:Nothing", figures=[{"value": 1, "tolerance": 1, "source": "closed form"}])
    found = run_truth(case, registry, context)
    assert "There is no 'tools.schemas:Nothing'" in found.error
    record = record_of_truth(found)
    assert not record.passed
    assert [m.value for m in record.measures if m.name == "figures_right"] == [0.0]


def test_paths_lead_to_keys_places_and_attributes() -> None:
    result = {"rows": [{"x": 1.0}, {"x": 2.0}], "z": np.array([3 + 4j])}
    assert found_at(result, "rows.-1.x") == 2.0
    assert found_at(result, "z.0.imag") == 4.0
    assert found_at(result, "") is result
    with pytest.raises(DataError, match=r"'y' is missing\. Keys: x"):
        found_at(result, "rows.0.y")
    with pytest.raises(DataError, match="It has 2 places"):
        found_at(result, "rows.2")


def test_arguments_are_made_of_what_stands_for_them() -> None:
    made = value_of(
        {
            "a": {"array": [1, 2]},
            "g": {"rng": True},
            "e": {"call": "tools.schemas:Point", "with": {"x": 1.0, "y": 2.0}},
        },
        lambda _name: None,
        seed=5,
    )
    assert made["a"].dtype == float
    assert made["g"].random() == np.random.default_rng(5).random()
    assert made["e"].y == 2.0


def test_a_function_is_called_and_its_wrong_value_noticed(registry: Registry, context: ToolContext) -> None:
    raw = {
        "function": "tools.schemas:Point",
        "arguments": {"x": 1.0, "y": 2.0},
        "figures": [{"path": "y", "value": 2.0, "tolerance": 1e-9, "source": "closed form", "verified": "closed_form"}],
    }
    right = run_truth(truth(**raw), registry, context)
    assert right.right
    assert record_of_truth(right).passed
    wrong = run_truth(truth(**{**raw, "arguments": {"x": 1.0, "y": 2.1}}), registry, context)
    record = record_of_truth(wrong)
    assert not record.passed
    assert record.failed == ("y as published (expected 2, found 2.1 (allowed 1e-09))",)


def test_a_tool_is_run_and_a_unit_that_differs_is_wrong(registry: Registry, context: ToolContext) -> None:
    raw = {
        "tool": "simulate_treatment_response",
        "arguments": {
            "cohort": {"persona_id": "t2d_adults"},
            "treatment": {"intervention": "semaglutide", "dose": 1, "dose_unit": "mg"},
            "endpoints": ["hba1c_change"],
            "horizon_weeks": 30,
        },
        "figures": [
            {"path": "hba1c_change.mean", "value": 0, "unit": "%-points", "how": "at_most", "source": "closed form"},
            {"path": "hba1c_change.mean", "value": 0, "unit": "mmol/mol", "how": "at_most", "source": "closed form"},
            {"path": "hba1c_change.mean@lower", "value": 0, "how": "at_least", "source": "closed form"},
        ],
    }
    found = run_truth(truth(**raw), registry, context)
    assert [verdict.right for verdict in found.verdicts] == [True, False, False]
    assert "the unit is %-points" in found.verdicts[1].detail
    missing = run_truth(
        truth(**{**raw, "figures": [{**raw["figures"][0], "path": "nothing.there"}]}), registry, context
    )
    assert "Estimates: hba1c_change.mean" in missing.error


def test_a_data_set_that_is_not_here_leaves_the_case_not_run(
    registry: Registry, context: ToolContext, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    case = truth(
        function="tools.schemas:Point",
        arguments={"x": 1.0, "y": {"call": "tools.schemas:Point", "with": {"x": 1.0, "y": 1.0}}},
        needs=["rossi"],
        figures=[{"value": 1, "tolerance": 1, "source": "closed form"}],
    )
    monkeypatch.setitem(sys.modules, "lifelines.datasets", None)  # as if the package were not installed
    with pytest.raises(NotThere, match=r"rossi\.csv"):
        table("rossi", None)
    found = run_truth(case, registry, context)
    assert found.missing
    record = record_of_truth(found)
    assert (record.status, record.measures, record.passed) == (NOT_RUN, (), True)
    assert report_lines(found)[0].startswith("not run")
    (tmp_path / "rossi.csv").write_text("week,arrest\n20,1\n", encoding="utf-8")
    assert list(table("rossi", tmp_path)["week"]) == [20]
    with pytest.raises(DataError, match="names no data set"):
        table("rosi", None)


def test_every_shipped_truth_runs_on_a_tool_that_exists(registry: Registry) -> None:
    cases = read_cases(suites=[Suite.TRUTHS])
    assert cases
    for case in cases:
        assert isinstance(case, TruthsCase)
        if case.tool:
            assert registry[case.tool]
        else:
            assert callable(named(case.function))


@pytest.mark.slow
def test_no_shipped_truth_breaks(registry: Registry, context: ToolContext) -> None:
    """A figure may be missed, and is then reported; a case that cannot be run at all is a fault."""
    truths = [
        run_truth(case, registry, context) for case in read_cases(suites=[Suite.TRUTHS]) if isinstance(case, TruthsCase)
    ]
    broken = {one.case.id: one.error for one in truths if one.error}
    assert not broken
    assert all(isinstance(one, Truth) and (one.missing or one.verdicts) for one in truths)
