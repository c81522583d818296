"""`focus_group`: which of several options people of a cohort choose, by published stated preferences."""

from __future__ import annotations

import numpy as np

from knowledge.errors import InvalidInput
from personas.cohort import Cohort
from tools.context import ToolContext
from tools.registry import tool
from tools.schemas import Chart, Estimate, Kind, Level, Point, Series, Validation
from tools.voice import choosing, people, wording
from tools.voice.choosing import Chosen
from tools.voice.options import describe_profile, design_row, read_tasks
from tools.voice.schemas import (
    ExperimentShares,
    FocusGroupInput,
    FocusGroupResult,
    Share,
    SimulatedLine,
    SimulatedPerson,
)

SIMULATED = "Every line of a participant is simulated: nobody said it."


@tool("focus_group", input=FocusGroupInput, result=FocusGroupResult, validation=Validation.SCENARIO)
def focus_group(request: FocusGroupInput, context: ToolContext) -> FocusGroupResult:
    """Put options to simulated participants of a cohort: what share would choose each, and what some of them would say.

    Choices come only from published stated preferences (direct questions, discrete-choice experiments; multinomial or
    latent-class logit), each share (%) with a 90 % interval from the standard errors of the published weights. When
    several experiments tell of the options, each is given. Options differ only in what their words say; all else is
    equal, and everybody chooses one. Quoted lines are simulated; never let one choose otherwise than given here.
    Refused where nothing was published: says which weights there are.
    """
    if len({option.casefold() for option in request.options}) < len(request.options):
        raise InvalidInput("Two of the options are the same.", "Give each option once.")
    cohort = Cohort.build(request.cohort, context.personas, n=choosing.PATIENTS, seed=context.seed)
    covered = choosing.covered_experiments(cohort, context)
    tasks = read_tasks(request.options, covered, people.filler())
    found = [choosing.choose(task, cohort, context.seed) for task in tasks]
    first = found[0]
    picked = choosing.participants_choose(first, request.people, context.seed)
    limits = choosing.count_limits(first, request.people, context.seed)
    told = people.statements(cohort, " ".join((request.question, *request.options)))
    sources = dict.fromkeys(one.task.experiment.source_id for one in found)
    counts = tuple(int((picked == index).sum()) for index in range(len(request.options)))
    lower, upper = (tuple(int(count) for count in row) for row in limits)
    shares = tuple(_shares(one, request) for one in found)
    participants = tuple(
        _participant(first, cohort, row, int(picked[row]), request)
        for row in range(min(request.quotes, request.people))
    )
    who = _who(first, cohort, request)
    said = [wording.participant_line(person) for person in participants]
    counted = wording.counts_sentence(request.people, request.options, counts, lower, upper)
    return FocusGroupResult(
        title=f"{cohort.label}: {' or '.join(request.options)}",
        estimates=tuple(estimate for one in found for estimate in _estimates(one, request, cohort.label)),
        charts=(_chart(found, request),),
        assumptions=_assumptions(found, request),
        warnings=_warnings(found),
        source_ids=tuple(sources),
        options=request.options,
        people=request.people,
        counts=counts,
        counts_lower=lower,
        counts_upper=upper,
        by_experiment=shares,
        who_chooses=who,
        participants=participants,
        preferences=tuple(told),
        not_weighed=first.task.left,
        summary="\n".join([wording.spread_sentence(shares), counted, *who, *said]),
    )


def _estimates(chosen: Chosen, request: FocusGroupInput, population: str) -> list[Estimate]:
    experiment = chosen.task.experiment
    return [
        Estimate(
            id=f"choice.{experiment.id}.{index}",
            quantity=f"people who choose {option} ({experiment.name})",
            arm=option,
            unit="%",
            population=population,
            point=_percent(chosen.shares[index]),
            lower=_percent(chosen.lower[index]),
            upper=_percent(chosen.upper[index]),
            level=choosing.LEVEL,
            kind=Kind.SCENARIO,
            of=Level.SHARE,
            validation=Validation.SCENARIO,
            source_ids=(experiment.source_id,),
            note=f"stated preference of {experiment.population}",
        )
        for index, option in enumerate(request.options)
    ]


def _shares(chosen: Chosen, request: FocusGroupInput) -> ExperimentShares:
    experiment = chosen.task.experiment
    values = zip(request.options, chosen.shares, chosen.lower, chosen.upper, strict=True)
    return ExperimentShares(
        experiment=experiment.id,
        name=experiment.name,
        source_id=experiment.source_id,
        locator=experiment.locator,
        population=experiment.population,
        read_as=tuple(describe_profile(experiment, profile) for profile in chosen.task.profiles),
        shares=tuple(
            Share(option=option, point=_percent(point), lower=_percent(lower), upper=_percent(upper))
            for option, point, lower, upper in values
        ),
    )


