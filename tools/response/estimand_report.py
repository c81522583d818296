"""Estimates of one estimand, chosen by name: treatment policy, or efficacy while treatment is taken.

The evidence mixes both; most of it counts people whether or not they stopped. A prediction is carried to the estimand
asked for with what the evidence says of how many stop (predicted for the same treatment and cohort) and of what returns
after stopping (withdrawal trials). Nothing is assumed where either is missing: the endpoint is then refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from knowledge.errors import NoEvidence
from knowledge.schemas import Family
from personas.cohort import Cohort
from tools.response.cohorts import cohort_covariates
from tools.response.engine import ResponseEngine
from tools.response.estimands import Estimand, adherence_share, efficacy_of, policy_share, stopped_by
from tools.response.estimates import TAILS, EndpointResult, estimate_of
from tools.response.features import FloatArray
from tools.response.stopping_evidence import return_of
from tools.schemas import Estimate, Kind, Validation

# Figures that are themselves of the efficacy estimand; all others count people who stopped.
EFFICACY_ROWS = frozenset({"on_treatment"})
# Below this share of efficacy figures a prediction is one of treatment policy.
HARDLY = 0.05
# How many stop, in this order: for any reason, else because of harms (which are fewer).
STOPPED = ("discontinuation_any", "discontinuation_adverse_event")
PERSISTENCE, ADHERENCE = "persistence_12_months", "adherence_pdc"
YEAR = 52.0
LIMIT = 1.0 - 1e-9


@dataclass(frozen=True)
class EstimandEstimates:
    """What to add to a result: estimates, and sentences; the warnings say which endpoints are left out, and why."""

    estimates: tuple[Estimate, ...]
    assumptions: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Link:
    """Draws that tie the estimands of one endpoint together: `policy` for the trials behind the prediction."""

    effect: FloatArray
    control: FloatArray
    on_treatment: float
    policy: FloatArray
    onset: FloatArray
    half_dose: FloatArray
    plateau: FloatArray
    rate: FloatArray
    stopped_endpoint: str

    @property
    def efficacy(self) -> FloatArray:
        return efficacy_of(self.effect, self.on_treatment, self.policy)


def estimand_estimates(
    engine: ResponseEngine, results: Sequence[EndpointResult], cohort: Cohort, estimand: Estimand, seed: int
) -> EstimandEstimates:
    """Means and differences of the first treatment beside the second, under one estimand.

    Parameters
    ----------
    results : predictions of two treatments, the second a control without an effect of its own.
    estimand : asked for.
    seed : of the draws of what returns after stopping.
    """
    estimates: list[Estimate] = []
    warnings: list[str] = []
    used: list[str] = []
    for result in results:
        label = result.endpoint.label
        try:
            link = _link(engine, result, cohort, seed)
        except NoEvidence as error:
            if estimand == "treatment policy" and _stands(result):
                estimates += _pair(
                    result, cohort, estimand, result.draws[:, 1], result.draws[:, 0] - result.draws[:, 1]
                )
                used.append(
                    f"{label}: hardly any figure behind it is of the efficacy estimand; the prediction stands as it is"
                )
            else:
                warnings.append(f"No estimate of {label} under the {estimand} estimand: {error.message}")
            continue
        effect = link.efficacy if estimand == "efficacy" else link.efficacy * link.policy
        estimates += _pair(result, cohort, estimand, link.control, effect)
        used.append(_words(engine, result, link))
        if estimand == "treatment policy":
            estimates += _as_taken(result, cohort, link)
    return EstimandEstimates(tuple(estimates), _assumptions(estimand, used, estimates), tuple(warnings))


def _link(engine: ResponseEngine, result: EndpointResult, cohort: Cohort, seed: int) -> _Link:
    """NoEvidence with the reason where the estimands cannot be told apart."""
    endpoint, predicted = result.endpoint, result.predicted
    treatment, other = predicted.treatments[:2]
    if endpoint.family is not Family.CONTINUOUS:
        raise NoEvidence(f"estimands are kept apart for mean changes; {endpoint.label} is not one.")
    if treatment.drug_class is None or other.drug_class is not None:
        raise NoEvidence(f"{other.label} is a treatment too; estimands are kept apart beside placebo or no treatment.")
    count = len(result.draws)
    back = return_of(engine, endpoint.endpoint_id, treatment)
    plateau, rate = back.posterior.draws(count, seed)
    stopped, stopped_endpoint = _stopped(engine, result, cohort, seed)
    posterior = engine.posterior(endpoint.endpoint_id)
    nodes = np.random.default_rng([seed, 2]).choice(len(posterior.weights), size=count, p=posterior.weights)
    onset, half_dose = (np.exp(posterior.eta[nodes, posterior.names.index(one)]) for one in ("rate", "half_dose"))
    return _Link(
        effect=result.draws[:, 0] - result.draws[:, 1],
        control=result.draws[:, 1],
        on_treatment=_on_treatment(result),
        policy=policy_share(stopped, predicted.weeks, onset, plateau, rate),
        onset=onset,
        half_dose=half_dose,
        plateau=plateau,
        rate=rate,
        stopped_endpoint=stopped_endpoint,
    )


def _stopped(engine: ResponseEngine, result: EndpointResult, cohort: Cohort, seed: int) -> tuple[FloatArray, str]:
    """Draws (K,) of the share that stops the treatment by the horizon in a trial of the cohort, and from which endpoint."""
    for name in STOPPED:
        if name not in engine.knowledge.vocabulary.endpoints:
            continue
        covariates = cohort_covariates(cohort, engine.knowledge.vocabulary.endpoint(name))
        try:
            predicted = engine.predict(name, result.predicted.treatments, covariates, result.predicted.weeks)
        except NoEvidence:
            continue
        draws = np.clip(predicted.prediction.draws(len(result.draws))[:, 0] / 100.0, 0.0, LIMIT)
        # Draws of two endpoints come from the same random numbers; shuffled, they say nothing of one another.
        return np.random.default_rng([seed, 1]).permutation(draws), name
    raise NoEvidence(
        f"no figure in this evidence base tells how many stop {result.predicted.treatments[0].name}, or another drug of "
        "its class."
    )


def _on_treatment(result: EndpointResult) -> float:
    """Share (0-1) of the weight behind the prediction that comes from efficacy figures of active arms."""
    active = [one for one in result.influences if not one.row.arm.arm_role.is_control]
    total = sum(one.share for one in active)
    return sum(one.share for one in active if one.row.arm.estimand in EFFICACY_ROWS) / total if total > 0 else 0.0


def _stands(result: EndpointResult) -> bool:
    """Whether a prediction of means beside a control is one of treatment policy as it is."""
    first, second = result.predicted.treatments[:2]
    beside_control = first.drug_class is not None and second.drug_class is None
    return result.endpoint.family is Family.CONTINUOUS and beside_control and _on_treatment(result) < HARDLY


def _pair(
    result: EndpointResult, cohort: Cohort, words: str, control: FloatArray, effect: FloatArray
) -> list[Estimate]:
    """Mean of the first treatment and its difference from the second, under what `words` name."""
    name, label, suffix = result.endpoint.endpoint_id, result.endpoint.label, words.replace(" ", "_")
    mean = estimate_of(result, f"{name}.{suffix}", cohort, 0, np.quantile(control + effect, TAILS), f"{label}, {words}")
    difference = estimate_of(
        result, f"{name}.{suffix}_difference", cohort, 0, np.quantile(effect, TAILS), f"{label}, {words}, difference"
    )
    first, second = (one.label for one in result.predicted.treatments[:2])
    return [mean, difference.model_copy(update={"arm": f"{first} minus {second}"})]


def _as_taken(result: EndpointResult, cohort: Cohort, link: _Link) -> list[Estimate]:
    """The mean if the cohort stops and misses doses as its archetype does in everyday use; none where it does not say."""
    persistent = cohort.patients.columns.get(PERSISTENCE)
    adherence = cohort.patients.columns.get(ADHERENCE)
    if persistent is None or adherence is None or not np.any(persistent):
        return []
    stopped = stopped_by(float(np.mean(persistent)), YEAR, result.predicted.weeks)
    policy = policy_share(np.array([stopped]), result.predicted.weeks, link.onset, link.plateau, link.rate)
    # Days not covered after stopping are counted as stopping already: adherence is that of those who go on.
    doses = np.asarray(adherence, dtype=float)[np.asarray(persistent, dtype=bool)]
    ratio = result.predicted.treatments[0].dose_ratio
    middle = float(np.median(link.half_dose))
    kept = float(np.mean(adherence_share(np.clip(doses, 0.0, 1.0), ratio, middle)))
    made = _pair(result, cohort, "as taken", link.control, link.efficacy * policy * kept)
    told = [cohort.persona.attributes.get(one) for one in (PERSISTENCE, ADHERENCE)]
    sources = [one.source.source_id for one in told if one is not None and one.source is not None]
    note = (
        f"{100.0 * stopped:.0f} % stop by then and those who go on take {100.0 * float(doses.mean()):.0f} % of the doses, "
        f"as the cohort's archetype has it{'' if len(sources) == len(told) else ', in part as an assumption of its own'}"
    )
    ids = tuple(dict.fromkeys([*result.source_ids, *sources]))
    update = {"kind": Kind.SCENARIO, "validation": Validation.SCENARIO, "note": note, "source_ids": ids}
    return [one.model_copy(update=update) for one in made]


def _words(engine: ResponseEngine, result: EndpointResult, link: _Link) -> str:
    why = engine.knowledge.vocabulary.endpoint(link.stopped_endpoint).label
    return (
        f"{result.endpoint.label}: {100.0 * link.on_treatment:.0f} % of the weight of the evidence is of the efficacy "
        f"estimand, and what comes of prescribing the treatment in a trial is {100.0 * float(np.median(link.policy)):.0f} % "
        f"of its effect while taken (from the predicted share that {why})"
    )


def _assumptions(estimand: Estimand, used: Sequence[str], estimates: Sequence[Estimate]) -> tuple[str, ...]:
    if not used:
        return ()
    found = [
        f"Estimand: {estimand}. {'; '.join(used)}. Figures whose estimand is not stated, or that carry values forward, "
        "count as treatment policy. People stop at a constant rate, and what returns afterwards is as in withdrawal trials; "
        "rescue treatment, which treatment policy counts too, is not modelled."
    ]
    if any(one.kind is Kind.SCENARIO for one in estimates):
        found.append(
            "'As taken' puts the archetype's persistence and adherence in place of those of a trial. It "
            "is a scenario: no trial has checked it."
        )
    return tuple(found)
