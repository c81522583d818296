"""Which shares of individuals are reported for which endpoint, and their estimates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from knowledge.schemas import Direction, Endpoint, Family
from tools.response.features import FloatArray
from tools.response.individuals import Individuals


@dataclass(frozen=True)
class Response:
    """A change that counts as a response.

    Attributes
    ----------
    id : last part of the estimate's id; words : 'individuals who ...'.
    threshold : in the endpoint's unit; of the person's own baseline in % when `relative`.
    relative : see there.
    at_or_below : False when the response is at or above the threshold.
    """

    id: str
    words: str
    threshold: float
    relative: bool = False
    at_or_below: bool = True


# The shares that people ask for by name; other endpoints have "any improvement" and their minimal important difference.
NAMED: dict[str, tuple[Response, ...]] = {
    "hba1c_change": (
        Response("share_fall", "individuals who have any fall of HbA1c", 0.0),
        Response("share_fall_half_point", "individuals who have a fall of HbA1c of at least 0.5 points", -0.5),
    ),
    "weight_percent_change": (
        Response("share_loss_5", "individuals who lose at least 5 % of their weight", -5.0),
        Response("share_loss_10", "individuals who lose at least 10 % of their weight", -10.0),
    ),
    "weight_change": (
        Response("share_loss_5", "individuals who lose at least 5 % of their weight", -5.0, relative=True),
        Response("share_loss_10", "individuals who lose at least 10 % of their weight", -10.0, relative=True),
    ),
}


def responses_of(endpoint: Endpoint) -> tuple[Response, ...]:
    """Responses reported for an endpoint; none for proportions and endpoints without a better side."""
    if endpoint.family is not Family.CONTINUOUS or endpoint.direction is Direction.NEUTRAL:
        return ()
    if endpoint.endpoint_id in NAMED:
        return NAMED[endpoint.endpoint_id]
    lower = endpoint.direction is Direction.LOWER_IS_BETTER
    found = [Response("share_improved", f"individuals who improve at all ({endpoint.label})", 0.0, at_or_below=lower)]
    if endpoint.mcid is not None and endpoint.mcid_source:
        words = f"individuals who improve by at least {endpoint.mcid:g} {endpoint.unit} ({endpoint.label})"
        found.append(Response("share_important", words, -endpoint.mcid if lower else endpoint.mcid, at_or_below=lower))
    return tuple(found)


def response_share(
    response: Response, spread: Individuals, cohort_means: FloatArray, baseline: FloatArray | None
) -> FloatArray | None:
    """Share of responders in % for each of K cohort means; None when it needs a baseline that is not known.

    Parameters
    ----------
    response : what counts.
    spread : individuals around the cohort mean.
    cohort_means : (K,) in the endpoint's unit.
    baseline : (M,) the patients' own baselines, for relative responses.
    """
    thresholds = np.array([response.threshold])
    if response.relative:
        if baseline is None:
            return None
        thresholds = response.threshold / 100.0 * baseline
    below = 100.0 * spread.share_below(cohort_means, thresholds)
    return below if response.at_or_below else 100.0 - below
