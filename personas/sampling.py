"""Virtual patients: draws from an archetype's joint distribution, conditioned on restrictions.

Gaussian copula over the stated margins (`margins`, `copula`). Every restriction is a range of latent deviates, so the
conditioned distribution is a normal inside a box, drawn exactly however rare the cohort (`truncated`). Arrays in,
arrays out; no I/O; the same seed gives the same rows in every process.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from knowledge.errors import EmptyCohort, InvalidInput, PersonaError
from personas.copula import LatentCorrelation, latent_correlation
from personas.margins import DISCRETE, Margin, margin_of
from personas.restrictions import LEVELLED, Bounds, bounds_of, definition_of, parse_restrictions
from personas.schemas import Attribute, Distribution, Persona, Restriction
from personas.truncated import Box, box_probability, draw_box, make_box, truncated_deviates
from personas.units import attribute_info

Floats = NDArray[np.float64]
Column = NDArray[np.float64] | NDArray[np.int64] | NDArray[np.bool_]

MAX_PATIENTS = 1_000_000
SMALLEST_PREVALENCE = 1e-5
# Rows drawn at a time: bounds the working memory whatever n is. Part of the definition of a seed's rows.
_CHUNK = 65_536
# Attempts to replace rows that contradict themselves (a disease older than its patient).
_ROUNDS = 60


@dataclass(frozen=True)
class VirtualPatients:
    """Rows of a cohort, column by column.

    Attributes
    ----------
    columns : by attribute, each (n,): float64 measured values in `units`, bool for yes/no, int64 positions in `levels`
        for categories and ordered levels.
    units : by attribute.
    levels : by categorical or ordinal attribute, the names behind the positions.
    n : number of rows.
    prevalence : share of the archetype's population that meets the restrictions put on top of it, 0–1.
    effective_sample_size : independent rows the sample is worth. The draws are exact and independent, so it is n.
    """

    columns: Mapping[str, Column]
    units: Mapping[str, str]
    levels: Mapping[str, tuple[str, ...]]
    n: int
    prevalence: float
    effective_sample_size: float

    def labels(self, attribute: str) -> NDArray[np.str_]:
        """Names of the levels of a categorical, ordinal or yes/no attribute, (n,)."""
        if attribute not in self.columns:
            raise InvalidInput(f"There is no attribute '{attribute}'.", f"There are: {', '.join(self.columns)}.")
        column = self.columns[attribute]
        if column.dtype == np.bool_:
            return np.where(column, "yes", "no")
        if attribute not in self.levels:
            raise InvalidInput(f"{attribute} is a number and has no levels.", "Use its column.")
        return np.array(self.levels[attribute])[column.astype(np.int64)]


def draw(persona: Persona, restrictions: Sequence[Restriction], n: int, seed: int) -> VirtualPatients:
    """Draw `n` virtual patients of `persona` who meet its own and the given `restrictions`.

    Method: Gaussian copula (normal-to-anything, Cario & Nelson 1997) with Kruskal's (1958) latent correlations,
    conditioned exactly by minimax exponential tilting (Botev 2017).

    Raises
    ------
    InvalidInput : n or seed out of range; a restriction on an attribute, level or unit the persona has not.
    EmptyCohort : restrictions that exclude each other, or that fewer than 1 in 100,000 meet; names the binding one.
    PersonaError : the persona's own restrictions leave nobody.
    """
    if not 1 <= n <= MAX_PATIENTS:
        raise InvalidInput(f"{n} virtual patients cannot be drawn.", f"Ask for 1 to {MAX_PATIENTS:,}.")
    if seed < 0:
        raise InvalidInput(f"A seed cannot be negative, and {seed} is.", "Give 0 or more.")
    model = _Model.of(persona)
    bounds = model.bounds(restrictions)
    prevalence = prevalence_of(persona, restrictions)
    plan = _Plan.of(model, bounds)
    columns = {name: _empty(attribute, n) for name, attribute in model.drawn.items()}
    for chunk, start in enumerate(range(0, n, _CHUNK)):
        rows = slice(start, min(start + _CHUNK, n))
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(chunk,))))
        plan.fill(columns, rows, rng)
    for name in model.all:
        when = definition_of(name, model.all)
        if when is not None:
            columns[name] = _defined(when, columns)
    return VirtualPatients(
        columns={name: columns[name] for name in model.all},
        units={name: attribute.unit for name, attribute in model.all.items()},
        levels={name: tuple(a.levels or ()) for name, a in model.all.items() if a.distribution in LEVELLED},
        n=n,
        prevalence=prevalence,
        effective_sample_size=float(n),
    )


def prevalence_of(persona: Persona, restrictions: Sequence[Restriction]) -> float:
    """Share of the archetype's population that meets `restrictions`, by a deterministic lattice rule. Errors as `draw`.

    Relative to the persona's own restrictions: 0.4 means that four in ten of *its* members belong to the cohort.
    """
    model = _Model.of(persona)
    own = model.probability(model.bounds(()))
    if own <= 0.0:
        raise PersonaError(f"Nobody meets the restrictions of archetype {persona.id}.", "Mend its file.")
    share = min(1.0, model.probability(model.bounds(restrictions)) / own) if restrictions else 1.0
    if share >= SMALLEST_PREVALENCE:
        return share
    without = [
        model.probability(model.bounds([other for other in restrictions if other is not item])) for item in restrictions
    ]
    binding = restrictions[int(np.argmax(without))]
    everything = " and ".join(str(item) for item in restrictions)
    raise EmptyCohort(
        f"Fewer than 1 in 100,000 of the cohort '{persona.name}' meet {everything}.", f"Widen or drop {binding}."
    )


def latent_structure(persona: Persona) -> tuple[dict[str, Attribute], LatentCorrelation]:
    """The attributes that are drawn (not defined by another one), and the correlation of their latent normals.

    PersonaError when two margins cannot have the correlation stated for them.
    """
    attributes = persona.attributes
    drawn = {name: a for name, a in attributes.items() if definition_of(name, attributes) is None}
    stated = [item for item in persona.correlations if all(name in drawn for name in item.between)]
    return drawn, latent_correlation(drawn, stated)


@dataclass(frozen=True)
class _Model:
    """A persona prepared for drawing.

    `all` are its attributes; `drawn` those without a definition in terms of another one; `names` and `matrix` the
    correlated ones and their latent correlation; `at_most` pairs of which the first never exceeds the second.
    """

    persona: Persona
    all: Mapping[str, Attribute]
    drawn: Mapping[str, Attribute]
    margins: Mapping[str, Margin]
    names: tuple[str, ...]
    matrix: Floats
    own: tuple[Restriction, ...]
    at_most: tuple[tuple[str, str], ...]

    @staticmethod
    def of(persona: Persona) -> _Model:
        drawn, latent = latent_structure(persona)
        known = {name: attribute_info(name) for name in drawn}
        margins = {name: margin_of(a, info.limits if (info := known[name]) else None) for name, a in drawn.items()}
        at_most = tuple((name, info.at_most) for name, info in known.items() if info and info.at_most in drawn)
        own = parse_restrictions(persona.restrictions)
        return _Model(persona, persona.attributes, drawn, margins, latent.names, latent.matrix, own, at_most)

    def bounds(self, restrictions: Sequence[Restriction]) -> dict[str, Bounds]:
        """What the persona's own and the given restrictions leave of each attribute."""
        return bounds_of(self.persona, (*self.own, *restrictions))

    def box(self, name: str, left: Bounds) -> tuple[float, float]:
        """Range of latent deviates that the bounds leave."""
        return self.margins[name].box(left.lower, left.upper)

    def probability(self, bounds: Mapping[str, Bounds]) -> float:
        """Probability that a member of the unrestricted population is within all bounds."""
        boxes = {name: self.box(name, left) for name, left in bounds.items()}
        if any(low >= high for low, high in boxes.values()):
            return 0.0
        alone = [box for name, box in boxes.items() if name not in self.names]
        share = math.prod(_normal_share(*box) for box in alone)
        joint = _joint_box(self, boxes)
        return share if joint is None else share * box_probability(joint[1])


