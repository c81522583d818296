"""What a fitted archetype tells about single people: small groups, and two attacks on membership.

The archetype holds margins and correlations of groups only; these checks measure, on the very data, whether that is
enough. Rows serve for the check and are forgotten.

* Combinations of categories held by fewer than k people (k-anonymity, Sweeney 2002). None of them enters the
  archetype, which knows no combination of more than two; they are counted so that the reader knows how many there are.
* Membership inference: the archetype is fitted again and again to four fifths of the people, drawn at random; the
  attacker, who holds a person's whole record, scores it by how likely the fit makes it and says "member" above a
  threshold. The last fifth are the control; 0.5 is a coin. A fit with which this attack is surely better than the tolerance is refused.
* The strongest attacker also knows how likely fits with and without that person make the record, and subtracts what is
  usual for it (difficulty calibration, Watson et al. 2022; likelihood ratio attack, Carlini et al. 2022). Against exact
  averages of a small cohort he always gains something (Homer et al. 2008); only more people, fewer attributes or noise
  (`epsilon`) help. His result is reported and, where it is high, warned of.
* Distance to the nearest virtual patient, members over control (distance to closest record): below 1 the virtual
  patients stand nearer to the members.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from knowledge.schemas import Frozen
from personas.fitting.defaults import default
from personas.fitting.design import Design
from personas.fitting.fit import fit_statistics
from personas.fitting.latent import LatentModel
from personas.fitting.noise import add_noise
from personas.fitting.statistics import count
from personas.fitting.table import PatientTable
from personas.fitting.unusual import without_unusual

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# A fit whose attack is better than the tolerance for these people shows them, even if it hides the average.
UNUSUAL_SHARE = 0.02
_MOST_PEOPLE = 4_000
_VIRTUAL = 1_000
_MEMBERS = 0.8


class Estimate(Frozen):
    """A measured value with its 95 % interval."""

    value: float
    lower: float
    upper: float


class PrivacyReport(Frozen):
    """Results of the checks.

    `attack` and `strongest` are areas under the curve over everybody, the others over the most unusual people.
    """

    smallest_cell: int
    category_attributes: tuple[str, ...]
    combinations: int
    small_combinations: int
    people_in_small: int
    smallest_combination: int
    attack: Estimate
    attack_unusual: Estimate
    strongest: Estimate
    strongest_unusual: Estimate
    nearest_ratio: Estimate
    tolerance: float
    tolerance_unusual: float
    warning_above: float
    splits: int
    epsilon: float | None = None

    @property
    def passed(self) -> bool:
        """False when the attack is surely better than the tolerance."""
        return self.attack.lower <= self.tolerance and self.attack_unusual.lower <= self.tolerance_unusual

    @property
    def warned(self) -> bool:
        """True when the strongest attacker surely gains more than the level that is warned of."""
        return max(self.strongest.lower, self.strongest_unusual.lower) > self.warning_above


@dataclass(frozen=True)
class Attack:
    """Raw results: `scores` (splits, people), and `members` of the same shape: who was fitted to in which split."""

    scores: NDArray[np.float64]
    members: NDArray[np.bool_]
    nearest: tuple[float, ...]

    def areas(self, among: Bools, *, calibrated: bool) -> list[float]:
        """Area under the curve in each split among some people, (people,)."""
        scores = self.scores - self.scores.mean(axis=0) if calibrated else self.scores
        return [area(s[m & among], s[~m & among]) for s, m in zip(scores, self.members, strict=True)]

    def person(self, row: int) -> float:
        """Area under the curve of the strongest attack on one person: fits with him against fits without."""
        return area(self.scores[self.members[:, row], row], self.scores[~self.members[:, row], row])


def check_privacy(
    table: PatientTable,
    design: Design,
    smallest_cell: int,
    *,
    epsilon: float | None = None,
    seed: int = 1,
) -> PrivacyReport:
    """All checks on a table of patients. PrivacyRefused when four fifths of the people are too few for a fit."""
    splits = int(default("attack_splits"))
    result = attack(table, design, smallest_cell, splits=splits, epsilon=epsilon, seed=seed)
    unusual = unusual_people(table, design, smallest_cell)[: result.scores.shape[1]]
    everybody = np.ones(result.scores.shape[1], dtype=np.bool_)
    combos, names = _combinations(table, design)
    return PrivacyReport(
        smallest_cell=smallest_cell,
        category_attributes=names,
        combinations=len(combos),
        small_combinations=int((combos < smallest_cell).sum()),
        people_in_small=int(combos[combos < smallest_cell].sum()),
        smallest_combination=int(combos.min()) if len(combos) else 0,
        attack=_mean(result.areas(everybody, calibrated=False)),
        attack_unusual=_mean(result.areas(unusual, calibrated=False)),
        strongest=_mean(result.areas(everybody, calibrated=True)),
        strongest_unusual=_mean(result.areas(unusual, calibrated=True)),
        nearest_ratio=_mean(list(result.nearest)),
        tolerance=default("attack_tolerance"),
        tolerance_unusual=default("attack_tolerance_unusual"),
        warning_above=default("strongest_attack"),
        splits=splits,
        epsilon=epsilon,
    )


def attack(
    table: PatientTable,
    design: Design,
    smallest_cell: int,
    *,
    splits: int,
    epsilon: float | None = None,
    seed: int = 1,
) -> Attack:
    """Fit to random four fifths and score everybody under each fit. At most the first 4,000 people are used."""
    used = table if table.n <= _MOST_PEOPLE else table.rows(np.arange(_MOST_PEOPLE, dtype=np.intp))
    rng = np.random.default_rng(seed)
    families = {
        name: item.attribute.distribution
        for name, item in fit_statistics(count(used, design), smallest_cell).attributes.items()
        if design.axis(name).kind == "number"
    }
    scores = np.empty((splits, used.n))
    members = np.zeros((splits, used.n), dtype=np.bool_)
    nearest = []
    for split in range(splits):
        members[split, rng.permutation(used.n)[: round(_MEMBERS * used.n)]] = True
        chosen = used.rows(members[split])
        if epsilon is None:
            counts = count(without_unusual(chosen, design, smallest_cell, families)[0], design)
        else:
            counts = add_noise(count(chosen, design), epsilon, int(rng.integers(2**31)))
        model = LatentModel.of(fit_statistics(counts, smallest_cell, families=families), design)
        scores[split] = model.log_density(used)
        nearest.append(_nearest_ratio(model, used, members[split], rng))
    return Attack(scores=scores, members=members, nearest=tuple(nearest))


def unusual_people(table: PatientTable, design: Design, smallest_cell: int) -> Bools:
    """The people whom the fit makes least likely, (n,): 2 %, at least ten."""
    model = LatentModel.of(fit_statistics(count(table, design), smallest_cell), design)
    order = np.argsort(model.log_density(table))
    chosen = np.zeros(table.n, dtype=np.bool_)
    chosen[order[: max(10, int(UNUSUAL_SHARE * table.n))]] = True
    return chosen


def area(above: Floats, below: Floats) -> float:
    """Probability that a score of `above` exceeds one of `below`, ties half (Mann & Whitney 1947); 0.5 if one is empty."""
    if len(above) == 0 or len(below) == 0:
        return 0.5
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([above, below]))[: len(above)]
    return float((ranks.sum() - len(above) * (len(above) + 1) / 2) / (len(above) * len(below)))


def _nearest_ratio(model: LatentModel, table: PatientTable, members: Bools, rng: np.random.Generator) -> float:
    """Median distance to the nearest virtual patient, members over control, on the latent scale."""
    from scipy.spatial import cKDTree

    names = list(model.attributes)
    deviates = rng.standard_normal((_VIRTUAL, len(names)))
    if model.names:
        places = [names.index(name) for name in model.names]
        deviates[:, places] = deviates[:, places] @ np.linalg.cholesky(model.matrix).T
    virtual = PatientTable({name: model.values(name, deviates[:, i]) for i, name in enumerate(names)}, _VIRTUAL)
    distances = np.asarray(cKDTree(model.middle(virtual)).query(model.middle(table))[0])
    return float(np.median(distances[members]) / max(np.median(distances[~members]), 1e-12))


def _mean(values: list[float]) -> Estimate:
    """Mean over the splits with Student's interval."""
    from scipy.stats import t

    mean = float(np.mean(values))
    half = float(t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values)))
    return Estimate(value=mean, lower=mean - half, upper=mean + half)


def _combinations(table: PatientTable, design: Design) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    """People by combination of all categories and yes/no attributes that occurs."""
    names = tuple(axis.name for axis in design.axes if axis.kind != "number")
    if not names:
        return np.array([], dtype=np.intp), ()
    stacked = np.nan_to_num(np.column_stack([table.columns[name] for name in names]), nan=-1.0)
    _, counts = np.unique(stacked, axis=0, return_counts=True)
    return np.asarray(counts, dtype=np.intp), names
