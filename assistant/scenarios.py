"""The same question over doses, horizons and sub-cohorts side by side, and what each input does to the answer (tornado)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from assistant import language
from assistant.calls import SIMULATE
from assistant.schemas import Answer
from knowledge.errors import CohortTwinError, InvalidInput
from knowledge.schemas import Frozen
from personas.cohort import Cohort
from personas.library import PersonaLibrary
from personas.schemas import CohortSpec
from personas.units import attribute_label
from tools.context import ToolContext
from tools.registry import Registry
from tools.schemas import Chart, Estimate, Kind, Point, Series, ToolResult

SIDES = (".difference", ".ratio", ".mean")
THIRDS = (100.0 / 3.0, 200.0 / 3.0)
MOST_INPUTS = 10
LONGEST_WEEKS = 520.0


class Swing(Frozen):
    """An input, and the predicted outcome at its two ends."""

    input: str
    low_words: str
    low: float
    high_words: str
    high: float

    @property
    def width(self) -> float:
        """How far the outcome moves, in its unit."""
        return abs(self.high - self.low)


class Tornado(Frozen):
    """What each input does to one predicted outcome. `left_out`: inputs that could not be moved, and why."""

    base: Estimate
    swings: tuple[Swing, ...]
    chart: Chart
    left_out: tuple[str, ...] = ()


class SideBySide(Frozen):
    """Answers beside each other: a chart an outcome, and rows of outcome, then one cell an answer."""

    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    charts: tuple[Chart, ...]


def side_by_side(answers: Mapping[str, Answer]) -> SideBySide:
    """The predicted outcomes of several answers. An outcome that one of them lacks has an empty cell there."""
    found: dict[str, dict[str, Estimate]] = {}
    for name, answer in answers.items():
        for estimate in answer.estimates:
            if estimate.endpoint and estimate.kind is Kind.PREDICTIVE and estimate.id.endswith(SIDES):
                found.setdefault(estimate.id, {})[name] = estimate
    rows, charts = [], []
    for by_name in found.values():
        first = next(iter(by_name.values()))
        label = f"{language.sentence_case(first.quantity)} ({language.unit(first)})"
        cells = [_cell(by_name[name]) if name in by_name else "" for name in answers]
        rows.append((label, *cells))
        if first.id.endswith(SIDES[:2]):
            points = tuple(Point(x=name, y=e.point, lower=e.lower, upper=e.upper) for name, e in by_name.items())
            charts.append(
                Chart(
                    kind="forest",
                    title=f"{language.sentence_case(first.quantity)}, side by side",
                    x_label=f"{first.quantity} ({language.unit(first)}), 90 % intervals",
                    y_label="",
                    series=(Series(name="predicted", points=points),),
                )
            )
    return SideBySide(names=tuple(answers), rows=tuple(rows), charts=tuple(charts))


def _cell(estimate: Estimate) -> str:
    places = language.decimals(estimate)
    between = language.interval(estimate).removesuffix(f" {language.unit(estimate)}")
    return f"{language.number(estimate.point, places)}" + (f" ({between})" if between else "")


def outcomes_of(answer: Answer) -> dict[str, str]:
    """Endpoint id -> label of what a tornado can be made of: the answer's predicted differences and ratios."""
    return {
        estimate.endpoint: language.sentence_case(estimate.quantity)
        for estimate in answer.estimates
        if estimate.endpoint and estimate.kind is Kind.PREDICTIVE and estimate.id.endswith(SIDES[:2])
    }


