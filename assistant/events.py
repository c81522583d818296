"""Prose about times to event and rates: the ratio first, then, apart from it, risks or rates and numbers needed to treat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assistant import language
from knowledge.schemas import Direction, Endpoint, Family
from tools.schemas import Estimate, ToolResult

EVENTS = frozenset({Family.TIME_TO_EVENT, Family.RATE})
# Points from here on are written without decimals.
_WHOLE = 10.0


def headline(endpoint: Endpoint, estimates: Mapping[str, Estimate], against: str) -> str:
    """'Cardiovascular death …: hazard ratio 0.78 against placebo (90 % of such trials would report 0.63 to 0.98); within …'."""
    name = endpoint.endpoint_id
    ratio = estimates[f"{name}.ratio"]
    text = f"{endpoint.label}: {ratio.unit} {_two(ratio.point)} against {against}{_spread(ratio)}"
    mean, control = estimates.get(f"{name}.mean"), estimates.get(f"{name}.control")
    if mean is None or control is None:
        return f"{text}."
    smaller = min(abs(mean.point), abs(control.point))
    there, here = (_amount(side.point, smaller) for side in (mean, control))
    if endpoint.family is Family.RATE:
        return f"{text}; about {there} per 100 person-years, against {here} on {against}."
    return f"{text}; within {_weeks(mean)} about {there} in 100 people have such an event, against {here} on {against}."


def section(result: ToolResult, endpoints: Sequence[Endpoint], against: str) -> str:
    """Two tables: ratios; then risks or rates with their difference, and under them the numbers needed to treat."""
    estimates = {estimate.id: estimate for estimate in result.estimates}
    ratios, levels, needed = [], [], []
    for endpoint in endpoints:
        name, label = endpoint.endpoint_id, language.sentence_case(endpoint.label)
        ratio = estimates.get(f"{name}.ratio")
        if ratio is None:
            continue
        trials = "" if ratio.n_trials is None else f", {ratio.n_trials} trial" + ("" if ratio.n_trials == 1 else "s")
        ratios.append(f"| {label}, {ratio.unit} | {with_interval(ratio)}{trials} |")
        mean = estimates.get(f"{name}.mean")
        if mean is None:
            continue
        cells = " | ".join(with_interval(estimates.get(f"{name}.{side}")) for side in ("mean", "control", "difference"))
        when = f"within {_weeks(mean)} (%)" if mean.unit == "%" else mean.unit
        levels.append(f"| {label}, {when} | {cells} |")
        number = estimates.get(f"{name}.number_needed")
        if number is not None:
            needed.append(f"- {_needed(number, endpoint)}")
    text = f"| Events | {language.sentence_case(result_arm(result))} versus {against} |\n|---|---|\n" + "\n".join(
        ratios
    )
    text += "\n\nA ratio below one means fewer events, or later ones. In brackets: where 90 % of new trials in such a cohort would fall."
    if levels:
        head = f"| How many | Treatment | {language.sentence_case(against)} | Difference |\n|---|---|---|---|\n"
        text += f"\n\n{head}" + "\n".join(levels)
        text += "\n\n" + "\n".join(
            [
                *needed,
                "- How often events happen differs more between populations than ratios do, so read the ratio first.",
            ]
        )
    return text


def result_arm(result: ToolResult) -> str:
    """The treatment of a result, without its dose where that stands in the heading already."""
    return str(getattr(result, "treatment", "") or "treatment")


def side_by_side(result: ToolResult, endpoint: Endpoint) -> str:
    """'With sacubitril/valsartan rather than with enalapril, cardiovascular death … has a hazard ratio of 0.86 (…).'"""
    ratio = next((e for e in result.estimates if e.id.startswith(f"{endpoint.endpoint_id}.ratio.")), None)
    if ratio is None:
        return ""
    first, _, second = ratio.arm.partition(" versus ")
    text = f"With {first} rather than with {second}, {endpoint.label} has a {ratio.unit} of {_two(ratio.point)}"
    return f"{text}{_spread(ratio)}."


def compared_row(estimate: Estimate, endpoint: Endpoint) -> str:
    """A row of the table of several treatments; empty for numbers needed to treat, which have no arm to stand in."""
    if ".number_needed" in estimate.id:
        return ""
    when = f", within {_weeks(estimate)}" if estimate.unit in ("%", "%-points") else ""
    label = f"{language.sentence_case(endpoint.label)}{when} ({language.unit(estimate)})"
    return f"| {label} | {estimate.arm} | {with_interval(estimate)} |"


def _spread(ratio: Estimate) -> str:
    """' (90 % of such trials would report 0.63 to 0.98)', with a word where 1 is among them."""
    if ratio.lower is None or ratio.upper is None:
        return ""
    open_end = ": one without any difference would be no surprise" if ratio.lower < 1.0 < ratio.upper else ""
    return f" ({language.percent(ratio.level)} of such trials would report {_two(ratio.lower)} to {_two(ratio.upper)}{open_end})"


def with_interval(estimate: Estimate | None) -> str:
    """'0.78 (0.63 to 0.98)', '7.4 (3.2 to 15.0)' with as many digits at the ends as in the middle, or 'not known'."""
    if estimate is None:
        return "not known"
    written = [
        _two(value) if estimate.unit.endswith("ratio") else _amount(value, estimate.point)
        for value in (estimate.point, estimate.lower, estimate.upper)
        if value is not None
    ]
    return written[0] if len(written) < 3 else f"{written[0]} ({written[1]} to {written[2]})"


def _needed(number: Estimate, endpoint: Endpoint) -> str:
    """'For one fewer with … within 104 weeks, about 17 people would be treated (9 to 557).'"""
    wanted, unwanted = ("more", "fewer") if endpoint.direction is Direction.HIGHER_IS_BETTER else ("fewer", "more")
    if number.lower is None or number.upper is None:
        return (
            f"How many people would be treated for one {wanted} with {endpoint.label} within {_weeks(number)} is open: "
            f"{number.note.partition(':')[0]}."
        )
    return (
        f"For one {wanted if 'helped' in number.quantity else unwanted} with {endpoint.label} within {_weeks(number)}, "
        f"about {_people(number.point)} people would be treated ({_people(number.lower)} to {_people(number.upper)})."
    )


def _people(value: float) -> str:
    return language.number(value, 0)


def _weeks(estimate: Estimate) -> str:
    return language.weeks(round(estimate.horizon_weeks or 0.0, 1))


def _two(value: float) -> str:
    return language.number(value, 2)


def _amount(value: float, point: float) -> str:
    """Whole numbers, with one decimal where the point is below ten: '7.4', '21', '0.3'."""
    return language.number(value, 1 if abs(point) < _WHOLE else 0)
