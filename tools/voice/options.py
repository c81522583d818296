"""From the words of an option to the attributes and levels of a published experiment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from knowledge.errors import InvalidInput, NoEvidence
from tools.voice.preferences import Attribute, Experiment, Level

Profile = Mapping[str, str | float]
_NUMBERS = {
    "no": 0.0, "single": 1.0, "once": 1.0, "one": 1.0, "twice": 2.0, "two": 2.0, "three": 3.0, "three times": 3.0,
    "four": 4.0, "four times": 4.0, "five": 5.0,
}  # fmt: skip
_WORD = re.compile(r"[^\W\d_]{4,}")
_SHOWN = 6


@dataclass(frozen=True)
class Task:
    """Options as an experiment sees them.

    Attributes
    ----------
    profiles : for each option, level or number by attribute; all name the same attributes.
    loose : attributes that were read from less than the experiment's own words.
    left : words of the options that nothing weighs.
    """

    experiment: Experiment
    profiles: tuple[Profile, ...]
    loose: tuple[str, ...]
    left: tuple[str, ...]


def read_tasks(options: Sequence[str], covered: Sequence[Experiment], filler: str) -> tuple[Task, ...]:
    """Experiments that weigh what the options differ in, those that weigh most of it.

    Raises
    ------
    NoEvidence : none does; the hint lists what is weighed.
    InvalidInput : only some of the options say what an experiment needs of all.
    """
    partial: dict[str, None] = {}
    found: list[Task] = []
    for loosely in (False, True):
        for experiment in covered:
            task = _task(options, experiment, loosely, filler, partial)
            if task is not None:
                found.append(task)
        if found:
            break
    if found:
        most = max(len(task.profiles[0]) for task in found)
        return tuple(task for task in found if len(task.profiles[0]) == most)
    if partial:
        raise InvalidInput(
            f"Only some of the options say: {'; '.join(partial)}.", "Say it of each option, or leave it out of all."
        )
    wanted = " or ".join(f"“{option}”" for option in options)
    raise NoEvidence(f"No published weights tell how this cohort chooses between {wanted}.", weighed_by(covered))


def weighed_by(covered: Sequence[Experiment]) -> str:
    """What the experiments weigh, in one sentence."""
    parts: dict[str, dict[str, None]] = {}
    for experiment in covered:
        for attribute in experiment.attributes.values():
            levels = parts.setdefault(attribute.label, {})
            levels.update(dict.fromkeys(level.label for level in attribute.levels.values()))
            if attribute.unit:
                levels[f"in {attribute.unit}"] = None
    told = "; ".join(f"{label} ({', '.join(levels)})" for label, levels in parts.items())
    return f"There are weights for: {told}."


def design_row(experiment: Experiment, profile: Profile) -> list[float]:
    """One entry for each weight: 1 where the option has the level, or its number in steps of the weight."""
    row = []
    for weight in experiment.all_classes[0]:
        value = profile.get(weight.attribute)
        if isinstance(value, str) or value is None:
            row.append(float(value is not None and value == weight.level))
        else:
            row.append(value / weight.per)
    return row


def describe_profile(experiment: Experiment, profile: Profile) -> str:
    """'how it is taken: a tablet once a day'."""
    parts = []
    for name, value in profile.items():
        attribute = experiment.attributes[name]
        said = attribute.levels[value].label if isinstance(value, str) else f"{value:g} ({attribute.unit})"
        parts.append(f"{attribute.label}: {said}")
    return ", ".join(parts)


def _task(
    options: Sequence[str], experiment: Experiment, loosely: bool, filler: str, partial: dict[str, None]
) -> Task | None:
    """The options in the terms of one experiment; None when they do not differ in them."""
    read = [dict(_read(option, experiment, loosely)) for option in options]
    named = {name for one in read for name in one}
    shared = {name for name in experiment.attributes if all(name in one for one in read)}
    for name in experiment.attributes:
        if name in named - shared and shared:
            partial[experiment.attributes[name].label] = None
    if not shared or named != shared:
        return None
    profiles = [{name: one[name][0] for name in experiment.attributes if name in shared} for one in read]
    if len({tuple(profile.items()) for profile in profiles}) < len(profiles):
        return None
    loose = tuple(experiment.attributes[name].label for name in shared if any(one[name][2] for one in read))
    left: dict[str, None] = {}
    for option, one in zip(options, read, strict=True):
        rest = list(option)
        for _, spans, _ in one.values():
            for start, end in spans:
                rest[start:end] = " " * (end - start)
        words = _WORD.findall("".join(rest))
        left.update(dict.fromkeys(word for word in words if not re.fullmatch(filler, word, re.IGNORECASE)))
    return Task(experiment, tuple(profiles), loose, tuple(left)[:_SHOWN])


_Read = tuple[str | float, list[tuple[int, int]], bool]


def _read(option: str, experiment: Experiment, loosely: bool) -> Iterator[tuple[str, _Read]]:
    for name, attribute in experiment.attributes.items():
        found = _number(option, attribute) if attribute.number else _level(option, attribute, loosely)
        if found is not None:
            yield name, found


def _number(option: str, attribute: Attribute) -> _Read | None:
    match = re.search(rf"(?<!\w)(?:{attribute.number})", option, re.IGNORECASE)
    if match is None:
        return None
    written = next(text for text in match.groupdict().values() if text is not None).casefold()
    value = _NUMBERS.get(written)
    if value is None:
        value = float(written.removesuffix(" times"))
    return value, [match.span()], False


def _level(option: str, attribute: Attribute, loosely: bool) -> _Read | None:
    for strictly in (True, False):
        for name, level in attribute.levels.items():
            spans = _all_found(option, level.words if strictly else level.loose)
            if spans:
                return name, spans, not strictly
        if not loosely:
            break
    return None


def _all_found(option: str, patterns: Sequence[str]) -> list[tuple[int, int]]:
    """Where the patterns are; empty unless all are there."""
    found = [re.search(rf"(?<!\w)(?:{pattern})(?!\w)", option, re.IGNORECASE) for pattern in patterns]
    return [match.span() for match in found if match is not None] if all(found) else []


__all__ = ["Level", "Profile", "Task", "describe_profile", "design_row", "read_tasks", "weighed_by"]
