"""One archetype under restrictions, ready to be drawn: the model, and the plan of its draws.

Gaussian copula over the stated margins (`margins`, `copula`). Every restriction is a range of latent deviates, so the
conditioned distribution is a normal inside a box, drawn exactly however rare the cohort (`truncated`). Arrays in,
arrays out; no I/O.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from knowledge.errors import EmptyCohort
from personas.copula import LatentCorrelation, latent_correlation
from personas.margins import DISCRETE, Margin, margin_of
from personas.ordered import NEGLIGIBLE, ordered_pair
from personas.restrictions import Bounds, bounds_of, definition_of, parse_restrictions
from personas.schemas import Attribute, Distribution, Persona, Restriction
from personas.truncated import Box, box_probability, draw_box, make_box, truncated_deviates
from personas.units import attribute_info

Floats = NDArray[np.float64]
Column = NDArray[np.float64] | NDArray[np.int64] | NDArray[np.bool_]

# Attempts to replace rows that contradict themselves (a disease older than its patient).
_ROUNDS = 60
_FEWEST, _MOST = 64, 16_384
# Multiplications in one product of matrices.
_PRODUCT = 250_000
# Draws from which the share of rows that do not contradict themselves is taken; the seed is fixed, so that the
# prevalence of a cohort does not depend on anybody's seed.
_PROBE, _PROBE_SEED = 4096, 20_240_229


def latent_structure(persona: Persona) -> tuple[dict[str, Attribute], LatentCorrelation]:
    """The attributes that are drawn (not defined by another one), and the correlation of their latent normals.

    PersonaError when two margins cannot have the correlation stated for them.
    """
    attributes = persona.attributes
    drawn = {name: a for name, a in attributes.items() if definition_of(name, attributes) is None}
    stated = [item for item in persona.correlations if all(name in drawn for name in item.between)]
    return drawn, latent_correlation(drawn, stated)


@dataclass(frozen=True)
class Model:
    """A persona prepared for drawing.

    Attributes
    ----------
    all : its attributes; `drawn` those without a definition in terms of another one, `defined` the conditions that
        define the others.
    names, matrix : the correlated attributes and their latent correlation (k, k).
    at_most : pairs of which the first never exceeds the second.
    """

    persona: Persona
    all: Mapping[str, Attribute]
    drawn: Mapping[str, Attribute]
    defined: Mapping[str, Restriction]
    margins: Mapping[str, Margin]
    names: tuple[str, ...]
    matrix: Floats
    own: tuple[Restriction, ...]
    at_most: tuple[tuple[str, str], ...]

    @staticmethod
    def of(persona: Persona) -> Model:
        """PersonaError when margins cannot have the correlation stated for them."""
        drawn, latent = latent_structure(persona)
        known = {name: attribute_info(name) for name in drawn}
        margins = {name: margin_of(a, info.limits if (info := known[name]) else None) for name, a in drawn.items()}
        at_most = tuple((name, info.at_most) for name, info in known.items() if info and info.at_most in drawn)
        if at_most:
            latent = _in_order(persona, drawn, margins, at_most, latent)
        own = parse_restrictions(persona.restrictions)
        found = {name: definition_of(name, persona.attributes) for name in persona.attributes}
        defined = {name: when for name, when in found.items() if when is not None}
        return Model(persona, persona.attributes, drawn, defined, margins, latent.names, latent.matrix, own, at_most)

    def bounds(self, restrictions: Sequence[Restriction]) -> dict[str, Bounds]:
        """What the persona's own and the given restrictions leave of each attribute. Errors as `bounds_of`."""
        return bounds_of(self.persona, (*self.own, *restrictions))

    def box(self, name: str, left: Bounds) -> tuple[float, float]:
        """Range of latent deviates that the bounds leave."""
        return self.margins[name].box(*left.closed)

    def probability(self, bounds: Mapping[str, Bounds]) -> float:
        """Probability that a member of the unrestricted population is within all bounds, and possible (`at_most`)."""
        share = self.box_share(bounds)
        return share * Plan.of(self, bounds).consistent_share() if self.at_most and share > 0 else share

    def box_share(self, bounds: Mapping[str, Bounds]) -> float:
        """Probability that a draw is within all bounds, those included that contradict themselves."""
        boxes = {name: self.box(name, left) for name, left in bounds.items()}
        if any(low >= high for low, high in boxes.values()):
            return 0.0
        alone = [box for name, box in boxes.items() if name not in self.names]
        share = math.prod(_normal_share(*box) for box in alone)
        joint = joint_box(self, boxes)
        return share if joint is None else share * box_probability(joint[1])


