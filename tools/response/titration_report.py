"""Estimates of a treatment whose dose is raised in steps, beside the same treatment at its full dose from the start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from knowledge.errors import InvalidInput
from knowledge.schemas import Family
from personas.cohort import Cohort
from tools.response.doses import convert_dose
from tools.response.engine import ResponseEngine
from tools.response.estimates import TAILS, EndpointResult, estimate_of
from tools.response.titration import Step, titrated_share
from tools.response.treatments import Treatment
from tools.schemas import Estimate, Kind, Validation

# Random stream of its own; see `stopping.STREAM`.
STREAM = 8
# The last step and the dose asked for are the same dose within a part in a thousand.
SAME = 1e-3


@dataclass(frozen=True)
class Titrated:
    """What to add to a result."""

    estimates: tuple[Estimate, ...]
    assumptions: tuple[str, ...]


def read_steps(
    engine: ResponseEngine, treatment: Treatment, steps: Sequence[tuple[float, float]], unit: str, frequency: str
) -> tuple[Step, ...]:
    """Steps of a dose, checked.

    Parameters
    ----------
    steps : (from week, dose per administration), in order; unit, frequency : as asked, the usual ones when empty.

    Raises
    ------
    InvalidInput : no steps to speak of, not in order, not in the drug's unit, or not ending at the dose asked for.
    """
    drug = engine.knowledge.vocabulary.drug(treatment.name)
    if treatment.dose is None:
        raise InvalidInput(f"The steps of {treatment.name} lead to no dose.", "State the dose that they lead to.")
    found = []
    for week, dose in steps:
        amount = convert_dose(dose, unit or drug.dose_unit, frequency or drug.frequency, drug)
        if amount is None or not amount > 0:
            raise InvalidInput(
                f"A step of {dose:g} {unit} of {treatment.name} is not a dose.", f"Use {drug.dose_unit}."
            )
        found.append((week, amount))
    weeks = [week for week, _ in found]
    if not found or weeks[0] != 0 or any(b <= a for a, b in pairwise(weeks)):
        raise InvalidInput("The steps of a dose start at week 0 and come in the order of their weeks.", "Sort them.")
    if abs(found[-1][1] / treatment.dose - 1.0) > SAME:
        raise InvalidInput(
            f"The last step of {treatment.name} is {found[-1][1]:g} {drug.dose_unit}, not the dose asked for "
            f"({treatment.dose:g} {drug.dose_unit}).",
            "End the steps at the dose.",
        )
    reference = treatment.dose / treatment.dose_ratio
    return tuple(Step(week, amount / reference) for week, amount in found)


def titrated_estimates(
    results: Sequence[EndpointResult], engine: ResponseEngine, cohort: Cohort, steps: Sequence[Step], seed: int
) -> Titrated:
    """Means and differences of the first treatment with its dose raised in steps; mean changes only.

    Parameters
    ----------
    results : predictions of two treatments. steps : of the first one's dose. seed : of the draws of the time course.
    """
    estimates: list[Estimate] = []
    for result in results:
        if result.endpoint.family is not Family.CONTINUOUS or result.predicted.treatments[0].drug_class is None:
            continue
        name, label = result.endpoint.endpoint_id, result.endpoint.label
        posterior = engine.posterior(name)
        generator = np.random.default_rng([seed, STREAM])
        nodes = generator.choice(len(posterior.weights), size=len(result.draws), p=posterior.weights)
        onset, half = (np.exp(posterior.eta[nodes, posterior.names.index(one)]) for one in ("rate", "half_dose"))
        share = titrated_share(steps, result.predicted.weeks, onset, half)
        effect = (result.draws[:, 0] - result.draws[:, 1]) * share
        note = f"{100.0 * float(np.median(share)):.0f} % of the effect of the full dose from the start"
        for suffix, words, values in (
            ("titrated", "dose raised in steps", result.draws[:, 1] + effect),
            ("titrated_difference", "dose raised in steps, difference", effect),
        ):
            made = estimate_of(result, f"{name}.{suffix}", cohort, 0, np.quantile(values, TAILS), f"{label}, {words}")
            update = {"kind": Kind.SCENARIO, "validation": Validation.SCENARIO, "note": note}
            estimates.append(made.model_copy(update=update))
    if not estimates:
        return Titrated((), ())
    words = (
        f"The dose of {results[0].predicted.treatments[0].name} is raised in steps, so that the early course is slower than "
        "at the full dose from the start; later the two meet. Trials often raised the dose too: where they did, a part of "
        "the delay is in the prediction already, and the figures with steps are a scenario on the slow side."
    )
    return Titrated(tuple(estimates), (words,))
