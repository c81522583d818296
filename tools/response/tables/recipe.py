"""From a table of arms to the arrays of the hierarchical model, and held-out arms on the scales of that fit.

Everything that depends on the data (centring, scaling, reference doses, the response's spread, typical SDs, which
covariates are used) is learned from the rows the recipe is made of, so that a held-out trial has no part in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tools.response.features import CONTROL, Arms, FloatArray, IntArray, Layout, ResponseData
from tools.response.parameters import Priors, load_priors
from tools.response.tables.table import ArmTable

# Fewer studies than this that report a covariate, and its slope would be guesswork.
MIN_STUDIES = 5
# An indicator for "not reported" is added when between a tenth and nine tenths of the studies report the covariate.
REPORTED = (0.1, 0.9)
# Correlation of the sampling errors of two visits of one arm whose times differ by a factor of e.
VISIT_CORRELATION = 0.4
DEFAULT_WEEKS = 26.0
# A covariate whose values span more than this factor enters as its logarithm.
LOG_SPAN = 10.0


@dataclass(frozen=True)
class StudyScale:
    """How one covariate was centred and scaled over studies."""

    name: str
    mean: float
    sd: float
    log: bool
    indicator: bool

    @property
    def modifies(self) -> bool:
        """Whether it enters the effect too: size and time do not (the time course is the model's own)."""
        return not self.name.startswith("log_")

    def standard(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Standardised values (0 where not told) and 1 where not told."""
        with np.errstate(invalid="ignore", divide="ignore"):
            value = np.log(values) if self.log else values
        missing = ~np.isfinite(value)
        return np.where(missing, 0.0, (value - self.mean) / self.sd), missing.astype(float)


@dataclass(frozen=True)
class Recipe:
    """What was learned from the rows of a fit.

    Attributes
    ----------
    data, layout, priors : input of `tools.response.solve.fit`.
    classes, agents, kinds : names by index.
    reference : agent -> reference dose.
    scales : covariates in column order.
    typical_weeks : for rows that state no time.
    individual_sd : typical person-to-person SD in the endpoint's unit; NaN where nothing tells it.
    """

    data: ResponseData
    layout: Layout
    priors: Priors
    classes: tuple[str, ...]
    agents: tuple[str, ...]
    kinds: tuple[str, ...]
    reference: dict[str, float]
    scales: tuple[StudyScale, ...]
    typical_weeks: float
    individual_sd: float

    def arms(self, table: ArmTable) -> Arms:
        """Rows of a table as arrays; an unknown agent or class gets an index of its own beyond the known ones."""
        return _arms(table, self)

    def sampling_variance(self, table: ArmTable) -> FloatArray:
        """Variance (m,) of held-out means on the standardised scale: from the design, else the printed error."""
        printed = np.square(table.se)
        designed = self.individual_sd**2 / table.n
        return np.asarray(np.where(np.isfinite(designed), designed, printed) / self.data.scale**2)


def make_recipe(table: ArmTable) -> Recipe:
    """Scales, arrays and priors for the rows of one endpoint (at least one row)."""
    y, se = table.response, table.response_se
    kinds, counts = np.unique(table.kind, return_counts=True)
    kinds = kinds[np.argsort(-counts, kind="stable")]
    individual = _typical_sd(table)
    scale = 1.0 if table.proportion else _spread(y, se, table.kind)
    unit = 1.0 if table.proportion else (individual / scale if np.isfinite(individual) else 2.0)
    known = table.weeks[np.isfinite(table.weeks)]
    active = ~table.control
    classes = tuple(sorted({str(name) for name in table.drug_class[active]}))
    agents = tuple(sorted({str(name) for name in table.agent[active]}))
    recipe = Recipe(
        data=_EMPTY,
        layout=_layout(table, classes, agents, {}, ()),
        priors=load_priors("logit" if table.proportion else "identity", unit),
        classes=classes,
        agents=agents,
        kinds=tuple(str(kind) for kind in kinds),
        reference={agent: _reference(table, agent) for agent in agents},
        scales=_scales(table),
        typical_weeks=float(np.median(known)) if len(known) else DEFAULT_WEEKS,
        individual_sd=individual,
    )
    arms = _arms(table, recipe)
    knots = {
        index: logs[np.abs(logs) > 1e-6]
        for index in range(len(agents))
        if len(logs := np.unique(np.round(np.log(arms.dose_ratio[arms.drug == index]), 6)))
    }
    study, arm = _codes(table.study), _codes(_joined(table.study, table.arm))
    weeks = np.array([f"{value:.6g}" for value in arms.weeks])
    pairs = np.where(active, _joined(table.study, table.agent), "")
    data = ResponseData(
        y=y / scale,
        sampling=_sampling(arm, arms.weeks, se) / scale**2,
        plus=arms,
        minus=arms,
        contrast=np.zeros(len(table), dtype=bool),
        trial=study,
        study=study,
        arm_plus=arm,
        arm_minus=np.full(len(table), CONTROL),
        visit_plus=_codes(_joined(_joined(table.study, table.arm), weeks)),
        visit_minus=np.full(len(table), CONTROL),
        study_drug_plus=_codes(pairs, none=""),
        study_drug_minus=np.full(len(table), CONTROL),
        scale=scale,
        individual_sd=unit,
    )
    layout = _layout(table, classes, agents, knots, recipe.scales, len(kinds) - 1)
    return Recipe(**{**recipe.__dict__, "data": data, "layout": layout})


def _layout(
    table: ArmTable,
    classes: tuple[str, ...],
    agents: tuple[str, ...],
    knots: dict[int, FloatArray],
    scales: tuple[StudyScale, ...],
    n_kinds: int = 0,
) -> Layout:
    return Layout(
        n_classes=len(classes),
        n_drugs=len(agents),
        n_background=n_kinds + len(scales) + sum(scale.indicator for scale in scales),
        n_modifiers=sum(scale.modifies for scale in scales),
        knots=tuple(knots.get(index, np.empty(0)) for index in range(len(agents))),
        class_modifiers=(),
        starts_at_zero=not table.proportion,
        n_kinds=n_kinds,
        baseline=_baseline(scales, n_kinds),
    )


def _baseline(scales: tuple[StudyScale, ...], n_kinds: int) -> tuple[int, int] | None:
    column = n_kinds
    for scale in scales:
        if scale.name == "baseline":
            return column, [own.name for own in scales if own.modifies].index("baseline")
        column += 1 + scale.indicator
    return None


def _arms(table: ArmTable, recipe: Recipe) -> Arms:
    classes = {name: index for index, name in enumerate(recipe.classes)}
    agents = {name: index for index, name in enumerate(recipe.agents)}
    active = ~table.control
    for name in table.drug_class[active]:
        classes.setdefault(str(name), len(classes))
    for name in table.agent[active]:
        agents.setdefault(str(name), len(agents))
    ratio = np.ones(len(table))
    for index in np.flatnonzero(active & (table.dose > 0)):
        ratio[index] = table.dose[index] / recipe.reference.get(str(table.agent[index]), table.dose[index])
    background = [(table.kind == kind).astype(float) for kind in recipe.kinds[1:]]
    modifiers = []
    for scale in recipe.scales:
        standard, missing = scale.standard(_covariate(table, scale.name))
        background.append(standard)
        if scale.indicator:
            background.append(missing)
        if scale.modifies:
            modifiers.append(standard)
    empty = np.zeros((len(table), 0))
    return Arms(
        drug_class=np.array(
            [classes[str(c)] if on else CONTROL for c, on in zip(table.drug_class, active, strict=True)]
        ),
        drug=np.array([agents[str(a)] if on else CONTROL for a, on in zip(table.agent, active, strict=True)]),
        dose_ratio=ratio,
        weeks=np.where(np.isfinite(table.weeks), table.weeks, recipe.typical_weeks),
        background=np.column_stack(background) if background else empty,
        modifiers=np.column_stack(modifiers) if modifiers else empty,
    )


def _covariate(table: ArmTable, name: str) -> FloatArray:
    if name == "log_weeks":
        return table.weeks
    if name == "log_size":
        return table.n
    return table.covariates.get(name, np.full(len(table), np.nan))


def _scales(table: ArmTable) -> tuple[StudyScale, ...]:
    """Covariates that at least five studies report with different values; each study counts once."""
    scales = []
    for name in ("log_weeks", "log_size", *sorted(table.covariates)):
        values = _covariate(table, name)
        told = np.isfinite(values)
        log = name.startswith("log_") or (
            bool(told.any()) and values[told].min() > 0 and values[told].max() > LOG_SPAN * values[told].min()
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            value = np.log(values) if log else values
        told = np.isfinite(value)
        means = np.array([value[told & (table.study == s)].mean() for s in np.unique(table.study[told])])
        if len(means) < MIN_STUDIES or np.ptp(means) < 1e-9:
            continue
        reported = len(means) / len(np.unique(table.study))
        indicator = REPORTED[0] <= reported <= REPORTED[1]
        scales.append(StudyScale(name, float(means.mean()), float(means.std()), log, indicator))
    return tuple(scales)


def _reference(table: ArmTable, agent: str) -> float:
    """Reference dose: the median of the agent's arms."""
    doses = table.dose[(table.agent == agent) & (table.dose > 0)]
    return float(np.median(doses)) if len(doses) else 1.0


def _typical_sd(table: ArmTable) -> float:
    """Median person-to-person SD over arms, weighted by participants."""
    sd = table.se * np.sqrt(table.n)
    told = np.isfinite(sd)
    if table.proportion or not told.any():
        return float("nan")
    order = np.argsort(sd[told], kind="stable")
    total = np.cumsum(table.n[told][order])
    return float(sd[told][order][int(np.searchsorted(total, 0.5 * total[-1]))])


def _spread(y: FloatArray, se: FloatArray, kind: Sequence[str] | np.ndarray) -> float:
    """Typical spread of the response: SD over arms of one statistic, not below their sampling error."""
    centred = np.concatenate([y[kind == one] - y[kind == one].mean() for one in np.unique(kind)])
    return max(float(centred.std()), float(np.median(se)), 1e-9)


def _sampling(arm: IntArray, weeks: FloatArray, se: FloatArray) -> FloatArray:
    same = arm[:, None] == arm[None, :]
    apart = np.abs(np.log(weeks)[:, None] - np.log(weeks)[None, :])
    covariance = np.where(same, np.outer(se, se) * VISIT_CORRELATION**apart, 0.0)
    covariance[np.diag_indices(len(se))] = se**2
    return np.asarray(covariance)


def _joined(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.char.add(np.char.add(first.astype(str), "\x1f"), second.astype(str))


def _codes(keys: np.ndarray, none: str | None = None) -> IntArray:
    seen: dict[str, int] = {}
    return np.array([CONTROL if key == none else seen.setdefault(str(key), len(seen)) for key in keys], dtype=np.int64)


_NOBODY = Arms(
    np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty(0), np.empty((0, 0)), np.empty((0, 0))
)
_NONE = np.empty(0, np.int64)
_EMPTY = ResponseData(
    np.empty(0),
    np.empty((0, 0)),
    _NOBODY,
    _NOBODY,
    np.empty(0, bool),
    _NONE,
    _NONE,
    _NONE,
    _NONE,
    _NONE,
    _NONE,
    _NONE,
    _NONE,
)
