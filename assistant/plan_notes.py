"""What was corrected, taken over, assumed or left aside while a question was read: the notes of a plan."""

from __future__ import annotations

import re
from collections.abc import Sequence

from assistant import language
from assistant.intents import Intent, says
from assistant.reading import Treatment
from assistant.understanding import Understanding

_SENTENCE = re.compile(r"[^?!.;\n]+[?!.;\n]?")
_ALSO = {
    Intent.RESPONDERS: "who gains most",
    Intent.STOP: "what happens after stopping",
    Intent.RANK: "which treatment does best",
    Intent.EXPLAIN: "why",
    Intent.LITERATURE: "what is published",
}


def reading_notes(asked: Understanding, named: Sequence[Treatment], weeks: float, trials: int) -> list[str]:
    """The notes of a plan that predicts.

    Parameters
    ----------
    named : the treatments that are predicted; what else was named is said to be left aside.
    weeks, trials : the horizon, and how many trials report at it where nobody said one.
    """
    notes = list(asked.corrected)
    notes += [f"taken over from the question before: {what}" for what in asked.inherited]
    if asked.cohort is not None and asked.cohort.understood not in ("", asked.cohort.label):
        notes.append(f"cohort: {asked.cohort.understood}")
    if asked.horizon_weeks is None and asked.intent is not Intent.STOP:
        why = ", the follow-up that most of the trials behind it have" if trials > 1 else ""
        notes.append(f"no horizon was given: {language.weeks(weeks)} assumed{why}")
    notes += [f"'{name}' is not known and was left out" for name in asked.unknown_drugs]
    notes += [f"“{name}” is no outcome that is known here and was left out" for name in asked.unknown_outcomes]
    if asked.titration.told and asked.intent is Intent.RESPOND:
        notes.append(asked.titration.told)
    if asked.estimand is not None and asked.intent is not Intent.RESPOND:
        notes.append(
            f"'{asked.estimand}' can be asked of one treatment only: the figures are as the trials reported them"
        )
    if asked.background:
        drugs = language.joined([treatment.name for treatment in asked.background])
        notes.append(
            f"{drugs} was read as what people have already; the prediction is for the average background of the trials"
        )
    notes += [f"the question also asks {what}: ask that on its own" for what in also_asked(asked)]
    notes += [
        f"{other.label} was named too: ask about it separately, or as “{asked.active[0].name} versus {other.name}”"
        for other in asked.active[len(named) :]
    ]
    return notes


def also_asked(asked: Understanding) -> list[str]:
    """Further kinds of question in a text of several sentences, beside the one that is answered."""
    sentences = [part for part in _SENTENCE.findall(asked.text) if len(part.split()) > 1]
    if len(sentences) < 2:
        return []
    said = {kind for sentence in sentences for kind in _ALSO if says(kind.value, sentence)} - {asked.intent}
    return [what for kind, what in _ALSO.items() if kind in said]