def tornado(answer: Answer, endpoint: str, registry: Registry, context: ToolContext) -> Iterator[str | Tornado]:
    """Move one input of an answered question at a time; yields what is being moved, and at last the `Tornado`.

    Cohort attributes are moved to their lower and upper third (sex: to either), the dose and the horizon to half and
    double. Each end is a prediction of its own by the tool that answered the question.

    Raises
    ------
    InvalidInput
        The answer holds no prediction of this outcome by `simulate_treatment_response`.
    """
    step = next((step for step in answer.steps if step.tool == SIMULATE and step.ok), None)
    if step is None or endpoint not in outcomes_of(answer):
        raise InvalidInput(
            "Nothing in this answer can be taken apart by its inputs.",
            "Ask how a cohort would react to one treatment, then come back.",
        )
    arguments = {**step.arguments, "endpoints": [endpoint]}
    declared = registry[SIMULATE]

    def predict(changed: Mapping[str, Any]) -> Estimate:
        result: ToolResult = declared(declared.parse({**arguments, **changed}), context)
        return next(e for e in result.estimates if e.endpoint == endpoint and e.id.endswith(SIDES[:2]))

    base = predict({})
    cohort = CohortSpec.model_validate(arguments["cohort"])
    swings, left_out = [], []
    for name, ends in _moves(arguments, cohort, context.personas):
        yield name
        try:
            low, high = (predict(changed).point for _words, changed in ends)
        except CohortTwinError as error:
            left_out.append(f"{name}: {error.message}")
            continue
        swings.append(Swing(input=name, low_words=ends[0][0], low=low, high_words=ends[1][0], high=high))
    ranked = tuple(sorted(swings, key=lambda swing: -swing.width)[:MOST_INPUTS])
    yield Tornado(base=base, swings=ranked, chart=_chart(base, ranked), left_out=tuple(left_out))


_Ends = tuple[tuple[str, dict[str, Any]], tuple[str, dict[str, Any]]]


def _moves(arguments: Mapping[str, Any], cohort: CohortSpec, personas: PersonaLibrary) -> Iterator[tuple[str, _Ends]]:
    """Each input with its two ends: words, and the arguments that change."""
    weeks = arguments.get("horizon_weeks")
    if weeks:
        ends = [min(float(weeks) * factor, LONGEST_WEEKS) for factor in (0.5, 2.0)]
        yield "Horizon", _two([(language.weeks(end), {"horizon_weeks": end}) for end in ends])
    treatment = arguments.get("treatment", {})
    dose = treatment.get("dose")
    if dose and not arguments.get("titration"):
        doses = [float(dose) * factor for factor in (0.5, 2.0)]
        unit = treatment.get("dose_unit") or ""
        yield "Dose", _two([(f"{end:g} {unit}", {"treatment": {**treatment, "dose": end}}) for end in doses])
    patients = Cohort.build(cohort, personas).patients
    for name, column in patients.columns.items():
        label = (
            language.sentence_case(attribute_label(name))
            if not attribute_label(name)[1:2].isupper()
            else attribute_label(name)
        )
        if name == "sex":
            yield label, _two([(level, _narrowed(arguments, f"sex={level}")) for level in ("female", "male")])
        elif column.dtype == np.float64 and name in patients.units:
            low, high = (float(f"{cut:.3g}") for cut in np.percentile(column, THIRDS))
            unit = patients.units[name]
            if low < high:
                yield label, _two([
                    (f"{low:g} {unit} or less", _narrowed(arguments, f"{name}<={low:g}")),
                    (f"{high:g} {unit} or more", _narrowed(arguments, f"{name}>={high:g}")),
                ])  # fmt: skip


def _two(ends: Sequence[tuple[str, dict[str, Any]]]) -> _Ends:
    return ends[0], ends[1]


def _narrowed(arguments: Mapping[str, Any], restriction: str) -> dict[str, Any]:
    cohort = dict(arguments["cohort"])
    return {"cohort": {**cohort, "restrictions": [*cohort.get("restrictions", []), restriction]}}


def _chart(base: Estimate, swings: Sequence[Swing]) -> Chart:
    points = tuple(
        Point(
            x=f"{swing.input}: {swing.low_words} ↔ {swing.high_words}",
            y=base.point,
            lower=min(swing.low, swing.high),
            upper=max(swing.low, swing.high),
        )
        for swing in swings
    )
    return Chart(
        kind="tornado",
        title=f"{language.sentence_case(base.quantity)}: what each input does to it",
        x_label=f"{base.quantity} ({language.unit(base)})",
        y_label="",
        series=(Series(name="outcome between the two ends of the input", points=points),),
    )
