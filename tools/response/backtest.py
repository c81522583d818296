"""Leave trials of the evidence base out: predict each published figure from its design, everything refitted without it.

Without the held-out trials: rows, covariate scales, reference doses, typical SDs, the response's scale, hyperparameters.
The optimiser starts from the priors each time, so that nothing carries over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date

import numpy as np
from scipy.special import expit

from knowledge.base import KnowledgeBase
from knowledge.errors import NoEvidence
from knowledge.schemas import Drug, EvidenceView
from tools.response.assemble import Prepared
from tools.response.designs import design_of, to_arms
from tools.response.engine import prepare_endpoint
from tools.response.features import FloatArray
from tools.response.fit import fit_prepared
from tools.response.heldout import table_of
from tools.response.posterior import Posterior
from tools.response.rows import Row
from tools.response.tables.forecasts import (
    ENGINE,
    Forecasts,
    as_differences,
    differences_of,
    engine_arms,
    engine_differences,
    figures_drawn,
    joined,
    rival_quantiles,
)
from tools.response.tables.holdout import By, Holdout
from tools.response.tables.rivals import Figures
from tools.response.tables.table import ArmTable, stacked
from tools.response.threads import one_thread
from tools.response.tolerances import tolerance_of

Split = tuple[str, EvidenceView, list[Row], list[Row]]


@one_thread()
def leave_out(
    knowledge: KnowledgeBase,
    endpoint: str,
    *,
    by: By = "trial",
    view: EvidenceView | None = None,
    trials: Sequence[str] | None = None,
    progress: Callable[[float, str], None] = lambda _share, _text: None,
) -> Holdout:
    """Hold out trials in turn and predict their figures.

    Parameters
    ----------
    knowledge : evidence and vocabulary.
    endpoint : endpoint id.
    by : 'trial'; 'drug' or 'class' (all trials that gave it at once, scored on its own arms); 'year' (predicted from
        what was published before it).
    view : what may be known at all; held-out trials come on top of its exclusions.
    trials : which trials to hold out; all with a usable row by default.
    progress : called with the share done (0-1) and the name of what is held out.

    Raises
    ------
    UnknownEndpoint, NoEvidence : as for a prediction.
    """
    view = view or EvidenceView()
    whole = prepare_endpoint(knowledge, view, endpoint)
    rows = [row for row in whole.selection.rows if trials is None or row.arm.trial in trials]
    splits = list(_splits(rows, view, by))
    parts, left = [], 0
    for done, (name, without, held_out, scored) in enumerate(splits):
        progress(done / len(splits), name)
        try:
            prepared = prepare_endpoint(knowledge, without, endpoint)
        except NoEvidence:
            left += len(scored)
            continue
        known = held_out if by == "class" else [row for row in held_out if _predictable(row, prepared)]
        wanted = [row for row in scored if row in known]
        left += len(scored) - len(wanted)
        if wanted:
            parts += _predict(known, wanted, name, prepared, knowledge)
    arms, contrasts = joined([arms for arms, _ in parts]), joined([differences for _, differences in parts])
    right = tolerance_of(whole.endpoint)
    return Holdout(
        endpoint, whole.endpoint.unit, arms, contrasts, left, tolerance=None if right is None else right.tolerance
    )


def _splits(rows: Sequence[Row], view: EvidenceView, by: By) -> Iterator[Split]:
    """(name, what may be known, whole held-out trials, those of their rows that count)."""
    by_trial: dict[str, list[Row]] = {}
    for row in rows:
        by_trial.setdefault(row.arm.trial, []).append(row)

    def without(trials: Sequence[str]) -> EvidenceView:
        # The registry id hides a trial under any other name it may have.
        ids = {row.arm.registry_id for trial in trials for row in by_trial[trial] if row.arm.registry_id}
        return EvidenceView(as_of=view.as_of, exclude=(*view.exclude, *sorted({*trials, *ids})))

    if by == "trial":
        for trial in sorted(by_trial):
            yield trial, without([trial]), by_trial[trial], by_trial[trial]
    elif by == "year":
        for year in sorted({row.arm.published[:4] for row in rows}):
            chosen = [row for row in rows if row.arm.published[:4] == year]
            yield year, EvidenceView(as_of=date(int(year) - 1, 12, 31), exclude=view.exclude), chosen, chosen
    else:
        active = [row for row in rows if not row.arm.arm_role.is_control]
        for name in sorted({_key(row, by) for row in active}):
            own = [row for row in active if _key(row, by) == name]
            given = sorted({row.arm.trial for row in own})
            yield name, without(given), [row for trial in given for row in by_trial[trial]], own


def _key(row: Row, by: By) -> str:
    return row.arm.intervention if by == "drug" else row.arm.drug_class


def _predictable(row: Row, prepared: Prepared) -> bool:
    sides = [row.arm] if row.against is None else [row.arm, row.against]
    return all(arm.arm_role.is_control or arm.drug_class in prepared.classes for arm in sides)


def _predict(
    rows: Sequence[Row], wanted: Sequence[Row], group: str, prepared: Prepared, knowledge: KnowledgeBase
) -> list[tuple[Forecasts, Forecasts]]:
    posterior = fit_prepared(prepared)
    drugs = knowledge.vocabulary.drugs
    known = [row for row in prepared.selection.rows if row.against is None]
    table = table_of(known, prepared, drugs)
    figures = Figures(table, table.response, table.response_se)
    differences = _differences(prepared, table, known, drugs)
    parts = []
    for trial in sorted({row.arm.trial for row in wanted}):
        singles = [row for row in rows if row.arm.trial == trial and row.against is None]
        if singles:
            parts.append(_arms(singles, wanted, group, posterior, prepared, knowledge, figures, differences))
        for row in rows:
            if row.arm.trial == trial and row.against is not None and row in wanted:
                parts.append(_difference(row, group, posterior, prepared, knowledge, differences))
    return parts


def _arms(
    rows: Sequence[Row],
    wanted: Sequence[Row],
    group: str,
    posterior: Posterior,
    prepared: Prepared,
    knowledge: KnowledgeBase,
    figures: Figures,
    differences: Figures,
) -> tuple[Forecasts, Forecasts]:
    drugs = knowledge.vocabulary.drugs
    trial = table_of(rows, prepared, drugs)
    arms = to_arms([design_of(row.arm, prepared, drugs) for row in rows], prepared)
    variance = None if trial.proportion else _variance(trial.n, [row.se for row in rows], prepared)
    prediction = posterior.predict(arms, sampling_variance=variance)
    draws = figures_drawn(prediction, trial.n) if trial.proportion else None
    scale = "percent" if trial.proportion else "same"
    quantiles = {ENGINE: engine_arms(prediction, draws), **rival_quantiles(figures, trial, scale)}
    observed = np.asarray(100.0 * expit(trial.response)) if trial.proportion else trial.value
    names = np.full(len(rows), group)
    found = Forecasts(trial.study, trial.arm, names, observed, quantiles)
    pairs = [(first, second) for first, second in _pairs(rows) if rows[first] in wanted]
    if not pairs:
        contrasts = joined([])
    else:
        first, second = np.array(pairs).T
        quantiles = {
            ENGINE: engine_differences(prediction, draws, pairs),
            **rival_quantiles(differences, as_differences(trial, pairs), "same"),
        }
        contrasts = Forecasts(
            trial.study[first],
            trial.arm[first],
            names[first],
            trial.response[first] - trial.response[second],
            quantiles,
        )
    return found.take(np.array([i for i, row in enumerate(rows) if row in wanted], dtype=np.int64)), contrasts


def _difference(
    row: Row, group: str, posterior: Posterior, prepared: Prepared, knowledge: KnowledgeBase, differences: Figures
) -> tuple[Forecasts, Forecasts]:
    """A difference whose arms are not published themselves."""
    drugs = knowledge.vocabulary.drugs
    assert row.against is not None
    one, other = design_of(row.arm, prepared, drugs), design_of(row.against, prepared, drugs)
    # The comparator's row may be of another visit or endpoint; the difference is of this one.
    other = replace(other, weeks=one.weeks, covariates=one.covariates)
    sizes = np.array([float(n) if n else np.nan for n in (row.arm.n, row.against.n)])
    variance = _variance(sizes, [row.se * 0.5**0.5] * 2, prepared)
    prediction = posterior.predict(to_arms([one, other], prepared), sampling_variance=variance)
    quantiles = {
        ENGINE: engine_differences(prediction, None, [(0, 1)]),
        **rival_quantiles(differences, _reported_difference(row, prepared, drugs), "same"),
    }
    found = Forecasts(
        np.array([row.arm.trial]), np.array([row.arm.arm]), np.array([group]), np.array([row.value]), quantiles
    )
    return joined([]), found


def _differences(prepared: Prepared, table: ArmTable, known: Sequence[Row], drugs: Mapping[str, Drug]) -> Figures:
    """All differences that a rival may learn from: of published arms, and published as such."""
    own = differences_of(table, _pairs(known))
    reported = [row for row in prepared.selection.rows if row.against is not None]
    if not reported:
        return own
    extra = [_reported_difference(row, prepared, drugs) for row in reported]
    return Figures(
        stacked([own.table, *extra]),
        np.concatenate([own.y, [row.value for row in reported]]),
        np.concatenate([own.se, [row.se for row in reported]]),
    )


def _reported_difference(row: Row, prepared: Prepared, drugs: Mapping[str, Drug]) -> ArmTable:
    assert row.against is not None
    both = table_of([row, replace(row, arm=row.against)], prepared, drugs)
    return as_differences(both, [(0, 1)])


def _variance(sizes: FloatArray, printed: Sequence[float], prepared: Prepared) -> FloatArray:
    """Sampling variance from the design; from the printed error where no size or no typical SD is known."""
    variance = np.square(printed) / prepared.data.scale**2
    if prepared.selection.individual_sd is None:
        return np.asarray(variance)
    return np.asarray(np.where(np.isnan(sizes), variance, prepared.data.individual_sd**2 / np.maximum(sizes, 1.0)))


def _pairs(rows: Sequence[Row]) -> list[tuple[int, int]]:
    """(active, control) positions of the same trial, cohort and visit."""
    controls = {
        (row.arm.study_key, row.arm.weeks): index for index, row in enumerate(rows) if row.arm.arm_role.is_control
    }
    return [
        (index, controls[row.arm.study_key, row.arm.weeks])
        for index, row in enumerate(rows)
        if not row.arm.arm_role.is_control and (row.arm.study_key, row.arm.weeks) in controls
    ]
