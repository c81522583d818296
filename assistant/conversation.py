"""Follow-ups that lean on the question before: "and in women?", "what about double the dose?", "why do you say so?".

A question that names both a cohort and a treatment stands alone. What it leaves out is taken over from the question
before, and the answer says so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from assistant.intents import Intent, says
from assistant.reading import Treatment, asks_for_other_dose, read_dose_factor, read_doses
from assistant.simulation_reading import follow_up
from assistant.topics import STOPPING
from assistant.understanding import (
    GENERAL,
    STOPPED_ENDPOINTS,
    Understanding,
    is_about_stopping,
    understand,
    with_intent,
)
from knowledge.errors import CohortNotCovered, CohortTwinError, EmptyCohort
from knowledge.vocabulary import Vocabulary
from personas.library import PersonaLibrary
from personas.resolve import cohort_spans, resolve_cohort
from personas.schemas import CohortSpec, Restriction
from personas.wording import describe_cohort, describe_restrictions

_PEOPLE = "people"
_POINTS_BACK = re.compile(
    r"\b(?:they|them|their|those|these|this|that|it|its|same|instead|again|also|too|as well)\b", re.IGNORECASE
)
_LEADS = re.compile(
    r"^\W*(?:ok(?:ay)?|thanks?|thank you|great|right|hm+|and|but|or|so|now|then|also|same|only|just|with|without|at|after|for"
    r"|in|on|over|among|compared|versus|vs\.?|double|twice|half|halve|triple|why|who|which|what|how about|a higher|a lower"
    r"|instead|try|make it|let's|let us|change|use|switch|repeat|is|are|does|do|would|could|again|please|limit(?:ed)?"
    r"|restrict(?:ed)?)\b",
    re.IGNORECASE,
)
_VERSUS_BEFORE = re.compile(
    r"\b(?:compare[ds]?(?: (?:that|it|this|them))?(?: with| to| against)?|versus|vs\.?|against|than|better(?: or worse)? than)\b",
    re.IGNORECASE,
)
_ADDS_TO_COHORT = re.compile(
    r"\b(?:those|them|these|the ones|if they|who also|they) (?:\w+ )?(?:with|have|had|on|also)\b"
    r"|\b(?:only|just|solely|exclusively|limit(?:ed)?(?: it)? to|restrict(?:ed)?(?: it)? to)\b",
    re.IGNORECASE,
)
# 'Add dulaglutide and rank the three': what was named before is meant as well.
_JOINS_THEM = re.compile(
    r"\b(?:add|adding|include|including|also|too|as well|on top|throw in|put in|the (?:three|four|five|lot)|all (?:three|four|five|of them)"
    r"|(?:among|of) (?:them|these|those))\b",
    re.IGNORECASE,
)
# 'Only those on metformin': which of them, and not what they are given.
_SAYS_WHAT_THEY_HAVE = re.compile(
    r"\b(?:only|just|limited to|restricted to|if they(?: are|'re)?) (?:(?:those|them|the ones|people|patients|adults|who are) )?"
    r"(?:already )?(?:on|taking|using)\b|\balready (?:on|taking|using)\b",
    re.IGNORECASE,
)
# 'In pounds?': every answer tells a change in both units in use, so that the same answer is the right one.
_OTHER_UNIT = re.compile(
    r"\b(?:in|into|to|as)\s+(?:mmol/mol|mmol/l|mg/dl|pounds?|lbs?|kgs?|kilos?|kilograms?|stones?|percent|per cent|percentage points|%)"
    r"(?!\w)",
    re.IGNORECASE,
)
_REPEATS = re.compile(r"\b(?:again|repeat|re-?run|same|once more)\b", re.IGNORECASE)
_LONGEST_ECHO = 80  # characters of a follow-up that are repeated when it is asked back
_SHORT = 12  # words: a longer question says what it means
_OWN_SUBJECT = frozenset({Intent.DESCRIBE, Intent.LITERATURE, Intent.NOT_PREDICTED, Intent.RANK})
_OF_NO_KIND = frozenset({Intent.SIMULATION, Intent.UNCLEAR, Intent.RESPOND, Intent.NOT_PREDICTED, Intent.STOP})
_NOT_CARRIED = frozenset({Intent.EMERGENCY, Intent.INDIVIDUAL_ADVICE, Intent.UNCLEAR})


def understand_conversation(texts: Sequence[str], vocabulary: Vocabulary, library: PersonaLibrary) -> Understanding:
    """The last of `texts`, each read in the light of those before it.

    Parameters
    ----------
    texts : what one person asked, the oldest first; at least one.
    """
    asked = understand(texts[0], vocabulary, library)
    for text in texts[1:]:
        following = understand(text, vocabulary, library)
        asked = follow(following, asked, library)
    return asked


def follow(asked: Understanding, before: Understanding, library: PersonaLibrary) -> Understanding:
    """`asked` with what it leaves out taken from `before`; itself when it stands alone."""
    if asked.intent is Intent.EMERGENCY:
        return asked
    if before.simulation is not None and before.intent is Intent.SIMULATION and _may_change_a_simulation(asked):
        simulated = follow_up(asked.text, asked.simulation, before.simulation)
        if simulated is not None:
            who, what = asked.cohort or before.cohort, asked.treatments or before.treatments
            return replace(
                asked, simulation=simulated, intent=Intent.SIMULATION, cohort=who, cohort_fault=None, treatments=what,
                endpoints=asked.endpoints or before.endpoints, horizon_weeks=asked.horizon_weeks or before.horizon_weeks,
            )  # fmt: skip
    if asked.intent in (Intent.SIMULATION, Intent.INDIVIDUAL_ADVICE) or not _leans(asked, before, library):
        return asked
    taken: list[str] = []
    merged = _with_cohort(asked, before, library, taken)
    merged = _with_treatments(merged, before, taken)
    if merged.active and merged.topic is None and is_about_stopping(asked.text):
        merged = replace(
            merged, topic=STOPPING, endpoints=tuple(e for e in merged.endpoints if e not in STOPPED_ENDPOINTS)
        )
    if merged.treatments or merged.intent is Intent.RANK:
        if not merged.unknown_outcomes:  # another outcome was named: the one before is no answer to it
            merged = replace(merged, endpoints=merged.endpoints or before.endpoints)
        if merged.topic is STOPPING:
            merged = replace(merged, weeks_on=before.horizon_weeks)
        else:
            merged = replace(merged, horizon_weeks=merged.horizon_weeks or before.horizon_weeks)
    merged = replace(merged, estimand=asked.estimand or before.estimand, inherited=tuple(taken))
    read = with_intent(merged)
    if read.intent in (Intent.UNCLEAR, Intent.RESPOND) and before.intent not in _NOT_CARRIED:
        same = asked.active == [] and not asked.unknown_drugs
        read = replace(read, intent=before.intent if same or before.intent is not Intent.COMPARE else read.intent)
        if before.intent is Intent.NOT_PREDICTED:
            read = replace(read, topic=before.topic)
    same_again = _REPEATS.search(asked.text) or _OTHER_UNIT.search(asked.text)
    if read.active and _says_nothing_new(read, before) and not same_again:
        return replace(read, ask=f"What is to change with “{asked.text.strip()[:_LONGEST_ECHO]}”?")
    return read


def _may_change_a_simulation(asked: Understanding) -> bool:
    """Not a question of its own: one for publications, about a cohort, or about a drug in people that it names."""
    alone = asked.simulation is None and bool(asked.active) and asked.cohort is not None
    return asked.intent in _OF_NO_KIND and not alone


def _says_nothing_new(read: Understanding, before: Understanding) -> bool:
    """Nothing of the follow-up was understood: the same answer once more would pass over what it said."""
    return all(
        getattr(read, slot) == getattr(before, slot)
        for slot in (
            "intent",
            "cohort",
            "treatments",
            "endpoints",
            "horizon_weeks",
            "weeks_on",
            "estimand",
            "unknown_outcomes",
            "ask",
        )
    )


def _leans(asked: Understanding, before: Understanding, library: PersonaLibrary) -> bool:
    """Does it leave out what the question before said?"""
    words = len(asked.text.split())
    lacks_cohort = asked.cohort_fault is None and (asked.cohort is None or _is_general(asked.cohort, library))
    lacks_treatment = not asked.active and not asked.unknown_drugs and not asked.names_class
    if not (lacks_cohort and before.cohort is not None) and not (lacks_treatment and before.active):
        return False
    back = _LEADS.search(asked.text) is not None or _POINTS_BACK.search(asked.text) is not None
    if not lacks_cohort and asked.intent in _OWN_SUBJECT and not _POINTS_BACK.search(asked.text):
        return False
    return back or words <= _SHORT


def _is_general(cohort: CohortSpec, library: PersonaLibrary) -> bool:
    return bool(cohort.persona_id) and library.get(cohort.persona_id).area == GENERAL


def _with_cohort(
    asked: Understanding, before: Understanding, library: PersonaLibrary, taken: list[str]
) -> Understanding:
    if before.cohort is None or asked.cohort_fault is not None:
        return asked
    if asked.cohort is None:
        said = _bare(asked.text, library)
        if said is None:
            taken.append(f"cohort: {before.cohort.label}")
            return replace(asked, cohort=before.cohort)
        asked = replace(asked, cohort=said, text=f"{_PEOPLE} {asked.text}")
    assert asked.cohort is not None
    adds = _ADDS_TO_COHORT.search(asked.text) is not None
    if not adds and not _is_general(asked.cohort, library):
        return asked
    try:
        cohort = narrowed(before.cohort, asked.cohort, asked.text, library)
    except (CohortNotCovered, EmptyCohort) as error:
        return replace(asked, cohort=None, cohort_fault=error)
    taken.append(f"cohort: {cohort.label}")
    return replace(asked, cohort=cohort)


def _bare(text: str, library: PersonaLibrary) -> CohortSpec | None:
    """What a follow-up says of people without naming any: 'under 50 only', 'with a BMI above 40'."""
    try:
        said = resolve_cohort(f"{_PEOPLE} {text}", library)
    except CohortTwinError:
        return None
    return said if said is not None and said.restrictions and not said.not_understood else None


def narrowed(before: CohortSpec, asked: CohortSpec, text: str, library: PersonaLibrary) -> CohortSpec:
    """The cohort of the question before, limited to (or moved to) what the follow-up says of people.

    'And in men?' after women replaces the sex; 'under 50?' after seniors goes up to the archetype of all ages.

    Raises
    ------
    CohortNotCovered, EmptyCohort : nobody is both.
    """
    said = {item.attribute for item in asked.restrictions}
    kept = tuple(item for item in before.restrictions if item.attribute not in said)
    fragment = " ".join(text[start:end] for start, end in cohort_spans(text, library))
    error: CohortTwinError | None = None
    if before.mixture:
        return before.model_copy(update=_limits(before, (*kept, *asked.restrictions), asked))
    for persona_id in (before.persona_id, *library.ancestors(before.persona_id)):
        persona = library.get(persona_id)
        if persona.area == GENERAL:
            break
        label = describe_cohort(persona, kept)
        joined = f"{label}, {fragment}" if kept else f"{label} and {fragment}"
        try:
            found = resolve_cohort(joined, library)
        except (CohortNotCovered, EmptyCohort) as fault:
            error = error or fault
            continue
        if found is not None and library.get(found.persona_id).area != GENERAL and not found.not_understood:
            return found
        return _limited(persona.id, (*kept, *asked.restrictions), asked, library)
    if isinstance(error, CohortNotCovered | EmptyCohort):
        part = _part_of(before, fragment, library)
        if part is None:
            raise error
        return part
    return asked


def _part_of(before: CohortSpec, fragment: str, library: PersonaLibrary) -> CohortSpec | None:
    """'Those without diabetes' after 'adults with obesity and type 2 diabetes': adults with obesity, and without it."""
    who, having, illnesses = before.label.partition(" with ")
    for illness in illnesses.partition(", limited to")[0].split(" and ") if having else ():
        try:
            found = resolve_cohort(f"{who} with {illness} and {fragment}", library)
        except CohortTwinError:
            continue
        if found is not None and found.persona_id and not _is_general(found, library) and not found.not_understood:
            return found
    return None


def _limits(before: CohortSpec, restrictions: Sequence[Restriction], asked: CohortSpec) -> dict[str, object]:
    """A mixture stays as it is, with further restrictions on the whole of it."""
    said = describe_restrictions(asked.restrictions)
    label = f"{before.label}, limited to {said}" if said else before.label
    return {
        "restrictions": tuple(restrictions),
        "label": label,
        "understood": f"{before.understood or before.label}; {said}" if said else before.understood,
        "not_understood": asked.not_understood,
    }


def _limited(
    persona_id: str, restrictions: Sequence[Restriction], asked: CohortSpec, library: PersonaLibrary
) -> CohortSpec:
    label = describe_cohort(library.get(persona_id), restrictions)
    return CohortSpec(
        persona_id=persona_id,
        restrictions=tuple(restrictions),
        label=label,
        understood=f"{label}; {describe_restrictions(asked.restrictions)}" if asked.restrictions else label,
        not_understood=asked.not_understood,
    )


def _with_treatments(asked: Understanding, before: Understanding, taken: list[str]) -> Understanding:
    if asked.unknown_drugs and not asked.active:
        return asked
    if not asked.active and says("describe", asked.text):
        return asked
    joins = bool(asked.active) and _JOINS_THEM.search(asked.text) is not None
    if asked.intent is Intent.RANK and not joins and not _POINTS_BACK.search(asked.text):
        return asked
    if asked.active:
        if before.active and _VERSUS_BEFORE.search(asked.text) and len(asked.active) == 1:
            taken.append(f"compared with {before.active[0].label}")
            return replace(asked, treatments=(before.active[0], *asked.active))
        if before.active and _SAYS_WHAT_THEY_HAVE.search(asked.text) and all(one.dose is None for one in asked.active):
            taken.append(f"treatment: {' versus '.join(one.label for one in before.active)}")
            return replace(asked, treatments=before.treatments, background=(*before.background, *asked.active))
        several = before.intent in (Intent.COMPARE, Intent.RANK) or asked.intent is Intent.RANK
        if before.active and several and joins:
            earlier = tuple(one for one in before.active if one.name not in {named.name for named in asked.active})
            taken.append(f"beside {' and '.join(one.label for one in earlier)}")
            return replace(asked, treatments=(*earlier, *asked.treatments))
        return asked
    if asked.names_class or not before.active:
        return asked
    changed, ask = _changed_doses(asked.text, before.active)
    taken.append(f"treatment: {' versus '.join(one.label for one in changed)}")
    # 'And on placebo?' asks for the other arm of the same prediction.
    return replace(asked, treatments=(*changed, *asked.treatments), background=before.background, ask=ask)


def _changed_doses(text: str, treatments: Sequence[Treatment]) -> tuple[list[Treatment], str]:
    """The treatments at the dose that the follow-up says, and the question to ask back when it does not say which."""
    factor, doses = read_dose_factor(text), read_doses(text)
    if not doses and factor is None and not asks_for_other_dose(text):
        return list(treatments), ""
    first, rest = treatments[0], list(treatments[1:])
    if len(treatments) > 1:
        names = " or ".join(one.name for one in treatments)
        return list(treatments), f"The dose of which drug is to change: {names}?"
    if doses:
        _start, _end, value, unit = doses[-1]
        return [replace(first, dose=value, dose_unit=unit), *rest], ""
    if factor is None:
        return list(treatments), f"Which dose of {first.name} is meant?"
    if first.dose is None:
        return list(treatments), f"No dose of {first.name} was named yet: which dose is to be changed, and to what?"
    return [replace(first, dose=first.dose * factor), *rest], ""
