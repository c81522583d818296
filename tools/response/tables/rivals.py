"""What a prediction has to beat: simple forecasts that an analyst would make from the same table.

Each learns from the rows of a fit and forecasts the figures of held-out rows on the model's scale (log odds for
proportions), as Student's t around a mean. They work on arms and, given differences as figures, on contrasts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import stdtrit

from tools.response.features import FloatArray
from tools.response.tables.table import ArmTable

PENALTIES: Final = np.logspace(-3, 3, 25)
_TIMES_ALIKE: Final = 1.5  # visits within this factor of one another count as the same time


@dataclass(frozen=True)
class Figures:
    """Figures to learn from, or to forecast (then `y` and `se` are not looked at).

    Attributes
    ----------
    table : designs (N,).
    y, se : (N,) on the model's scale.
    """

    table: ArmTable
    y: FloatArray
    se: FloatArray


@dataclass(frozen=True)
class StudentT:
    """Forecasts (m,): location, scale and degrees of freedom of each."""

    location: FloatArray
    scale: FloatArray
    freedom: FloatArray

    def quantiles(self, probabilities: FloatArray) -> FloatArray:
        """(q, m)."""
        t = stdtrit(self.freedom[None, :], probabilities[:, None])
        return np.asarray(self.location + t * self.scale)


Rival = Callable[[Figures, ArmTable], StudentT]


def grand_mean(known: Figures, asked: ArmTable) -> StudentT:
    """The mean of all figures of the same statistic."""
    return _by_key(known, asked, [lambda table: table.kind])


def class_mean(known: Figures, asked: ArmTable) -> StudentT:
    """The mean of the figures of the same class; controls are one class."""
    return _by_key(known, asked, [lambda table: _key(table.kind, table.group)])


def agent_mean(known: Figures, asked: ArmTable) -> StudentT:
    """The mean of the same agent, dose and time; with less in common, of agent and dose, agent, class."""
    return _by_key(
        known,
        asked,
        [
            lambda table: _key(table.kind, table.group, table.agent, _words(table.dose), _words(_periods(table.weeks))),
            lambda table: _key(table.kind, table.group, table.agent, _words(table.dose)),
            lambda table: _key(table.kind, table.group, table.agent),
            lambda table: _key(table.kind, table.group),
        ],
    )


def class_by_time(known: Figures, asked: ArmTable) -> StudentT:
    """A level for each class and a slope in log time for each class with three or more times, else a common one."""
    groups = np.unique(_key(known.table.kind, known.table.group))
    log_known, log_asked = _log(known.table.weeks), _log(asked.weeks)
    columns, query = [], []
    for group in groups:
        own, other = _key(known.table.kind, known.table.group) == group, _key(asked.kind, asked.group) == group
        columns.append(own.astype(float))
        query.append(other.astype(float))
        if len(np.unique(log_known[own])) >= 3:
            columns.append(own * log_known)
            query.append(other * log_asked)
    seen = np.isin(_key(asked.kind, asked.group), groups)
    fallback = grand_mean(known, asked)
    design, wanted = np.column_stack(columns), np.column_stack(query)
    slopes, *_ = np.linalg.lstsq(design, known.y, rcond=None)
    inverse = np.linalg.pinv(design.T @ design)
    freedom = max(len(known.y) - int(np.linalg.matrix_rank(design)), 1)
    spread = float(np.sum((known.y - design @ slopes) ** 2) / freedom)
    scale = np.sqrt(np.maximum(spread, 1e-12) * (1 + np.einsum("mp,pq,mq->m", wanted, inverse, wanted)))
    return StudentT(
        np.where(seen, wanted @ slopes, fallback.location),
        np.where(seen, scale, fallback.scale),
        np.where(seen, float(freedom), fallback.freedom),
    )


def ridge(known: Figures, asked: ArmTable) -> StudentT:
    """Ridge meta-regression on statistic, class, agent, log time, log dose and baseline.

    Rows are weighted by their precision (sampling plus residual variance, in two passes), the penalty is the one with
    the least leave-one-study-out error, and the interval comes from those errors with Student's t.
    """
    design, wanted = _ridge_columns(known.table, asked)
    study = np.unique(known.table.study, return_inverse=True)[1]
    residual = max(float(known.y.var()) - float(np.median(known.se**2)), 0.1 * float(known.y.var()), 1e-9)
    best = (np.inf, np.full(len(asked), float(known.y.mean())), float(known.y.std()) + 1e-9)
    for _ in range(2):
        weight = 1.0 / (known.se**2 + residual)
        root = np.sqrt(weight / weight.mean())
        mean = float(weight @ known.y / weight.sum())
        centre = weight @ design / weight.sum()
        x, y = (design - centre) * root[:, None], (known.y - mean) * root
        gram, best = x.T @ x, (np.inf, *best[1:])
        for penalty in PENALTIES * len(y):
            inverse = np.linalg.inv(gram + penalty * np.eye(len(gram)))
            slopes = inverse @ (x.T @ y)
            error = _left_out(x, y - x @ slopes, inverse, study, root)
            loss = float(np.mean((root * error) ** 2))
            if loss < best[0]:
                best = (loss, mean + (wanted - centre) @ slopes, float(np.sqrt(np.mean(error**2))))
        residual = max(best[2] ** 2 - float(np.median(known.se**2)), 1e-3 * best[2] ** 2, 1e-9)
    studies = int(study.max()) + 1
    return StudentT(best[1], np.full(len(asked), max(best[2], 1e-9)), np.full(len(asked), max(studies - 1.0, 1.0)))


def random_effects(known: Figures, asked: ArmTable) -> StudentT:
    """A random-effects meta-analysis of each agent: DerSimonian and Laird 1986, with the prediction interval of
    Higgins, Thompson and Spiegelhalter 2009 around the standard error of Hartung and Knapp 2001; the class, then
    everything, where an agent has fewer than three figures.
    """
    keys: list[Callable[[ArmTable], np.ndarray]] = [
        lambda table: _key(table.kind, table.group, table.agent),
        lambda table: _key(table.kind, table.group),
        lambda table: table.kind,
    ]
    location, scale = np.full(len(asked), np.nan), np.full(len(asked), np.nan)
    freedom = np.full(len(asked), np.nan)
    for key in keys:
        own, other = key(known.table), key(asked)
        for group in np.unique(other[np.isnan(location)]):
            members = own == group
            if members.sum() < 3:
                continue
            mean, variance, tau2 = pooled(known.y[members], known.se[members])
            at = (other == group) & np.isnan(location)
            sampling = float(np.median(known.se[members] ** 2))
            location[at], scale[at] = mean, np.sqrt(variance + tau2 + sampling)
            freedom[at] = members.sum() - 2.0
    rest = grand_mean(known, asked)
    missing = np.isnan(location)
    return StudentT(
        np.where(missing, rest.location, location),
        np.where(missing, rest.scale, np.maximum(scale, 1e-9)),
        np.where(missing, rest.freedom, np.maximum(freedom, 1.0)),
    )


def pooled(y: FloatArray, se: FloatArray) -> tuple[float, float, float]:
    """Random-effects mean, its Hartung-Knapp variance, and tau² by DerSimonian and Laird.

    Parameters
    ----------
    y, se : (k,), k of at least 2.
    """
    weight = 1.0 / se**2
    fixed = float(weight @ y / weight.sum())
    excess = float(weight @ (y - fixed) ** 2) - (len(y) - 1)
    tau2 = max(0.0, excess / float(weight.sum() - (weight**2).sum() / weight.sum()))
    weight = 1.0 / (se**2 + tau2)
    mean = float(weight @ y / weight.sum())
    variance = float(weight @ (y - mean) ** 2) / ((len(y) - 1) * float(weight.sum()))
    return mean, variance, tau2


RIVALS: Final[Mapping[str, Rival]] = {
    "grand_mean": grand_mean,
    "class_mean": class_mean,
    "class_by_time": class_by_time,
    "agent_dose_time_mean": agent_mean,
    "random_effects": random_effects,
    "ridge": ridge,
}


def _by_key(known: Figures, asked: ArmTable, keys: list[Callable[[ArmTable], np.ndarray]]) -> StudentT:
    """Mean of the most specific group that has figures; the spread of groups of fewer than three is the common one."""
    location = np.full(len(asked), np.nan)
    scale, freedom = np.full(len(asked), np.nan), np.full(len(asked), np.nan)
    for key in [*keys, _everything]:
        own, other = key(known.table), key(asked)
        centred = known.y - np.array([known.y[own == group].mean() for group in own])
        groups = len(np.unique(own))
        common = np.sqrt(max(float(np.sum(centred**2)) / max(len(own) - groups, 1), 1e-12))
        for group in np.unique(other[np.isnan(location)]):
            members = own == group
            size = int(members.sum())
            if not size:
                continue
            at = (other == group) & np.isnan(location)
            spread = float(known.y[members].std(ddof=1)) if size > 2 else common
            location[at] = known.y[members].mean()
            scale[at] = max(spread, 1e-6) * np.sqrt(1 + 1 / size)
            freedom[at] = size - 1.0 if size > 2 else max(len(own) - groups, 1.0)
    return StudentT(location, scale, freedom)


def _everything(table: ArmTable) -> np.ndarray:
    return np.full(len(table), "all")


def _left_out(
    x: FloatArray,
    residual: FloatArray,
    inverse: FloatArray,
    study: np.ndarray,
    root: FloatArray,
) -> FloatArray:
    """Errors (N,) of each row predicted without its study, in units of y: (I - H_gg)⁻¹ e_g for a linear smoother."""
    error = np.empty(len(residual))
    for index in range(int(study.max()) + 1):
        rows = np.flatnonzero(study == index)
        hat = x[rows] @ inverse @ x[rows].T
        error[rows] = np.linalg.solve(np.eye(len(rows)) - hat + 1e-9 * np.eye(len(rows)), residual[rows])
    return error / root


def _ridge_columns(known: ArmTable, asked: ArmTable) -> tuple[FloatArray, FloatArray]:
    columns, query = [], []
    for of in (lambda table: table.kind, lambda table: table.group, lambda table: _key(table.group, table.agent)):
        own, other = of(known), of(asked)
        for level in np.unique(own):
            columns.append((own == level).astype(float))
            query.append((other == level).astype(float))
    baseline = [table.covariates.get("baseline", np.full(len(table), np.nan)) for table in (known, asked)]
    pairs = [
        (_log(known.weeks), _log(asked.weeks)),
        (_relative_dose(known, known), _relative_dose(known, asked)),
        (baseline[0], baseline[1]),
    ]
    for own, other in pairs:
        told = np.isfinite(own)
        if told.sum() < 3 or np.ptp(own[told]) < 1e-9:
            continue
        centre, sd = own[told].mean(), own[told].std()
        columns.append(np.where(told, (own - centre) / sd, 0.0))
        query.append(np.where(np.isfinite(other), (other - centre) / sd, 0.0))
    return np.column_stack(columns), np.column_stack(query)


def _relative_dose(known: ArmTable, asked: ArmTable) -> FloatArray:
    """Log dose over the agent's median dose among known rows: milligrams of two drugs do not compare."""
    logs = np.full(len(asked), np.nan)
    for agent in np.unique(asked.agent):
        doses = known.dose[(known.agent == agent) & (known.dose > 0)]
        at = (asked.agent == agent) & (asked.dose > 0)
        logs[at] = np.log(asked.dose[at] / np.median(doses)) if len(doses) else 0.0
    return logs


def _key(*parts: np.ndarray) -> np.ndarray:
    joined = parts[0].astype(str)
    for part in parts[1:]:
        joined = np.char.add(np.char.add(joined, "\x1f"), part.astype(str))
    return joined


def _words(values: FloatArray) -> np.ndarray:
    return np.array([f"{value:.6g}" for value in values])


def _periods(weeks: FloatArray) -> FloatArray:
    """Times rounded to steps of the factor that counts as alike."""
    return np.asarray(np.round(_log(weeks) / np.log(_TIMES_ALIKE)))


def _log(values: FloatArray) -> FloatArray:
    """Natural logarithm; what is not told counts as the mean of what is, 0 where nothing is."""
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.log(values)
    told = np.isfinite(logs)
    return np.where(told, logs, logs[told].mean() if told.any() else 0.0)