@dataclass(frozen=True)
class _Plan:
    """How to draw one cohort: which deviates are free, which are inside the box, and how they mix."""

    model: _Model
    bounds: Mapping[str, Bounds]
    joint: Box | None
    order: NDArray[np.intp]
    factor: Floats
    alone: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @staticmethod
    def of(model: _Model, bounds: Mapping[str, Bounds]) -> _Plan:
        boxes = {name: model.box(name, left) for name, left in bounds.items()}
        prepared = _joint_box(model, boxes)
        first = np.zeros(0, dtype=np.intp) if prepared is None else prepared[0][prepared[1].order]
        rest = np.setdiff1d(np.arange(len(model.names)), first)
        order = np.concatenate([first, rest]).astype(np.intp)
        factor = np.asarray(np.linalg.cholesky(model.matrix[np.ix_(order, order)]), dtype=np.float64)
        alone = {name: box for name, box in boxes.items() if name not in model.names}
        return _Plan(model, bounds, None if prepared is None else prepared[1], order, factor, alone)

    def fill(self, columns: Mapping[str, Column], rows: slice, rng: np.random.Generator) -> None:
        """Draw the rows of one chunk into the columns; rows that contradict themselves are drawn again."""
        done = rows.start
        for _ in range(_ROUNDS):
            batch = self._batch(rows.stop - done, rng)
            kept = self._consistent(batch, rows.stop - done)
            for name, column in batch.items():
                columns[name][done : done + len(kept)] = column[kept]
            done += len(kept)
            if done == rows.stop:
                return
        pairs = " and ".join(f"{name} above {other}" for name, other in self.model.at_most)
        raise EmptyCohort(f"Nearly everybody who meets the restrictions would have {pairs}.", "Widen one of the two.")

    def _batch(self, size: int, rng: np.random.Generator) -> dict[str, Column]:
        inside = 0 if self.joint is None else len(self.joint.tilt)
        deviates = np.empty((size, len(self.order)))
        if self.joint is not None:
            deviates[:, :inside] = draw_box(self.joint, size, rng)
        deviates[:, inside:] = rng.standard_normal((size, len(self.order) - inside))
        mixed = deviates @ self.factor.T
        place = {self.model.names[index]: column for column, index in enumerate(self.order)}
        batch: dict[str, Column] = {}
        for name, margin in self.model.margins.items():
            if name in place:
                z = mixed[:, place[name]]
            elif name in self.alone:
                low, high = self.alone[name]
                z = truncated_deviates(rng.random(size), np.full(size, low), np.full(size, high))
            else:
                z = rng.standard_normal(size)
            batch[name] = _within(margin.values(z), self.bounds.get(name), margin.discrete)
        return batch

    def _consistent(self, batch: Mapping[str, Column], size: int) -> NDArray[np.intp]:
        """Rows in which nothing exceeds what it cannot exceed, e.g. the duration of a disease the age."""
        good = np.ones(size, dtype=np.bool_)
        for name, other in self.model.at_most:
            good &= batch[name] <= batch[other]
        return np.flatnonzero(good)


