"""What a sentence says people do not have: "without", "not", "excluding", and what is said of one of two only."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

from personas.mentions import Kind, Mention

_QUALIFIERS = r"(?:(?:any|a|an|the|known|prior|previous|existing|established|history\s+of|on)\s+)*"
_THOSE_WHO = (
    r"(?:(?:any|all|a|an|the|known|prior|previous|those|people|patients|persons|individuals|participants|subjects|adults|"
    r"anyone|who|that|with|have|has|had|having|are|is|on|taking|history|of)\s+)*"
)
_EXCEPTION = re.compile(
    r"\b(?:(?:not\s+)?(?:excluding|exclud(?:es?|ed)|including(?<=not\sincluding))|except(?:ing)?(?:\s+for)?|"
    r"with\s+the\s+exception\s+of|other\s+than|but\s+not|apart\s+from|aside\s+from|leaving\s+out|not\s+counting|minus|"
    rf"barring)\s+{_THOSE_WHO}$"
)
_ABSENCE = re.compile(
    rf"(?:\b(?:without|w/o|never\s+(?:had|having\s+had)|lacking|free\s+(?:of|from)|"
    rf"(?:do|does|did)(?:\s+not|n't)\s+have|(?:have|has)(?:\s+not|n't)\s+(?:had|got))\s+{_QUALIFIERS})$"
)
_NEGATION = re.compile(
    rf"(?:\bnon-?|\b(?:no|not|nor|neither|(?:are|is)n't|no\s+longer|(?:do|does|did)(?:n't|nt|\s+not)(?:\s+currently)?)\s+"
    rf"{_QUALIFIERS})$"
)
# "Not without diabetes", "don't have no hypertension": whoever writes it may mean either.
_NEGATED_ALREADY = re.compile(r"(?:\b(?:not|never|neither)|n't)\s+(?:have\s+|had\s+|been\s+)?$")
_BEGINS_NEGATED = re.compile(r"(?:no|not|without|w/o|never)\b|non")
# "With a family history of diabetes" says nothing that an archetype can hold.
_OTHERS = re.compile(
    r"\b(?:(?:a\s+)?family\s+history\s+of|(?:whose|with|having|their)\s+(?:an?\s+)?"
    r"(?:parents?|mothers?|fathers?|relatives?|siblings?|partners?|famil(?:y|ies))\s+(?:with|has|have|had)|used\s+to\s+have|(?:cured|recovered)\s+(?:of|from))\s+(?:a\s+|an\s+|the\s+)?$"
)
_LOOK_BACK = 100
_EITHER_WAY = re.compile(r"\bwith\s*(?:or|and|/)\s*without\s+(?:any\s+|a\s+)?$")
_OR = re.compile(r"\s*(?:,\s*)?(?:or|nor)\s+$")
_LISTED = re.compile(rf"\s*(?:,|(?:,\s*)?(?:or|nor|and|&))\s*(?:{_QUALIFIERS})$")
_ALTERNATIVE = re.compile(
    r"\s*(?:,\s*(?P<a>(?:and/)?or\s+)?|(?P<b>(?:and/)?or\s+))(?:(?:an?|the|with|have|has|who|are|is|those)\s+)*"
)
_QUALIFIED_BY = re.compile(
    r"\s+(?:(?:patients|people|individuals|persons)\s+)?(?:(?:with|who\s+have|who\s+are|having)\s+)?"
)


def negations(text: str, mentions: list[Mention], conditions: frozenset[str]) -> Iterator[Mention]:
    """Mentions after "without", "not" and the like are negated; `conditions` are those a list of exceptions may hold."""
    before: Mention | None = None
    listing = False  # is the mention before one of a list that "without" or "excluding" began?
    for mention in mentions:
        lead = text[max(0, mention.start - _LOOK_BACK) : mention.start]
        skipped = mention.start - len(lead)
        if mention.kind is Kind.PEOPLE:
            yield mention
            continue
        if _EITHER_WAY.search(lead):
            before, listing = Mention(mention.start, mention.end, Kind.PEOPLE, "people"), False
            yield before
            continue
        others = _OTHERS.search(lead)
        if others is not None:
            before, listing = mention, False
            yield replace(mention, kind=Kind.UNREAD, negated=True, lead=skipped + others.start(), quantity=None)
            continue
        match = _EXCEPTION.search(lead) or _ABSENCE.search(lead) or _NEGATION.search(lead)
        twice = _negated_twice(text, mention, skipped + match.start()) if match else None
        if twice is not None:
            before, listing = mention, False
            yield replace(mention, kind=Kind.UNREAD, negated=True, lead=twice, quantity=None)
            continue
        between = text[before.end : mention.start] if before is not None and before.negated else "?"
        listed = match is None and (
            _OR.fullmatch(between) is not None
            or (listing and mention.key in conditions and _LISTED.fullmatch(between) is not None)
        )
        if mention.kind is Kind.QUANTITY and (match is None or match.re is _NEGATION):
            listed, match = listed and listing, None
        listing = listed or (match is not None and match.re is not _NEGATION)
        start = skipped + match.start() if match else mention.start
        before = replace(mention, negated=match is not None or listed, lead=start)
        yield before


def _negated_twice(text: str, mention: Mention, start: int) -> int | None:
    """Where the outer of two negations begins; None when there is one. `start` is where the inner one begins."""
    outer = _NEGATED_ALREADY.search(text[:start])
    if outer is not None:
        return outer.start()
    return start if _BEGINS_NEGATED.match(text, mention.start) else None


def alternatives(text: str, mentions: list[Mention], is_condition: Callable[[Mention], bool]) -> Iterator[Mention]:
    """'Asthma or COPD' is no cohort of people who have both: what follows "or" stays unread."""
    position = 0
    while position < len(mentions):
        chain, either = [mentions[position]], False
        for following in mentions[position + 1 :]:
            link = _ALTERNATIVE.fullmatch(text, chain[-1].end, following.start)
            if link is None or not all(is_condition(m) and not m.negated for m in (chain[-1], following)):
                break
            chain.append(following)
            either = either or bool(link["a"] or link["b"])
            if either:
                break
        yield chain[0]
        for before, mention in pairwise(chain):
            other = either and mention.key != chain[0].key
            lead = (
                before.end + len(text[before.end : mention.start]) - len(text[before.end : mention.start].lstrip(" ,"))
            )
            yield replace(mention, kind=Kind.UNREAD, negated=True, lead=lead, quantity=None) if other else mention
        position += len(chain)


def exceptions(text: str, mentions: list[Mention]) -> Iterator[Mention]:
    """'Excluding women over 65' leaves out neither all women nor all over 65: what is one exception stays unread."""
    position = 0
    while position < len(mentions):
        mention = mentions[position]
        last = position
        if mention.negated and _EXCEPTION.fullmatch(text, mention.lead, mention.start):
            while last + 1 < len(mentions) and _qualifies(text, mentions[last], mentions[last + 1]):
                last += 1
        if any(item.kind is not Kind.PEOPLE for item in mentions[position + 1 : last + 1]):
            yield replace(mention, end=mentions[last].end, kind=Kind.UNREAD, quantity=None)
        else:
            yield from mentions[position : last + 1]
        position = last + 1


def _qualifies(text: str, mention: Mention, following: Mention) -> bool:
    plain_one = following.kind is Kind.PEOPLE or not following.negated
    return plain_one and _QUALIFIED_BY.fullmatch(text, mention.end, following.start) is not None
