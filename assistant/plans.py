"""From an understood question to a plan (PICO) and the tool calls that follow it, or to what must be said instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rapidfuzz import process

from assistant import language
from assistant.schemas import Plan, Status
from assistant.understanding import DEFAULT_HORIZON_WEEKS, Intent, Treatment, Understanding
from knowledge.base import KnowledgeBase
from personas.library import PersonaLibrary
from personas.schemas import CohortSpec

CONTROLS = ("placebo", "usual care", "no treatment")
EXAMPLE = "How would adults over 65 with type 2 diabetes and chronic kidney disease react to semaglutide 1 mg weekly over 30 weeks?"


@dataclass(frozen=True)
class Call:
    """A tool call to make."""

    tool: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Draft:
    """A plan with its calls; or, in `reply`, the text that ends the matter."""

    plan: Plan
    understood: Understanding
    calls: tuple[Call, ...] = ()
    reply: str = ""
    status: Status = Status.ANSWERED


def draft_plan(asked: Understanding, knowledge: KnowledgeBase, personas: PersonaLibrary) -> Draft:
    """Decide what to do about a question. Order: what must not be answered, what is missing, then the plan."""
    if asked.intent is Intent.INDIVIDUAL_ADVICE:
        return _redirect(asked)
    if asked.unknown_drugs and not _active(asked):
        return _unknown_drug(asked, knowledge)
    if asked.intent is Intent.LITERATURE:
        return _search(asked)
    if asked.cohort_fault is not None:
        return _cohort_not_covered(asked)
    if asked.intent is Intent.UNCLEAR:
        return _ask_back(asked)
    if asked.cohort is None:
        return _which_cohort(asked, personas)
    if asked.intent is Intent.DESCRIBE:
        return _describe(asked, asked.cohort)
    return _respond(asked, asked.cohort, knowledge)


def _active(asked: Understanding) -> list[Treatment]:
    return [treatment for treatment in asked.treatments if treatment.name not in CONTROLS]


def _redirect(asked: Understanding) -> Draft:
    about = _active(asked)
    subject = f" on {about[0].name}" if about else ""
    reply = (
        "## Not something to decide here\n\n"
        "Cohort Twin does not advise individuals: what suits one person depends on things only they and their clinician "
        f"know. It can say what is published about a group of people{subject}.\n\n"
        "### What could be asked instead\n\n"
        f"For example: “{_example(about)}”"
    )
    return Draft(Plan(population=""), asked, reply=reply, status=Status.REDIRECTED)


def _example(about: list[Treatment]) -> str:
    if not about:
        return EXAMPLE
    return f"How would adults with type 2 diabetes react to {about[0].label} over 26 weeks?"


def _unknown_drug(asked: Understanding, knowledge: KnowledgeBase) -> Draft:
    name = asked.unknown_drugs[0]
    known = sorted(knowledge.vocabulary.drugs)
    near = [match[0] for match in process.extract(name.casefold(), known, limit=3, score_cutoff=55)]
    nearest = f" The nearest names it knows are {language.joined(near, 'or')}." if near else ""
    reply = (
        f"## Nothing is known here about {name}\n\n"
        f"No trial of “{name}” is in the evidence base, and the name is in no vocabulary entry, so no effect can be "
        f"predicted and none is guessed.{nearest}\n\n"
        "### What could be asked instead\n\n"
        "Ask about a drug that is known, or check the spelling. The drugs are listed by `cohort index --drugs`. "
        f"To answer for {name}, its published trial arms would have to be added to the evidence base."
    )
    return Draft(Plan(population="", interventions=(name,)), asked, reply=reply, status=Status.NOT_COVERED)


def _cohort_not_covered(asked: Understanding) -> Draft:
    fault = asked.cohort_fault
    assert fault is not None
    reply = (
        f"## No archetype covers this cohort\n\n{fault.message} {fault.hint}\n\n"
        "### What could be asked instead\n\nThe cohorts are listed by `cohort personas tree`. "
        f"For example: “{EXAMPLE}”"
    )
    return Draft(Plan(population=""), asked, reply=reply, status=Status.NOT_COVERED)


def _ask_back(asked: Understanding) -> Draft:
    reply = (
        "## Which cohort, and what happens to it?\n\n"
        "The question names neither a group of patients nor a treatment that is known here.\n\n"
        f"### What to include\n\nWho (disease, age, kidney function …), which treatment and dose, and over how long. "
        f"For example: “{EXAMPLE}”"
    )
    return Draft(Plan(population=""), asked, reply=reply, status=Status.NEEDS_INPUT)


def _which_cohort(asked: Understanding, personas: PersonaLibrary) -> Draft:
    names = [personas.get(persona_id).name for persona_id in personas.ids()][:6]
    treatment = language.joined([treatment.label for treatment in _active(asked)])
    reply = (
        f"## Which cohort would take {treatment}?\n\n"
        f"The answer differs between cohorts. Say who, for example: {language.joined([_lower(n) for n in names], 'or')}.\n\n"
        f"### For example\n\n“How would adults with type 2 diabetes react to {treatment} over 26 weeks?”"
    )
    plan = Plan(population="", interventions=tuple(t.label for t in _active(asked)))
    return Draft(plan, asked, reply=reply, status=Status.NEEDS_INPUT)


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]


def _cohort_arguments(cohort: CohortSpec) -> dict[str, Any]:
    return {
        "persona_id": cohort.persona_id,
        "restrictions": [str(restriction) for restriction in cohort.restrictions],
        "label": cohort.label,
        "understood": cohort.understood,
        "not_understood": list(cohort.not_understood),
    }


def _search(asked: Understanding) -> Draft:
    drugs = [treatment.name for treatment in _active(asked)]
    query = " ".join([*drugs, *(endpoint.replace("_", " ") for endpoint in asked.endpoints)])
    if asked.cohort is not None:
        query = f"{query} {asked.cohort.label or asked.cohort.persona_id}".strip()
    if not query:
        return _ask_back(asked)
    plan = Plan(
        population=asked.cohort.label if asked.cohort else "",
        interventions=tuple(drugs),
        steps=("search the literature",),
    )
    return Draft(plan, asked, calls=(Call("search_literature", {"query": query, "drugs": drugs, "k": 6}),))


def _describe(asked: Understanding, cohort: CohortSpec) -> Draft:
    plan = Plan(
        population=cohort.label or cohort.understood, persona_id=cohort.persona_id, steps=("describe the cohort",)
    )
    return Draft(plan, asked, calls=(Call("describe_cohort", {"cohort": _cohort_arguments(cohort)}),))


def _respond(asked: Understanding, cohort: CohortSpec, knowledge: KnowledgeBase) -> Draft:
    active = _active(asked)
    weeks = asked.horizon_weeks or DEFAULT_HORIZON_WEEKS
    notes = list(asked.corrected)
    if asked.horizon_weeks is None:
        notes.append(f"no horizon was given: {language.weeks(weeks)} assumed")
    notes += [f"'{name}' is not known and was left out" for name in asked.unknown_drugs]
    for treatment in active:
        notes += _schedule_notes(treatment, knowledge)
    who = _cohort_arguments(cohort)
    calls = [Call("describe_cohort", {"cohort": who})]
    endpoints = list(dict.fromkeys(asked.endpoints))
    if asked.intent is Intent.COMPARE:
        arguments: dict[str, Any] = {
            "cohort": who,
            "treatments": [_treatment_arguments(treatment) for treatment in active[:5]],
            "horizon_weeks": weeks,
        }
        calls.append(Call("compare_treatments", arguments | ({"endpoints": endpoints} if endpoints else {})))
        comparator = "each other"
    else:
        arguments = {"cohort": who, "treatment": _treatment_arguments(active[0]), "horizon_weeks": weeks}
        calls.append(Call("simulate_treatment_response", arguments | ({"endpoints": endpoints} if endpoints else {})))
        comparator = "placebo"
    named = active if asked.intent is Intent.COMPARE else active[:1]
    drugs = list(dict.fromkeys(treatment.name for treatment in named))
    notes += [
        f"{other.label} was named too: ask about it separately, or as “{active[0].name} versus {other.name}”"
        for other in active[len(named) :]
    ]
    calls.append(
        Call("search_literature", {"query": f"{' '.join(drugs)} adherence persistence preference cost side effects "
                                            f"{cohort.label or cohort.persona_id}", "areas": ["behaviour"], "k": 4})
    )  # fmt: skip
    plan = Plan(
        population=cohort.label or cohort.understood,
        persona_id=cohort.persona_id,
        interventions=tuple(treatment.label for treatment in named),
        comparator=comparator,
        outcomes=tuple(knowledge.vocabulary.endpoint(endpoint).label for endpoint in endpoints),
        horizon_weeks=weeks,
        estimand="as the trials reported: mostly treatment policy, cohort mean",
        steps=("describe the cohort", "predict from published trials", "read about adherence and preferences"),
        notes=tuple(notes),
    )
    return Draft(plan, asked, calls=tuple(calls))


def _treatment_arguments(treatment: Treatment) -> dict[str, Any]:
    arguments: dict[str, Any] = {"intervention": treatment.name}
    if treatment.dose is not None:
        arguments |= {"dose": treatment.dose, "dose_unit": treatment.dose_unit}
    return arguments


def _schedule_notes(treatment: Treatment, knowledge: KnowledgeBase) -> list[str]:
    """A schedule that differs from the one studied is said, not silently replaced."""
    studied = knowledge.vocabulary.drug(treatment.name).frequency
    if treatment.frequency and studied and treatment.frequency != studied:
        return [f"{treatment.name} was studied {studied}, not {treatment.frequency}; the prediction is for {studied}"]
    return []
