"""From what the user gave, the cohort and the parameter sheets to draws of persistence and of the doses taken."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput
from personas.cohort import Cohort
from personas.library import PersonaLibrary
from tools.adherence import implementation, persistence
from tools.adherence.schemas import FittedHazard, PersistenceGiven, SimulateInput
from tools.parameter_sheet import Parameter, ParameterSheet, read_parameters
from tools.quantities import Quantity, as_uncertain
from tools.uptake.filling import OBSERVED, TAKEN_FOR, by_diabetes, share_with_diabetes

FloatArray = npt.NDArray[np.float64]
SHEET = Path(__file__).with_name("parameters.yaml")
UPTAKE_SHEET = Path(__file__).parents[1] / "uptake" / "parameters.yaml"  # where persistence on GLP-1 medicines stands
PERSISTENT, TAKEN = "persistence_12_months", "adherence_pdc"
YEAR = 365.0
PATIENTS = 20_000
NEARLY = 1e-6
REGIMEN = {1: "", 2: "twice_daily", 3: "three_times_daily"}
# The group that is compared: row of the sheet, attribute and level of the cohort, names of both sides.
GROUPS = {
    "sex": ("women", "sex", "female", ("women", "men")),
    "income": ("low_income", "low_income", "yes", ("low_income", "higher_income")),
    "cardiovascular_disease": (
        "cardiovascular_disease", "cardiovascular_disease", "yes", ("with_cardiovascular_disease", "without"),
    ),
}  # fmt: skip


@dataclass
class Drawn:
    """(D,) draws: Weibull shape and scale (days), mean share of doses taken (its sd between people, None if unknown), half dose."""

    shape: FloatArray
    scale: FloatArray
    taken: FloatArray
    taken_sd: float | None
    half_dose: FloatArray | None
    groups: dict[str, FloatArray]
    hazard_ratios: dict[str, FloatArray]
    fitted: tuple[FittedHazard, ...]
    population: str
    assumptions: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    source_ids: list[str] = field(default_factory=list)


class _Filler:
    """Draws what was given and rows of the sheets, and remembers what was used."""

    def __init__(self, request: SimulateInput, library: PersonaLibrary, seed: int) -> None:
        self.request = request
        self.rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(2)[0])
        self.n = request.draws
        self.cohort = Cohort.build(request.cohort, library, n=PATIENTS, seed=seed) if request.cohort else None
        self.sheet = read_parameters(SHEET)
        self.assumptions: list[str] = []
        self.warnings: list[str] = []
        self.source_ids: list[str] = []

    def given(self, quantity: Quantity, what: str, low: float, high: float) -> FloatArray:
        one = as_uncertain(quantity)
        values = one.draw(self.rng, self.n)
        if not np.isfinite(values).all() or not low <= one.point <= high:
            raise InvalidInput(f"{what} lies between {low:g} and {high:g}, not at {one.point:g}.")
        return np.clip(values, low, high)

    def row(self, name: str, sheet: ParameterSheet | None = None) -> FloatArray:
        one: Parameter = (sheet or self.sheet)[name]
        self.source_ids.append(one.source_id)
        self.assumptions.append(
            f"{one.description}: {one.value:g} {one.unit} ({one.source_id}). {one.assumption}".strip()
        )
        return one.draw(self.rng, self.n)

    def told(self, attribute: str) -> None:
        """Note where the cohort's archetype has an attribute from."""
        row = next(one for one in self.cohort.summary() if one.attribute == attribute) if self.cohort else None
        if row is not None:
            self.source_ids.extend(row.source_ids)
            from_where = ", ".join(row.source_ids) or f"assumed: {row.assumption}"
            self.assumptions.append(
                f"{row.label[0].upper()}{row.label[1:]}: as in the cohort's archetype ({from_where})."
            )


