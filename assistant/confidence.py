"""Confidence: a frequency measured in a backtest, or the plain statement that there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assistant import language
from assistant.schemas import Confidence
from knowledge.schemas import Endpoint
from tools.response.schemas import MeasuredConfidence
from tools.schemas import ToolResult, Validation

NOT_CALIBRATED = (
    "Not calibrated yet: no backtest on published outcomes has measured how often answers like this one are right, "
    "so no confidence is given. The intervals include trial-to-trial differences as the model sees them."
)
NOTHING_PREDICTED = "Nothing was predicted, so there is nothing to be confident about."


def assess(results: Sequence[ToolResult], endpoints: Mapping[str, Endpoint]) -> Confidence:
    """Confidence of an answer that stands on these results: that of its first calibrated outcome."""
    predicted = [estimate for result in results for estimate in result.estimates if estimate.endpoint]
    if not predicted:
        return Confidence(calibrated=False, sentence=NOTHING_PREDICTED)
    if all(estimate.validation is Validation.SCENARIO for estimate in predicted):
        return Confidence(calibrated=False, sentence="Scenario, not calibrated: a what-if, not a forecast.")
    measured: list[MeasuredConfidence] = [item for result in results for item in getattr(result, "confidence", ())]
    if not measured:
        return Confidence(calibrated=False, sentence=NOT_CALIBRATED)
    sentences = [_sentence(item, endpoints[item.endpoint]) for item in measured]
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
            f"leave-one-trial-out backtest of {endpoints[first.endpoint].label}: {first.n_arms_total} published arms of "
            f"{first.n_trials_total} trials, each predicted without its trial"
        ),
    )


def _sentence(measured: MeasuredConfidence, endpoint: Endpoint) -> str:
    shown = round(measured.probability, 2)
    return (
        f"{language.sentence_case(endpoint.label)}: {language.likelihood(shown)} right to within {measured.tolerance:g} "
        f"{endpoint.unit}. When {measured.n_arms_total} published arms of {measured.n_trials_total} trials were predicted "
        f"without their trial having been read, those with an interval as wide as this one were within "
        f"{measured.tolerance:g} {endpoint.unit} {language.percent(shown)} of the time ({measured.n_arms} arms)."
    )
