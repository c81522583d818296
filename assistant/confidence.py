"""Confidence: a frequency measured in a backtest, or the plain statement that there is none."""

from __future__ import annotations

from collections.abc import Sequence

from assistant.schemas import Confidence
from tools.schemas import ToolResult, Validation

NOT_CALIBRATED = (
    "Not calibrated yet: no backtest on published outcomes has measured how often answers like this one are right, "
    "so no confidence is given. The intervals include trial-to-trial differences as the model sees them."
)
NOTHING_PREDICTED = "Nothing was predicted, so there is nothing to be confident about."


def assess(results: Sequence[ToolResult]) -> Confidence:
    """Confidence of an answer that stands on these results."""
    predicted = [estimate for result in results for estimate in result.estimates if estimate.endpoint]
    if not predicted:
        return Confidence(calibrated=False, sentence=NOTHING_PREDICTED)
    if all(estimate.validation is Validation.SCENARIO for estimate in predicted):
        return Confidence(calibrated=False, sentence="Scenario, not calibrated: a what-if, not a forecast.")
    return Confidence(calibrated=False, sentence=NOT_CALIBRATED)