def _participant(chosen: Chosen, cohort: Cohort, row: int, choice: int, request: FocusGroupInput) -> SimulatedPerson:
    """The choice of the model, what decided it by the same weights, and something of the person's own."""
    option = request.options[choice]
    said = f"I would choose {option}."
    reason = _reason(chosen, row, choice)
    lines = [SimulatedLine(said=f"{said} {reason}".strip(), rests_on="preference model")]
    own = people.about_me(cohort, row, with_figure=False)
    if own:
        lines.append(SimulatedLine(asked="about myself", said=own, rests_on="own attribute"))
    return SimulatedPerson(name=people.letter(row), who=people.who(cohort, row), choice=option, lines=tuple(lines))


def _reason(chosen: Chosen, row: int, choice: int) -> str:
    """By which attribute the option gains most over the best other; of one against the weights, that it is that."""
    experiment = chosen.task.experiment
    member = int(chosen.belonging[row].argmax())
    utilities = chosen.utilities[member]
    others = [index for index in range(len(utilities)) if index != choice]
    rival = max(others, key=lambda index: float(utilities[index]))
    if utilities[choice] < utilities[rival]:
        return "I know that most people like me weigh it the other way."
    weights = np.array([weight.log_odds()[0] for weight in experiment.all_classes[member]])
    rows = [design_row(experiment, chosen.task.profiles[index]) for index in (choice, rival)]
    gains: dict[str, float] = {}
    for weight, gain in zip(experiment.all_classes[member], weights * (np.array(rows[0]) - rows[1]), strict=True):
        gains[weight.attribute] = gains.get(weight.attribute, 0.0) + float(gain)
    best = max(gains, key=lambda name: gains[name])
    return f"What decides it for me is {experiment.attributes[best].label}."


def _who(chosen: Chosen, cohort: Cohort, request: FocusGroupInput) -> tuple[str, ...]:
    """Shares in subgroups where the experiment tells them apart, or the plain statement that it does not."""
    experiment = chosen.task.experiment
    lines = []
    for item in experiment.membership:
        has = people.value_counts(cohort, item.attribute, item.value)
        if has is None or not has.any() or has.all():
            continue
        inside, outside = choosing.share_within(chosen, has), choosing.share_within(chosen, ~has)
        option = int(np.abs(inside - outside).argmax())
        sure = "" if item.distinct else "; the published difference may be chance"
        lines.append(
            f"Of {item.label}, {_percent(inside[option]):.0f} % choose {request.options[option]}, "
            f"against {_percent(outside[option]):.0f} % of the others{sure}."
        )
    return tuple(lines) or (
        "The published weights were not given by age, sex or illness, so the model gives every subgroup the same chances; "
        "who of the participants chose what is chance.",
    )


def _assumptions(found: list[Chosen], request: FocusGroupInput) -> tuple[str, ...]:
    first = found[0].task.experiment
    notes = [
        SIMULATED,
        f"The cohort is taken to choose as the people asked did: {first.population}.",
        "The options are alike in all that their words do not say, and everybody chooses one of them.",
        "The interval covers the sampling error of the published weights, not the step to other people or to real life.",
    ]
    notes += [
        f"{experiment.name}: {limit}"
        for experiment in (one.task.experiment for one in found)
        for limit in experiment.limits
    ]
    if found[0].task.loose:
        read = "; ".join(
            f"“{option}” as {describe_profile(first, profile)}"
            for option, profile in zip(request.options, found[0].task.profiles, strict=True)
        )
        notes.append(f"Read in the experiment's terms: {read}.")
    return tuple(notes)


def _warnings(found: list[Chosen]) -> tuple[str, ...]:
    notes = ["What people state in a survey is not what they do once a drug is prescribed and paid for."]
    left = found[0].task.left
    if left:
        notes.append(f"Not weighed, because no published weight fits: {', '.join(left)}.")
    points = np.array([one.shares for one in found])
    if len(found) > 1 and float(np.ptp(points, axis=0).max()) > 2 * max(
        float((o.upper - o.lower).max()) for o in found
    ):
        notes.append("The experiments disagree by more than their intervals: how the question is put decides much.")
    return tuple(notes)


def _chart(found: list[Chosen], request: FocusGroupInput) -> Chart:
    return Chart(
        kind="bars",
        title="What they choose",
        x_label="option",
        y_label="% of people",
        series=tuple(
            Series(
                name=one.task.experiment.name,
                points=tuple(
                    Point(x=option, y=_percent(point), lower=_percent(lower), upper=_percent(upper))
                    for option, point, lower, upper in zip(
                        request.options, one.shares, one.lower, one.upper, strict=True
                    )
                ),
            )
            for one in found
        ),
    )


def _percent(share: float) -> float:
    return round(100.0 * float(share), 1)
