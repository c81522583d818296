"""Withdrawal trials of an evidence view → how much had come back, when, with what standard error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from knowledge.errors import NoEvidence
from knowledge.schemas import TrialArm
from knowledge.vocabulary import Vocabulary
from tools.response.engine import ResponseEngine
from tools.response.stopping import PlateauPosterior, ReturnPriors, StopObservation, fit_plateau
from tools.response.treatments import Treatment

START, STOP = "start", "stop"
PERCENT = 100.0


@dataclass(frozen=True)
class StoppedArm:
    """One arm of a withdrawal trial at one time after stopping.

    Attributes
    ----------
    trial, drug, drug_class, endpoint : whose.
    weeks_on, weeks_off : on treatment before it was stopped, and since.
    at_stop, after : mean change from the untreated start, endpoint's unit, at the last dose and `weeks_off` later.
    n : participants; None where no row states them. sd : of the later change between people; None where not told.
    source_ids : where the figures were seen. tags : of the rows.
    """

    trial: str
    drug: str
    drug_class: str
    endpoint: str
    weeks_on: float
    weeks_off: float
    at_stop: float
    after: float
    n: int | None
    sd: float | None
    source_ids: tuple[str, ...]
    tags: frozenset[str]

    @property
    def share(self) -> float:
        """Share of the change at the last dose that had come back."""
        return 1.0 - self.after / self.at_stop


def quantity_of(endpoint: str) -> str:
    """The endpoint whose withdrawal trials tell what returns of this one: weight in % for weight in kg."""
    return str(_table()["same_quantity"].get(endpoint, endpoint))


def return_priors() -> ReturnPriors:
    """The priors of `stopping.yaml`."""
    priors = _table()["priors"]
    return ReturnPriors(
        mean=float(priors["plateau"]["mean"]),
        sd=float(priors["plateau"]["sd"]),
        rate_median=float(priors["rate"]["median"]),
        rate_log_sd=float(priors["rate"]["log_sd"]),
        spread=tuple((float(priors[n]["median"]), float(priors[n]["log_sd"])) for n in ("class", "drug", "trial")),
    )


def stopped_arms(arms: Sequence[TrialArm], vocabulary: Vocabulary) -> tuple[StoppedArm, ...]:
    """The arms of all withdrawal trials whose figures are among `arms`; those a view hides are left out."""
    rows = {(one.trial, one.cohort, one.arm, one.endpoint, one.weeks): one for one in arms if _usable(one)}
    found = []
    for entry in _table()["trials"]:
        drug = vocabulary.drug(entry["drug"])
        stop = entry["at_stop"]
        start_row = rows.get((entry["trial"], stop["cohort"], stop["arm"], entry["endpoint"], float(stop["weeks"])))
        if start_row is None:
            continue
        for after in entry["after"]:
            keys = [
                (entry["trial"], c, after["arm"], entry["endpoint"], float(after["weeks"])) for c in after["cohorts"]
            ]
            later = [rows[key] for key in keys if key in rows]
            if len(later) < len(keys):
                continue
            change = _mean(later)
            if after["counted_from"] == STOP:
                percent = vocabulary.endpoint(entry["endpoint"]).unit == "%"
                change = _chained(start_row.value, change) if percent else start_row.value + change
            found.append(
                StoppedArm(
                    trial=entry["trial"],
                    drug=drug.name,
                    drug_class=drug.drug_class,
                    endpoint=entry["endpoint"],
                    weeks_on=float(entry["weeks_on"]),
                    weeks_off=float(after["weeks_off"]),
                    at_stop=start_row.value,
                    after=change,
                    n=_participants(later),
                    sd=_spread(later) or _spread([start_row]),
                    source_ids=tuple(dict.fromkeys(one.source_id for one in (start_row, *later))),
                    tags=frozenset(start_row.tags),
                )
            )
    return tuple(found)


def observations(stopped: Sequence[StoppedArm], typical_sd: float | None) -> tuple[StopObservation, ...]:
    """What the fit takes in.

    Parameters
    ----------
    stopped : arms on one endpoint.
    typical_sd : between people, endpoint's unit, for arms without one of their own; an arm is left out without both.

    Notes
    -----
    The standard error is that of the later mean over the size of the change at the last dose. An arm that does not say
    how many were followed counts as the smallest that does.
    """
    sizes = [one.n for one in stopped if one.n is not None]
    found = []
    for one in stopped:
        n, sd = one.n or (min(sizes) if sizes else None), one.sd or typical_sd
        if n is None or sd is None:
            continue
        se = sd / n**0.5 / abs(one.at_stop)
        found.append(StopObservation(one.share, se, one.weeks_off, one.drug_class, one.drug, one.trial))
    return tuple(found)


@lru_cache(maxsize=1)
def _table() -> Mapping[str, Any]:
    loaded: Mapping[str, Any] = yaml.safe_load(Path(__file__).with_name("stopping.yaml").read_bytes())
    return loaded


def _usable(arm: TrialArm) -> bool:
    return not arm.statistic.is_contrast


def _mean(rows: Sequence[TrialArm]) -> float:
    """Mean over groups that make up the arm, weighted by their size."""
    sizes = [float(one.n or 1) for one in rows]
    return sum(one.value * size for one, size in zip(rows, sizes, strict=True)) / sum(sizes)


def _participants(rows: Sequence[TrialArm]) -> int | None:
    sizes = [one.n for one in rows if one.n is not None]
    return sum(sizes) if len(sizes) == len(rows) else None


def _spread(rows: Sequence[TrialArm]) -> float | None:
    """SD between people of a single row, printed or from its standard error."""
    if len(rows) != 1:
        return None
    row = rows[0]
    if row.sd is not None:
        return row.sd
    return row.se * row.n**0.5 if row.se is not None and row.n is not None else None


def _chained(first: float, second: float) -> float:
    """Percent change over two periods, the second counted from where the first ended."""
    return PERCENT * ((1.0 + first / PERCENT) * (1.0 + second / PERCENT) - 1.0)


@dataclass(frozen=True)
class Return:
    """What comes back of one endpoint when one drug is stopped in a new trial.

    Attributes
    ----------
    posterior : of plateau and rate. arms : all withdrawal arms on the endpoint in the view.
    of_drug, of_class : how many trials stopped this drug, and any drug of its class.
    drug_class : of the drug. unit : of the arms' changes.
    """

    posterior: PlateauPosterior
    arms: tuple[StoppedArm, ...]
    of_drug: int
    of_class: int
    drug_class: str | None
    unit: str


def nobody_stopped(
    treatment: Treatment, arms: Sequence[StoppedArm], vocabulary: Vocabulary, endpoint_id: str = ""
) -> NoEvidence:
    """The refusal where no trial stopped a drug of the class (and reported the endpoint afterwards)."""
    own = [one for one in arms if one.drug_class == treatment.drug_class]
    known = sorted({vocabulary.endpoint(one.endpoint).label for one in own})
    then = f" and reported {vocabulary.endpoint(endpoint_id).label} afterwards" if endpoint_id else ""
    return NoEvidence(
        f"No trial in this evidence base stopped {treatment.name}, or another drug of its class "
        f"({treatment.drug_class}){then}. What returns after stopping is not known here.",
        f"After stopping drugs of this class there is evidence on: {', '.join(known)}."
        if known
        else f"Withdrawal trials here are of: {', '.join(sorted({one.drug for one in arms})) or 'no drug'}.",
    )


def return_of(engine: ResponseEngine, endpoint_id: str, treatment: Treatment) -> Return:
    """The fitted return after stopping.

    Raises
    ------
    NoEvidence : no trial of the view stopped this drug, or another of its class, and reported the endpoint afterwards.
    """
    vocabulary, quantity = engine.knowledge.vocabulary, quantity_of(endpoint_id)
    everything = stopped_arms(engine.knowledge.arms.view(engine.view).arms, vocabulary)
    arms = tuple(one for one in everything if one.endpoint == quantity)
    own = [one for one in arms if one.drug_class == treatment.drug_class]
    taken: tuple[StopObservation, ...] = ()
    if own:
        taken = observations(arms, engine.prepared(quantity).selection.individual_sd)
    if not any(one.drug_class == treatment.drug_class for one in taken):
        raise nobody_stopped(treatment, everything, vocabulary, endpoint_id)
    return Return(
        posterior=fit_plateau(taken, return_priors(), treatment.drug_class or "", treatment.name),
        arms=arms,
        of_drug=len({one.trial for one in own if one.drug == treatment.name}),
        of_class=len({one.trial for one in own}),
        drug_class=treatment.drug_class,
        unit=vocabulary.endpoint(quantity).unit,
    )