def _in_order(
    persona: Persona,
    drawn: Mapping[str, Attribute],
    margins: dict[str, Margin],
    at_most: Sequence[tuple[str, str]],
    latent: LatentCorrelation,
) -> LatentCorrelation:
    """Changes `margins`, and the correlations, to those that are as stated once no pair breaks its order."""
    stated = {frozenset(item.between): item for item in persona.correlations if set(item.between) <= set(drawn)}
    place = {name: index for index, name in enumerate(latent.names)}
    changed = False
    for first, second in at_most:
        item = stated.get(frozenset((first, second)))
        tied = first in place and second in place
        rho = float(latent.matrix[place[first], place[second]]) if tied else 0.0
        if any(margins[name].discrete or margins[name].thresholds for name in (first, second)):
            continue
        pair = ordered_pair(margins[first], margins[second], rho, item.spearman if item else None)
        if pair.broken < NEGLIGIBLE:
            continue
        margins[first], margins[second] = pair.first, pair.second
        if item is not None:
            stated[frozenset((first, second))] = item.model_copy(update={"spearman": pair.spearman})
            changed = True
    return latent_correlation(drawn, list(stated.values())) if changed else latent


@dataclass(frozen=True)
class Plan:
    """How to draw one cohort: which deviates are free, which are inside the box, and how they mix."""

    model: Model
    bounds: Mapping[str, Bounds]
    joint: Box | None
    place: Mapping[str, int]
    factor: Floats
    alone: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @staticmethod
    def of(model: Model, bounds: Mapping[str, Bounds]) -> Plan:
        """A plan for bounds that leave somebody."""
        boxes = {name: model.box(name, left) for name, left in bounds.items()}
        prepared = joint_box(model, boxes)
        first = np.zeros(0, dtype=np.intp) if prepared is None else prepared[0][prepared[1].order]
        rest = np.setdiff1d(np.arange(len(model.names)), first)
        order = np.concatenate([first, rest]).astype(np.intp)
        factor = np.asarray(np.linalg.cholesky(model.matrix[np.ix_(order, order)]), dtype=np.float64)
        place = {model.names[index]: row for row, index in enumerate(order)}
        alone = {name: box for name, box in boxes.items() if name not in place}
        return Plan(model, bounds, None if prepared is None else prepared[1], place, factor, alone)

    def rows(self, size: int, rng: np.random.Generator) -> dict[str, Column]:
        """`size` patients, every attribute a column; rows that contradict themselves are drawn again.

        EmptyCohort when nearly all of them do.
        """
        batch = self._batch(size, rng)
        bad = np.flatnonzero(self._contradicting(batch, size))
        kept = size - len(bad)
        rate = max(kept, 1) / size
        for _ in range(_ROUNDS):
            if not len(bad):
                for name, when in self.model.defined.items():
                    batch[name] = _defined(when, batch)
                return {name: batch[name] for name in self.model.all}
            spares = int(min(max(_FEWEST, 2 * len(bad) / rate), _MOST))
            spare = self._batch(spares, rng)
            good = np.flatnonzero(~self._contradicting(spare, spares))[: len(bad)]
            for name, column in batch.items():
                column[bad[: len(good)]] = spare[name][good]
            bad = bad[len(good) :]
        raise self._nobody_consistent()

    def consistent_share(self) -> float:
        """Share of the draws inside the box that do not contradict themselves, to about 0.01. Needs no seed.

        EmptyCohort when none does.
        """
        rng = np.random.Generator(np.random.PCG64(_PROBE_SEED))
        share = 1.0 - float(self._contradicting(self._batch(_PROBE, rng), _PROBE).mean())
        if share == 0.0:
            raise self._nobody_consistent()
        return share

    def _nobody_consistent(self) -> EmptyCohort:
        pairs = " and ".join(f"{name} above {other}" for name, other in self.model.at_most)
        return EmptyCohort(f"Nearly everybody who meets the restrictions would have {pairs}.", "Widen one of the two.")

    def _batch(self, size: int, rng: np.random.Generator) -> dict[str, Column]:
        inside = 0 if self.joint is None else len(self.joint.tilt)
        # One row an attribute, so that each column lies together in memory.
        deviates = np.empty((len(self.factor), size))
        if self.joint is not None:
            deviates[:inside] = draw_box(self.joint, size, rng).T
        rng.standard_normal(out=deviates[inside:])
        mixed = _mixed(self.factor, deviates)
        batch: dict[str, Column] = {}
        for name, margin in self.model.margins.items():
            if name in self.place:
                z = mixed[self.place[name]]
            elif name in self.alone:
                z = truncated_deviates(rng.random(size), *self.alone[name])
            else:
                z = rng.standard_normal(size)
            column = _within(margin.values(z), self.bounds.get(name), margin.discrete)
            yes_no = self.model.drawn[name].distribution is Distribution.BERNOULLI
            batch[name] = column.astype(np.bool_) if yes_no else column
        return batch

    def _contradicting(self, batch: Mapping[str, Column], size: int) -> NDArray[np.bool_]:
        """Rows in which something exceeds what it cannot exceed, e.g. the duration of a disease the age."""
        bad = np.zeros(size, dtype=np.bool_)
        for name, other in self.model.at_most:
            bad |= batch[name] > batch[other]
        return bad


