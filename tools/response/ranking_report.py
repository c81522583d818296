"""A ranking as `Estimate`s, table rows and charts."""

from __future__ import annotations

from collections.abc import Sequence

from personas.cohort import Cohort
from tools.response.charts import comparison_chart, rank_chart
from tools.response.estimates import EndpointResult, difference_estimate, mean_estimate, significant
from tools.response.ranking import Contenders, slug
from tools.response.ranking_race import EVEN, SURE, Race
from tools.response.ranking_schemas import HarmBeside, RankedTreatment
from tools.response.treatments import Treatment
from tools.response.wording import chance
from tools.schemas import Chart, Estimate, Kind, Level, Point, Series

NOTE = "from joint draws of the cohort means in one new trial"


def race_estimates(race: Race, cohort: Cohort, count: int) -> list[Estimate]:
    """Means, differences, ranks and probabilities of the treatments shown."""
    estimates = []
    for i in race.shown(count):
        name, label = race.endpoint.endpoint_id, race.treatments[i].label
        end = slug(label)
        mean = mean_estimate(race.results[i], i, f"{name}.mean.{end}", cohort)
        # Of times to event the ratio is what is told; a mean would need to know how often events happen.
        estimates += [] if race.logged else [mean]
        estimates += _rank_estimates(race, i, mean)
        if i == race.comparator:
            continue
        against = slug(race.treatments[race.comparator].label)
        what = "ratio" if race.logged else "difference"
        estimates.append(
            difference_estimate(race.results[i], i, race.comparator, f"{name}.{what}.{end}.vs.{against}", cohort)
        )
        better, important = race.better(i)
        other = race.treatments[race.comparator].label
        words = f"probability that {label} does better than {other} on {race.endpoint.label}"
        estimates.append(_about(mean, f"{name}.probability_better.{end}.vs.{against}", words, better, "%"))
        if important is not None:
            words += f" by at least {race.endpoint.mcid:g} {race.endpoint.unit}"
            estimates.append(_about(mean, f"{name}.probability_important.{end}.vs.{against}", words, important, "%"))
    return estimates


def _rank_estimates(race: Race, i: int, mean: Estimate) -> list[Estimate]:
    """Probability of being best, expected rank with its range, and the surface under the ranking curve."""
    name, label, outcome = race.endpoint.endpoint_id, race.treatments[i].label, race.endpoint.label
    end, ranks = slug(label), race.ranks
    among = f"expected rank of {label} among {len(race.treatments)} on {outcome}"
    surface = f"surface under the cumulative ranking curve of {label} on {outcome}"
    best = f"probability that {label} is best on {outcome}"
    rank = _about(mean, f"{name}.expected_rank.{end}", among, ranks.expected[i], "rank", Level.COUNT)
    ends = {"lower": float(ranks.lower[i]), "upper": float(ranks.upper[i])}
    near = race.near_best(i)
    words = f"probability that nothing does better than {label} on {outcome} by the minimal important difference"
    near_best = [] if near is None else [_about(mean, f"{name}.probability_near_best.{end}", words, near, "%")]
    return [
        _about(mean, f"{name}.probability_best.{end}", best, 100.0 * ranks.best[i], "%"),
        *near_best,
        rank.model_copy(update=ends),
        _about(mean, f"{name}.sucra.{end}", surface, 100.0 * ranks.sucra[i], "%"),
    ]


def harm_estimates(harm: Sequence[EndpointResult], shown: set[str], cohort: Cohort) -> list[Estimate]:
    """Share of people and its difference from the comparator, for the treatments shown (by label)."""
    estimates = []
    name, treatments = harm[0].endpoint.endpoint_id, harm[0].predicted.treatments
    last = len(treatments) - 1
    for i, treatment in enumerate(treatments):
        if treatment.label not in shown and i != last:
            continue
        end = slug(treatment.label)
        estimates.append(mean_estimate(harm[i], i, f"{name}.mean.{end}", cohort))
        if i != last:
            where = f"{name}.difference.{end}.vs.{slug(treatments[last].label)}"
            estimates.append(difference_estimate(harm[i], i, last, where, cohort))
    return estimates


def ranking_rows(
    race: Race, harms: Sequence[tuple[EndpointResult, ...]], contenders: Contenders, cohort: Cohort
) -> list[RankedTreatment]:
    """One row for each treatment, best first."""
    rows = []
    predicted = race.results[0].predicted
    for place, i in enumerate(race.order, start=1):
        treatment = race.treatments[i]
        mean = mean_estimate(race.results[i], i, "x", cohort)
        compared = i != race.comparator
        difference = difference_estimate(race.results[i], i, race.comparator, "x", cohort) if compared else None
        better, important = race.better(i) if compared else (None, None)
        first, first_important = race.first_better(i)
        near = race.near_best(i)
        rows.append(
            RankedTreatment(
                endpoint=race.endpoint.endpoint_id,
                place=place,
                treatment=treatment.label,
                drug_class=treatment.drug_class or "",
                mean=None if race.logged else mean.point,
                lower=None if race.logged else mean.lower,
                upper=None if race.logged else mean.upper,
                difference=difference.point if difference else None,
                difference_lower=difference.lower if difference else None,
                difference_upper=difference.upper if difference else None,
                probability_best=significant(100.0 * float(race.ranks.best[i])),
                probability_near_best=None if near is None else significant(near),
                expected_rank=significant(float(race.ranks.expected[i])),
                sucra=significant(100.0 * float(race.ranks.sucra[i])),
                probability_better=None if better is None else significant(better),
                probability_important=None if important is None else significant(important),
                probability_first_better=None if place == 1 else significant(first),
                probability_first_important=(
                    None if place == 1 or first_important is None else significant(first_important)
                ),
                tied_with_first=place > 1 and race.tied(i),
                trials=predicted.trials_of_drug[i],
                trials_of_class=predicted.trials_of_class[i],
                borrowed=compared and treatment.drug_class is not None and predicted.trials_of_drug[i] == 0,
                carried_over=treatment.name in contenders.carried_over,
                harms=tuple(found for harm in harms if (found := _beside(harm, treatment, cohort)) is not None),
            )
        )
    return rows


