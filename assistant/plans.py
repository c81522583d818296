"""From an understood question to a plan (PICO) and the tool calls that follow it, or to what must be said instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from rapidfuzz import fuzz, process

from assistant import calls, language
from assistant.calls import TOOLS, Call, cohort_arguments, treatment_arguments
from assistant.cohort_examples import cohort_examples
from assistant.plan_notes import reading_notes
from assistant.reading import Treatment
from assistant.schemas import Plan, Status
from assistant.simulation_pages import pages
from assistant.simulation_plans import simulation_plan
from assistant.understanding import CONTROLS, PLACEBO, Intent, Understanding
from assistant.voice_plans import VOICES, voice_plan, whom_to_ask
from knowledge.base import KnowledgeBase
from personas.library import PersonaLibrary
from personas.schemas import CohortSpec

__all__ = ["TOOLS", "Call", "Draft", "draft_plan"]

EXAMPLE = "How would adults over 65 with type 2 diabetes and chronic kidney disease react to semaglutide 1 mg weekly over 30 weeks?"
LONGEST_QUERY = 200
_STEPS = {
    calls.SIMULATE: "predict from published trials",
    calls.COMPARE: "predict each from published trials, on the same virtual patients",
    calls.RANK: "rank what the published trials let predict",
    calls.RESPONDERS: "look for sub-cohorts that gain more than the rest",
    calls.EXPLAIN: "take the prediction apart: trials, covariates, uncertainty",
    calls.STOP: "predict what follows on stopping",
}


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


def draft_plan(
    asked: Understanding, knowledge: KnowledgeBase, personas: PersonaLibrary, tools: frozenset[str] = TOOLS
) -> Draft:
    """Decide what to do about a question. Order: what must not be answered, what is missing, then the plan.

    Parameters
    ----------
    tools : names of the tools there are; a question that only another one could answer is said to be not predicted.
    """
    intent = asked.intent
    if intent is Intent.EMERGENCY:
        return _emergency(asked)
    if intent is Intent.INDIVIDUAL_ADVICE:
        return _redirect(asked)
    if intent in VOICES and VOICES[intent] in tools:
        return _voice(asked)
    if intent is Intent.SIMULATION and asked.simulation is not None and asked.simulation.tool in tools:
        made = simulation_plan(asked, asked.simulation, knowledge)
        return Draft(made.plan, asked, calls=made.calls, reply=made.reply, status=made.status)
    if asked.unknown_drugs and not asked.active:
        return _unknown_drug(asked, knowledge)
    trials = calls.trials_named(knowledge, asked.text)
    if intent is Intent.LITERATURE or (trials and (intent is Intent.UNCLEAR or asked.cohort is None)):
        return _search(replace(asked, intent=Intent.LITERATURE), trials)
    if intent is Intent.NOT_PREDICTED or (intent is Intent.STOP and calls.STOP not in tools):
        return _not_predicted(asked)
    if asked.cohort_fault is not None:
        return _cohort_not_covered(asked)
    cohort = asked.cohort
    if cohort is not None and asked.active and asked.ask:
        return _one_question(asked, cohort)
    if cohort is not None and asked.unknown_outcomes and not asked.endpoints and intent is not Intent.DESCRIBE:
        return _unknown_outcome(asked, cohort, knowledge)
    if intent is Intent.RANK and calls.RANK in tools:
        return (
            _which_people(asked, knowledge, personas)
            if cohort is None
            else _predict(asked, cohort, knowledge, personas)
        )
    if not asked.active and intent is not Intent.DESCRIBE:
        return _which_treatment(asked, cohort, knowledge, personas) if cohort is not None else _ask_back(asked)
    if cohort is None:
        return _which_cohort(asked, knowledge, personas)
    if intent is Intent.DESCRIBE:
        return _describe(asked, cohort)
    return _predict(asked, cohort, knowledge, personas)


def _voice(asked: Understanding) -> Draft:
    """People of the cohort are to speak: an interview, or options put to a focus group."""
    if asked.cohort_fault is not None:
        return _cohort_not_covered(asked)
    if asked.cohort is None:
        return Draft(Plan(population=""), asked, reply=whom_to_ask(), status=Status.NEEDS_INPUT)
    made = voice_plan(asked, asked.cohort)
    status = Status.NEEDS_INPUT if made.reply else Status.ANSWERED
    return Draft(made.plan, asked, calls=made.calls, reply=made.reply, status=status)


def _emergency(asked: Understanding) -> Draft:
    reply = (
        "## Get help now\n\n"
        "This may be an emergency. Call your local emergency number or poison centre, or go to the nearest emergency "
        "department. Cohort Twin speaks about groups of people and cannot help one person, and it tells nobody which dose "
        "harms. If you or somebody else may be thinking of suicide or self-harm, stay with them and call the emergency "
        "number or a crisis line now; talking about it helps.\n\n"
        "### Please do not wait for an answer here\n\nTake the medicine's packaging with you."
    )
    return Draft(Plan(population=""), asked, reply=reply, status=Status.REDIRECTED)


def _not_predicted(asked: Understanding) -> Draft:
    """No tool predicts the topic: say so, and look for what is published nearby."""
    topic = asked.topic
    assert topic is not None
    drugs = list(dict.fromkeys(treatment.name for treatment in asked.active))
    who = asked.cohort.label if asked.cohort else ""
    page = pages().get(topic.simulation)
    groups = page.forms[-1].required if page else ()
    needed = [page.slots[one.split("|")[0]].ask.partition(", for example")[0] for one in groups] if page else []
    computed = f" A simulation computes this once it is told {language.joined(needed)}." if needed else ""
    refusal = (
        f"## {language.sentence_case(topic.name)}: {'this needs numbers' if page else 'no tool predicts this yet'}\n\n"
        "What can be predicted is how the mean of a cohort changes on a treatment (HbA1c, weight, blood pressure, LDL "
        f"cholesterol, nausea, stopping because of adverse events …), from published trials.{computed}"
    )
    query = " ".join([*drugs, topic.search, who]).strip()
    plan = Plan(
        population=who, interventions=tuple(drugs), steps=("say what is not predicted", "search the literature")
    )
    calls = (Call("search_literature", {"query": query, "drugs": drugs, "k": 4}),)
    return Draft(plan, asked, calls=calls, refusal=refusal, status=Status.NOT_COVERED)


def _which_treatment(
    asked: Understanding, cohort: CohortSpec, knowledge: KnowledgeBase, personas: PersonaLibrary
) -> Draft:
    """A cohort without a drug: a class, another means, or nothing was named."""
    why = "The question names no drug that is known here."
    if asked.names_class:
        why = "The question names a class of drugs; a prediction needs one drug, or several to compare."
    elif asked.other_means:
        why = f"No drug is named, and “{asked.other_means}” alone is not a treatment that can be predicted here."
    some = calls.most_studied(knowledge, personas.get(cohort.persona_id).area, 6) if cohort.persona_id else []
    examples = f"“Describe {_lower(cohort.label)}”"
    known = "No drug has a trial in such people here. "
    if some:
        known = f"{language.sentence_case(language.joined(some))} have the most figures here. "
        examples = f"“How would {_lower(cohort.label)} react to {some[0]}?”, “Which drug is best for {_lower(cohort.label)}?” or {examples}"
    reply = f"## Which treatment for {_lower(cohort.label)}?\n\n{why}\n\n### For example\n\n{known}{examples}."
    plan = Plan(population=cohort.label, persona_id=cohort.persona_id)
    return Draft(plan, asked, reply=reply, status=Status.NEEDS_INPUT)


def _one_question(asked: Understanding, cohort: CohortSpec) -> Draft:
    """What is missing changes the answer: one question back, and nothing else."""
    drug = asked.active[0].name
    reply = (
        f"## {asked.ask}\n\nThe prediction depends on it, so nothing was assumed.\n\n"
        f"### For example\n\n“What about {drug} at …” with the dose in its unit, “and in women?”, “over two years?” or another "
        f"outcome, for {_lower(cohort.label)}."
    )
    plan = Plan(
        population=cohort.label, persona_id=cohort.persona_id, interventions=tuple(t.label for t in asked.active)
    )
    return Draft(plan, asked, reply=reply, status=Status.NEEDS_INPUT)


def _which_people(asked: Understanding, knowledge: KnowledgeBase, personas: PersonaLibrary) -> Draft:
    """The best drug for whom?"""
    names = cohort_examples((), knowledge, personas)
    reply = (
        "## Best for whom?\n\nWhich treatment does best differs between cohorts. "
        f"Say who, for example: {language.joined([_lower(n) for n in names], 'or')}.\n\n"
        "### For example\n\n“Which drug is best for adults with type 2 diabetes?”"
    )
    return Draft(Plan(population=""), asked, reply=reply, status=Status.NEEDS_INPUT)


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
    near = [match[0] for match in process.extract(name.casefold(), known, scorer=fuzz.ratio, limit=3, score_cutoff=65)]
    names = "name it knows is" if len(near) == 1 else "names it knows are"
    nearest = f" The nearest {names} {language.joined(near, 'and')}." if near else ""
    reply = (
        f"## Nothing is known here about {name}\n\n"
        f"No trial of “{name}” is in the evidence base, and the name is in no vocabulary entry, so no effect can be "
        f"predicted and none is guessed.{nearest}\n\n"
        "### What could be asked instead\n\n"
        "Ask about a drug that is known, or check the spelling. The drugs are listed by `cohort index --drugs`. "
        f"To answer for {name}, its published trial arms would have to be added to the evidence base."
    )
    return Draft(Plan(population="", interventions=(name,)), asked, reply=reply, status=Status.NOT_COVERED)


def _unknown_outcome(asked: Understanding, cohort: CohortSpec, knowledge: KnowledgeBase) -> Draft:
    """An outcome that no trial here reports: said so, and no other is predicted in its place."""
    named = language.joined([f"“{name}”" for name in asked.unknown_outcomes])
    drugs = list(dict.fromkeys(treatment.name for treatment in asked.active))
    labels = dict.fromkeys(knowledge.vocabulary.endpoint(name).label for name in calls.reported(knowledge, drugs, 6))
    whose = f" of {language.joined(drugs)}" if drugs else ""
    known = f"Trials{whose} report {language.joined(list(labels), 'and')}. " if labels else ""
    example = f"How would {_lower(cohort.label)} react to {asked.active[0].label}?" if drugs else EXAMPLE
    reply = (
        f"## No trial here reports {named}\n\n"
        f"The question asks for {named}, which is no outcome that is known here, so nothing is predicted and no other "
        f"outcome is put in its place.\n\n### What could be asked instead\n\n{known}The outcomes are listed by "
        f"`cohort index`. For example: “{example}”"
    )
    plan = Plan(
        population=cohort.label, persona_id=cohort.persona_id, interventions=tuple(t.label for t in asked.active)
    )
    return Draft(plan, asked, reply=reply, status=Status.NOT_COVERED)


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


def _which_cohort(asked: Understanding, knowledge: KnowledgeBase, personas: PersonaLibrary) -> Draft:
    names = cohort_examples({treatment.name for treatment in asked.active}, knowledge, personas)
    treatment = language.joined([treatment.label for treatment in asked.active])
    reply = (
        f"## Which cohort would take {treatment}?\n\n"
        "The answer differs between cohorts (and questions are read in English). "
        f"Say who, for example: {language.joined([_lower(n) for n in names], 'or')}.\n\n"
        f"### For example\n\n“How would {_lower(names[0])} react to {treatment} over 26 weeks?”"
    )
    plan = Plan(population="", interventions=tuple(t.label for t in asked.active))
    return Draft(plan, asked, reply=reply, status=Status.NEEDS_INPUT)


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]


def _search(asked: Understanding, trials: Sequence[str] = ()) -> Draft:
    # The person's own words: drugs, outcomes and people alone leave out what is asked of them.
    query = asked.text.strip()[:LONGEST_QUERY]
    drugs = [treatment.name for treatment in asked.active]
    if trials:  # the trial's own report says it best, whatever drugs its passages are filed under
        query, drugs = f"{' '.join(trials)}: {query}"[:LONGEST_QUERY], []
    plan = Plan(
        population=asked.cohort.label if asked.cohort else "",
        interventions=tuple(treatment.name for treatment in asked.active),
        steps=("search the literature",),
    )
    return Draft(plan, asked, calls=(Call("search_literature", {"query": query, "drugs": drugs, "k": 6}),))


def _describe(asked: Understanding, cohort: CohortSpec) -> Draft:
    plan = Plan(
        population=cohort.label or cohort.understood, persona_id=cohort.persona_id, steps=("describe the cohort",)
    )
    return Draft(plan, asked, calls=(Call("describe_cohort", {"cohort": cohort_arguments(cohort)}),))


def _predict(asked: Understanding, cohort: CohortSpec, knowledge: KnowledgeBase, personas: PersonaLibrary) -> Draft:
    """The cohort, one prediction of the kind that is asked for, and what such people said and did."""
    active, intent = asked.active, asked.intent
    several = intent in (Intent.COMPARE, Intent.RANK) or (intent is Intent.EXPLAIN and len(active) == 2)
    named = active[: calls.MOST_COMPARED] if several else active[:1]
    drugs = list(dict.fromkeys(treatment.name for treatment in named))
    endpoints = list(dict.fromkeys(asked.endpoints))
    area = personas.get(cohort.persona_id).area if cohort.persona_id else ""
    weeks, trials = asked.horizon_weeks, 0
    if weeks is None and intent is Intent.STOP:
        weeks = calls.WEEKS_OFF
    elif weeks is None:
        weeks, trials = calls.usual_weeks(knowledge, drugs, endpoints, area)
    who = cohort_arguments(cohort)
    prediction = _prediction(asked, named, who, endpoints, weeks, knowledge)
    plan = Plan(
        population=cohort.label or cohort.understood,
        persona_id=cohort.persona_id,
        interventions=tuple(treatment.label for treatment in named),
        comparator="each other" if intent is Intent.COMPARE else _against(prediction),
        outcomes=tuple(knowledge.vocabulary.endpoint(endpoint).label for endpoint in endpoints),
        horizon_weeks=weeks,
        estimand=_estimand(asked),
        steps=("describe the cohort", _STEPS[prediction.tool], "read about adherence and preferences"),
        notes=tuple(reading_notes(asked, named, weeks, trials)),
        left_out=cohort.not_understood,
    )
    fault = calls.fault_of(prediction)
    if fault:
        reply = (
            f"## This cannot be predicted as asked\n\nThe question was read, and one value is out of reach – {fault}.\n\n"
            f"### What could be asked instead\n\nFor example: “{EXAMPLE}”"
        )
        return Draft(plan, asked, reply=reply, status=Status.NOT_COVERED)
    query = f"{' '.join(drugs)} adherence persistence preference cost side effects {cohort.label or cohort.persona_id}"
    behaviour = {"query": query.strip(), "areas": ["behaviour"], "drugs": calls.with_class(drugs, knowledge), "k": 4}
    return Draft(plan, asked, calls=(Call(calls.DESCRIBE, {"cohort": who}), prediction, Call(calls.SEARCH, behaviour)))


def _against(prediction: Call) -> str:
    comparator: dict[str, str] = prediction.arguments.get("comparator", {})
    return comparator.get("intervention", PLACEBO)


def _estimand(asked: Understanding) -> str:
    if asked.intent is Intent.RESPOND and asked.estimand == "efficacy":
        return "efficacy: while all of them take it, cohort mean"
    if asked.intent is Intent.RESPOND and asked.estimand is not None:
        return "treatment policy: whether or not people stop, cohort mean"
    return "as the trials reported: mostly treatment policy, cohort mean"


def _prediction(
    asked: Understanding,
    named: Sequence[Treatment],
    who: dict[str, Any],
    endpoints: list[str],
    weeks: float,
    knowledge: KnowledgeBase,
) -> Call:
    """The call that answers the question; one endpoint where the tool takes one."""
    base: dict[str, Any] = {"cohort": who, "horizon_weeks": weeks}
    treatments = [treatment_arguments(treatment) for treatment in named]
    wanted: dict[str, Any] = {"endpoints": endpoints} if endpoints else {}
    if asked.intent is Intent.COMPARE:
        return Call(calls.COMPARE, base | {"treatments": treatments} | wanted)
    if asked.intent is Intent.RANK:
        treatments = treatments or [
            {"intervention": name} for name in calls.of_classes(knowledge, asked.classes)[: calls.MOST_RANKED]
        ]
        if wanted:
            wanted = {"endpoints": endpoints[: calls.MOST_RANKED_ENDPOINTS]}
        return Call(calls.RANK, base | ({"treatments": treatments} if treatments else {}) | wanted)
    one: dict[str, Any] = base | {"treatment": treatments[0]}
    control = next((treatment for treatment in asked.treatments if treatment.name in CONTROLS), None)
    if control is not None and control.name != PLACEBO and len(treatments) == 1 and asked.intent is not Intent.STOP:
        one["comparator"] = treatment_arguments(control)
    if asked.intent in (Intent.RESPONDERS, Intent.EXPLAIN):
        if len(treatments) > 1:
            one["comparator"] = treatments[1]
        if endpoints:
            one["endpoint"] = endpoints[0]
        return Call(calls.RESPONDERS if asked.intent is Intent.RESPONDERS else calls.EXPLAIN, one)
    if asked.intent is Intent.STOP:
        times = {"weeks_on": asked.weeks_on, "weeks_off": asked.horizon_weeks}
        said = {name: value for name, value in times.items() if value is not None}
        return Call(calls.STOP, {"cohort": who, "treatment": treatments[0]} | said | wanted)
    if asked.estimand is not None:
        one["estimand"] = asked.estimand
    if asked.titration.steps:
        one["titration"] = [{"from_week": week, "dose": dose} for week, dose in asked.titration.steps]
    return Call(calls.SIMULATE, one | wanted)
