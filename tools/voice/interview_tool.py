"""`interview`: talk to simulated people of a cohort."""

from __future__ import annotations

from knowledge.errors import InvalidInput
from personas.cohort import Cohort
from tools.cohort.tool import Statement
from tools.context import ToolContext
from tools.registry import tool
from tools.schemas import Validation
from tools.voice import choosing, people, wording
from tools.voice.choosing import Chosen
from tools.voice.focus_group_tool import SIMULATED
from tools.voice.options import read_tasks
from tools.voice.schemas import InterviewInput, InterviewResult, SimulatedLine, SimulatedPerson


@tool("interview", input=InterviewInput, result=InterviewResult, validation=Validation.SCENARIO)
def interview(request: InterviewInput, context: ToolContext) -> InterviewResult:
    """Let virtual patients drawn from a cohort speak about a topic: who they are, what they do, what weighs with them.

    Each line says what it rests on: the virtual patient's own attributes (drawn from the archetype), a published
    statement about such people (with its source), or a published preference model, from which alone a choice may come.
    Every line is simulated: nobody said it. What nothing is known about is said to be unknown.
    """
    cohort = Cohort.build(request.cohort, context.personas, n=choosing.PATIENTS, seed=context.seed)
    told = people.statements(cohort, request.about)
    chosen = _task(request, cohort, context)
    picked = choosing.participants_choose(chosen, request.people, context.seed) if chosen is not None else None
    participants = []
    for row in range(request.people):
        choice = "" if picked is None else request.options[int(picked[row])]
        participants.append(_person(cohort, row, request, told, choice))
    spoken = [line for one in participants for line in (f"{wording.person_heading(one)}.", *wording.person_lines(one))]
    sources = [chosen.task.experiment.source_id] if chosen is not None else []
    sources += [one.source_id for one in told]
    return InterviewResult(
        title=f"{cohort.label}: an interview{f' about {request.about}' if request.about else ''}",
        estimates=tuple(e for row in range(request.people) for e in people.numbers_of(cohort, row)),
        assumptions=(SIMULATED, "The people are drawn from the archetype's distributions; the first drawn were asked."),
        warnings=(
            f"{request.people} simulated people show what such people may say; they are no sample to count from.",
            "A published statement is about the people who were studied, not about the simulated person who repeats it.",
        ),
        source_ids=tuple(dict.fromkeys(sources)),
        about=request.about,
        participants=tuple(participants),
        preferences=tuple(told),
        choice_note=_choice_note(chosen),
        summary="\n".join([f"{wording.people_sentence(len(participants))}.", *spoken]),
    )


def _task(request: InterviewInput, cohort: Cohort, context: ToolContext) -> Chosen | None:
    """The choice that is put to them, by the first experiment that weighs it (NoEvidence); None without options."""
    if not request.options:
        return None
    if len(request.options) == 1:
        raise InvalidInput("One option is no choice.", "Give two or more options, or none.")
    covered = choosing.covered_experiments(cohort, context)
    return choosing.choose(read_tasks(request.options, covered, people.filler())[0], cohort, context.seed)


def _person(cohort: Cohort, row: int, request: InterviewInput, told: list[Statement], choice: str) -> SimulatedPerson:
    lines = []
    own = people.about_me(cohort, row)
    if own:
        lines.append(SimulatedLine(asked="Tell me about yourself.", said=own, rests_on="own attribute"))
    lines += people.answers(cohort, row, request.about)
    if told:
        statement = told[row % len(told)]
        lines.append(
            SimulatedLine(
                asked="What weighs with people like you?",
                said=statement.statement,
                rests_on="published statement",
                source_id=statement.source_id,
            )
        )
    if choice:
        asked = f"Which would you choose: {' or '.join(request.options)}?"
        lines.append(SimulatedLine(asked=asked, said=f"I would choose {choice}.", rests_on="preference model"))
    if not lines:
        lines.append(SimulatedLine(said="Nothing is known that I could say.", rests_on="nothing known"))
    return SimulatedPerson(name=people.letter(row), who=people.who(cohort, row), choice=choice, lines=tuple(lines))


def _choice_note(chosen: Chosen | None) -> str:
    if chosen is None:
        return "They were put no choice; which options people choose is a question for a focus group."
    return f"Their choice is drawn from stated preferences of {chosen.task.experiment.population}."
