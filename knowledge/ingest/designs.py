"""How a publication came to its figures, and whether it was retracted, from what its record says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from knowledge.schemas import Design

# MEDLINE publication types and JATS article types → design; the first that applies wins.
_BY_TYPE: Final[tuple[tuple[Design, frozenset[str]], ...]] = (
    (Design.META_ANALYSIS, frozenset({"meta-analysis", "network meta-analysis"})),
    (
        Design.GUIDELINE,
        frozenset({"guideline", "practice guideline", "consensus development conference", "consensus statement"}),
    ),
    (
        Design.RCT,
        frozenset(
            {
                "randomized controlled trial",
                "randomized controlled trial, veterinary",
                "equivalence trial",
                "pragmatic clinical trial",
                "adaptive clinical trial",
            }
        ),
    ),
    (Design.REVIEW, frozenset({"systematic review", "scoping review", "review", "review-article"})),
    (
        Design.OBSERVATIONAL,
        frozenset(
            {
                "observational study",
                "clinical study",
                "clinical trial",
                "clinical trial, phase i",
                "clinical trial, phase ii",
                "clinical trial, phase iii",
                "clinical trial, phase iv",
                "controlled clinical trial",
                "comparative study",
                "case reports",
                "case-report",
                "multicenter study",
                "twin study",
                "validation study",
            }
        ),
    ),
    (
        Design.PRESS,
        frozenset(
            {"news", "newspaper article", "editorial", "comment", "letter", "press release", "article-commentary"}
        ),
    ),
)
_BY_TITLE: Final = (
    (Design.POOLED_RCT, re.compile(r"\bpooled (?:analys[ei]s|data)\b|\bpatient-level (?:pooled|analysis)\b", re.I)),
    (Design.META_ANALYSIS, re.compile(r"\bmeta-?analys[ei]s\b", re.I)),
    (Design.SUBGROUP, re.compile(r"\bpost[- ]hoc\b|\bsub-?group\b|\bsecondary analys[ei]s\b|\bsub-?stud(?:y|ies)\b", re.I)),
    (Design.REVIEW, re.compile(r"\b(?:systematic|scoping|narrative) review\b|\breview\b", re.I)),
    (Design.GUIDELINE, re.compile(r"\bguidelines?\b|\bstandards of care\b|\bconsensus (?:report|statement)\b", re.I)),
    (Design.RCT, re.compile(r"\brandomi[sz]ed\b|\bplacebo-controlled\b|\bdouble-blind\b|\bRCT\b", re.I)),
    (
        Design.OBSERVATIONAL,
        re.compile(r"\b(?:cohort|case-control|cross-sectional|real-world|registry|observational)\b", re.I),
    ),
)  # fmt: skip
_RETRACTION_TYPES: Final = frozenset(
    {"retracted publication", "retraction of publication", "retraction notice", "retraction", "partial-retraction"}
)
_RETRACTED_TITLE: Final = re.compile(
    r"\W*(?:retracted|retraction|withdrawn|withdrawal)\b\s*(?:article|note|notice)?\s*[:\]—–-]", re.I
)


def guess_design(publication_types: Sequence[str], title: str) -> Design:
    """The design by publication types, then by the words of the title; a review when neither tells.

    A randomised trial whose title says that it is a subgroup or pools several trials is that.
    """
    types = {kind.strip().casefold() for kind in publication_types}
    by_type = next((design for design, kinds in _BY_TYPE if kinds & types), None)
    by_title = next((design for design, pattern in _BY_TITLE if pattern.search(title)), None)
    if by_type is Design.RCT and by_title in (Design.SUBGROUP, Design.POOLED_RCT):
        return by_title
    if by_type in (None, Design.OBSERVATIONAL) and by_title is not None:
        return by_title  # "Clinical Trial, Phase III" does not say whether it was randomised, its title often does
    return by_type or Design.REVIEW


def is_retracted(publication_types: Sequence[str], title: str) -> bool:
    """True for a retracted publication and for the notice that retracts one: neither is evidence."""
    types = {kind.strip().casefold() for kind in publication_types}
    return bool(types & _RETRACTION_TYPES) or _RETRACTED_TITLE.match(title) is not None
