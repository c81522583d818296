"""Evidence grades in words, by study design."""

from __future__ import annotations

from knowledge.schemas import Design, Seen, Source

_GRADES = {
    Design.META_ANALYSIS: "meta-analysis",
    Design.RCT: "randomised trial",
    Design.POOLED_RCT: "pooled randomised trials",
    Design.SUBGROUP: "subgroup or post hoc analysis of a randomised trial",
    Design.OBSERVATIONAL: "observational study",
    Design.GUIDELINE: "guideline",
    Design.LABEL: "product label",
    Design.REGISTRY: "trial registry record",
    Design.REVIEW: "review",
    Design.PRESS: "press release",
}
_SEEN = {Seen.SECONDARY: ", figure seen in a secondary source", Seen.PRESS: ", figure seen in a press release"}


def grade(source: Source) -> str:
    """'randomised trial', with a note when the figure was not seen in the publication itself."""
    return _GRADES[source.design] + _SEEN.get(source.seen, "")
