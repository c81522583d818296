"""Questions to people of a cohort: an interview, or options put to a focus group. From words to a plan and tool calls."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from assistant import calls
from assistant.calls import Call, cohort_arguments
from assistant.intents import Intent, says
from assistant.schemas import Plan
from assistant.understanding import Understanding
from personas.schemas import CohortSpec

VOICES = {Intent.INTERVIEW: calls.INTERVIEW, Intent.FOCUS_GROUP: calls.FOCUS_GROUP}
_OFFER = re.compile(r".*?(?::|\b(?:choose|choosing|prefer|pick|opt for|between)\b)(?P<options>.*)", re.I | re.S)
_OR = re.compile(r"\s*,?\s*\b(?:or|versus|vs\.?)\s+|\s*;\s*(?:or\s+)?", re.I)
_BOTH = re.compile(r"\s+and\s+", re.I)
_LEAD = re.compile(r"^(?:between|either|to (?:take|have|use)|taking|having|using|that is)\b\s*", re.I)
_ABOUT = re.compile(r"\b(?:about|on|regarding|concerning)\s+(?P<about>.+)", re.I | re.S)
_PEOPLE = re.compile(
    r"\b(?:groups? (?:of|with)|panel of|interview|ask|(?:talk|speak|chat) (?:to|with)|hear from)\s+"
    r"(?P<people>\d{1,4})\b(?!\s*(?:%|-?years?))",
    re.I,
)
EXAMPLE = "What would a focus group of adults with type 2 diabetes choose: a daily tablet or a weekly injection?"


@dataclass(frozen=True)
class VoicePlan:
    """A plan with its calls; or, in `reply`, what has to be asked back."""

    plan: Plan
    calls: tuple[Call, ...] = ()
    reply: str = ""


def voice_plan(asked: Understanding, cohort: CohortSpec) -> VoicePlan:
    """What to call for an interview or a focus group with the people of `cohort`."""
    label = cohort.label or cohort.understood
    drugs = [treatment.name for treatment in asked.active]
    group = asked.intent is Intent.FOCUS_GROUP
    options = split_options(asked.text) if group else ()
    about = "" if group else topic_of_talk(asked.text)
    plan = Plan(
        population=label,
        persona_id=cohort.persona_id,
        interventions=() if group else tuple(treatment.label for treatment in asked.active),
        steps=(
            "draw virtual patients",
            "let the published preference model choose" if group else "let them speak from what is known of them",
            "read what real people said",
        ),
        notes=(
            *([f"put to choose: {'; '.join(options)}"] if options else []),
            *asked.corrected,
            *(f"taken over from the question before: {what}" for what in asked.inherited),
        ),
        left_out=tuple(words for words in cohort.not_understood if not _spoken(words, (*options, about))),
    )
    if group and len(options) < 2:
        return VoicePlan(plan, reply=_which_options(label))
    arguments: dict[str, Any] = {"cohort": cohort_arguments(cohort)}
    arguments |= {"options": list(options), "question": asked.text[:500]} if group else {"about": about[:300]}
    match = _PEOPLE.search(asked.text)
    if match is not None:
        arguments["people"] = int(match["people"])
    call = Call(VOICES[asked.intent], arguments)
    fault = calls.fault_of(call)
    if fault:
        return VoicePlan(plan, reply=f"## This cannot be asked as it is\n\nOne value is out of reach – {fault}.")
    query = f"{about or ' '.join(options)} preference adherence {label}"
    search = {"query": query[:200], "areas": ["behaviour"], "k": 3} | ({"drugs": drugs} if drugs else {})
    return VoicePlan(plan, (call, Call(calls.SEARCH, search)))


def split_options(text: str) -> tuple[str, ...]:
    """('a daily tablet', 'a weekly injection') of '… choose: a daily tablet or a weekly injection?'; empty without any."""
    match = _OFFER.fullmatch(text)
    offered = match["options"] if match is not None else ""
    while (deeper := _OFFER.fullmatch(offered)) is not None and _OR.search(deeper["options"]):
        offered = deeper["options"]
    offered = offered.split("?")[0].strip(" .:;,\n“”\"'")
    parts = _OR.split(offered)
    if len(parts) == 2 and "," in parts[0] and not re.search(r"\d", offered):
        parts = [*parts[0].split(","), parts[1]]
    if len(parts) == 1 and re.search(r"\bbetween\b", text, re.I):
        parts = _BOTH.split(offered)
    cleaned = [_LEAD.sub("", part.strip(" .:;,")).strip() for part in parts]
    return tuple(dict.fromkeys(part for part in cleaned if len(part) > 2)) if len(cleaned) > 1 else ()


def topic_of_talk(text: str) -> str:
    """'stopping semaglutide' of 'Let me interview adults with obesity about stopping semaglutide'."""
    match = _ABOUT.search(text)
    return match["about"].strip(" .?!\n") if match is not None else ""


def _spoken(words: str, said: Sequence[str]) -> bool:
    """True for words that are no part of who is asked."""
    folded = words.casefold()
    return any(folded in one.casefold() for one in said) or says("voice_words", folded)


def _which_options(label: str) -> str:
    who = f"{label[:1].lower()}{label[1:]}" or "the group"
    return (
        f"## What should {who} choose between?\n\nA focus group needs two options or more; nothing was assumed.\n\n"
        f"### For example\n\n“{EXAMPLE}”"
    )


def whom_to_ask() -> str:
    """The question back when no cohort was named."""
    return (
        "## Whom should be asked?\n\nThe question names no group of people that is known here.\n\n"
        f"### For example\n\n“{EXAMPLE}” or “Let me interview adults with obesity about stopping semaglutide”"
    )


__all__ = ["VOICES", "VoicePlan", "split_options", "topic_of_talk", "voice_plan", "whom_to_ask"]
