"""Confidence: a frequency measured in a backtest, or the plain statement that there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assistant import language
from assistant.schemas import Confidence
from assistant.simulation_pages import simulated_pages
from knowledge.schemas import Endpoint
from tools.response.schemas import MeasuredConfidence
from tools.schemas import Estimate, Kind, ToolResult, Validation

NOT_CALIBRATED = (
    "Not calibrated yet: no backtest on published outcomes has measured how often answers like this one are right, "
    "so no confidence is given. The intervals include trial-to-trial differences as the model sees them."
)
SCENARIO = "Scenario, not calibrated: a what-if, not a forecast."
VERIFIED = (
    "No confidence has been measured: the calculation is verified against closed forms, which is no backtest on what came "
    "to pass. It is as right as the numbers that were given."
)
VALIDATED = (
    "No confidence has been measured: the calculation reproduces published results, which is no backtest on what came to "
    "pass. It is as right as the numbers that were given."
)
NOTHING_PREDICTED = "Nothing was predicted, so there is nothing to be confident about."


def assess(results: Sequence[ToolResult], endpoints: Mapping[str, Endpoint]) -> Confidence:
    """Confidence of an answer that stands on these results: that of its first calibrated outcome."""
    simulated = {page.tool for page in simulated_pages(results)}
    if simulated:
        named = [one for one in results if one.provenance is not None and one.provenance.tool in simulated]
        return Confidence(calibrated=False, sentence=_computed([e for one in named for e in one.estimates]))
    predicted = [estimate for result in results for estimate in result.estimates if estimate.endpoint]
    if not predicted:
        stated = any(estimate.kind is Kind.SCENARIO for result in results for estimate in result.estimates)
        return Confidence(calibrated=False, sentence=SCENARIO if stated else NOTHING_PREDICTED)
    if all(estimate.validation is Validation.SCENARIO for estimate in predicted):
        return Confidence(calibrated=False, sentence=SCENARIO)
    measured: list[MeasuredConfidence] = [item for result in results for item in getattr(result, "confidence", ())]
    if not measured:
        return Confidence(calibrated=False, sentence=NOT_CALIBRATED)
    all_outside = len(measured) > 1 and all(item.outside for item in measured)
    sentences = [_sentence(item, endpoints[item.endpoint], warn=not all_outside) for item in measured]
    if all_outside:
        sentences.append(
            "This question lies outside the range of those trials (see below), so all of this may be less sure."
        )
    covered = {item.endpoint for item in measured}
    others = list(dict.fromkeys(endpoints[e.endpoint].label for e in predicted if e.endpoint not in covered))
    if others:
        sentences.append(f"Not calibrated yet: {language.joined(others)}.")
    first = measured[0]
    return Confidence(
        calibrated=True,
        probability=first.probability,
        sentence=" ".join(sentences),
        basis=(
            f"leave-one-trial-out backtest of {endpoints[first.endpoint].label}: {first.hits} of {first.n_arms} published arms "
            f"within {first.tolerance:g} {first.unit} ({first.n_trials_total} trials, each predicted without itself)"
        ),
    )


def _computed(stated: Sequence[Estimate]) -> str:
    """Of a simulation, what it is checked against; the weakest class decides."""
    classes = {one.validation for one in stated}
    if Validation.SCENARIO in classes:
        return SCENARIO
    return VALIDATED if classes & {Validation.VALIDATED, Validation.CALIBRATED} else VERIFIED


def _sentence(measured: MeasuredConfidence, endpoint: Endpoint, *, warn: bool) -> str:
    """How often, of how many; and no 'likely' where the frequency may not carry over."""
    shown = round(measured.probability, 2)
    within = f"to within {measured.tolerance:g} {measured.unit}"
    found = (
        f"when the {measured.n_trials_total} published trials were predicted without having been read, {measured.hits} of "
        f"{measured.n_arms} arms ({language.percent(shown)}) were right {within}"
    )
    label = language.sentence_case(endpoint.label)
    if measured.outside and not warn:
        return f"{label}: {found}."
    if measured.outside:
        return f"{label}: {found}. This question lies outside the range of those trials (see below), so it may be less sure."
    return f"{label}: {language.likelihood(shown)} right {within}; {found}."
