"""Predictions → `Estimate`s, with their sources."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from knowledge.schemas import Endpoint, Family, Statistic
from personas.cohort import Cohort
from tools.response.cohorts import cohort_covariates, patient_covariates, pick_patients
from tools.response.confidence import calibrations
from tools.response.control import ObservedArm
from tools.response.engine import EndpointPrediction, Influence, ResponseEngine
from tools.response.features import FloatArray
from tools.response.figures import Row
from tools.response.fit import MODEL_VERSION
from tools.response.responders import Response, response_share, responses_of
from tools.response.schemas import EvidenceWeight, MeasuredConfidence
from tools.response.treatments import Treatment
from tools.schemas import Estimate, Kind, Level, Validation

# The response tools' standing until a backtest calibrates them; the registry shows the same.
VALIDATION = Validation.VERIFIED
LEVEL = 0.9
TAILS = np.array([0.5, 0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
# Joint draws for what has no closed form, virtual patients behind shares, and draws of the mean behind each share.
DRAWS = 4000
PATIENTS = 1000
SHARE_DRAWS = 400
# An estimate names the sources of the figures that together carry this share of it, at most so many.
CARRIED = 0.8
MAX_SOURCES = 8
# Unit of hazards and rates.
RATE_UNIT = "per 100 person-years"


@dataclass(frozen=True)
class EndpointResult:
    """Everything predicted for one endpoint in one cohort.

    Attributes
    ----------
    predicted : joint prediction; draws : (K, treatments) joint draws in the endpoint's unit.
    influences : figures behind the first treatment's difference from the second, heaviest first.
    source_ids : the sources that carry it.
    """

    predicted: EndpointPrediction
    draws: FloatArray
    influences: tuple[Influence, ...]
    source_ids: tuple[str, ...]

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint."""
        return self.predicted.endpoint


def predict_endpoint(
    engine: ResponseEngine,
    endpoint_id: str,
    treatments: Sequence[Treatment],
    cohort: Cohort,
    weeks: float,
    observed: ObservedArm | None = None,
) -> EndpointResult:
    """Predict one endpoint for all treatments in one new trial of the cohort (UnknownEndpoint, NoEvidence).

    With `observed` the prediction is conditional on what one of the arms has reported; the influences are those of the
    published figures before that.
    """
    endpoint = engine.knowledge.vocabulary.endpoint(endpoint_id)
    covariates = cohort_covariates(cohort, endpoint)
    predicted = engine.predict(endpoint.endpoint_id, treatments, covariates, weeks, observed=observed)
    combination = np.zeros(len(treatments))
    combination[0], combination[1] = 1.0, -1.0
    influences = engine.influence(endpoint.endpoint_id, treatments, covariates, weeks, combination)
    return EndpointResult(predicted, predicted.prediction.draws(DRAWS), tuple(influences), sources_carrying(influences))


def mean_estimate(result: EndpointResult, index: int, estimate_id: str, cohort: Cohort) -> Estimate:
    """The cohort mean of one treatment: median and 90 % predictive interval; of times to event the rate of events."""
    point, lower, upper = result.predicted.prediction.quantiles(TAILS)[:, index]
    made = estimate_of(result, estimate_id, cohort, index, (point, lower, upper), result.endpoint.label)
    return made.model_copy(update={"unit": RATE_UNIT}) if result.predicted.prediction.log else made


def measured_confidence(result: EndpointResult, mean: Estimate, evidence_hash: str) -> MeasuredConfidence | None:
    """The backtest's frequency for this prediction; None where none was measured on this very evidence.

    Nor is there one for a prediction that is conditional on an observed arm: the backtest saw none.
    """
    if result.predicted.observed is not None:
        return None
    curve = calibrations().get(result.endpoint.endpoint_id)
    if curve is None or curve.evidence_hash != evidence_hash or curve.model_version != MODEL_VERSION:
        return None
    if mean.lower is None or mean.upper is None:
        return None
    step = curve.step(curve.reported_half_width((mean.upper - mean.lower) / 2, mean.point))
    return MeasuredConfidence(
        endpoint=curve.endpoint,
        tolerance=curve.tolerance,
        unit=curve.unit,
        probability=step.share,
        hits=step.hits,
        n_arms=step.n,
        n_trials_total=curve.n_trials,
        outside=bool(result.predicted.outside or result.predicted.warnings),
    )