def _beside(harm: Sequence[EndpointResult], treatment: Treatment, cohort: Cohort) -> HarmBeside | None:
    """The harm of one treatment; None for the comparator and where it cannot be predicted."""
    treatments = harm[0].predicted.treatments
    last = len(treatments) - 1
    i = next((i for i, one in enumerate(treatments[:last]) if one == treatment), None)
    if i is None:
        return None
    share, difference = mean_estimate(harm[i], i, "x", cohort), difference_estimate(harm[i], i, last, "x", cohort)
    assert share.lower is not None
    assert share.upper is not None
    assert difference.lower is not None
    assert difference.upper is not None
    return HarmBeside(
        endpoint=harm[0].endpoint.endpoint_id,
        share=share.point,
        lower=share.lower,
        upper=share.upper,
        difference=difference.point,
        difference_lower=difference.lower,
        difference_upper=difference.upper,
        borrowed=harm[0].predicted.trials_of_drug[i] == 0,
    )


def race_charts(race: Race, cohort: Cohort, count: int) -> list[Chart]:
    """Means side by side, the ranking curve's surface, and the probability of each rank."""
    shown = race.shown(count)
    means = [mean_estimate(race.results[i], i, "x", cohort) for i in shown]
    side_by_side = comparison_chart(race.endpoint, means)
    if race.logged:
        rivals = [i for i in shown if i != race.comparator]
        ratios = [difference_estimate(race.results[i], i, race.comparator, "x", cohort) for i in rivals]
        label = f"{ratios[0].unit} versus {race.treatments[race.comparator].label}, 90 % of new trials"
        side_by_side = comparison_chart(race.endpoint, ratios).model_copy(update={"x_label": label})
    bars = tuple(Point(x=race.treatments[i].label, y=significant(100.0 * float(race.ranks.sucra[i]))) for i in shown)
    labels, ranks = [race.treatments[i] for i in shown], race.ranks.probabilities[shown]
    return [
        side_by_side,
        Chart(
            kind="bars",
            title=f"{race.endpoint.label}: surface under the cumulative ranking curve among {len(race.treatments)}",
            x_label="",
            y_label="SUCRA (%)",
            series=(Series(name="SUCRA", points=bars),),
        ),
        rank_chart(race.endpoint, labels, ranks),
    ]


def harm_chart(harm: Sequence[EndpointResult], shown: set[str], cohort: Cohort) -> Chart:
    """The harm of the treatments shown, side by side."""
    treatments = harm[0].predicted.treatments
    last = len(treatments) - 1
    pick = [i for i, treatment in enumerate(treatments) if treatment.label in shown or i == last]
    return comparison_chart(harm[0].endpoint, [mean_estimate(harm[i], i, "x", cohort) for i in pick])


def _about(
    mean: Estimate, estimate_id: str, quantity: str, value: float, unit: str, of: Level = Level.COHORT_MEAN
) -> Estimate:
    return mean.model_copy(
        update={
            "id": estimate_id,
            "quantity": quantity,
            "unit": unit,
            "point": significant(float(value)),
            "lower": None,
            "upper": None,
            "of": of,
            "kind": Kind.PREDICTIVE,
            "note": NOTE,
        }
    )


def verdict_on(race: Race, count: int) -> str:
    """Who comes first, how surely, who ties with it, and of whom it is not sure that they are behind.

    Named are those among the first `count` only, which have estimates.
    """
    first = race.order[0]
    label, outcome = race.treatments[first].label, race.endpoint.label
    best = 100.0 * float(race.ranks.best[first])
    settled = "" if best >= EVEN else ", so the evidence does not settle which is best"
    text = f"{label} comes first on {outcome}: it is best with a probability of {chance(best)}{settled}."
    others = [i for i in race.order[1:] if i != race.comparator]
    tied = [i for i in others if race.tied(i)]
    unsure = [i for i in others if i not in tied and race.first_better(i)[0] < SURE]
    if tied:
        why = (
            f"a difference of {race.mcid:g} {race.endpoint.unit} or more, the least that matters, is less likely than not"
            if race.mcid is not None
            else "the 90 % interval of the difference includes nought"
        )
        text += f" Tied with it: {_listed(race, tied, count)}; {why}."
    if unsure:
        text += f" Probably but not surely behind: {_listed(race, unsure, count)}."
    if race.tied(race.comparator):
        text += f" Even {race.treatments[race.comparator].label} ties with it."
    return text


def _listed(race: Race, positions: Sequence[int], count: int) -> str:
    named = [i for i in positions if i in race.shown(count)]
    words = [race.treatments[i].label for i in named]
    if len(positions) > len(named):
        words.append(f"{len(positions) - len(named)} {'more' if named else 'others'}")
    return ", ".join(words)
