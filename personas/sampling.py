"""Virtual patients: draws from the joint distribution of an archetype, or of a mixture, under restrictions.

Rows come in blocks of fixed size, each with a generator of its own made from the seed and the block's number. So row
1,000 of a seed is the same row in every process, whether 2,000 or 20 million are drawn, in one piece or in many.
Arrays in, arrays out; no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from knowledge.errors import EmptyCohort, InvalidInput, PersonaError
from personas.drawing import Column, Model, Plan, column_kind, latent_structure
from personas.restrictions import LEVELLED
from personas.schemas import Persona, Restriction

__all__ = [
    "BLOCK",
    "Column",
    "PersonaSampler",
    "Sampler",
    "VirtualPatients",
    "draw",
    "draw_chunks",
    "draw_from",
    "latent_structure",
    "prevalence_of",
    "refuse_nearly_empty",
]

MAX_PATIENTS = 1_000_000
SMALLEST_PREVALENCE = 1e-5
# Rows drawn at a time. Small enough to stay in the processor's cache, and part of the definition of a seed's rows.
BLOCK = 4096


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


class Sampler(Protocol):
    """A cohort ready to be drawn: one archetype (`PersonaSampler`) or several (`mixture.MixtureSampler`)."""

    @property
    def kinds(self) -> Mapping[str, type[np.generic]]:
        """Attributes in order, with the type of their columns."""

    @property
    def units(self) -> Mapping[str, str]:
        """Unit of each attribute."""

    @property
    def levels(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the levels of categorical and ordinal attributes."""

    @property
    def prevalence(self) -> float:
        """Share (0–1) of the population without the restrictions that meets them."""

    def rows(self, size: int, rng: np.random.Generator) -> Mapping[str, Column]:
        """`size` independent patients."""


@dataclass(frozen=True)
class PersonaSampler:
    """One archetype under restrictions."""

    plan: Plan
    prevalence: float

    @staticmethod
    def of(persona: Persona, restrictions: Sequence[Restriction], *, rare: bool = False) -> PersonaSampler:
        """Errors as `draw`; `rare` as in `prevalence_of`."""
        model = Model.of(persona)
        prevalence = _prevalence(model, restrictions, rare)
        return PersonaSampler(Plan.of(model, model.bounds(restrictions)), prevalence)

    @property
    def kinds(self) -> Mapping[str, type[np.generic]]:
        """See `Sampler`."""
        return {name: column_kind(attribute) for name, attribute in self.plan.model.all.items()}

    @property
    def units(self) -> Mapping[str, str]:
        """See `Sampler`."""
        return {name: attribute.unit for name, attribute in self.plan.model.all.items()}

    @property
    def levels(self) -> Mapping[str, tuple[str, ...]]:
        """See `Sampler`."""
        attributes = self.plan.model.all
        return {name: tuple(a.levels or ()) for name, a in attributes.items() if a.distribution in LEVELLED}

    def rows(self, size: int, rng: np.random.Generator) -> Mapping[str, Column]:
        """See `Sampler`."""
        return self.plan.rows(size, rng)


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
    _check_numbers(n, seed, MAX_PATIENTS)
    return draw_from(PersonaSampler.of(persona, restrictions), n, seed)


def draw_from(sampler: Sampler, n: int, seed: int) -> VirtualPatients:
    """Draw `n` (1 to a million) patients in one piece. InvalidInput when n or the seed is out of range."""
    _check_numbers(n, seed, MAX_PATIENTS)
    (patients,) = draw_chunks(sampler, n, seed, rows=n)
    return patients


def draw_chunks(sampler: Sampler, n: int, seed: int, rows: int = 16 * BLOCK) -> Iterator[VirtualPatients]:
    """Draw `n` patients, any number, in pieces of `rows` (the last may be shorter).

    Joined together the pieces are what any other `rows` gives. Memory holds one piece.

    Raises
    ------
    InvalidInput : n, rows or the seed out of range.
    EmptyCohort : nearly all rows would contradict themselves.
    """
    _check_numbers(n, seed, n)
    if rows < 1:
        raise InvalidInput(f"Pieces of {rows} rows cannot be drawn.", "Give 1 or more.")
    kinds, units, levels, prevalence = sampler.kinds, sampler.units, sampler.levels, sampler.prevalence
    number, block = -1, dict[str, Column]()
    for start in range(0, n, rows):
        size = min(rows, n - start)
        columns: dict[str, Column] = {name: np.empty(size, dtype=kind) for name, kind in kinds.items()}
        done = 0
        while done < size:
            wanted, offset = divmod(start + done, BLOCK)
            if wanted != number:
                number, block = wanted, dict(sampler.rows(BLOCK, _generator(seed, wanted)))
            count = min(BLOCK - offset, size - done)
            for name, column in columns.items():
                column[done : done + count] = block[name][offset : offset + count]
            done += count
        yield VirtualPatients(columns, units, levels, size, prevalence, float(size))


def prevalence_of(persona: Persona, restrictions: Sequence[Restriction], *, rare: bool = False) -> float:
    """Share of the archetype's population that meets `restrictions`, by a deterministic lattice rule. Errors as `draw`.

    Relative to the persona's own restrictions: 0.4 means that four in ten of *its* members belong to the cohort.
    With `rare` any share is given, 0 included, and none is refused.
    """
    return _prevalence(Model.of(persona), restrictions, rare)


def refuse_nearly_empty(
    share: float, name: str, restrictions: Sequence[Restriction], share_of: Callable[[Sequence[Restriction]], float]
) -> None:
    """EmptyCohort when `share` is below 1 in 100,000; names the restriction without which most would be left.

    `share_of` gives the share that other restrictions leave.
    """
    if share >= SMALLEST_PREVALENCE:
        return
    without = [share_of([other for other in restrictions if other is not item]) for item in restrictions]
    binding = restrictions[int(np.argmax(without))]
    everything = " and ".join(str(item) for item in restrictions)
    raise EmptyCohort(f"Fewer than 1 in 100,000 of the cohort '{name}' meet {everything}.", f"Widen or drop {binding}.")


def _prevalence(model: Model, restrictions: Sequence[Restriction], rare: bool = False) -> float:
    if model.box_share(model.bounds(())) <= 0.0:
        raise PersonaError(f"Nobody meets the restrictions of archetype {model.persona.id}.", "Mend its file.")
    if not restrictions:
        return 1.0
    own = model.probability(model.bounds(()))

    def share_of(wanted: Sequence[Restriction]) -> float:
        return min(1.0, model.probability(model.bounds(wanted)) / own)

    share = share_of(restrictions)
    if rare:
        return share
    refuse_nearly_empty(share, model.persona.name, restrictions, share_of)
    return share


def _generator(seed: int, block: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(block,))))


def _check_numbers(n: int, seed: int, most: int) -> None:
    if not 1 <= n <= most:
        raise InvalidInput(f"{n} virtual patients cannot be drawn.", f"Ask for 1 to {max(most, 1):,}.")
    if seed < 0:
        raise InvalidInput(f"A seed cannot be negative, and {seed} is.", "Give 0 or more.")