def difference_estimate(result: EndpointResult, first: int, second: int, estimate_id: str, cohort: Cohort) -> Estimate:
    """Difference of two cohort means within one trial: the background they share cancels.

    Of times to event and rates it is the ratio (`risks.ratio_estimate`).
    """
    if result.predicted.prediction.proportion:
        values = np.quantile(result.draws[:, first] - result.draws[:, second], TAILS)
    else:
        values = result.predicted.prediction.difference(first, second).quantiles(TAILS)[:, 0]
    treatments = result.predicted.treatments
    word = "versus" if result.predicted.prediction.log else "minus"
    against = f"{treatments[first].label} {word} {treatments[second].label}"
    made = estimate_of(result, estimate_id, cohort, first, values, f"{result.endpoint.label}, difference")
    if result.predicted.prediction.log:
        unit = ratio_unit(result.endpoint)
        return made.model_copy(update={"quantity": f"{unit} of {result.endpoint.label}", "arm": against, "unit": unit})
    unit = "%-points" if result.endpoint.family is Family.PROPORTION else made.unit
    return made.model_copy(update={"arm": against, "unit": unit})


def individual_estimates(
    result: EndpointResult, index: int, prefix: str, suffix: str, cohort: Cohort, engine: ResponseEngine
) -> list[Estimate]:
    """Range of individuals and shares of responders on one treatment; none for proportions, nor so early that the
    person-to-person SD of the trials' ends does not hold.
    """
    endpoint, predicted = result.endpoint, result.predicted
    if predicted.early is not None and predicted.early.persons:
        return []
    columns = patient_covariates(cohort, endpoint)
    spread = engine.individuals(
        endpoint.endpoint_id,
        predicted.treatments[index],
        cohort_covariates(cohort, endpoint),
        pick_patients(columns, PATIENTS),
        predicted.weeks,
    )
    if spread is None:
        return []
    selection = engine.prepared(endpoint.endpoint_id).selection
    note = (
        f"person-to-person SD {selection.individual_sd:.3g} {endpoint.unit}, the median over "
        f"{selection.individual_sd_from} published arms; assumed normal"
    )
    centre = float(predicted.prediction.median()[index])
    base = estimate_of(
        result,
        f"{prefix}.individual_range{suffix}",
        cohort,
        index,
        spread.quantiles(centre, TAILS),
        f"{endpoint.label} of single persons",
    )
    words = f"5th to 95th percentile of individuals; {note}"
    found = [base.model_copy(update={"of": Level.INDIVIDUAL, "kind": Kind.DESCRIPTIVE, "note": words})]
    means = result.draws[:SHARE_DRAWS, index]
    baseline = columns.get("baseline")
    own = None if baseline is None else baseline[:PATIENTS]
    for response in responses_of(endpoint):
        values = response_share(response, spread, np.concatenate([[centre], means]), own)
        if values is not None:
            found.append(_share(result, response, values, index, prefix, suffix, cohort, note))
    return found


def one_model_of_weight(persons: Sequence[Estimate], endpoints: Collection[str]) -> list[Estimate]:
    """The same estimates without shares of weight lost that another predicted endpoint gives too.

    A published share (`weight_loss_10_percent`) goes before one derived from the mean, and the mean in % before kg.
    """
    kept = []
    for one in persons:
        share = one.id.partition(".share_loss_")[2].partition(".")[0]
        doubled = f"weight_loss_{share}_percent" in endpoints
        doubled |= one.endpoint == "weight_change" and "weight_percent_change" in endpoints
        if not (share and doubled):
            kept.append(one)
    return kept


