"""The stochastic epidemic: a chain of binomial steps through groups, patches, variants and kinds of immunity.

In each step people are infected, become infectious, recover, lose immunity and are vaccinated by binomial draws
(chain-binomial model, discrete time). Superspreading: the infectivity of cases is gamma distributed, so that in a large
population the number of people a case infects is negative binomial with the reproduction number as mean and dispersion k
(Lloyd-Smith et al 2005, doi 10.1038/nature04153). Infectivity decays exponentially over the infectious period and is
kept as a sum over cases, which is exact because sums of gamma variables are gamma; time and memory therefore do not
depend on how many people there are. In the mean the model is the SEIR(S) model of ordinary differential equations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput
from tools.epidemic.course import contact_matrix

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
NAIVE, VACCINATED, RECOVERED = 0, 1, 2  # classes of people who can be infected; RECOVERED + v: after variant v
LARGEST_POPULATION = 10**12


@dataclass(frozen=True)
class Setting:
    """Who meets whom, and what is done.

    Attributes
    ----------
    people : (P, G) people by patch and group.
    start : (P, G, 2 + V) of them at the start: naive, vaccinated, recovered from each variant.
    contacts : (G, G) mean contacts of one person of the row's group with people of the column's group; only their
        proportions matter. susceptibility, infectivity : (G,) relative.
    factors : (T, G) share of its contacts that a group keeps on each day; a contact takes place as often as the more
        careful of both allows.
    doses : (T, G) first doses given on each day. mobility : (P, P) share of its contact time that the row's population
        spends in the column's patch; rows sum to 1.
    seeds : (V, P, G) first cases. seed_days : (V,) day on which they come.
    """

    people: IntArray
    start: IntArray
    contacts: FloatArray
    factors: FloatArray
    doses: IntArray
    mobility: FloatArray
    seeds: IntArray
    seed_days: IntArray
    susceptibility: FloatArray
    infectivity: FloatArray
    steps_per_day: int = 4

    @property
    def mixing(self) -> FloatArray:
        """(G, G) contacts with susceptibility and infectivity, dominant eigenvalue 1: times R0 it is the force."""
        made = self.susceptibility[:, None] * self.contacts * self.infectivity[None, :]
        root = float(np.max(np.linalg.eigvals(made).real))
        if root <= 0:
            raise InvalidInput("With these contacts and susceptibilities nobody can infect anybody.")
        return np.asarray(made / root)


@dataclass(frozen=True)
class Biology:
    """The infection: reproduction number, periods (days), dispersion k, immunity.

    Attributes
    ----------
    transmissibility : (V,) relative to the first variant. relative : (2 + V, V) susceptibility of each class to each
        variant, relative to the naive. wane_vaccine, wane_infection : mean days of protection, inf for ever.
    """

    reproduction_number: float
    latent: float
    infectious: float
    dispersion: float = 1.0
    transmissibility: FloatArray = field(default_factory=lambda: np.ones(1))
    relative: FloatArray = field(default_factory=lambda: np.array([[1.0], [0.0], [0.0]]))
    wane_vaccine: float = math.inf
    wane_infection: float = math.inf


@dataclass(frozen=True)
class Runs:
    """Outcomes of R runs: (R, T) new infections and infectivity spent a day, (R, G, C) infections by group and class,
    (R,) largest number infectious at a time, its day, and the day of the end (-1: goes on).
    """

    incidence: FloatArray
    spent: FloatArray
    infections: IntArray
    largest: IntArray
    largest_day: IntArray
    ended: IntArray


def simulate_runs(setting: Setting, biology: Biology, runs: int, rng: np.random.Generator) -> Runs:
    """Run one epidemic `runs` times under the same parameters.

    Raises
    ------
    InvalidInput
        Arrays that do not fit, people or parameters that cannot be.
    """
    if runs < 1:
        raise InvalidInput("A simulation needs at least one run.")
    check_setting(setting)
    check_biology(biology, len(setting.seeds))
    from tools.epidemic.kernels import spread_runs  # numba, which the start of the program would feel

    step = 1.0 / setting.steps_per_day
    return Runs(
        *spread_runs(
            rng, runs, setting.steps_per_day, setting.people, setting.start, setting.seeds, setting.seed_days,
            np.ascontiguousarray(setting.mixing * biology.reproduction_number), setting.factors, setting.doses,
            setting.mobility, biology.transmissibility, biology.relative,
            math.exp(-step / biology.latent) if biology.latent > 0 else 0.0, math.exp(-step / biology.infectious),
            0.0 if math.isinf(biology.dispersion) else biology.dispersion,
            -math.expm1(-1 / biology.wane_vaccine), -math.expm1(-1 / biology.wane_infection),
        )
    )  # fmt: skip


def plain_setting(
    people: npt.ArrayLike, contacts: npt.ArrayLike, days: int, first_cases: npt.ArrayLike, steps_per_day: int = 4
) -> Setting:
    """One patch, one variant, no measures: people (G,), contacts (G, G), first cases (G,)."""
    matrix, persons = contact_matrix(contacts, people)
    counts = np.rint(persons).astype(np.int64)[None, :]
    groups = counts.shape[1]
    start = np.zeros((1, groups, 3), dtype=np.int64)
    start[..., NAIVE] = counts
    return Setting(
        people=counts, start=start, contacts=matrix, factors=np.ones((days, groups)),
        doses=np.zeros((days, groups), dtype=np.int64), mobility=np.ones((1, 1)),
        seeds=np.broadcast_to(np.asarray(first_cases, dtype=np.int64), (groups,)).reshape(1, 1, groups).copy(),
        seed_days=np.zeros(1, dtype=np.int64), susceptibility=np.ones(groups), infectivity=np.ones(groups),
        steps_per_day=steps_per_day,
    )  # fmt: skip


def check_setting(setting: Setting) -> None:
    """InvalidInput unless everything fits together."""
    patches, groups = setting.people.shape
    contact_matrix(setting.contacts, setting.people.sum(axis=0))
    variants = len(setting.seeds)
    if setting.people.sum() > LARGEST_POPULATION or (setting.people < 0).any():
        raise InvalidInput("The people of a group are between 0 and a trillion.")
    if setting.start.shape != (patches, groups, RECOVERED + variants) or (setting.start < 0).any():
        raise InvalidInput("The people at the start do not fit the patches, groups and kinds of immunity.")
    if (setting.start.sum(axis=-1) != setting.people).any():
        raise InvalidInput("The people at the start do not add up to the population.")
    if setting.factors.ndim != 2 or setting.factors.shape[1] != groups or len(setting.factors) < 1:
        raise InvalidInput("Measures need one row for each day and one column for each group.")
    if not np.isfinite(setting.factors).all() or (setting.factors < 0).any():
        raise InvalidInput("The share of contacts that is kept is 0 or more.")
    if setting.doses.shape != setting.factors.shape or (setting.doses < 0).any():
        raise InvalidInput("Doses need one row for each day and one column for each group, 0 or more.")
    mobility = setting.mobility
    if mobility.shape != (patches, patches) or not np.isfinite(mobility).all() or (mobility < 0).any():
        raise InvalidInput("Mobility needs one row and one column for each place, shares of 0 or more.")
    if np.max(np.abs(mobility.sum(axis=1) - 1)) > 1e-6:
        raise InvalidInput("The rows of the mobility matrix sum to 1.", "Each row says where people spend their time.")
    if setting.seeds.shape[1:] != (patches, groups) or len(setting.seed_days) != variants or (setting.seeds < 0).any():
        raise InvalidInput("First cases need a number of 0 or more for each variant, place and group.")
    if not 1 <= setting.steps_per_day <= 100:
        raise InvalidInput("A day is cut into 1 to 100 steps.")


def check_biology(biology: Biology, variants: int) -> None:
    """InvalidInput unless the parameters can be."""
    if not (math.isfinite(biology.reproduction_number) and biology.reproduction_number >= 0):
        raise InvalidInput("A reproduction number is 0 or more.")
    if not (math.isfinite(biology.latent) and biology.latent >= 0 and 0 < biology.infectious < math.inf):
        raise InvalidInput("The infectious period lies above 0 days, and the latent period is not negative.")
    if not biology.dispersion > 0:
        raise InvalidInput("The dispersion k lies above 0; infinity stands for no variation.")
    if not (biology.wane_vaccine > 0 and biology.wane_infection > 0):
        raise InvalidInput("Protection lasts more than 0 days.")
    if biology.transmissibility.shape != (variants,) or biology.relative.shape != (RECOVERED + variants, variants):
        raise InvalidInput("Transmissibility and susceptibility do not fit the number of variants.")
    if (biology.transmissibility < 0).any() or (biology.relative < 0).any() or (biology.relative > 1).any():
        raise InvalidInput("Transmissibility is 0 or more, and relative susceptibility lies between 0 and 1.")
