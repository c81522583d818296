"""What `find_responders` found as rows, `Estimate`s and charts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from knowledge.schemas import Endpoint
from tools.response.estimates import TAILS, significant
from tools.response.explain_report import covariate_words
from tools.response.features import FloatArray
from tools.response.ranking import slug
from tools.response.responder_search import Gaps, Group, Split
from tools.response.responders_schemas import SubCohort
from tools.schemas import Chart, Estimate, Kind, Level, Point, Series

LEVEL_WORDS = {"lower": "lower third", "middle": "middle third", "upper": "upper third"}


def sub_cohorts_of(
    groups: Sequence[tuple[Split, Group]],
    effects: FloatArray,
    gaps: Gaps,
    outside: Sequence[tuple[str, ...]],
    endpoint: Endpoint,
    margin: float,
) -> list[SubCohort]:
    """The sub-cohorts with what they gain, in the order of the splits."""
    quantiles = np.quantile(effects, TAILS, axis=0)
    found = []
    for i, (split, group) in enumerate(groups):
        point, lower, upper = (significant(float(value)) for value in quantiles[:, i])
        found.append(
            SubCohort(
                covariate=split.covariate,
                level=group.level,
                words=_words(split.covariate, group, endpoint),
                share=significant(100.0 * group.share),
                effect=point,
                lower=lower,
                upper=upper,
                gap=significant(float(gaps.mean[i])),
                gap_lower=significant(float(gaps.lower[i])),
                gap_upper=significant(float(gaps.upper[i])),
                probability=significant(100.0 * float(np.mean(gaps.draws[:, i] > margin))),
                told_apart=bool(gaps.lower[i] > margin),
                extrapolated=outside[i],
            )
        )
    return found


def _words(covariate: str, group: Group, endpoint: Endpoint) -> str:
    """'eGFR 45 to 59 mL/min/1.73m2 (upper third)', 'people with diabetes', 'all but people with diabetes'."""
    label, unit = covariate_words(covariate, endpoint)
    if group.level in ("no", "yes"):
        return f"{'all but ' if group.level == 'no' else ''}{label.removeprefix('share of ')}"
    return f"{label} {group.low:.3g} to {group.high:.3g} {unit}".rstrip() + f" ({LEVEL_WORDS[group.level]})"


def whole_effect(draws: FloatArray, whole: Estimate) -> Estimate:
    """The effect in the whole cohort, averaged over trials: what the sub-cohorts' effects are to be compared with."""
    point, lower, upper = (significant(float(value)) for value in np.quantile(draws, TAILS))
    return whole.model_copy(
        update={
            "id": f"{whole.endpoint}.effect.all",
            "quantity": f"{whole.quantity}, averaged over trials",
            "point": point,
            "lower": lower,
            "upper": upper,
            "kind": Kind.CONFIDENCE,
            "note": "the whole cohort; without how one trial differs from another",
        }
    )


def responder_estimates(ranked: Sequence[SubCohort], whole: Estimate) -> list[Estimate]:
    """Effect and gap of each sub-cohort."""
    found = []
    for one in ranked:
        end = f"{slug(one.covariate)}.{one.level}"
        shared = {"kind": Kind.CONFIDENCE, "population": f"{whole.population}, {one.words}", "n_trials": None}
        found.append(
            whole.model_copy(
                update=shared
                | {
                    "id": f"{whole.endpoint}.effect.{end}",
                    "quantity": f"{whole.quantity}, averaged over trials",
                    "point": one.effect,
                    "lower": one.lower,
                    "upper": one.upper,
                    "note": f"outside the trials: {', '.join(one.extrapolated)}" if one.extrapolated else "",
                }
            )
        )
        found.append(
            whole.model_copy(
                update=shared
                | {
                    "id": f"{whole.endpoint}.gap.{end}",
                    "quantity": "benefit beyond that of the rest of the cohort",
                    "point": one.gap,
                    "lower": one.gap_lower,
                    "upper": one.gap_upper,
                    "note": "positive is more benefit; the interval holds for all sub-cohorts at once",
                }
            )
        )
    return found


def probability_estimates(
    best: SubCohort, truly_first: float, splits: int, count: int, margin: float, whole: Estimate
) -> list[Estimate]:
    """How surely the one that looks best gains more, and is the best; and how many were looked at."""
    beyond = f" by at least {margin:g} {whole.unit}" if margin else ""
    more = f"probability that {best.words} gains more than the rest{beyond}"
    first = f"probability that no other of the sub-cohorts gains more than {best.words}"
    blank = {"lower": None, "upper": None, "n_trials": None, "kind": Kind.CONFIDENCE}
    return [
        whole.model_copy(
            update=blank
            | {
                "id": f"{whole.endpoint}.{part}",
                "quantity": quantity,
                "unit": unit,
                "point": significant(value),
                "of": of,
                "note": "from joint posterior draws",
            }
        )
        for part, quantity, unit, value, of in (
            ("probability_best_gains_more", more, "%", best.probability, Level.COHORT_MEAN),
            ("probability_truly_first", first, "%", truly_first, Level.COHORT_MEAN),
            ("splits", "splits looked at", "splits", float(splits), Level.COUNT),
            ("sub_cohorts", "sub-cohorts looked at", "sub-cohorts", float(count), Level.COUNT),
        )
    ]


def responder_charts(
    ranked: Sequence[SubCohort], splits: Sequence[Split], endpoint: Endpoint, whole: Estimate
) -> tuple[Chart, ...]:
    """Effects, and gaps, as forests."""

    def series(value: str) -> tuple[Series, ...]:
        return tuple(
            Series(
                name=covariate_words(split.covariate, endpoint)[0],
                points=tuple(
                    Point(x=one.words, y=one.effect, lower=one.lower, upper=one.upper)
                    if value == "effect"
                    else Point(x=one.words, y=one.gap, lower=one.gap_lower, upper=one.gap_upper)
                    for level in [group.level for group in split.groups]
                    for one in ranked
                    if (one.covariate, one.level) == (split.covariate, level)
                ),
            )
            for split in splits
        )

    return (
        Chart(
            kind="forest",
            title=f"{endpoint.label}: predicted effect by sub-cohort ({whole.arm})",
            x_label=f"{endpoint.label}, difference ({whole.unit}), 90 % credible intervals",
            y_label="",
            series=series("effect"),
        ),
        Chart(
            kind="forest",
            title=f"{endpoint.label}: benefit beyond that of the rest of the cohort",
            x_label=f"more benefit ({whole.unit}), 90 % intervals for all at once",
            y_label="",
            series=series("gap"),
        ),
    )