def drawn_of(request: SimulateInput, library: PersonaLibrary, seed: int) -> Drawn:
    """Draws of everything the simulation needs.

    Raises
    ------
    InvalidInput
        Persistence or the share of doses taken that neither the user, the cohort nor a source tells; a value out of range.
    """
    fill = _Filler(request, library, seed)
    shape, scale, ratios, fitted = _persistence(fill)
    ratio = fill.given(request.hazard_ratio, "The hazard ratio", 1e-6, 1e6)
    scale = scale * ratio ** (-1 / shape)
    taken, sd = _taken(fill)
    curve = request.dose_response
    half = fill.given(curve.half_dose, "The dose of half the effect", 1e-12, 1e12) if curve else None
    return Drawn(
        shape=shape,
        scale=scale,
        taken=taken,
        taken_sd=sd,
        half_dose=half,
        groups=_groups(fill, taken),
        hazard_ratios=ratios,
        fitted=fitted,
        population=fill.cohort.label if fill.cohort else "the people given",
        assumptions=list(dict.fromkeys(fill.assumptions)),
        warnings=list(dict.fromkeys(fill.warnings)),
        source_ids=list(dict.fromkeys(one for one in fill.source_ids if one)),
    )


def _through(fill: _Filler, share: FloatArray, at: float, shape: FloatArray) -> tuple[FloatArray, FloatArray]:
    return shape, persistence.weibull_scale(np.clip(share, NEARLY, 1 - NEARLY), at, shape)


def _persistence(
    fill: _Filler,
) -> tuple[FloatArray, FloatArray, dict[str, FloatArray], tuple[FittedHazard, ...]]:
    """(D,) shape and scale in days, hazard ratios of covariates, and what was fitted."""
    given = fill.request.persistence
    if given is None:
        share = _published_share(fill)
        fill.assumptions.append("People stop at a constant hazard (Weibull shape 1); no source told its course.")
        return *_through(fill, share, YEAR, np.ones(fill.n)), {}, ()
    if given.published:
        fill.assumptions.append("People stop at a constant hazard (Weibull shape 1); no source told its course.")
        return *_through(fill, fill.row(f"persistence_{given.published}"), YEAR, np.ones(fill.n)), {}, ()
    if given.share is not None:
        share = fill.given(given.share, "The share still on treatment", 0.0, 1.0)
        shape = fill.given(given.shape, "The Weibull shape", 0.05, 20.0)
        if given.shape == 1.0:
            fill.assumptions.append("People stop at a constant hazard (Weibull shape 1), as no other shape was given.")
        return *_through(fill, share, given.at_days, shape), {}, ()
    if given.points:
        found = persistence.weibull_points([one.days for one in given.points], [one.share for one in given.points])
        fill.assumptions.append("The Weibull through the published shares is taken as certain.")
        return np.full(fill.n, found.shape), np.full(fill.n, found.scale), {}, ()
    return _fitted(fill, given)


def _fitted(
    fill: _Filler, given: PersistenceGiven
) -> tuple[FloatArray, FloatArray, dict[str, FloatArray], tuple[FittedHazard, ...]]:
    times = given.times
    if times is None:
        raise InvalidInput("Give share, points or times of persistence.")
    weibull = persistence.fit_weibull(times.days, times.stopped)
    shape, scale = weibull.draws(fill.rng, fill.n)
    if not times.covariates:
        if times.profile:
            raise InvalidInput("A profile needs the covariates of the records.")
        return shape, scale, {}, ()
    cox = persistence.fit_cox(times.days, times.stopped, times.covariates)
    betas = fill.rng.multivariate_normal(cox.coefficients, cox.covariance, fill.n)
    ratio = cox.hazard_ratio(times.profile, betas)
    if times.profile:
        fill.assumptions.append(
            "The profile's hazard over that of people with mean covariates (Cox) is applied to the Weibull of all records."
        )
    rows = tuple(
        FittedHazard(name=name, log_hazard_ratio=float(value), standard_error=float(error))
        for name, value, error in zip(cox.names, cox.coefficients, cox.errors, strict=True)
    )
    ratios = {name: np.exp(betas[:, place]) for place, name in enumerate(cox.names)}
    return shape, scale * ratio ** (-1 / shape), ratios, rows


