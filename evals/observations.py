"""Outcomes that were observed after a question had been answered, matched with what was predicted for them.

A file has a row per outcome: `run_id` (or its beginning) and `estimate_id` say which prediction it belongs to, `observed`
and `unit` what was seen, `date` when, and `n` (people) or `se` (standard error) how surely.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, ValidationError, model_validator

from assistant.ledger import Ledger, LedgerRow
from assistant.schemas import Answer
from knowledge.errors import InvalidInput, UnknownRun
from knowledge.schemas import Frozen
from tools.schemas import Estimate, Kind, Level

SHOWN = 30  # faults listed
COLUMNS = ("run_id", "estimate_id", "observed", "unit", "date", "n", "se", "note")
LARGEST_SHARE = 100.0  # shares and risks are in %


class Observation(Frozen):
    """One observed outcome."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    run_id: str = Field(min_length=3)
    estimate_id: str = Field(min_length=1, description="as in the answer, e.g. hba1c_change.mean")
    observed: float = Field(description="in `unit`")
    unit: str = Field(min_length=1, description="must be the unit of the estimate")
    date: date
    n: int | None = Field(None, ge=1, description="people it was observed in")
    se: float | None = Field(None, gt=0, description="standard error, in `unit`")
    note: str = ""

    @model_validator(mode="after")
    def _surely(self) -> Observation:
        if self.n is None and self.se is None:
            raise ValueError("say how surely it was observed: `n` or `se`")
        return self


class FollowedUp(Frozen):
    """A prediction and what came of it, all in `unit`.

    `se` is of the observation; None where only n is known and the figure is no share. `probability` is the confidence
    that was stated for being within `tolerance`.
    """

    run_id: str
    estimate_id: str
    endpoint: str
    unit: str
    asked: date
    observed_on: date
    point: float
    lower: float
    upper: float
    level: float
    observed: float
    n: int | None = None
    se: float | None = None
    tolerance: float | None = None
    probability: float | None = None


