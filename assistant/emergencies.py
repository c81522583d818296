"""Somebody may need help now: an overdose, a crisis, signs of a stroke; and questions about which dose kills."""

from __future__ import annotations

import re

from assistant.topics import without_asking

_SIGNS = re.compile(
    r"\b(?:overdos\w+|by (?:mistake|accident)|too (?:much|many)|accidental\w*|keep vomiting"
    r"|(?:can'?t|cannot) stop (?:vomiting|throwing up|bleeding)|bleed\w* (?:that )?(?:won'?t|will not) stop"
    r"|double my \w+(?: \w+)? dose|chest pain|passed out|unconscious|unresponsive|collapsed|swallowed"
    r"|(?:can'?t|cannot|trouble|difficulty) breath\w*|swollen (?:tongue|throat|lips)"
    r"|(?:tongue|throat|lips|face) (?:is|are|was|keeps?) (?:\w+ )?(?:swell\w*|swollen|clos\w+|blue|grey|gray|purple)"
    r"|blue lips|lips (?:\w+ ){0,2}blue|(?:turn|go|goes|gone|went)(?:ing|ed)? blue|seizure|convuls\w+"
    r"|not (?:waking up|breathing|responding to (?:me|us))|won'?t wake up"
    r"|(?:can'?t|cannot|can not|could ?n[o']t|unable to) (?:wake|rouse|revive)"
    r"|face (?:is |has |was )?(?:droop|drop|numb)\w*|slurr\w+|(?:can'?t|cannot) (?:speak|talk|see|move)"
    r"|(?:vomit|cough|throw)\w* (?:up )?blood|poison\w*"
    r"|(?:took|taken|ate|had|swallowed) (?:all|the whole|a whole|a handful|\d{2,}|lots|dozens) (?:of )?"
    r"(?:\w+ ){0,4}(?:tablets|pills|capsules|bottle|packet|pack|medication)"
    r"|(?:took|taken|injected|gave|given) \d+ (?:units|mg|iu|tablets|pills)\b[^.?!]{0,40}\binstead of"
    # 'Took 12 metformin': a number of tablets, and no time, dose or number of people.
    r"|(?:took|swallowed) (?:about |like |maybe )?(?:\d{2,3}|a dozen|twelve|twenty|thirty|fifty) (?:of )?(?:my |his |her |the )?"
    r"(?!weeks?|months?|years?|days?|hours?|people|patients|adults|men|women|units|points|trials|minutes|percent|mcg|mmol)[a-z]{5,})\b",
    re.IGNORECASE,
)
_CRISIS = re.compile(
    r"\b(?:suicid\w+|kill (?:myself|himself|herself|themsel\w+)|wants? to die|end (?:my|his|her) (?:own )?life|take my own life"
    r"|hurt(?:ing)? (?:myself|himself|herself)|self-?harm\w*|(?:think\w*|thought|talk\w*) (?:about|of) ending it(?: all)?"
    r"|(?:can'?t|cannot|can not) go on(?: (?:any ?more|any longer|like this|living))?|better off (?:without (?:me|him|her)|dead)"
    r"|(?:do not|don'?t|didn'?t|doesn'?t) want to (?:wake up|live|be alive|be here|go on)|no (?:reason|point) (?:to|in) liv\w+"
    r"|life (?:is|isn'?t|is not|not) worth (?:living|nothing))\b",
    re.IGNORECASE,
)
_SOMEBODY = re.compile(
    r"\b(?:i|i've|i'm|my|me|help|wife|husband|mother|father|mum|mom|mummy|dad|daddy|son|daughter|brother|sister|grand\w+"
    r"|granny|toddler|baby|infant|child(?!-)|kid|boy|girl|friend|neighbou?r|roommate|flatmate|partner|colleague|someone|somebody"
    r"|he|she|him|her)\b",
    re.IGNORECASE,
)
# Who asks which dose kills gets help and no number, whatever group is named; what kills germs or cells is another matter.
_LETHAL = re.compile(
    r"\b(?:lethal|fatal|deadly|toxic) (?:\w+ )?(?:dose|dosage|amount|quantity|overdose)s?\b|\bld50\b"
    r"|\b(?:dose|dosage|amount|quantity|units?|tablets?|pills?|capsules?|pens?|vials?|injections?|mg|milligrams?|grams?|how much)\b"
    r"[^.?!]{0,80}\b(?:would|will|could|can|does it take to|do you need to|is needed to|needed to|enough to|to|that|which) "
    r"(?:be (?:lethal|fatal|deadly)|kill\w*(?! (?:\w+ )?(?:virus\w*|bacteri\w+|germs?|cells?|tumou?rs?|cancers?|parasit\w+|pain)))"
    r"|\b(?:dose|dosage|amount|units?|mg) (?:\w+ ){0,4}(?:is|are|be|becomes?) (?:lethal|fatal|deadly)\b",
    re.IGNORECASE,
)


def is_emergency(text: str) -> bool:
    """True when somebody may need help now, or when it is asked which dose kills."""
    if _LETHAL.search(text) is not None:
        return True
    sign = _SIGNS.search(text) is not None or _CRISIS.search(text) is not None
    return sign and _SOMEBODY.search(without_asking(text)) is not None
