"""Shares in words: "60 % adults with type 2 diabetes and 40 % adults with obesity" are two cohorts and their sizes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from knowledge.errors import InvalidInput
from personas.schemas import CohortSpec, MixturePart

_SHARE = re.compile(
    r"(?<![\w.,/-])(?:(?P<percent>\d{1,3}(?:[.,]\d+)?)\s*(?:%|per\s?cent)|(?P<half>half))\s*"
    r"(?:of\s+(?:them|it)\s+)?(?:are\s+|is\s+)?(?:the\s+)?(?!of\b)"
)
_JOINT = re.compile(r"[\s,;&+]*(?:and|plus|with)?\s*")
_ROUNDING = 0.5  # percent: "33.3 %, 33.3 % and 33.3 %" are all


@dataclass(frozen=True)
class Share:
    """A share in percent, and the place of the words of those who make it."""

    percent: float
    start: int
    end: int


def find_shares(question: str) -> tuple[Share, ...]:
    """The shares in plain `question` (see `mentions.plain`) with the words after each; empty for fewer than two."""
    found = list(_SHARE.finditer(question))
    if len(found) < 2:
        return ()
    ends = [following.start() for _, following in pairwise(found)] + [len(question)]
    return tuple(
        Share(50.0 if match["half"] else float(match["percent"].replace(",", ".")), match.end(), end)
        for match, end in zip(found, ends, strict=True)
    )


def is_joint(text: str) -> bool:
    """Is it nothing but what joins the parts of a list?"""
    return _JOINT.fullmatch(text) is not None


def mixture_of(shares: tuple[Share, ...], parts: tuple[CohortSpec, ...], words: tuple[str, ...]) -> CohortSpec:
    """The mixture of cohorts; `words` are those that said each.

    InvalidInput when the shares do not make a whole, when a part is more than an archetype (a restriction is on the
    whole mixture and would change the shares), and when an archetype stands in it twice.
    """
    total = sum(share.percent for share in shares)
    if abs(total - 100) > _ROUNDING:
        raise InvalidInput(f"The shares add up to {total:g} %, not to 100 %.", "Give the share of each group.")
    ids = [part.persona_id for part in parts]
    if len(set(ids)) < len(ids) or any(part.restrictions for part in parts):
        groups = _listed([f"'{said.strip()}'" for said in words])
        raise InvalidInput(
            f"{groups} cannot be mixed: the parts of a mixture are whole archetypes, each named once and without limits.",
            "Ask about each group on its own, or about a mixture such as "
            "'60 % adults with type 2 diabetes and 40 % adults with obesity'.",
        )
    named = _listed([f"{share.percent:g} % {part.label}" for share, part in zip(shares, parts, strict=True)])
    remarks = dict.fromkeys(remark for part in parts for remark in part.understood.removeprefix(part.label).split("; "))
    return CohortSpec(
        mixture=tuple(
            MixturePart(persona_id=part.persona_id, weight=share.percent / 100)
            for share, part in zip(shares, parts, strict=True)
        ),
        label=named,
        understood="; ".join((named, *(remark for remark in remarks if remark))),
        not_understood=tuple(dict.fromkeys(item for part in parts for item in part.not_understood)),
    )


def _listed(items: list[str]) -> str:
    return " and ".join((", ".join(items[:-1]), items[-1]))
