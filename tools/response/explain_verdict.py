"""What an explanation comes to, in a few sentences."""

from __future__ import annotations

from collections.abc import Sequence

from knowledge.schemas import Endpoint
from tools.response.explain_refit import Influences
from tools.response.explain_schemas import TrialInfluence, VariancePart
from tools.response.wording import plain
from tools.schemas import Estimate


def verdict_on(
    endpoint: Endpoint, difference: Estimate, influences: Influences, variances: Sequence[VariancePart]
) -> str:
    """Which trial weighs most, which moves the prediction most, whether one of them decides it, what is unsure."""
    sentences = []
    if influences.trials:
        heaviest = max(influences.trials, key=lambda one: one.weight)
        sentences.append(_moves(heaviest, influences.trials[0], difference, influences))
        sentences.append(_decides(endpoint, difference, influences))
    if variances:
        first = variances[0]
        sentences.append(f"Of what it is unsure about, {first.share:.0f} % is {first.words}. {first.remedy}")
    return " ".join(sentences)


def _moves(heaviest: TrialInfluence, top: TrialInfluence, difference: Estimate, influences: Influences) -> str:
    """'X has the most weight (29 %). Y moves the prediction most: without it the difference would be …'"""
    text = f"{heaviest.trial} has the most weight ({heaviest.weight:.0f} %). "
    if top.trial in influences.impossible:
        return f"{text}Everything rests on {top.trial}: without it nothing could be predicted."
    refit = next((one for one in influences.refits if one.trial == top.trial), None)
    point = refit.point if refit is not None else difference.point + top.move
    how = "fitted again" if refit is not None else "foretold, not fitted again"
    what, unit = ("difference", f" {difference.unit}") if not is_ratio(difference) else (difference.unit, "")
    return (
        f"{text}{'It' if top is heaviest else top.trial} moves the prediction most: without it the {what} would be "
        f"{plain(point, 3)} instead of {plain(difference.point, 3)}{unit} ({how})."
    )


def _decides(endpoint: Endpoint, difference: Estimate, influences: Influences) -> str:
    """Whether leaving out one trial changes the side of no effect, or of the minimal important difference."""
    if influences.impossible:
        return ""
    marks = [(1.0 if is_ratio(difference) else 0.0, "no difference")]
    if endpoint.mcid is not None and endpoint.mcid_source and not is_ratio(difference):
        marks += [(sign * endpoint.mcid, "the minimal important difference") for sign in (-1.0, 1.0)]
    refitted = {one.trial: one.point for one in influences.refits}
    points = {one.trial: refitted.get(one.trial, difference.point + one.move) for one in influences.trials}
    for mark, words in marks:
        crossing = [trial for trial, point in points.items() if (point > mark) != (difference.point > mark)]
        if crossing:
            return f"{crossing[0]} decides it: without it the prediction would be on the other side of {words}."
    return "No single trial decides it: whichever is left out, the prediction stays on the same side of " + (
        "no difference and of the minimal important difference." if len(marks) > 1 else "no difference."
    )


def is_ratio(difference: Estimate) -> bool:
    """Whether a difference is a hazard or rate ratio, for which 1 means no difference."""
    return difference.unit.endswith("ratio")
