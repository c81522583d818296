"""The design of a fit: each attribute's kind, levels or grid. It depends on no data, so that every site has the same.

Numbers are counted on a fixed grid. Its bins are as wide as is usual for the attribute's range; values that were rounded
when they were recorded lie in the middle of a bin, values in completed years at its beginning. For pairs of attributes
the grid is coarser: eight bins with as many members of the parent archetype each.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from knowledge.errors import PatientDataError
from knowledge.schemas import Frozen
from personas.fitting.mapping import AttributeMap, Section
from personas.fitting.mapping import Mapping as DataMapping
from personas.margins import DISCRETE, margin_of
from personas.restrictions import YES_NO_LEVELS, Bounds, definition_of, intersect, parse_restrictions
from personas.schemas import Attribute, Distribution, Persona
from personas.units import AttributeInfo, attribute_info, canonical_attribute

Kind = Literal["number", "yes_no", "categories", "ordered"]

PAIR_BINS = 8
_BINS = 200
_LOG_BINS = 160
# A range that spans more than this, counted from 1, gets bins of equal ratio instead of equal width.
_WIDE = 400.0
_DEMOGRAPHICS = ("age", "sex", "ethnicity", "payer", "region")


class Axis(Frozen):
    """One attribute as it is counted.

    `edges` are the limits of the bins of a number, in `unit`; `coarse` positions in `edges`, the limits of the bins for
    pairs; `levels` the names of everything else. `lower` and `upper` are limits that the restrictions set.
    """

    name: str
    kind: Kind
    unit: str
    section: Section
    edges: tuple[float, ...] = ()
    coarse: tuple[int, ...] = ()
    levels: tuple[str, ...] = ()
    lower: float | None = None
    upper: float | None = None
    limits: tuple[float, float] | None = None

    @property
    def bins(self) -> int:
        """Number of bins or levels."""
        return len(self.edges) - 1 if self.kind == "number" else len(self.levels)

    @property
    def pair_bins(self) -> int:
        """Number of bins or levels in tables of pairs."""
        return len(self.coarse) - 1 if self.kind == "number" else len(self.levels)

    @property
    def rest(self) -> int:
        """Position of the level for everybody else, -1 without one."""
        return self.levels.index("other") if "other" in self.levels else -1

    @property
    def ranked(self) -> bool:
        """True when it can have a rank correlation."""
        return self.kind != "categories" or len(self.levels) == 2


class Design(Frozen):
    """What is counted, and for whom. Sites merge only when their designs are equal."""

    axes: tuple[Axis, ...]
    parent: str | None = None
    restrictions: tuple[str, ...] = ()
    left_out: dict[str, str] = Field(default_factory=dict)

    def axis(self, name: str) -> Axis:
        """The axis of an attribute."""
        return next(axis for axis in self.axes if axis.name == name)

    @property
    def pairs(self) -> tuple[tuple[Axis, Axis], ...]:
        """Pairs of attributes that can be correlated."""
        ranked = [axis for axis in self.axes if axis.ranked]
        return tuple((a, b) for i, a in enumerate(ranked) for b in ranked[i + 1 :])


def make_design(
    mapping: DataMapping,
    parent: Persona | None = None,
    reference: Persona | None = None,
    found_levels: Mapping[str, Iterable[str]] | None = None,
) -> Design:
    """Design of a fit from the mapping file and what the parent (else the reference) archetype knows.

    Parameters
    ----------
    found_levels : levels seen in the data, for attributes whose levels nobody states; not for a federated fit.

    Raises
    ------
    PatientDataError : an attribute whose kind, range or levels nobody states.
    """
    known = {**(reference.attributes if reference else {}), **(parent.attributes if parent else {})}
    own = (*(parent.restrictions if parent else ()), *mapping.restrictions)
    restrictions = parse_restrictions(own)
    left = intersect(restrictions)
    axes, left_out = [], {}
    names = {canonical_attribute(name): item for name, item in mapping.attributes.items()}
    for name, item in names.items():
        defined = definition_of(name, {**dict.fromkeys(names, _ANY)})
        if defined is not None:
            left_out[name] = f"It follows from its definition, {defined}."
            continue
        section = _section(name, item, parent, reference)
        found = tuple(sorted(set((found_levels or {}).get(name, ()))))
        bounds = left.get(name, Bounds())
        axes.append(_axis(name, item, known.get(name), section, found, bounds))
    return Design(
        axes=tuple(axes),
        parent=parent.id if parent else None,
        restrictions=tuple(dict.fromkeys(str(item) for item in restrictions)),
        left_out=left_out,
    )


_ANY = Attribute(distribution=Distribution.NORMAL, unit="", mean=0.0, sd=1.0, assumption="stands for any number")


def _section(name: str, item: AttributeMap, parent: Persona | None, reference: Persona | None) -> Section:
    sections: tuple[Section, ...] = ("demographics", "biomarkers", "comorbidities", "behaviours")
    for persona in (parent, reference):
        for section in sections:
            if persona is not None and name in getattr(persona, section):
                return section
    if item.section is not None:
        return item.section
    if name in _DEMOGRAPHICS:
        return "demographics"
    info = attribute_info(name)
    yes_no = bool(item.condition) or (set(item.values.values()) <= set(YES_NO_LEVELS) and bool(item.values))
    return "comorbidities" if yes_no or (info is not None and info.unit == "yes/no") else "biomarkers"


def kind_of(name: str, item: AttributeMap, known: Attribute | None) -> Kind:
    """Kind of an attribute. PatientDataError when nothing says what it is."""
    info = attribute_info(name)
    targets = set(item.values.values())
    if item.condition or (targets and targets <= set(YES_NO_LEVELS)) or (info and info.unit == "yes/no"):
        return "yes_no"
    if known is not None and known.distribution in DISCRETE:
        if known.distribution is Distribution.BERNOULLI:
            return "yes_no"
        return "ordered" if known.distribution is Distribution.ORDINAL or item.ordered else "categories"
    if item.values or item.levels or (info is not None and not info.numeric):
        return "ordered" if item.ordered else "categories"
    if item.birth_date or known is not None or (info is not None and info.numeric) or item.range is not None:
        return "number"
    raise PatientDataError(
        f"The mapping file does not say what {name} is.",
        "Give 'values' or 'levels' for a category, or 'range' and 'unit' for a number.",
    )


def _axis(
    name: str, item: AttributeMap, known: Attribute | None, section: Section, found: tuple[str, ...], left: Bounds | str
) -> Axis:
    kind, info = kind_of(name, item, known), attribute_info(name)
    unit = info.unit if info else (known.unit if known else item.unit)
    if kind == "yes_no":
        return Axis(name=name, kind=kind, unit="yes/no", section=section, levels=YES_NO_LEVELS)
    if kind != "number":
        stated = tuple((known.levels or {}) if known and known.levels else ())
        levels = tuple(dict.fromkeys((*stated, *item.levels, *item.values.values()))) or found
        if len(levels) < 2 and not stated:
            raise PatientDataError(
                f"The mapping file states no levels of {name}.",
                "List them under 'levels', or as the right-hand sides of 'values'.",
            )
        return Axis(name=name, kind=kind, unit=unit or "category", section=section, levels=levels)
    if not unit:
        raise PatientDataError(f"The mapping file states no unit of {name}.", "Add 'unit'.")
    low, high = _range(name, item, known, info)
    bounds = left if isinstance(left, Bounds) else Bounds()
    lower = bounds.lower if bounds.lower > low else None
    upper = bounds.upper if bounds.upper < high else None
    edges = _edges(low, high, item, info, unit, [edge for edge in (lower, upper) if edge is not None])
    return Axis(
        name=name,
        kind=kind,
        unit=unit,
        section=section,
        edges=edges,
        coarse=_coarse(edges, known, info, lower, upper),
        lower=lower,
        upper=upper,
        limits=info.limits if info else None,
    )


def _range(name: str, item: AttributeMap, known: Attribute | None, info: AttributeInfo | None) -> tuple[float, float]:
    if item.range is not None:
        return item.range
    if info is not None and info.limits is not None:
        return info.limits
    if known is not None and known.lower is not None and known.upper is not None:
        return known.lower, known.upper
    if known is not None and known.distribution is Distribution.BETA:
        return 0.0, 1.0
    raise PatientDataError(f"The mapping file states no range of {name}.", "Add 'range: [smallest, largest]'.")


def _edges(
    low: float, high: float, item: AttributeMap, info: AttributeInfo | None, unit: str, also: list[float]
) -> tuple[float, ...]:
    """Limits of the bins from `low` to `high`."""
    if low >= 0 and high / max(low, 1.0) > _WIDE:
        precision = 10.0 ** -(info.decimals if info else 2)
        first = max(low, precision)
        ratios = first * (high / first) ** (np.arange(_LOG_BINS + 1) / _LOG_BINS)
        inner: NDArray[np.floating[Any]] = np.floor(ratios / precision) * precision + precision / 2
    else:
        precision = 10.0 ** math.floor(math.log10((high - low) / 100))
        step = max(_nice((high - low) / _BINS), precision)
        completed = item.recorded == "completed" or (item.recorded is None and unit == "years")
        inner = low + step * np.arange(0, math.ceil((high - low) / step) + 1) + (0 if completed else precision / 2)
    rounded = {round(float(edge), 10) for edge in inner if low < edge < high}
    return tuple(sorted(rounded | {float(low), float(high), *also}))


def _nice(step: float) -> float:
    scale = 10.0 ** math.floor(math.log10(step))
    return next(scale * nice for nice in (1.0, 2.0, 5.0, 10.0) if scale * nice >= step - 1e-12)


def _coarse(
    edges: tuple[float, ...],
    known: Attribute | None,
    info: AttributeInfo | None,
    lower: float | None,
    upper: float | None,
) -> tuple[int, ...]:
    """Positions of the edges nearest to the parent's octiles; without a parent, evenly spaced edges."""
    first = edges.index(lower) if lower is not None else 0
    last = edges.index(upper) if upper is not None else len(edges) - 1
    shares = np.arange(1, PAIR_BINS) / PAIR_BINS
    if known is not None and known.distribution not in DISCRETE:
        from scipy.special import ndtr, ndtri

        margin = margin_of(known, info.limits if info else None)
        below, above = (float(ndtr(margin.deviate(edges[end]))) for end in (first, last))
        if not above > below:
            below, above = 0.0, 1.0
        cuts = np.asarray(margin.values(ndtri(below + (above - below) * shares)), dtype=np.float64)
        inner = [int(np.abs(np.array(edges) - cut).argmin()) for cut in cuts]
    else:
        inner = [round(first + (last - first) * share) for share in shares]
    chosen = sorted({position for position in inner if first < position < last})
    return (0, *chosen, len(edges) - 1)


def coarse_labels(axis: Axis, positions: tuple[int, ...]) -> tuple[str, ...]:
    """Bins between the given positions of the edges in words, such as 'below 52', '52 to 61', '75 and over'."""
    cuts = [f"{axis.edges[position]:g}" for position in positions[1:-1]]
    if not cuts:
        return ("all",)
    return (f"below {cuts[0]}", *(f"{low} to {high}" for low, high in pairwise(cuts)), f"{cuts[-1]} and over")
