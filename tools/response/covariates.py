"""Study covariates: what of a trial's design and population enters the model, and how a cohort is put on that scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from knowledge.schemas import Endpoint, Family, TrialArm
from tools.response.features import FloatArray

# Fewer studies than this that report a covariate, and its slope would be guesswork.
MIN_STUDIES = 5
# An indicator for "not reported" is added when between a tenth and nine tenths of the studies report the covariate.
REPORTED = (0.1, 0.9)
ASIAN_TAGS = frozenset({"east_asian", "japan", "china", "korea", "taiwan"})


@dataclass(frozen=True)
class Covariate:
    """One covariate.

    Attributes
    ----------
    name : also the cohort attribute it is read from, where there is one.
    read : its value in a row; None when not reported.
    unit_sd : its SD over trials in ordinary circumstances. A narrower spread in the evidence is not blown up to 1, so
        that a cohort far outside stays far outside.
    modifies_effect : enters the effect as well as the background.
    by_class : its slope on the effect may differ between drug classes.
    """

    name: str
    read: Callable[[TrialArm, Endpoint], float | None]
    unit_sd: float
    modifies_effect: bool = False
    by_class: bool = False


def _attribute(name: str) -> Callable[[TrialArm, Endpoint], float | None]:
    def read(arm: TrialArm, _endpoint: Endpoint) -> float | None:
        value: float | None = getattr(arm.baseline, name)
        return value if value is not None else _middle_of_restrictions(arm, name)

    return read


def _middle_of_restrictions(arm: TrialArm, name: str) -> float | None:
    """Centre of the limits of a subgroup that does not print its mean (`eGFR 30-59` is about 45)."""
    low = high = None
    for restriction in arm.restrictions if arm.cohort != "all" else ():
        for operator in (">=", "<=", ">", "<"):
            attribute, found, value = restriction.partition(operator)
            if found and attribute.strip() == name:
                try:
                    limit = float(value)
                except ValueError:
                    break
                low, high = (limit, high) if operator.startswith(">") else (low, limit)
                break
    return None if low is None or high is None else 0.5 * (low + high)


def _endpoint_baseline(arm: TrialArm, endpoint: Endpoint) -> float | None:
    if arm.baseline.endpoint is not None:
        return arm.baseline.endpoint
    return _attribute(endpoint.baseline)(arm, endpoint) if endpoint.baseline else None


def _log_weeks(arm: TrialArm, _endpoint: Endpoint) -> float | None:
    return float(np.log(arm.weeks)) if arm.weeks else None


def _year(arm: TrialArm, _endpoint: Endpoint) -> float | None:
    return float(arm.published[:4])


def _diabetes(arm: TrialArm, _endpoint: Endpoint) -> float | None:
    tags = set(arm.tags)
    if "t2d" in tags or arm.area == "type_2_diabetes":
        return 1.0
    if "no_diabetes" in tags:
        return 0.0
    if arm.baseline.hba1c is not None:
        # 6.5 % is the diagnostic threshold of diabetes (American Diabetes Association).
        return 1.0 if arm.baseline.hba1c >= 6.5 else 0.0
    return None


def _asian(arm: TrialArm, _endpoint: Endpoint) -> float | None:
    if ASIAN_TAGS & set(arm.tags):
        return 1.0
    return arm.baseline.asian_pct / 100.0 if arm.baseline.asian_pct is not None else 0.0


def _open_label(arm: TrialArm, _endpoint: Endpoint) -> float | None:
    return None if not arm.design else float(arm.design == "open_label")


def _insulin(arm: TrialArm, _endpoint: Endpoint) -> float | None:
    return float("insulin" in arm.background.casefold() or "insulin_treated" in arm.tags)


def _untreated(arm: TrialArm, _endpoint: Endpoint) -> float | None:
    return float(arm.background.casefold() == "none" or "drug_naive" in arm.tags)


def _heart_failure(arm: TrialArm, endpoint: Endpoint) -> float | None:
    return _tagged(arm, endpoint, "heart_failure", "ckd")


def _hospitalised(arm: TrialArm, endpoint: Endpoint) -> float | None:
    return _tagged(arm, endpoint, "hospitalised", "outpatient")


def _tagged(arm: TrialArm, endpoint: Endpoint, tag: str, other: str) -> float | None:
    """1 with the tag, 0 with the other alone: who the people are decides how often events happen."""
    if endpoint.family not in (Family.TIME_TO_EVENT, Family.RATE):
        return None
    return 1.0 if tag in arm.tags else 0.0 if other in arm.tags else None


COVARIATES: tuple[Covariate, ...] = (
    Covariate("baseline", _endpoint_baseline, 1.0, modifies_effect=True, by_class=True),
    Covariate("log_weeks", _log_weeks, 0.5),
    Covariate("year", _year, 4.0),
    Covariate("age", _attribute("age"), 4.0, modifies_effect=True),
    Covariate("bmi", _attribute("bmi"), 2.0, modifies_effect=True),
    Covariate("egfr", _attribute("egfr"), 15.0, modifies_effect=True, by_class=True),
    Covariate("hba1c", _attribute("hba1c"), 0.4, modifies_effect=True),
    Covariate("female", lambda arm, _: _share(arm.baseline.female_pct), 0.1),
    Covariate("diabetes", _diabetes, 0.5, modifies_effect=True, by_class=True),
    Covariate("asian", _asian, 0.5, modifies_effect=True),
    Covariate("open_label", _open_label, 0.5),
    Covariate("insulin_background", _insulin, 0.5, modifies_effect=True),
    Covariate("untreated_background", _untreated, 0.5, modifies_effect=True),
    Covariate("heart_failure", _heart_failure, 0.5),
    Covariate("hospitalised", _hospitalised, 0.5),
)
# The baseline's unit differs from endpoint to endpoint: its ordinary SD over trials by cohort attribute.
BASELINE_SD: Mapping[str, float] = {"hba1c": 0.4, "weight": 8.0, "bmi": 2.0, "sbp": 6.0, "ldl": 15.0, "egfr": 15.0}


def _share(percent: float | None) -> float | None:
    return None if percent is None else percent / 100.0


@dataclass(frozen=True)
class Scale:
    """How a covariate was centred and scaled.

    Attributes
    ----------
    name : of the covariate.
    mean, sd : of the reporting studies, `sd` at least the ordinary one.
    low, high : range of the reporting studies.
    indicator : whether "not reported" has its own column.
    modifier, by_class : as in `Covariate`.
    """

    name: str
    mean: float
    sd: float
    low: float
    high: float
    indicator: bool
    modifier: bool
    by_class: bool


@dataclass(frozen=True)
class CovariateScales:
    """The covariates in use, in column order."""

    scales: tuple[Scale, ...]

    @property
    def n_background(self) -> int:
        """Background columns: one for each covariate and one for each indicator."""
        return len(self.scales) + sum(scale.indicator for scale in self.scales)

    @property
    def modifiers(self) -> tuple[Scale, ...]:
        """Those that enter the effect, in column order."""
        return tuple(scale for scale in self.scales if scale.modifier)

    @property
    def class_modifiers(self) -> tuple[int, ...]:
        """Positions within `modifiers` of those whose slope may differ between classes."""
        return tuple(index for index, scale in enumerate(self.modifiers) if scale.by_class)

    @property
    def baseline(self) -> tuple[int, int] | None:
        """Background column and modifier of the endpoint's own value at the start; None where it is not used."""
        column = 0
        for scale in self.scales:
            if scale.name == "baseline":
                return column, [own.name for own in self.modifiers].index("baseline")
            column += 1 + scale.indicator
        return None

    def columns(self, values: Mapping[str, FloatArray], count: int) -> tuple[FloatArray, FloatArray]:
        """Background (M, B) and modifier (M, Q) columns.

        Parameters
        ----------
        values : covariate name -> (M,) values, NaN for "not reported"; absent names are not reported at all.
        count : M.
        """
        background = np.zeros((count, self.n_background))
        modifiers = np.zeros((count, len(self.modifiers)))
        column = modifier = 0
        for scale in self.scales:
            value = values.get(scale.name, np.full(count, np.nan))
            missing = np.isnan(value)
            standard = np.where(missing, 0.0, (value - scale.mean) / scale.sd)
            background[:, column] = standard
            column += 1
            if scale.indicator:
                background[:, column] = missing
                column += 1
            if scale.modifier:
                modifiers[:, modifier] = standard
                modifier += 1
        return background, modifiers

    def outside(self, values: Mapping[str, float | None]) -> tuple[str, ...]:
        """Names of covariates whose value lies outside the range of the studies."""
        found = []
        for scale in self.scales:
            value = values.get(scale.name)
            # A hair's breadth is not extrapolation: a tenth of the SD.
            margin = 0.1 * scale.sd
            if value is not None and not scale.low - margin <= value <= scale.high + margin:
                found.append(scale.name)
        return tuple(found)