def read_observations(path: Path) -> list[tuple[str, Observation]]:
    """The rows of a CSV or JSON file, each with where it stands.

    Raises
    ------
    InvalidInput
        The file cannot be read, or rows are wrong; every one is named with what is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path.name} cannot be read ({error}).") from error
    rows = _json_rows(text, path) if path.suffix.lower() == ".json" else _csv_rows(text, path)
    found: list[tuple[str, Observation]] = []
    faults: list[str] = []
    for place, raw in rows:
        try:
            found.append((place, Observation.model_validate(raw)))
        except ValidationError as error:
            faults += [f"{place}: {_fault(one)}" for one in error.errors(include_url=False)]
    _raise(path, faults)
    if not found:
        raise InvalidInput(f"{path.name} holds no observed outcome.", f"Columns: {', '.join(COLUMNS)}.")
    return found


def match(
    observations: Sequence[tuple[str, Observation]], ledger: Ledger, path: Path, shares: Collection[str] = ()
) -> list[FollowedUp]:
    """Each outcome with its prediction, by the date on which it was observed.

    `shares` are the endpoints that are shares of people, in %: they cannot lie outside 0 to 100, and n tells how surely
    they were observed.

    Raises
    ------
    InvalidInput
        A row names no run or estimate, a number that is no prediction, another unit, an outcome of before the question,
        or the same outcome twice. Every such row is named.
    LedgerTampered
        A run was changed after it was recorded.
    """
    found: list[FollowedUp] = []
    faults: list[str] = []
    seen: dict[tuple[str, str, date], str] = {}
    for place, one in observations:
        try:
            row = ledger.get(one.run_id)
        except UnknownRun as error:
            faults.append(f"{place}: {error.message}")
            continue
        key = (row.run_id, one.estimate_id, one.date)
        if key in seen:
            faults.append(f"{place}: the same outcome is in {seen[key]} already")
            continue
        seen[key] = place
        paired = _paired(one, row, shares)
        if isinstance(paired, str):
            faults.append(f"{place}: {paired}")
        else:
            found.append(paired)
    _raise(path, faults)
    return sorted(found, key=lambda one: (one.observed_on, one.run_id, one.estimate_id))


def _paired(one: Observation, row: LedgerRow, shares: Collection[str]) -> FollowedUp | str:
    """The pair, or what is wrong with it."""
    answer = Answer.model_validate(row.body["answer"])
    estimate = next((found for found in answer.estimates if found.id == one.estimate_id), None)
    if estimate is None:
        usable = [found.id for found in answer.estimates if not _unusable(found)]
        offered = f"it predicted {', '.join(usable)}" if usable else "it predicted nothing"
        return f"run {row.run_id} has no estimate '{one.estimate_id}'; {offered}"
    fault = _unusable(estimate)
    if fault:
        return f"'{one.estimate_id}' of run {row.run_id} {fault}"
    if one.unit != estimate.unit:
        return f"the unit is '{one.unit}', but '{one.estimate_id}' was predicted in '{estimate.unit}'"
    if one.date < row.created.date():
        return f"observed on {one.date}, before the question was asked ({row.created.date()}): that is no forecast"
    if one.date > datetime.now(UTC).date():
        return f"the date {one.date} lies in the future"
    share = estimate.unit == "%" and (estimate.of is Level.SHARE or estimate.endpoint in shares)
    if share and not 0 <= one.observed <= LARGEST_SHARE:
        return f"{one.observed:g} % is no share"
    said = _said(estimate, row.body["results"])
    assert estimate.lower is not None
    assert estimate.upper is not None
    return FollowedUp(
        run_id=row.run_id,
        estimate_id=estimate.id,
        endpoint=estimate.endpoint,
        unit=estimate.unit,
        asked=row.created.date(),
        observed_on=one.date,
        point=estimate.point,
        lower=min(estimate.lower, estimate.point),
        upper=max(estimate.upper, estimate.point),
        level=estimate.level,
        observed=one.observed,
        n=one.n,
        se=one.se if one.se is not None else _share_error(estimate.point, one.n, share=share),
        tolerance=said[0],
        probability=said[1],
    )


def _unusable(estimate: Estimate) -> str:
    """Why a number cannot be followed up; empty when it can."""
    if estimate.lower is None or estimate.upper is None or not estimate.lower < estimate.upper:
        return "has no interval"
    if estimate.kind not in (Kind.PREDICTIVE, Kind.CONFIDENCE):
        return f"is no prediction ({estimate.kind.value})"
    return "" if estimate.of is not Level.INDIVIDUAL else "is about single people, not about a cohort"


def _share_error(percent: float, n: int | None, *, share: bool) -> float | None:
    """Binomial standard error of an observed share at the predicted one, in %-points."""
    if not share or n is None:
        return None
    p = min(max(percent / LARGEST_SHARE, 0.5 / n), 1 - 0.5 / n)
    return LARGEST_SHARE * float((p * (1 - p) / n) ** 0.5)


def _said(estimate: Estimate, results: Sequence[Mapping[str, Any]]) -> tuple[float | None, float | None]:
    """Tolerance and probability that were stated for this endpoint; of a cohort mean only, as they were measured."""
    if estimate.of is Level.COHORT_MEAN and estimate.id.endswith(".mean"):
        for result in results:
            for item in result.get("confidence", ()):
                if item["endpoint"] == estimate.endpoint:
                    return float(item["tolerance"]), float(item["probability"])
    return None, None


def _csv_rows(text: str, path: Path) -> list[tuple[str, dict[str, Any]]]:
    reader = csv.DictReader(text.splitlines(), skipinitialspace=True)
    names = [name.strip() for name in reader.fieldnames or ()]
    missing = [name for name in ("run_id", "estimate_id", "observed", "unit", "date") if name not in names]
    if missing:
        raise InvalidInput(f"{path.name} has no column {', '.join(missing)}.", f"Columns: {', '.join(COLUMNS)}.")
    reader.fieldnames = names
    rows: list[tuple[str, dict[str, Any]]] = []
    for position, raw in enumerate(reader, start=2):
        cells = {key: value.strip() for key, value in raw.items() if isinstance(value, str) and value.strip()}
        if None in raw:  # more cells than columns
            cells["too many cells"] = "; ".join(raw[None])
        if cells:
            rows.append((f"row {position}", cells))
    return rows


def _json_rows(text: str, path: Path) -> list[tuple[str, Any]]:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"{path.name} is not JSON (line {error.lineno}: {error.msg}).") from error
    if not isinstance(content, list):
        raise InvalidInput(f"{path.name} is not a list of outcomes.")
    return [(f"entry {position}", raw) for position, raw in enumerate(content, start=1)]


def _fault(fault: Any) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    given = repr(fault["input"])[:40] if fault["type"] != "missing" and where else ""
    return f"{where or 'row'}: {fault['msg']}{f' (given: {given})' if given else ''}"


def _raise(path: Path, faults: Sequence[str]) -> None:
    if not faults:
        return
    more = f"\n… and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
    listed = "\n".join(f"  {fault}" for fault in faults[:SHOWN])
    raise InvalidInput(f"{path.name} has {len(faults)} fault(s), and nothing was computed:\n{listed}{more}")