def joint_box(model: Model, boxes: Mapping[str, tuple[float, float]]) -> tuple[NDArray[np.intp], Box] | None:
    """Positions in the latent matrix of the correlated attributes that are limited, and their box."""
    limited = [
        index for index, name in enumerate(model.names) if name in boxes and boxes[name] != (-math.inf, math.inf)
    ]
    if not limited:
        return None
    positions = np.array(limited, dtype=np.intp)
    limits = np.array([boxes[model.names[index]] for index in limited])
    return positions, make_box(model.matrix[np.ix_(positions, positions)], limits[:, 0], limits[:, 1])


def _mixed(factor: Floats, deviates: Floats) -> Floats:
    """`factor` (k, k) times `deviates` (k, n), in pieces too small for the linear algebra library to share out.

    Its threads cost more than they save here (30-fold where another process holds a core).
    """
    mixed = np.empty_like(deviates)
    piece = max(64, _PRODUCT // max(factor.size, 1))
    for start in range(0, deviates.shape[1], piece):
        part = slice(start, start + piece)
        np.matmul(factor, deviates[:, part], out=mixed[:, part])
    return mixed


def column_kind(attribute: Attribute) -> type[np.generic]:
    """The type of an attribute's column."""
    if attribute.distribution is Distribution.BERNOULLI:
        return np.bool_
    return np.int64 if attribute.distribution in DISCRETE else np.float64


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
    return numbers if left is None else np.clip(numbers, *left.closed)


def _defined(when: Restriction, columns: Mapping[str, Column]) -> Column:
    """Column of an attribute that follows from another one."""
    compare = {">=": np.greater_equal, ">": np.greater, "<=": np.less_equal, "<": np.less, "=": np.equal}
    result: NDArray[np.bool_] = compare[when.operator](columns[when.attribute], float(when.value))
    return result