def covariates_of(arm: TrialArm, endpoint: Endpoint) -> dict[str, float | None]:
    """Covariate values of a row; None where not reported."""
    return {covariate.name: covariate.read(arm, endpoint) for covariate in COVARIATES}


def stacked(values: Sequence[Mapping[str, float | None]]) -> dict[str, FloatArray]:
    """Covariates of M arms as arrays (M,) by name, NaN for None."""
    names = sorted({name for known in values for name in known})
    return {
        name: np.array([np.nan if (value := known.get(name)) is None else value for known in values]) for name in names
    }


def scales_of(
    values: Sequence[Mapping[str, float | None]], studies: Sequence[str], endpoint: Endpoint
) -> CovariateScales:
    """Choose, centre and scale the covariates of N rows, each study counted once.

    A covariate is used when at least five studies report it and their values differ. The covariate that is the
    endpoint's own baseline is used once, as `baseline`.
    """
    scales = []
    names = sorted(set(studies))
    for covariate in COVARIATES:
        if covariate.name == endpoint.baseline:
            continue
        by_study: dict[str, list[float]] = {name: [] for name in names}
        for study, known in zip(studies, values, strict=True):
            value = known[covariate.name]
            if value is not None:
                by_study[study].append(value)
        means = np.array([np.mean(found) for found in by_study.values() if found])
        if len(means) < MIN_STUDIES or np.ptp(means) < 1e-9:
            continue
        reported = len(means) / len(names)
        ordinary = BASELINE_SD.get(endpoint.baseline, 0.0) if covariate.name == "baseline" else covariate.unit_sd
        scales.append(
            Scale(
                name=covariate.name,
                mean=float(means.mean()),
                sd=float(max(means.std(), ordinary)),
                low=float(means.min()),
                high=float(means.max()),
                indicator=REPORTED[0] <= reported <= REPORTED[1],
                modifier=covariate.modifies_effect,
                by_class=covariate.by_class,
            )
        )
    return CovariateScales(tuple(scales))


def typical_weeks(arms: Sequence[TrialArm]) -> float:
    """Median duration of the rows that state one; 26 weeks when none does."""
    stated = [arm.weeks for arm in arms if arm.weeks]
    return float(median(stated)) if stated else 26.0