def evidence_weights(result: EndpointResult, limit: int) -> tuple[EvidenceWeight, ...]:
    """The heaviest published figures behind the difference of the first two treatments."""
    return tuple(
        EvidenceWeight(
            endpoint=result.endpoint.endpoint_id,
            trial=influence.row.arm.trial,
            source_id=influence.row.arm.source_id,
            cohort=influence.row.arm.cohort,
            arm=influence.row.arm.arm,
            against=influence.row.against.arm if influence.row.against is not None else "",
            intervention=influence.row.arm.intervention,
            n=influence.row.arm.n,
            weeks=influence.row.arm.weeks,
            value=influence.row.arm.value,
            unit=published_unit(influence.row, result.endpoint),
            se=influence.row.arm.se,
            weight=significant(100.0 * influence.share),
            sign=influence.sign,
            agrees=influence.agrees,
        )
        for influence in result.influences[:limit]
    )


def published_unit(row: Row, endpoint: Endpoint) -> str:
    """Unit of a published figure on a time to event or a rate, which come in several; empty for the endpoint's own."""
    if endpoint.family not in (Family.TIME_TO_EVENT, Family.RATE):
        return ""
    if row.arm.statistic is Statistic.RISK_RATIO and endpoint.family is Family.RATE:
        return "rate ratio"
    units = {Statistic.PROPORTION: "%", Statistic.RATE: RATE_UNIT}
    return units.get(row.arm.statistic, row.arm.statistic.value.replace("_", " "))


def significant(value: float) -> float:
    """Six significant digits: beyond them is rounding noise of the linear algebra."""
    return float(f"{value:.6g}")


def ratio_unit(endpoint: Endpoint) -> str:
    """`hazard ratio` of times to event, `rate ratio` of rates."""
    return "hazard ratio" if endpoint.family is Family.TIME_TO_EVENT else "rate ratio"


def estimate_of(
    result: EndpointResult,
    estimate_id: str,
    cohort: Cohort,
    index: int,
    values: FloatArray | tuple[float, ...],
    what: str,
) -> Estimate:
    """An estimate of a cohort mean from (point, lower, upper), with the sources and trials behind one treatment."""
    predicted = result.predicted
    direct = predicted.trials_of_drug[index]
    point, lower, upper = (significant(float(value)) for value in values)
    borrowed = direct == 0 and predicted.treatments[index].drug_class is not None
    return Estimate(
        id=estimate_id,
        quantity=what,
        endpoint=result.endpoint.endpoint_id,
        arm=predicted.treatments[index].label,
        unit=result.endpoint.unit,
        horizon_weeks=predicted.weeks,
        population=cohort.label,
        point=point,
        lower=lower,
        upper=upper,
        level=LEVEL,
        kind=Kind.PREDICTIVE,
        of=Level.COHORT_MEAN,
        validation=VALIDATION,
        source_ids=result.source_ids,
        n_trials=predicted.trials_of_class[index] if borrowed else direct,
        note="borrowed from other drugs of the class" if borrowed else "",
    )


def _share(
    result: EndpointResult,
    response: Response,
    values: FloatArray,
    index: int,
    prefix: str,
    suffix: str,
    cohort: Cohort,
    note: str,
) -> Estimate:
    """Share at the predicted mean, and the range it has as the cohort mean varies over its predictive distribution."""
    lower, upper = np.quantile(values[1:], TAILS[1:])
    made = estimate_of(
        result, f"{prefix}.{response.id}{suffix}", cohort, index, (float(values[0]), lower, upper), response.words
    )
    return made.model_copy(update={"of": Level.SHARE, "unit": "%", "note": f"interval from the cohort mean; {note}"})


def sources_carrying(influences: Sequence[Influence]) -> tuple[str, ...]:
    """The sources of the heaviest figures, as an `Estimate` names them."""
    found: dict[str, None] = {}
    carried = 0.0
    for influence in influences:
        if carried >= CARRIED or len(found) >= MAX_SOURCES:
            break
        found.setdefault(influence.row.arm.source_id)
        carried += influence.share
    return tuple(found)
