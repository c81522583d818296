"""What a question asks for: cohort, treatments with doses, outcomes, horizon, intent. Rules only, no model.

Used by the offline planner; the numbers it reads (doses, weeks) are the user's own and are repeated as such.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from assistant.absurd_doses import absurd_doses
from assistant.emergencies import is_emergency
from assistant.intents import Intent, says, voice_intent, without_asker
from assistant.lay_words import in_plain_words
from assistant.outcomes import OutcomeMention, read_outcomes
from assistant.people import GENERAL, CohortFault, placed, read_people, spelled, without, without_outcomes
from assistant.quoting import only_question
from assistant.reading import Treatment, read_doses, read_horizon, read_treatments
from assistant.roles import CONTROLS, PLACEBO, Role
from assistant.schedules import Titration, read_estimand, read_stop_times, read_titration
from assistant.simulation_reading import Simulation, read_simulation
from assistant.topics import (
    CLASSES,
    COMBINING,
    COMMON_MEDICINES,
    OTHER_MEANS,
    STOPPING,
    Topic,
    classes_of,
    is_about_a_person,
    is_about_someone,
    topic_of,
    without_instructions,
)
from assistant.unknown_outcomes import counts_something_unknown, is_bare_verb, unknown_outcomes
from knowledge.vocabulary import Mention, Vocabulary
from personas.library import PersonaLibrary
from personas.schemas import CohortSpec

__all__ = ["CONTROLS", "DEFAULT_HORIZON_WEEKS", "GENERAL", "PLACEBO", "Intent", "Understanding", "understand"]

DEFAULT_HORIZON_WEEKS = 26.0
SHAM = "sham"  # a class of the vocabulary
ANY = "(any)"  # ends the name of a whole class: 'JAK inhibitor (any)'
STOPPED_ENDPOINTS = frozenset({"discontinuation_adverse_event", "discontinuation_any"})

_JOINED = re.compile(
    r"\+|\b(?:plus|combined with|in combination with|together with|along with|on top of|as well as)\b", re.IGNORECASE
)
_AND = re.compile(r"\band\b|&|,", re.IGNORECASE)
# 'Published reasons for stopping' asks for publications, not for the reasons of a prediction.
_PUBLISHED = re.compile(r"^\W*published\b|\b(?:is|are|was|been|already) published\b", re.IGNORECASE)
# Remedies by their form: no vocabulary has them.
_REMEDY = re.compile(
    r"\b(?:to|on|taking|drinking|given|with|using) ((?!(?:a|an|the|some|any|of|their)\b)[a-z][\w-]+ "
    r"(?:tea|extract|powder|juice|tincture|oil|root))\b",
    re.IGNORECASE,
)
# 'Would they stop X because of nausea' asks about taking it, not about what comes afterwards.
_STOPS_FOR_A_REASON = re.compile(
    r"\b(?:stop|quit|discontinu|give up|drop)\w*\b.*\b(?:because|due to|owing to|on account)\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Understanding:
    """The slots of a question; empty where nothing was said.

    Attributes
    ----------
    text : what was read, without instructions and with cohort words spelled right.
    treatments : what is asked about; `background` : what people have already.
    unknown_outcomes : outcomes that were named and are none here; no other is put in their place.
    weeks_on : for a question about stopping, how long the treatment was taken before.
    estimand, titration : what was said about stopping on the way, and about raising the dose in steps.
    topic : set when the question is about something that no tool predicts.
    simulation : set when it is about something that a simulation tool computes, with the numbers that were given.
    names_class : a drug class or a choice among drugs was named instead of a drug; `classes` are the vocabulary's.
    ask : the one question to ask back, when what is missing changes the answer; `inherited` : what was taken over from
        the question before.
    """

    intent: Intent
    cohort: CohortSpec | None
    cohort_fault: CohortFault | None
    treatments: tuple[Treatment, ...]
    background: tuple[Treatment, ...]
    unknown_drugs: tuple[str, ...]
    endpoints: tuple[str, ...]
    horizon_weeks: float | None
    unknown_outcomes: tuple[str, ...] = ()
    weeks_on: float | None = None
    estimand: str | None = None
    titration: Titration = field(default_factory=Titration)
    topic: Topic | None = None
    simulation: Simulation | None = None
    names_class: bool = False
    classes: tuple[str, ...] = ()
    other_means: str = ""
    corrected: tuple[str, ...] = field(default=())
    text: str = ""
    ask: str = ""
    inherited: tuple[str, ...] = ()

    @property
    def active(self) -> list[Treatment]:
        """Treatments other than placebo and the like."""
        return [treatment for treatment in self.treatments if treatment.name not in CONTROLS]


def understand(text: str, vocabulary: Vocabulary, library: PersonaLibrary) -> Understanding:
    """Read a question by itself.

    Parameters
    ----------
    text : the question as typed.
    vocabulary, library : what is known about drugs, endpoints and cohorts.
    """
    text, instructed = without_instructions(text)
    text, demanded = only_question(text)
    classes = {vocabulary.drugs[mention.drug].drug_class for mention in vocabulary.find_drugs(text)}
    text, homely = in_plain_words(text, classes)
    text, respelled = spelled(text)
    mentions = vocabulary.find_drugs(text)
    people = read_people(text, mentions, vocabulary, library)
    without_drugs, spans, cohort, fault = people.text, people.spans, people.cohort, people.fault
    corrected = [f"read '{written}' as {right}" for written, right in (*homely, *respelled)]
    corrected += people.told
    # What describes the cohort ('HbA1c above 9 %', 'on dialysis') is not what is asked about it; nor is a dose per kg.
    rest = without(without_drugs, list(spans))
    absurd = absurd_doses(text, mentions, vocabulary)
    doses = [(start, end) for start, end, _value, _unit in read_doses(without_drugs)]
    doses += [(one.start, one.end) for one in absurd]
    asking = without(without_drugs, doses)
    places = placed(without_drugs, spans, cohort)
    outcomes = read_outcomes(asking, vocabulary, kinds_of(cohort, library), places)
    outcomes, unheard = _known_of(outcomes, without(asking, list(places)))
    if cohort is not None:
        cohort = without_outcomes(cohort, [without_drugs[one.start : one.end] for one in outcomes])
    read = [_sham_as_placebo(one, vocabulary) for one in _taken(read_treatments(text, vocabulary), text)]
    whole = [one.name for one in read if one.name.endswith(ANY)] if says("rank", text) else []
    read = [one for one in read if one.name not in whole]
    treatments = tuple(one for one in read if one.role not in (Role.BACKGROUND, Role.WITHOUT))
    corrected += [
        f"'without {one.name}' was left aside: the prediction is for the average background of the trials"
        for one in read
        if one.role is Role.WITHOUT
    ]
    corrected += [
        f"read '{m.surface}' as {m.drug}"
        for m in mentions
        if m.score < 100 and m.surface.casefold() != m.drug.casefold()
    ]
    if instructed or demanded:
        corrected.append("a sentence of the question was an instruction, not a question, and was left aside")
    had = {one.name for one in read if one.role in (Role.BACKGROUND, Role.WITHOUT)}
    unknown = [*vocabulary.unknown_drug_candidates(text), *COMMON_MEDICINES.findall(rest), *_REMEDY.findall(rest)]
    asked = Understanding(
        intent=Intent.UNCLEAR,
        cohort=cohort,
        cohort_fault=fault,
        treatments=treatments,
        background=tuple(treatment for treatment in read if treatment.role is Role.BACKGROUND),
        unknown_drugs=tuple({name.casefold(): name for name in reversed(unknown)}.values())[::-1],
        endpoints=tuple(dict.fromkeys(outcome.endpoint for outcome in outcomes)),
        unknown_outcomes=unheard,
        ask=absurd[0].ask if absurd else "",
        horizon_weeks=read_horizon(text),
        estimand=read_estimand(text),
        topic=_topic(
            rest,
            treatments,
            [(one.start, one.end) for one in outcomes],
            _are_combined(text, mentions, had),
            [one.endpoint for one in outcomes],
        ),
        names_class=bool(whole) or CLASSES.search(rest) is not None,
        classes=(*classes_of(rest), *(vocabulary.drugs[name].drug_class for name in whole)),
        simulation=read_simulation(text),
        other_means=match.group() if (match := OTHER_MEANS.search(without_drugs)) else "",
        corrected=tuple(corrected),
        text=text,
    )
    return with_intent(asked)


def _known_of(outcomes: list[OutcomeMention], text: str) -> tuple[list[OutcomeMention], tuple[str, ...]]:
    """The outcomes without a verb that belongs to an unknown one ('hairs … lose'), and the unknown ones."""
    spans = [(one.start, one.end) for one in outcomes]
    unheard = unknown_outcomes(text, spans)
    if unheard and counts_something_unknown(text, spans):
        outcomes = [one for one in outcomes if not is_bare_verb(text[one.start : one.end])]
    return outcomes, unheard


def is_about_stopping(text: str) -> bool:
    """True when what follows on stopping is asked, and not how many stop."""
    # Where names were taken out there are gaps.
    words = " ".join(text.split())
    return says("stop", words) and not _STOPS_FOR_A_REASON.search(words)


def kinds_of(cohort: CohortSpec | None, library: PersonaLibrary) -> tuple[str, ...]:
    """The archetype, its ancestors and its area, the nearest first; of a mixture those of its parts in turn."""
    if cohort is None:
        return ()
    kinds: list[str] = []
    for persona_id in (cohort.persona_id,) if cohort.persona_id else tuple(part.persona_id for part in cohort.mixture):
        chain = (persona_id, *library.ancestors(persona_id))
        kinds += [*chain, *(library.get(one).area for one in chain)]
    return tuple(dict.fromkeys(kinds))


def with_intent(asked: Understanding) -> Understanding:
    """The same slots with the intent that follows from them."""
    return in_time(replace(asked, intent=_intent(asked)))


def in_time(asked: Understanding) -> Understanding:
    """What the intent makes of times and doses: weeks on and off a drug that is stopped, or the steps of a dose."""
    if asked.intent is Intent.STOP:
        times = read_stop_times(asked.text)
        # That they stop is given, not asked.
        told = tuple(name for name in asked.endpoints if name not in STOPPED_ENDPOINTS)
        weeks_on = times.weeks_on or asked.weeks_on
        return replace(asked, weeks_on=weeks_on, horizon_weeks=times.weeks_off, endpoints=told)
    if len(asked.active) == 1 and asked.active[0].dose is not None:
        steps = read_titration(asked.text, asked.active[0].dose, asked.active[0].dose_unit)
        return replace(asked, titration=steps)
    return asked


def _taken(read: Sequence[Treatment], text: str) -> list[Treatment]:
    if not _STOPS_FOR_A_REASON.search(text):
        return list(read)
    return [replace(one, role=Role.TARGET) if one.role is Role.STOPPED else one for one in read]


def _sham_as_placebo(one: Treatment, vocabulary: Vocabulary) -> Treatment:
    """A sham procedure is the placebo of a procedure: the trials' sham arms are their placebo arms."""
    return replace(one, name=PLACEBO) if vocabulary.drugs[one.name].drug_class == SHAM else one


