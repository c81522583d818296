"""Which trials' populations an archetype resembles: printed baseline means against the archetype's distributions."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import Final

from knowledge.errors import InvalidInput
from knowledge.schemas import Source, TrialArm
from personas.bank.contrast import quantiles, shares_of
from personas.bank.schemas import FieldDistance, TrialMatch, TrialMatches
from personas.margins import DISCRETE
from personas.schemas import Persona
from personas.units import attribute_info, attribute_label

# Baseline column of the evidence → attribute of the archetype, and the level whose share it is.
_FIELDS: Final[Mapping[str, tuple[str, str]]] = {
    "age": ("age", ""),
    "female_pct": ("sex", "female"),
    "bmi": ("bmi", ""),
    "weight": ("weight", ""),
    "hba1c": ("hba1c", ""),
    "ldl": ("ldl", ""),
    "sbp": ("sbp", ""),
    "egfr": ("egfr", ""),
    "duration": ("diabetes_duration", ""),
    "asian_pct": ("ethnicity", "asian"),
    "black_pct": ("ethnicity", "black"),
}
_GENERAL: Final = "general"
_ALL: Final = "all"


def match_trials(
    persona: Persona,
    arms: Iterable[TrialArm],
    sources: Mapping[str, Source],
    *,
    area: str = "",
    at_least: int = 4,
    limit: int = 10,
) -> TrialMatches:
    """Trial populations by distance from the archetype.

    A population's distance is the root mean square over the figures it prints of (trial mean − archetype mean) / SD of
    the archetype's people; of a share p, the SD is √(p(1−p)). Where nobody differs (a share of 0 or 1), a figure is
    left out. Means of arms are weighted by their n. The spread inside the trial is not in the evidence and not compared.

    Parameters
    ----------
    area : of the trials; the archetype's own by default; all areas for a general archetype or 'all'.
    at_least : figures a population must print; fewer say little about who they were.
    limit : of the nearest to return.

    Raises
    ------
    InvalidInput : no trial of the area; `at_least` beyond what can be compared.
    """
    references = _references(persona)
    if at_least > len(references):
        raise InvalidInput(
            f"'{persona.id}' has {len(references)} attributes that trials print, so {at_least} cannot be asked for.",
            f"Ask for at most {len(references)}.",
        )
    wanted = area or persona.area
    if wanted in (_GENERAL, _ALL):
        wanted = ""
    groups: dict[str, list[TrialArm]] = defaultdict(list)
    areas: set[str] = set()
    for arm in arms:
        areas.add(arm.area)
        if not wanted or arm.area == wanted:
            groups[arm.study_key].append(arm)
    if not groups:
        raise InvalidInput(f"The evidence has no trial of '{wanted}'.", f"There are: {', '.join(sorted(areas))}.")
    matches, too_few = [], 0
    for rows in groups.values():
        fields = _fields(persona, rows, references)
        if len(fields) < at_least:
            too_few += 1
            continue
        matches.append(_match(rows, fields, sources))
    matches.sort(key=lambda match: (match.distance, match.trial))
    return TrialMatches(
        persona_id=persona.id,
        name=persona.name,
        areas=(wanted,) if wanted else tuple(sorted(areas)),
        at_least=at_least,
        compared=len(matches),
        too_few=too_few,
        nearest=tuple(matches[:limit]),
        farthest=matches[-1] if matches else None,
    )


def _references(persona: Persona) -> dict[str, tuple[float, float]]:
    """Baseline column → the archetype's mean and SD in the column's unit, where its people differ."""
    found: dict[str, tuple[float, float]] = {}
    for column, (name, level) in _FIELDS.items():
        attribute = persona.attributes.get(name)
        if attribute is None:
            continue
        if level:
            share = shares_of(attribute).get(level, 0.0) if attribute.distribution in DISCRETE else 0.0
            mean, sd = 100 * share, 100 * math.sqrt(share * (1 - share))
        else:
            values = quantiles(attribute)
            mean, sd = float(values.mean()), float(values.std())
        if sd > 0:
            found[column] = (mean, sd)
    return found


def _fields(
    persona: Persona, rows: list[TrialArm], references: Mapping[str, tuple[float, float]]
) -> tuple[FieldDistance, ...]:
    found = []
    for column, (mean, sd) in references.items():
        printed = _pooled(rows, column)
        if printed is None:
            continue
        name, level = _FIELDS[column]
        info = attribute_info(name)
        label = attribute_label(name) if not level else info.phrases.get(level, level) if info else level
        unit = "%" if level else persona.attributes[name].unit
        distance = (printed - mean) / sd
        found.append(
            FieldDistance(field=column, label=label, unit=unit, trial=printed, persona=mean, distance=distance)
        )
    return tuple(found)


def _pooled(rows: list[TrialArm], column: str) -> float | None:
    """Mean over the arms of a population, by n; an arm counts once however many endpoints it has."""
    arms: dict[str, tuple[float, float]] = {}
    for row in rows:
        value = getattr(row.baseline, column)
        if value is not None:
            arms[row.arm] = (float(value), max(float(row.n or 0), arms.get(row.arm, (0.0, 0.0))[1]))
    if not arms:
        return None
    total = sum(n for _, n in arms.values())
    if total == 0 or any(n == 0 for _, n in arms.values()):
        return fmean(value for value, _ in arms.values())
    return sum(value * n for value, n in arms.values()) / total


def _match(rows: list[TrialArm], fields: tuple[FieldDistance, ...], sources: Mapping[str, Source]) -> TrialMatch:
    largest: dict[str, int] = {}
    for row in rows:
        if row.n is not None and not row.statistic.is_contrast:
            largest[row.arm] = max(row.n, largest.get(row.arm, 0))
    # The report that prints the most of the population's baseline is the one to look at.
    by_source: dict[str, int] = defaultdict(int)
    for row in rows:
        by_source[row.source_id] += sum(getattr(row.baseline, field.field) is not None for field in fields)
    source_id = max(sorted(by_source), key=lambda key: by_source[key])
    source = sources.get(source_id)
    return TrialMatch(
        trial=rows[0].trial,
        cohort=rows[0].cohort,
        area=rows[0].area,
        source_id=source_id,
        citation=source.citation if source else source_id,
        n=sum(largest.values()) or None,
        distance=math.sqrt(fmean(field.distance**2 for field in fields)),
        fields=fields,
    )
