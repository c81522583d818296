"""One published figure as the model takes it."""

from __future__ import annotations

from dataclasses import dataclass

from knowledge.schemas import TrialArm


@dataclass(frozen=True)
class Row:
    """One figure on the model's scale before standardising.

    Attributes
    ----------
    arm : the row it comes from; `against` : a row of the comparator arm when it is a difference.
    value, se : in the endpoint's unit; logits of proportions; of times to event and rates the log of events per 100
        person-years, and of differences the log ratio.
    imputed : True when the SE comes from n and what is typical of the endpoint.
    """

    arm: TrialArm
    against: TrialArm | None
    value: float
    se: float
    imputed: bool = False
