"""One row of an evidence table → `TrialArm`, with every fault of the row named by its column."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar

from annotated_types import Ge, Le

from knowledge.schemas import ArmRole, Baseline, Endpoint, Family, Seen, Source, Statistic, TrialArm
from knowledge.standard_errors import RATIOS, derive_se
from knowledge.vocabulary import Vocabulary

ARM_COLUMNS = (
    "trial", "source_id", "registry_id", "cohort", "restrictions", "tags", "arm", "arm_role", "intervention", "dose",
    "dose_unit", "frequency", "background", "design", "n", "endpoint", "statistic", "weeks", "value", "se", "sd",
    "ci_low", "ci_high", "ci_level", "events", "comparator_arm", "age", "female_pct", "bmi", "weight", "hba1c", "ldl",
    "sbp", "egfr", "duration", "asian_pct", "black_pct", "baseline_value", "estimand", "locator", "seen",
)  # fmt: skip
BASELINE_COLUMNS = tuple(name for name in Baseline.model_fields if name != "endpoint")
_BASELINE_CELLS = (*BASELINE_COLUMNS, "baseline_value")
ESTIMANDS = frozenset(
    {"treatment_policy", "on_treatment", "itt_locf", "itt_mmrm", "baseline_carried_forward", "unspecified"}
)
CATEGORICAL = frozenset({"sex", "ethnicity", "region"})
LARGEST_RATIO = 100.0  # a hazard, odds or risk ratio beyond it is a slip of the decimal point

# Which statistics make sense for an endpoint of each family.
FITTING: Mapping[Family, frozenset[Statistic]] = {
    Family.CONTINUOUS: frozenset({Statistic.MEAN_CHANGE, Statistic.PERCENT_CHANGE, Statistic.MEAN_DIFFERENCE}),
    Family.PROPORTION: frozenset(
        {Statistic.PROPORTION, Statistic.MEAN_DIFFERENCE, Statistic.ODDS_RATIO, Statistic.RISK_RATIO}
    ),
    Family.RATE: frozenset({Statistic.RATE, Statistic.MEAN_DIFFERENCE, Statistic.RISK_RATIO, Statistic.HAZARD_RATIO}),
    Family.TIME_TO_EVENT: frozenset(
        {
            Statistic.HAZARD_RATIO,
            Statistic.RISK_RATIO,
            Statistic.ODDS_RATIO,
            Statistic.PROPORTION,
            Statistic.RATE,
            Statistic.MEAN_DIFFERENCE,
        }
    ),
}

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"\d+", re.ASCII)
_RESTRICTION = re.compile(r"([a-z][a-z0-9_]*)\s*(>=|<=|>|<|=)\s*([^<>=]+)")
_ROLES = {role.value: role for role in ArmRole}
_STATISTICS = {statistic.value: statistic for statistic in Statistic}
_SEEN = {seen.value: seen for seen in Seen}
_BOUNDS = {
    name: (
        next((float(m.ge) for m in field.metadata if isinstance(m, Ge)), -math.inf),  # type: ignore[arg-type]
        next((float(m.le) for m in field.metadata if isinstance(m, Le)), math.inf),  # type: ignore[arg-type]
    )
    for name, field in Baseline.model_fields.items()
}
T = TypeVar("T")
Report = Callable[[str, str], None]


@dataclass(frozen=True)
class RowContext:
    """What a row is checked against."""

    vocabulary: Vocabulary
    sources: Mapping[str, Source]
    area: str
    stem: str
    baselines: dict[tuple[str, ...], Baseline] = field(default_factory=dict)
    restrictions: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass
class _Cells:
    """Typed access to the cells of a row; what does not fit is reported and read as empty."""

    cells: Mapping[str, str]
    report: Report

    def number(self, column: str) -> float | None:
        text = self.cells[column]
        if not text:
            return None
        if not _NUMBER.fullmatch(text):
            self.report(column, f"'{text}' is not a number; write digits with a point and a plain minus")
            return None
        value = float(text)
        if not math.isfinite(value):
            self.report(column, f"'{text}' is too large")
            return None
        return value

    def positive(self, column: str) -> float | None:
        value = self.number(column)
        if value is not None and value <= 0:
            self.report(column, f"{value:g} must be greater than 0")
            return None
        return value

    def whole(self, column: str, least: int) -> int | None:
        text = self.cells[column]
        if not text:
            return None
        if not _WHOLE.fullmatch(text) or int(text) < least:
            self.report(column, f"'{text}' is not a whole number of at least {least}")
            return None
        return int(text)

    def required(self, column: str) -> str:
        if not self.cells[column]:
            self.report(column, "is empty; it is needed in every row")
        return self.cells[column]


def parse_arm(cells: Mapping[str, str], row: int, context: RowContext, report: Report) -> TrialArm | None:
    """The `TrialArm` of a row, or None when `report(column, message)` was called.

    Parameters
    ----------
    cells : trimmed text by column, all of `ARM_COLUMNS`.
    row : row number as a spreadsheet counts.
    context : vocabulary, sources, area and file stem.
    report : receives each fault.
    """
    faulty = False

    def note(column: str, message: str) -> None:
        nonlocal faulty
        faulty = True
        report(column, message)

    read = _Cells(cells, note)
    endpoint = context.vocabulary.endpoints.get(cells["endpoint"])
    if endpoint is None:
        note("endpoint", f"'{cells['endpoint']}' is not an id of the endpoint vocabulary")
    drug = context.vocabulary.drugs.get(cells["intervention"])
    if drug is None:
        note("intervention", f"'{cells['intervention']}' is not a canonical name of the drug vocabulary")
    source = context.sources.get(cells["source_id"])
    if source is None:
        note("source_id", f"'{cells['source_id']}' has no row in the source tables")
    role = _choice(cells, "arm_role", _ROLES, note)
    statistic = _choice(cells, "statistic", _STATISTICS, note)
    seen = _choice(cells, "seen", _SEEN, note) if cells["seen"] else source.seen if source else Seen.SECONDARY
    estimand = cells["estimand"] or "unspecified"
    if estimand not in ESTIMANDS:
        note("estimand", f"'{estimand}' is not one of {', '.join(sorted(ESTIMANDS))}")
    restrictions = context.restrictions.get(cells["restrictions"])  # the rows of a trial repeat them
    if restrictions is None:
        restrictions = tuple(_restriction(part, note) for part in _parts(cells["restrictions"]))
    trial, arm, locator = read.required("trial"), read.required("arm"), read.required("locator")
    for column, text in (("trial", trial), ("locator", locator)):
        if len(text) == 1:
            note(column, f"'{text}' is too short to be found again")

    n, events, sd = read.whole("n", 1), read.whole("events", 0), read.positive("sd")
    dose, weeks, printed_se = read.positive("dose"), read.positive("weeks"), read.positive("se")
    value = read.number("value") if read.required("value") else None
    if dose is not None and not cells["dose_unit"]:
        note("dose_unit", "is empty although there is a dose")
    if events is not None and n is not None and events > n:
        note("events", f"{events} is more than n = {n}")
    baseline_key = tuple(cells[column] for column in _BASELINE_CELLS)
    baseline = context.baselines.get(baseline_key)  # the rows of an arm repeat it
    if baseline is None:
        baseline = _baseline(read, note)
    if statistic is not None and statistic.is_contrast:
        if not cells["comparator_arm"]:
            note("comparator_arm", f"is empty; a {statistic.value} is against another arm")
        elif cells["comparator_arm"] == arm:
            note("comparator_arm", "is the arm itself")
    if endpoint is not None and statistic is not None and value is not None:
        _check_value(value, statistic, endpoint, note)
    ci, ci_level = _interval(read, value, note)
    if statistic in RATIOS:
        if printed_se is not None:
            note("se", "the SE of a ratio is ambiguous; give ci_low and ci_high")
        if ci is not None and ci[0] <= 0:
            note("ci_low", f"{ci[0]:g} must be greater than 0 for a ratio")
    if faulty or endpoint is None or drug is None or source is None or value is None:
        return None
    if role is None or statistic is None or seen is None:
        return None
    se, se_from = derive_se(
        statistic, endpoint.family, value=value, n=n, se=printed_se, sd=sd, ci=ci, ci_level=ci_level, events=events
    )
    context.baselines[baseline_key] = baseline
    context.restrictions[cells["restrictions"]] = restrictions
    # Every field was checked above, so pydantic's second check of a thousand rows would only cost time.
    return TrialArm.model_construct(
        row_id=f"{context.stem}:{row}", area=context.area, trial=trial, source_id=source.source_id,
        registry_id=cells["registry_id"], cohort=cells["cohort"] or "all", restrictions=restrictions,
        tags=_parts(cells["tags"]), arm=arm, arm_role=role, intervention=drug.name, drug_class=drug.drug_class,
        dose=dose, dose_unit=cells["dose_unit"], frequency=cells["frequency"], background=cells["background"],
        design=cells["design"], n=n, endpoint=endpoint.endpoint_id, statistic=statistic, weeks=weeks, value=value,
        se=se, se_from=se_from, sd=sd, events=events, comparator_arm=cells["comparator_arm"], baseline=baseline,
        estimand=estimand, locator=locator, seen=seen, published=source.published,
    )  # fmt: skip


def _choice(cells: Mapping[str, str], column: str, known: Mapping[str, T], note: Report) -> T | None:
    found = known.get(cells[column])
    if found is None:
        note(column, f"'{cells[column]}' is not one of {', '.join(known)}")
    return found


@lru_cache(maxsize=4096)
def _parts(text: str) -> tuple[str, ...]:
    """The entries of a `;`-separated cell."""
    return tuple(part for part in map(str.strip, text.split(";")) if part) if text else ()


def _restriction(text: str, note: Report) -> str:
    """A restriction without blanks, e.g. `age>=65`; numbers for quantities, `=` and a word for categories."""
    match = _RESTRICTION.fullmatch(text)
    if match is None:
        note("restrictions", f"'{text}' does not read as attribute, operator, value (age>=65)")
        return text
    attribute, operator, value = match.group(1), match.group(2), match.group(3).strip()
    if attribute in CATEGORICAL:
        if operator != "=" or _NUMBER.fullmatch(value):
            note("restrictions", f"'{text}': {attribute} takes '=' and a word")
    elif not _NUMBER.fullmatch(value):
        note("restrictions", f"'{text}': {attribute} takes a number")
    return f"{attribute}{operator}{value}"


def _baseline(read: _Cells, note: Report) -> Baseline:
    means: dict[str, Any] = {}
    for column in BASELINE_COLUMNS:
        if not read.cells[column]:
            continue
        mean = read.number(column)
        low, high = _BOUNDS[column]
        if mean is not None and not low <= mean <= high:
            note(column, f"{mean:g} is outside {low:g} to {high:g}")
        elif mean is not None:
            means[column] = mean
    if read.cells["baseline_value"]:
        mean = read.number("baseline_value")
        if mean is not None:
            means["endpoint"] = mean
    return Baseline.model_construct(**means) if means else _NO_BASELINE


_NO_BASELINE = Baseline()


def _interval(read: _Cells, value: float | None, note: Report) -> tuple[tuple[float, float] | None, float]:
    """The confidence limits, or None, and their level in %."""
    low, high = read.number("ci_low"), read.number("ci_high")
    level = read.number("ci_level")
    if level is not None and not 50 <= level < 100:
        note("ci_level", f"{level:g} is not a level in %, from 50 to less than 100")
        level = None
    if (low is None) != (high is None):
        if bool(read.cells["ci_low"]) != bool(read.cells["ci_high"]):
            note("ci_low" if low is None else "ci_high", "is empty although the other limit is given")
        return None, 95.0
    if low is None or high is None:
        return None, 95.0
    if not low < high:
        note("ci_low", f"{low:g} is not below ci_high = {high:g}")
        return None, 95.0
    if value is not None and not low <= value <= high:
        note("value", f"{value:g} is outside its confidence interval {low:g} to {high:g}")
    return (low, high), level or 95.0


def _check_value(value: float, statistic: Statistic, endpoint: Endpoint, note: Report) -> None:
    """The statistic must fit the endpoint's family and unit, the value its limits."""
    low, high = endpoint.limits
    if statistic not in FITTING[endpoint.family]:
        note("statistic", f"{statistic.value} does not fit {endpoint.endpoint_id}, a {endpoint.family.value} endpoint")
    elif statistic is Statistic.PERCENT_CHANGE and endpoint.unit != "%":
        note("statistic", f"percent_change does not fit {endpoint.endpoint_id}, whose unit is {endpoint.unit}")
    elif statistic is Statistic.MEAN_CHANGE and endpoint.unit == "%":
        note("statistic", f"the unit of {endpoint.endpoint_id} is %: write percent_change")
    elif statistic in RATIOS:
        if not 0 < value <= LARGEST_RATIO:
            note("value", f"{value:g} is not a ratio between 0 and {LARGEST_RATIO:g}")
    elif statistic is Statistic.MEAN_DIFFERENCE:
        if endpoint.family is not Family.TIME_TO_EVENT and abs(value) > high - low:
            note("value", f"{value:g} is a larger difference than the limits {low:g} to {high:g} allow")
    elif statistic is Statistic.PROPORTION and not 0 <= value <= 100:
        note("value", f"{value:g} is not a share between 0 and 100 %")
    elif statistic is Statistic.RATE and value < 0:
        note("value", f"{value:g} is a negative rate")
    elif endpoint.family is not Family.TIME_TO_EVENT and not low <= value <= high:
        note("value", f"{value:g} {endpoint.unit} is outside the limits {low:g} to {high:g} of {endpoint.endpoint_id}")
