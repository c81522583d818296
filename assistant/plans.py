"""From an understood question to a plan (PICO) and the tool calls that follow it, or to what must be said instead."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from rapidfuzz import process

from assistant import language
from assistant.reading import Treatment
from assistant.schemas import Plan, Status
from assistant.understanding import DEFAULT_HORIZON_WEEKS, Intent, Understanding
from knowledge.base import KnowledgeBase
from personas.library import PersonaLibrary
from personas.schemas import CohortSpec

AREAS_ASKED = ("type_2_diabetes", "obesity")  # the areas for which there are archetypes
EXAMPLE = "How would adults over 65 with type 2 diabetes and chronic kidney disease react to semaglutide 1 mg weekly over 30 weeks?"


@dataclass(frozen=True)
class Call:
    """A tool call to make."""

    tool: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Draft:
    """A plan with its calls; or, in `reply`, the text that ends the matter.

    `refusal` is said before what the calls found, when they only look for what is known nearby.
    """

    plan: Plan
    understood: Understanding
    calls: tuple[Call, ...] = ()
    reply: str = ""
    refusal: str = ""
    status: Status = Status.ANSWERED


def draft_plan(asked: Understanding, knowledge: KnowledgeBase, personas: PersonaLibrary) -> Draft:
    """Decide what to do about a question. Order: what must not be answered, what is missing, then the plan."""
    if asked.intent is Intent.EMERGENCY:
        return _emergency(asked)
    if asked.intent is Intent.INDIVIDUAL_ADVICE:
        return _redirect(asked)
    if asked.unknown_drugs and not asked.active:
        return _unknown_drug(asked, knowledge)
    if asked.intent is Intent.LITERATURE:
        return _search(asked)
    if asked.intent is Intent.NOT_PREDICTED:
        return _not_predicted(asked)
    if asked.cohort_fault is not None:
        return _cohort_not_covered(asked)
    if not asked.active and asked.intent is not Intent.DESCRIBE:
        return _which_treatment(asked, knowledge) if asked.cohort is not None else _ask_back(asked)
    if asked.cohort is None:
        return _which_cohort(asked, personas)
    if asked.intent is Intent.DESCRIBE:
        return _describe(asked, asked.cohort)
    return _respond(asked, asked.cohort, knowledge)


def _emergency(asked: Understanding) -> Draft:
    reply = (
        "## Get help now\n\n"
        "This may be an emergency. Call your local emergency number or poison centre, or go to the nearest emergency "
        "department. Cohort Twin speaks about groups of people and cannot help one person.\n\n"
        "### Please do not wait for an answer here\n\nTake the medicine's packaging with you."
    )
    return Draft(Plan(population=""), asked, reply=reply, status=Status.REDIRECTED)


def _not_predicted(asked: Understanding) -> Draft:
    """No tool predicts the topic: say so, and look for what is published nearby."""
    topic = asked.topic
    assert topic is not None
    drugs = list(dict.fromkeys(treatment.name for treatment in asked.active))
    who = asked.cohort.label if asked.cohort else ""
    refusal = (
        f"## {language.sentence_case(topic.name)}: no tool predicts this yet\n\n"
        "What can be predicted is how the mean of a cohort changes on a treatment (HbA1c, weight, blood pressure, LDL "
        "cholesterol, nausea, stopping because of adverse events …), from published trials."
    )
    query = " ".join([*drugs, topic.search, who]).strip()
    plan = Plan(
        population=who, interventions=tuple(drugs), steps=("say what is not predicted", "search the literature")
    )
    calls = (Call("search_literature", {"query": query, "drugs": drugs, "k": 4}),)
    return Draft(plan, asked, calls=calls, refusal=refusal, status=Status.NOT_COVERED)


def _which_treatment(asked: Understanding, knowledge: KnowledgeBase) -> Draft:
    """A cohort without a drug: a class, another means, or nothing was named."""
    cohort = asked.cohort
    assert cohort is not None
    why = "The question names no drug that is known here."
    if asked.names_class:
        why = "The question names a class, or asks which drug is best; a prediction needs one drug, or several to compare."
    elif asked.other_means:
        why = f"No drug is named, and “{asked.other_means}” alone is not a treatment that can be predicted here."
    studied = Counter(
        arm.intervention for arm in knowledge.arms.arms if not arm.arm_role.is_control and arm.area in AREAS_ASKED
    )
    some = [name for name, _ in studied.most_common(6)]
    reply = (
        f"## Which treatment for {_lower(cohort.label)}?\n\n{why}\n\n"
        f"### For example\n\n{language.sentence_case(language.joined(some))} have the most trials. “How would "
        f"{_lower(cohort.label)} react to semaglutide 1 mg weekly over 30 weeks?” or “Describe {_lower(cohort.label)}”."
    )
    plan = Plan(population=cohort.label, persona_id=cohort.persona_id)
    return Draft(plan, asked, reply=reply, status=Status.NEEDS_INPUT)


def _redirect(asked: Understanding) -> Draft:
    about = asked.active
    subject = f" on {about[0].name}" if about else ""
    who = _lower(asked.cohort.label) if asked.cohort else "adults with type 2 diabetes"
    reply = (
        "## Not something to decide here\n\n"
        "Cohort Twin does not advise individuals: what suits one person depends on things only they and their clinician "
        f"know. It can say what is published about a group of people{subject}.\n\n"
        "### What could be asked instead\n\n"
        f"For example: “{_example(about, who)}”"
    )
    return Draft(Plan(population=""), asked, reply=reply, status=Status.REDIRECTED)


def _example(about: list[Treatment], who: str) -> str:
    if not about:
        return EXAMPLE
    return f"How would {who} react to {about[0].label} over 26 weeks?"


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
        "The question names neither a group of patients nor a treatment that is known here. Questions are read in English.\n\n"
        f"### What to include\n\nWho (disease, age, kidney function …), which treatment and dose, and over how long. "
        f"For example: “{EXAMPLE}”"
    )
    return Draft(Plan(population=""), asked, reply=reply, status=Status.NEEDS_INPUT)


def _which_cohort(asked: Understanding, personas: PersonaLibrary) -> Draft:
    names = [personas.get(persona_id).name for persona_id in personas.ids()][:6]
    treatment = language.joined([treatment.label for treatment in asked.active])
    reply = (
        f"## Which cohort would take {treatment}?\n\n"
        "The answer differs between cohorts (and questions are read in English). "
        f"Say who, for example: {language.joined([_lower(n) for n in names], 'or')}.\n\n"
        f"### For example\n\n“How would adults with type 2 diabetes react to {treatment} over 26 weeks?”"
    )
    plan = Plan(population="", interventions=tuple(t.label for t in asked.active))
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
    drugs = [treatment.name for treatment in asked.active]
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
    active = asked.active
    compare = asked.intent is Intent.COMPARE
    named = active[:5] if compare else active[:1]
    weeks = asked.horizon_weeks or DEFAULT_HORIZON_WEEKS
    notes = _reading_notes(asked, weeks)
    notes += [
        f"{other.label} was named too: ask about it separately, or as “{active[0].name} versus {other.name}”"
        for other in active[len(named) :]
    ]
    who = _cohort_arguments(cohort)
    endpoints = list(dict.fromkeys(asked.endpoints))
    wanted: dict[str, Any] = {"endpoints": endpoints} if endpoints else {}
    if compare:
        treatments = [_treatment_arguments(treatment) for treatment in named]
        prediction = Call(
            "compare_treatments", {"cohort": who, "treatments": treatments, "horizon_weeks": weeks} | wanted
        )
    else:
        treatment = _treatment_arguments(named[0])
        prediction = Call(
            "simulate_treatment_response", {"cohort": who, "treatment": treatment, "horizon_weeks": weeks} | wanted
        )
    drugs = list(dict.fromkeys(treatment.name for treatment in named))
    query = f"{' '.join(drugs)} adherence persistence preference cost side effects {cohort.label or cohort.persona_id}"
    behaviour = {"query": query, "areas": ["behaviour"], "drugs": _with_class(drugs, knowledge), "k": 4}
    plan = Plan(
        population=cohort.label or cohort.understood,
        persona_id=cohort.persona_id,
        interventions=tuple(treatment.label for treatment in named),
        comparator="each other" if compare else "placebo",
        outcomes=tuple(knowledge.vocabulary.endpoint(endpoint).label for endpoint in endpoints),
        horizon_weeks=weeks,
        estimand="as the trials reported: mostly treatment policy, cohort mean",
        steps=("describe the cohort", "predict from published trials", "read about adherence and preferences"),
        notes=tuple(notes),
        left_out=cohort.not_understood,
    )
    calls = (Call("describe_cohort", {"cohort": who}), prediction, Call("search_literature", behaviour))
    return Draft(plan, asked, calls=calls)


def _reading_notes(asked: Understanding, weeks: float) -> list[str]:
    """What was corrected or assumed while reading, and what the model leaves aside."""
    notes = list(asked.corrected)
    if asked.cohort is not None and asked.cohort.understood not in ("", asked.cohort.label):
        notes.append(f"cohort: {asked.cohort.understood}")
    if asked.horizon_weeks is None:
        notes.append(f"no horizon was given: {language.weeks(weeks)} assumed")
    notes += [f"'{name}' is not known and was left out" for name in asked.unknown_drugs]
    if asked.background:
        drugs = language.joined([treatment.name for treatment in asked.background])
        notes.append(
            f"{drugs} was read as what people have already; the prediction is for the average background of the trials"
        )
    return notes


def _with_class(drugs: list[str], knowledge: KnowledgeBase) -> list[str]:
    """The drugs and all others of their classes: what people do with one is told of its like."""
    known = knowledge.vocabulary.drugs
    classes = {known[name].drug_class for name in drugs if name in known}
    return sorted({*drugs, *(name for name, drug in known.items() if drug.drug_class in classes)})


def _treatment_arguments(treatment: Treatment) -> dict[str, Any]:
    arguments: dict[str, Any] = {"intervention": treatment.name}
    if treatment.dose is not None:
        arguments |= {"dose": treatment.dose, "dose_unit": treatment.dose_unit}
    if treatment.frequency is not None:
        arguments["frequency"] = treatment.frequency
    return arguments