def _published_share(fill: _Filler) -> FloatArray:
    """(D,) share still on treatment after a year, from the cohort or (GLP-1 medicines) from published figures."""
    cohort, drug = fill.cohort, fill.request.treatment.lower()
    if any(name in drug for name in TAKEN_FOR):
        sheet = read_parameters(UPTAKE_SHEET)
        if cohort is None:
            fill.warnings.append("Without a cohort, persistence is that of people without diabetes.")
        if not any(name in drug for name in OBSERVED):
            fill.warnings.append(f"Persistence was observed for GLP-1 medicines together and is taken for {drug}.")
        return by_diabetes(lambda name: fill.row(name, sheet), share_with_diabetes(cohort))
    share = cohort.mean(PERSISTENT) if cohort else None
    if share is None:
        raise InvalidInput(
            f"What share is still on {fill.request.treatment} after a year?",
            "Give 'persistence' (share, points or times), or a 'cohort' whose archetype tells it.",
        )
    fill.told(PERSISTENT)
    fill.warnings.append("The cohort's persistence is that of its usual treatment, whatever the treatment asked about.")
    return np.full(fill.n, share)


def _taken(fill: _Filler) -> tuple[FloatArray, float | None]:
    """(D,) mean share of the prescribed doses taken while on treatment, and its sd between people."""
    request = fill.request
    sd = request.implementation_sd
    if request.implementation is not None:
        taken = fill.given(request.implementation, "The share of doses taken", 0.0, 1.0)
    elif request.persistence is not None and request.persistence.published:
        taken = fill.row(f"taken_{request.persistence.published}")
    else:
        doses = fill.cohort.patients.columns.get(TAKEN) if fill.cohort else None
        if doses is None:
            raise InvalidInput(
                "What share of the prescribed doses do people take while they are on treatment?",
                "Give 'implementation' (0 to 1), or a 'cohort' whose archetype tells it.",
            )
        fill.told(TAKEN)
        people = np.asarray(doses, dtype=np.float64)
        persistent = fill.cohort.patients.columns.get(PERSISTENT) if fill.cohort else None
        if persistent is not None and np.any(persistent):
            # Days not covered after stopping are counted as stopping already.
            people = people[np.asarray(persistent, dtype=bool)]
        taken = np.full(fill.n, float(np.clip(people, 0, 1).mean()))
        sd = float(people.std()) if sd is None else sd
    if request.regimen is not None:
        fewer = {doses: fill.row(name) if name else np.zeros(fill.n) for doses, name in REGIMEN.items()
                 if doses in (request.regimen.observed, request.regimen.planned)}  # fmt: skip
        taken = np.clip(taken + fewer[request.regimen.observed] - fewer[request.regimen.planned], 0.0, 1.0)
        fill.warnings.append("The effect of the regimen was seen with cardiovascular medicines taken by mouth.")
    if (
        request.implementation_sd is not None
        and sd is not None
        and sd**2 >= (mean := float(taken.mean())) * (1 - mean) > 0
    ):
        raise InvalidInput(f"People cannot differ by a standard deviation of {sd:g} around a share of {mean:.3g}.")
    if request.copay_raised:
        taken = implementation.odds_over(taken, fill.row("copay_raised"))
        fill.warnings.append(
            "The odds ratio of a copay counts people who are adherent; it is applied to the share of doses taken."
        )
    return taken, sd


def _groups(fill: _Filler, taken: FloatArray) -> dict[str, FloatArray]:
    """(D,) share of doses taken in the groups to compare; their mean is that of everybody."""
    request = fill.request
    if not request.compare_by:
        return {}
    name, attribute, level, sides = GROUPS[request.compare_by]
    if request.group_share is not None:
        part = fill.given(request.group_share, "The share of the group", 0.0, 1.0)
    else:
        known = fill.cohort.share(attribute, level) if fill.cohort else None
        if known is None:
            raise InvalidInput(
                f"What share of the people are of the group '{sides[0].replace('_', ' ')}'?", "Give 'group_share'."
            )
        fill.told(attribute)
        part = np.full(fill.n, known)
    group, others = implementation.group_shares(taken, part, fill.row(name))
    fill.warnings.append(
        "The odds ratio between groups was seen with statins and counts people who are adherent; it is applied to the "
        "share of doses taken, and persistence is taken as equal."
    )
    return {sides[0]: group, sides[1]: others}