def _joint_box(model: _Model, boxes: Mapping[str, tuple[float, float]]) -> tuple[NDArray[np.intp], Box] | None:
    """Positions in the latent matrix of the correlated attributes that are limited, and their box."""
    limited = [
        index for index, name in enumerate(model.names) if name in boxes and boxes[name] != (-math.inf, math.inf)
    ]
    if not limited:
        return None
    positions = np.array(limited, dtype=np.intp)
    limits = np.array([boxes[model.names[index]] for index in limited])
    return positions, make_box(model.matrix[np.ix_(positions, positions)], limits[:, 0], limits[:, 1])


def _normal_share(low: float, high: float) -> float:
    if low > 0:
        low, high = -high, -low
    return 0.5 * (math.erfc(-high / math.sqrt(2)) - math.erfc(-low / math.sqrt(2)))


def _within(values: NDArray[np.float64] | NDArray[np.int8], left: Bounds | None, discrete: bool) -> Column:
    """Values kept inside the bounds where rounding put one on or just past a limit."""
    if discrete:
        codes = values.astype(np.int64)
        return codes if left is None else np.clip(codes, left.lower, left.upper).astype(np.int64)
    numbers = np.asarray(values, dtype=np.float64)
    if left is None:
        return numbers
    lower = math.nextafter(left.lower, math.inf) if left.lower_open else left.lower
    upper = math.nextafter(left.upper, -math.inf) if left.upper_open else left.upper
    return np.clip(numbers, lower, upper)


def _empty(attribute: Attribute, n: int) -> Column:
    if attribute.distribution is Distribution.BERNOULLI:
        return np.empty(n, dtype=np.bool_)
    return np.empty(n, dtype=np.int64) if attribute.distribution in DISCRETE else np.empty(n, dtype=np.float64)


def _defined(when: Restriction, columns: Mapping[str, Column]) -> Column:
    """Column of an attribute that follows from another one."""
    compare = {">=": np.greater_equal, ">": np.greater, "<=": np.less_equal, "<": np.less, "=": np.equal}
    result: NDArray[np.bool_] = compare[when.operator](columns[when.attribute], float(when.value))
    return result
