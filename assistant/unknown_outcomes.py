"""Outcomes that a question names and nobody here knows ("hairs per cm²", "IQ points"): told, never replaced by another.

By form: what is counted ("how many … do they lose"), what changes ("how much does … fall", "change in …", "improve …"). A
word counts as unknown only where none of its phrase is an outcome, a unit, a person or a general word.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_STOPS = (
    r"(?:in|at|on|with|for|over|after|before|by|among|amongst|from|to|and|or|nor|than|versus|vs|do|does|did|is|are|was|were|be|been"
    r"|would|will|can|could|should|may|might|per|if|when|while|within|during|until|since|who|that|which|because|due|of|as|under"
    r"|through|along|alongside|against|between|have|has|had|get|gets|lose|loses|gain|gains|reach|reaches|stop|stops|still|also|only|not|it|they|them"
    r"|go|goes|come|comes|fall|falls|rise|rises|drop|drops|change|changes|improve|improves|make|makes|take|takes)\b"
)
_PHRASE = rf"(?P<what>(?!{_STOPS})[A-Za-z][\w'’-]*(?: (?!{_STOPS})[A-Za-z][\w'’-]*){{0,3}})"
_AUXILIARY = r"(?:do|does|did|would|will|can|could|are|is|have|has)"
_COUNTED = re.compile(
    rf"\bhow (?:many|much) (?:more |fewer |less )?{_PHRASE}(?: (?:per|a|of) [a-z]+(?: [a-z]+)?)? {_AUXILIARY}\b",
    re.IGNORECASE,
)
_CHANGED = (
    re.compile(rf"\bhow much {_AUXILIARY} (?:the |their )?{_PHRASE} (?:change|fall|rise|improve|increase|decrease|drop|go|grow)", re.I),
    re.compile(
        rf"\b(?:change|reduction|increase|decrease|improvement|fall|rise|drop|gain|decline|difference) in (?:the |their )?{_PHRASE}",
        re.IGNORECASE,
    ),
    re.compile(rf"\bwhat (?:happens|becomes) (?:to|of) (?:the |their )?{_PHRASE}", re.IGNORECASE),
    re.compile(rf"\b(?:effects?|impact|influence) (?:of|from)\b(?:[^?.!;:]|\.(?=\d)){{0,80}}? on (?:the |their )?{_PHRASE}", re.IGNORECASE),
    re.compile(
        rf"\b(?:improve|raise|lower|reduce|increase|boost|worsen|restore|affect)(?:s|es)? (?:the |their )?{_PHRASE}", re.IGNORECASE
    ),
)  # fmt: skip
_NEVER_MEASURED = (
    re.compile(r"\b(?:are|is|be|get|gets|been|being) (?P<what>cured)\b", re.IGNORECASE),
    re.compile(r"\b(?P<what>cure)(?: rates?\b|d?\W*$)", re.IGNORECASE),
)
# Bare verbs that stand for an outcome only where nothing else is counted: 'lose' is weight, but not in 'lose hairs'.
_BARE_VERB = re.compile(
    r"(?:lose|loses|lost|losing|shed|sheds|drop|drops|gain|gains|gained|lighter|heavier)", re.IGNORECASE
)
# Words that say nothing of which outcome is meant.
_GENERAL_WORDS = """
    a an the their its his her this that these those any some all every each no more less much many most least few fewer very really
    how what which other such own overall total mean average median typical expected absolute relative percent percentage proportion
    share rate rates risk risks chance chances odds probability likelihood hazard ratio number numbers level levels value values score
    scores scale point points unit units kg kgs kilo kilos kilogram kilograms kilogramme kilogrammes pound pounds lb lbs stone mg ug mcg
    g gram grams ml l litre litres liter liters mmhg mm mmol mol dl day days week weeks month months year years hour hours minute
    minutes metre metres meter meters times time fold people patients patient persons person adults men women children kids them
    participants smokers diabetics users individuals cohort group groups arm arms trial trials study studies evidence data figures
    figure number drug drugs dose doses dosage treatment treatments therapy medicine medicines medication medications tablet tablets
    pill pills injection injections jab jabs placebo response responses responder responders effect effects benefit benefits harm harms
    outcome outcomes endpoint endpoints result results symptom symptoms severity control quality condition disease illness health
    event events side adverse reaction reactions change changes difference differences improvement reduction increase decrease loss
    gain success efficacy effectiveness safety tolerability help good better worse well best worst high higher low lower big bigger
    small smaller strong stronger sooner longer faster baseline start beginning end average confidence certainty sure long often
    money cost costs price mean interval age ages older younger sex gender race ethnicity heavier lighter things something anything
    everything stuff same different extra additional further one two three four five six seven eight nine ten half double twice both
    slower quicker steeper milder sicker fitter earlier later primary secondary main key first second clinical significant meaningful
"""
_GENERAL = frozenset(_GENERAL_WORDS.split())
_WORD = re.compile(r"[A-Za-z][\w'’-]*")


def unknown_outcomes(text: str, known: Sequence[tuple[int, int]]) -> tuple[str, ...]:
    """Outcomes named in `text` that are none here, in order of appearance, as written.

    Parameters
    ----------
    text : the question with drugs, doses and words for people blanked out.
    known : character spans (start, end) of the outcomes that were read in it.
    """
    found: dict[int, str] = {}
    for pattern in (_COUNTED, *_CHANGED, *_NEVER_MEASURED):
        for match in pattern.finditer(text):
            start, end = match.span("what")
            if any(left < end and start < right and not _is_bare(text[left:right]) for left, right in known):
                continue
            words = [word for word in _WORD.findall(match["what"]) if word.casefold() not in _GENERAL]
            if words:
                found.setdefault(start, match["what"])
    return tuple(dict.fromkeys(found[start] for start in sorted(found)))


def counts_something_unknown(text: str, known: Sequence[tuple[int, int]]) -> bool:
    """True for 'how many hairs do they lose': then 'lose' names no outcome of its own."""
    match = _COUNTED.search(text)
    return match is not None and match["what"] in unknown_outcomes(match.group(), _shifted(known, match.start()))


def is_bare_verb(words: str) -> bool:
    """True for 'lose', which names an outcome only where nothing else is counted."""
    return _is_bare(words)


def _is_bare(words: str) -> bool:
    return _BARE_VERB.fullmatch(words.strip()) is not None


def _shifted(spans: Sequence[tuple[int, int]], start: int) -> list[tuple[int, int]]:
    return [(left - start, right - start) for left, right in spans if left >= start]
