"""A text taken apart: its sentences, and the cells of its tables with what row and column say of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest

from assistant.numerals import unit_family

LONGEST_SENTENCE = 1_500
CONTEXT = 600  # characters before a sentence that may say what it is about
_MARK = re.compile(r"\[((?:pmid|doi|nct|web)-[a-z0-9.\-]+)\]", re.I)
_SENTENCE_END = re.compile(r"(?<=[a-z0-9)%\]*”][.!?])\s+(?=[A-Z“*_(\[])|(?<=[.!?]\*\*)\s+|\n")


@dataclass(frozen=True)
class Place:
    """Where a numeral stands: its sentence, what was said before in the same paragraph, and a table's labels."""

    sentence: str
    before: str = ""
    cell: bool = False
    column: str = ""
    sources: frozenset[str] = frozenset()
    cited: bool = False


def places(text: str) -> Iterable[tuple[Place, str]]:
    """Sentences, and rows of tables cell by cell with row and column labels; each with the text to remove if wrong."""
    header: list[str] = []
    lines = text.splitlines()
    for line, following in zip_longest(lines, lines[1:], fillvalue=""):
        if line.lstrip().startswith("|"):
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if not header and (not following.strip() or not set(following) <= set("|-: ")):
                header = [""] * len(cells)  # a table without a head
            if not header:
                header = cells
                for cell in cells:
                    yield Place(cell, cell=True), line.strip()
            elif not set(line) <= set("|-: "):
                yield from _cells(cells, header, line)
            continue
        header = []
        before = ""
        for sentence in sentences(line):
            yield Place(sentence, before, sources=cited_in(line, sentence), cited="[" in line), sentence.strip()
            before = f"{before} {sentence}"[-CONTEXT:]


def _cells(cells: list[str], header: list[str], line: str) -> Iterable[tuple[Place, str]]:
    label = cells[0]
    plain = len(cells) > 1 and not re.search(r"\d", re.sub(r"\d[\d.]*\s?(?:mg|µg|ug|g|U|units?)\b", "", cells[1]))
    named = len(cells) > 1 and header[1] == "Treatment" and cells[1][:1].isalpha()  # 'nivolumab every 3 weeks'
    arm = cells[1] if plain or named else ""
    unit = next((found for found in re.findall(r"\(([^()]*)\)\s*$", label)), "")
    for column, cell in zip(header[1:], cells[1:], strict=False):
        if cell == arm:
            continue
        # The unit of the label is that of each number of the cell; shares differ by %-points.
        unit = "" if not unit_family(unit) or ("ifference" in column and unit == "%") else unit
        numbers = re.sub(r"(\d)(?=\s*(?:\)|\(|to\b|and\b|$))(?!\s*%)", rf"\1 {unit}", cell) if unit else cell
        yield Place(f"{label} {arm}: {numbers}", cell=True, column=column), line.strip()


def sentences(line: str) -> list[str]:
    """Sentences of a line of Markdown, citation marks with the sentence before them."""
    parts = [piece for part in _SENTENCE_END.split(line) if part for piece in _pieces(part)]
    joined: list[str] = []
    for part in parts:
        if joined and re.match(r"\s*(?:\[[^\]]+\][\s,.;]*)+$", part):
            joined[-1] = f"{joined[-1]} {part}"
        else:
            joined.append(part)
    return joined


def _pieces(sentence: str) -> list[str]:
    """A run of characters that no sentence is, cut into pieces that can be read in good time."""
    if len(sentence) <= LONGEST_SENTENCE:
        return [sentence]
    return [sentence[start : start + LONGEST_SENTENCE] for start in range(0, len(sentence), LONGEST_SENTENCE)]


def cited_in(line: str, sentence: str) -> frozenset[str]:
    """Source ids cited behind a sentence: the next marks in its line."""
    position = line.find(sentence)
    rest = line[position:] if position >= 0 else sentence
    first = _MARK.search(rest)
    if first is None:
        return frozenset()
    found = {first[1].lower()}
    end = first.end()
    while (following := re.match(r"[\s,;]*\[((?:pmid|doi|nct|web)-[a-z0-9.\-]+)\]", rest[end:], re.I)) is not None:
        found.add(following[1].lower())
        end += following.end()
    return frozenset(found)
