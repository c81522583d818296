"""A control arm as the user states it → a figure on the model's scale, or why it cannot be one."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from knowledge.errors import InvalidInput
from knowledge.schemas import ArmRole, Family, Seen, Statistic, TrialArm
from knowledge.vocabulary import Vocabulary
from tools.response.assemble import Prepared
from tools.response.control import ObservedArm
from tools.response.estimates import RATE_UNIT
from tools.response.ratios import dispersion_of, log_hazard
from tools.response.rows import CONTINUITY
from tools.response.schemas import ObservedControl

# The comparator stands second among the treatments of a question.
COMPARATOR = 1


def by_endpoint(
    observed: Sequence[ObservedControl], chosen: Collection[str], vocabulary: Vocabulary
) -> dict[str, ObservedControl]:
    """The figures by endpoint id (UnknownEndpoint; InvalidInput: an endpoint given twice, or one not predicted)."""
    found: dict[str, ObservedControl] = {}
    for given in observed:
        one = given.model_copy(update={"endpoint": vocabulary.endpoint(given.endpoint).endpoint_id})
        if one.endpoint in found:
            raise InvalidInput(
                f"Two observed control figures were given for {one.endpoint}.",
                "Give one figure for each endpoint: two visits of one arm are not two pieces of evidence.",
            )
        if one.endpoint not in chosen:
            raise InvalidInput(
                f"An observed control figure was given for {one.endpoint}, which is not predicted here.",
                f"Name it among the endpoints too. Predicted are: {', '.join(chosen)}.",
            )
        found[one.endpoint] = one
    return found


def observed_arm(given: ObservedControl, prepared: Prepared) -> ObservedArm:
    """The comparator arm's figure on the model's scale (InvalidInput: out of range, or its error cannot be told)."""
    endpoint, size = prepared.endpoint, float(given.n)
    shares = endpoint.family in (Family.PROPORTION, Family.TIME_TO_EVENT)
    unit = "%" if shares else RATE_UNIT if endpoint.family is Family.RATE else endpoint.unit
    told = f"{endpoint.label} {given.value:g} {unit} at {given.weeks:g} weeks in {given.n} people"
    low, high = (0.0, 100.0) if shares else (0.0, np.inf) if endpoint.family is Family.RATE else endpoint.limits
    if not low <= given.value <= high:
        raise InvalidInput(
            f"The observed control figure {given.value:g} {unit} is impossible for {endpoint.label}.",
            f"Give it in {unit}, from {low:g} to {high:g}."
            if np.isfinite(high)
            else f"Give it in {unit}, not below 0.",
        )
    if (shares and given.se is not None) or (endpoint.family is not Family.CONTINUOUS and given.sd is not None):
        raise InvalidInput(
            f"The error of the observed control figure for {endpoint.label} follows from n.", "Leave se and sd out."
        )
    if endpoint.family is Family.CONTINUOUS:
        sd = given.sd or prepared.selection.individual_sd
        error = given.se or (None if sd is None else sd / size**0.5)
        if error is None:
            raise InvalidInput(
                f"No trial tells how much persons differ in {endpoint.label}.",
                "Give the standard error (se) or the standard deviation (sd) of the observed control figure.",
            )
        scale = prepared.data.scale
        return ObservedArm(COMPARATOR, given.weeks, given.value / scale, (error / scale) ** 2, told)
    if endpoint.family is Family.PROPORTION:
        yes = given.value / 100.0 * size
        yes, no = yes + CONTINUITY, size - yes + CONTINUITY
        return ObservedArm(COMPARATOR, given.weeks, float(np.log(yes / no)), 1.0 / yes + 1.0 / no, told)
    return _hazard(given, prepared, told)


def _hazard(given: ObservedControl, prepared: Prepared, told: str) -> ObservedArm:
    """Of times to event and rates: the log of events per person-time."""
    endpoint = prepared.endpoint
    statistic = Statistic.RATE if endpoint.family is Family.RATE else Statistic.PROPORTION
    arm = TrialArm(
        row_id="observed", area="", trial="observed", source_id="", arm="control", arm_role=ArmRole.PLACEBO,
        intervention="", drug_class="", n=given.n, endpoint=endpoint.endpoint_id, statistic=statistic,
        weeks=given.weeks, value=given.value, se=given.se, se_from="given", locator="given", seen=Seen.SECONDARY,
        published="",
    )  # fmt: skip
    found = log_hazard(arm, dispersion_of([row.arm for row in prepared.selection.rows], endpoint.family))
    if found is None:
        raise InvalidInput(
            f"No trial tells how much counts of {endpoint.label} vary.",
            "Give the standard error (se) of the observed control figure.",
        )
    value, error, _ = found
    return ObservedArm(COMPARATOR, given.weeks, value - float(np.log(prepared.data.scale)), error**2, told)
