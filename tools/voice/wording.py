"""Sentences of a focus group and an interview that hold figures; a result carries them, so that an answer may repeat them."""

from __future__ import annotations

from collections.abc import Sequence

from tools.voice.schemas import ExperimentShares, SimulatedPerson


def in_100(percent: float) -> int:
    """A share as 'so many in 100'."""
    return min(100, max(0, round(percent)))


def spread_sentence(shares: Sequence[ExperimentShares]) -> str:
    """How far the experiments lie apart on the first option; empty for a single one."""
    if len(shares) < 2:
        return ""
    points = [one.shares[0].point for one in shares]
    return (
        f"Published figures lie between {in_100(min(points))} and {in_100(max(points))} in 100 for {shares[0].shares[0].option}, "
        "depending on who was asked and how."
    )


def counts_sentence(
    people: int, options: Sequence[str], counts: Sequence[int], lower: Sequence[int], upper: Sequence[int]
) -> str:
    """'Of 12 simulated participants, 9 chose a daily tablet (7 to 11 in nine of ten such groups) and …'."""
    parts = [
        f"{count} chose {option} ({low} to {high} in nine of ten such groups)"
        for option, count, low, high in zip(options, counts, lower, upper, strict=True)
    ]
    joined = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return f"Of {people} simulated participants, {joined}."


def participant_line(person: SimulatedPerson) -> str:
    """One line of a participant, marked as simulated."""
    said = " ".join(
        f"({line.asked[:1].upper()}{line.asked[1:]}: {line.said})" if line.asked else line.said for line in person.lines
    )
    return f"*Simulated participant {person.name} ({person.who}):* “{said}”"


def person_heading(person: SimulatedPerson) -> str:
    """Who of an interview speaks."""
    return f"Simulated person {person.name}: {person.who}"


def person_lines(person: SimulatedPerson) -> list[str]:
    """Question and answer, line by line; each answer is marked as simulated, and a published one has its source."""
    lines = []
    for line in person.lines:
        if line.source_id:  # by itself: what stands in one line with a source is held against that source
            lines.append(f"*Simulated, repeating what was published:* “{line.said.rstrip('.')}” [{line.source_id}].")
        else:
            lines.append(f"{line.asked} *Simulated:* “{line.said}”".strip())
    return lines


def people_sentence(people: int) -> str:
    """How many speak."""
    return "One simulated person speaks" if people == 1 else f"{people} simulated people speak"
