"""What `find_responders` comes to, in a few sentences; plain where nothing was found or little differs."""

from __future__ import annotations

from collections.abc import Sequence

from knowledge.schemas import Endpoint
from tools.response.responders_schemas import SubCohort
from tools.response.wording import chance, plain

# Sub-cohorts named in a sentence.
NAMED = 4


def verdict_on(
    ranked: Sequence[SubCohort], endpoint: Endpoint, unit: str, truly_first: float, splits: int, margin: float
) -> str:
    """Who gains more than the rest, even when all are judged at once; how much at most where nobody does.

    Parameters
    ----------
    ranked : sub-cohorts, best first. unit : of the gaps.
    truly_first : probability (%) that the first one is the best. splits : how many made them.
    margin : how much more counts.
    """
    best, apart = ranked[0], [one for one in ranked if one.told_apart]
    beyond = f" by at least {margin:g} {unit}" if margin else ""
    looked = f"{splits} split{'s' if splits > 1 else ''} into {len(ranked)} sub-cohorts"
    if not apart:
        text = (
            f"No sub-cohort can be told apart from the rest of the cohort ({looked} looked at). The one that looks best: "
            f"{best.words}; the probability that it truly gains more than the rest{beyond} is {chance(best.probability)}."
        )
        return f"{text} {_how_small(ranked, endpoint, unit)}".strip()
    text = f"Of {looked}, {len(apart)} gain{'s' if len(apart) == 1 else ''} more than the rest of the cohort{beyond}, even "
    text += f"when all are judged at once: {_named(apart, endpoint, unit)}."
    if best.told_apart:
        return f"{text} Best of all, with a probability of {chance(truly_first)}: {best.words}."
    return f"{text} The one that looks best is not among them, because that is less sure: {best.words}."


def _named(apart: Sequence[SubCohort], endpoint: Endpoint, unit: str) -> str:
    """Those told apart, largest difference first; then, without figures, those whose difference is surely small."""
    order = sorted(apart, key=lambda one: -one.gap)
    small = [one for one in order if _matters(endpoint, unit) and one.gap_upper < (endpoint.mcid or 0.0)]
    large = [one for one in order if one not in small]
    parts = [
        f"{one.words}, by {plain(one.gap)} {unit} ({plain(one.gap_lower)} to {plain(one.gap_upper)})"
        for one in large[:NAMED]
    ]
    if len(large) > NAMED:
        parts.append(f"{len(large) - NAMED} more")
    if small:
        words = " and ".join(one.words for one in small[:NAMED])
        parts.append(f"{words}, by so little that it is surely below the least that matters ({endpoint.mcid:g} {unit})")
    text = "; ".join(parts)
    if large and _matters(endpoint, unit) and large[0].gap < (endpoint.mcid or 0.0):
        text += f". The best guess of what differs is below the least that matters ({endpoint.mcid:g} {unit}), but more is not excluded"
    return text


def _matters(endpoint: Endpoint, unit: str) -> bool:
    """Whether the minimal important difference is known, and in the unit of the gaps."""
    return bool(endpoint.mcid is not None and endpoint.mcid_source and not unit.endswith("ratio"))


def _how_small(ranked: Sequence[SubCohort], endpoint: Endpoint, unit: str) -> str:
    """How large a difference is still possible, beside the least that matters."""
    largest = max(one.gap_upper for one in ranked)
    if not _matters(endpoint, unit) or endpoint.mcid is None:
        return f"Differences of up to {plain(largest)} {unit} are not excluded."
    least = f"the least that matters ({endpoint.mcid:g} {unit})"
    if largest < endpoint.mcid:
        return f"Whatever differs is small: more than {plain(largest)} {unit} is excluded, which is below {least}."
    if max(one.gap for one in ranked) < endpoint.mcid:
        return (
            f"The best guesses of what differs are all below {least}, but differences of up to {plain(largest)} {unit} are "
            "not excluded."
        )
    return f"Differences of up to {plain(largest)} {unit} are not excluded."
