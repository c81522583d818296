"""What a truths case calls, with which values, and where in the result its figures are."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evals.case_schemas import Figure, TruthsCase
from knowledge.errors import DataError
from tools.schemas import Estimate, ToolResult

CALLABLE = ("knowledge", "personas", "tools")  # packages whose public names a case may call
Table = Callable[[str], Any]  # name of a data set -> pandas DataFrame


@dataclass(frozen=True)
class Verdict:
    """One figure and what was found. `distance` is how far off in allowances (1 is the limit); None: not a number."""

    figure: Figure
    found: Any
    right: bool
    distance: float | None
    detail: str


def named(reference: str) -> Any:
    """The object called 'module:name' (DataError when there is none, or when it is not public)."""
    module_name, _, attribute = reference.partition(":")
    parts = attribute.split(".")
    if module_name.split(".")[0] not in CALLABLE or any(part.startswith("_") for part in parts):
        raise DataError(f"'{reference}' may not be called: only public names of {', '.join(CALLABLE)}.")
    try:
        found: Any = importlib.import_module(module_name)
        for part in parts:
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise DataError(f"There is no '{reference}' ({error}).") from error
    return found


def value_of(raw: Any, table: Table, seed: int) -> Any:
    """An argument as it is passed: {array: …}, {data: …}, {call: …, with: …} and {rng: true} stand for what they make."""
    if isinstance(raw, list):
        return [value_of(one, table, seed) for one in raw]
    if not isinstance(raw, dict):
        return raw
    keys = set(raw)
    if keys == {"array"}:
        return np.asarray(raw["array"], dtype=float)
    if keys == {"rng"}:
        return np.random.default_rng(seed)
    if keys in ({"data"}, {"data", "column"}):
        rows = table(raw["data"])
        return rows[raw["column"]].to_numpy() if "column" in raw else rows.to_dict("records")
    if keys in ({"call"}, {"call", "with"}):
        given = value_of(raw.get("with", {}), table, seed)
        return named(raw["call"])(**given)
    return {key: value_of(one, table, seed) for key, one in raw.items()}


def arguments_of(case: TruthsCase, table: Table) -> dict[str, Any]:
    """All arguments of a case."""
    return {name: value_of(raw, table, case.seed) for name, raw in case.arguments.items()}


def found_at(result: Any, path: str) -> Any:
    """What stands at a path: an estimate's point (or @lower, @upper), an attribute, a key or a place in a sequence.

    Raises
    ------
    DataError
        Nothing is there; names the part of the path that is missing.
    """
    if not path:
        return result
    if isinstance(result, ToolResult):
        estimate_id, _, limit = path.partition("@")
        for estimate in result.estimates:
            if estimate.id == estimate_id:
                return getattr(estimate, limit or "point")
    found = result
    for part in path.split("."):
        found = _step(found, part, path)
    return found


def estimate_at(result: Any, path: str) -> Estimate | None:
    """The estimate that a path names, if it names one."""
    wanted = path.partition("@")[0]
    return next((e for e in getattr(result, "estimates", ()) if getattr(e, "id", "") == wanted), None)


def _step(found: Any, part: str, path: str) -> Any:
    if isinstance(found, Mapping):
        for key in (part, int(part) if part.lstrip("-").isdigit() else part):
            if key in found:
                return found[key]
    elif part.lstrip("-").isdigit() and isinstance(found, Sequence | np.ndarray):
        if -len(found) <= int(part) < len(found):
            return found[int(part)]
    elif not part.startswith("_") and hasattr(found, part):
        return getattr(found, part)
    raise DataError(f"The result holds nothing at '{path}': '{part}' is missing.", _there(found))


def _there(found: Any) -> str:
    """What a reader could have meant."""
    if isinstance(found, ToolResult):
        return f"Estimates: {', '.join(estimate.id for estimate in found.estimates[:20])}."
    if isinstance(found, Mapping):
        return f"Keys: {', '.join(str(key) for key in list(found)[:20])}."
    if isinstance(found, Sequence | np.ndarray):
        return f"It has {len(found)} places."
    names = [name for name in dir(found) if not name.startswith("_")]
    return f"There are: {', '.join(names[:20])}."


def judge(figure: Figure, result: Any) -> Verdict:
    """Hold a figure against a result (DataError when nothing is at its path)."""
    found = found_at(result, figure.path)
    estimate = estimate_at(result, figure.path)
    if figure.unit and estimate is not None and estimate.unit != figure.unit:
        return Verdict(figure, found, False, None, f"the unit is {estimate.unit}, not {figure.unit}")
    if isinstance(figure.value, bool | str):
        plain = getattr(found, "value", found)  # of an enum, its word
        right = str(plain) == str(figure.value) if isinstance(figure.value, str) else bool(plain) is figure.value
        return Verdict(figure, found, right, None, f"expected {figure.value}, found {plain}")
    wanted, seen = _paired(figure, found)
    if wanted is None or seen is None:
        return Verdict(figure, found, False, None, f"expected {_brief(figure.value)}, found {_brief(found)}")
    error = _standard_error(figure, result)
    room = figure.tolerance + figure.relative * np.abs(wanted) + figure.standard_errors * error
    off = {"near": np.abs(seen - wanted), "at_least": wanted - seen, "at_most": seen - wanted}[figure.how]
    right = bool(np.all(off <= room)) and bool(np.all(np.isfinite(seen)))
    room_or_tiny = np.maximum(room, np.finfo(float).tiny)
    distance = float(np.max(np.maximum(off, 0.0) / room_or_tiny)) if right or np.all(room > 0) else None
    worst = int(np.argmax(off - room))
    place = f" at place {worst}" if wanted.size > 1 else ""
    bound = {"near": "", "at_least": "at least ", "at_most": "at most "}[figure.how]
    detail = f"expected {bound}{wanted[worst]:.6g}{place}, found {seen[worst]:.6g} (allowed {room[worst]:.2g})"
    return Verdict(figure, found, right, distance, detail)


def _paired(figure: Figure, found: Any) -> tuple[Any, Any] | tuple[None, None]:
    """Expected and found numbers as arrays of one length; (None, None) where they do not fit together."""
    try:
        if isinstance(figure.value, dict):
            keys = list(figure.value)
            return np.array([figure.value[k] for k in keys]), np.array([float(_step(found, k, k)) for k in keys])
        wanted = np.atleast_1d(np.asarray(figure.value, dtype=float))
        seen = np.atleast_1d(np.asarray(found, dtype=float)).ravel()
    except (TypeError, ValueError, DataError):
        return None, None
    return (wanted, seen) if wanted.shape == seen.shape else (None, None)


def _standard_error(figure: Figure, result: Any) -> Any:
    own = np.asarray(found_at(result, figure.se), dtype=float).ravel() if figure.se else 0.0
    return np.sqrt(np.square(own) + figure.published_se**2)


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 120 else f"{text[:117]}…"