def _topic(
    text: str, treatments: tuple[Treatment, ...], outcomes: list[tuple[int, int]], combined: bool, named: Sequence[str]
) -> Topic | None:
    if any(treatment.role is Role.STOPPED for treatment in treatments):
        return STOPPING
    found = topic_of(text, outcomes)
    if found is not None:
        return found
    active = [treatment for treatment in treatments if treatment.name not in CONTROLS]
    # 'Who has stopped by week 24' is what smokers are after.
    smoking = any("abstinence" in name for name in named)
    if active and not smoking and is_about_stopping(text):
        return STOPPING
    return COMBINING if len(active) >= 2 and combined else None


def _are_combined(text: str, mentions: Sequence[Mention], had: Collection[str]) -> bool:
    """'A plus B', 'A and B together': taken at the same time, and not compared; `had` are what people have already."""
    between = [
        text[one.end : other.start]
        for one, other in pairwise(mentions)
        if one.drug not in had and other.drug not in had
    ]
    if any(_JOINED.search(words) for words in between):
        return True
    return COMBINING.pattern.search(text) is not None and not says("versus", text) and any(map(_AND.search, between))


def _intent(asked: Understanding) -> Intent:
    """From the surest to the weakest sign; the first that is there decides."""
    text = asked.text
    if is_emergency(text):
        return Intent.EMERGENCY
    voice = voice_intent(text)
    simulated = asked.simulation is not None and (asked.simulation.sure or not asked.active)
    if simulated and voice is None and not is_about_someone(text):
        return Intent.SIMULATION
    if is_about_a_person(text if voice is None else without_asker(text)):
        return Intent.INDIVIDUAL_ADVICE
    if voice is not None:
        return voice
    if says("explain", text) and not _PUBLISHED.search(text):
        return Intent.EXPLAIN
    if asked.topic is not None and asked.topic.name == "the size of a trial":
        return Intent.NOT_PREDICTED
    if says("literature", text) and (_PUBLISHED.search(text) or not says("reacts", text)):
        return Intent.LITERATURE
    if asked.topic is STOPPING:
        return Intent.STOP
    if asked.topic is not None:
        return Intent.NOT_PREDICTED
    if says("responders", text) and len(asked.active) <= 1 and not says("rank", text):
        return Intent.RESPONDERS
    if says("rank", text) and (not asked.active or "rank" in text.casefold()):
        return Intent.RANK
    if len(asked.active) >= 2:
        return Intent.COMPARE
    if asked.active or asked.unknown_drugs:
        return Intent.RESPOND
    if says("describe", text) and (asked.cohort is not None or asked.cohort_fault is not None):
        return Intent.DESCRIBE
    return Intent.UNCLEAR
