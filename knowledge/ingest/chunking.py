"""Cutting sections into passages of 60 to 220 words, at the ends of sentences, without overlap."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from knowledge.ingest.records import Section
from knowledge.ingest.sentences import split_sentences

MIN_WORDS: Final = 60
MAX_WORDS: Final = 220
# The packaged embedding model reads 256 tokens, about 180 words of medical English: shorter passages are seen whole.
TARGET_WORDS: Final = 130
_OUTSIDE: Final = 1e6  # outweighs any sum of what follows, so that a passage is too short only when nothing else fits
_MID_PARAGRAPH: Final = 0.05  # cutting inside a paragraph costs as much as missing the target by a fifth
_CLAUSE: Final = re.compile(r"(?<=[;:,])\s+")
_ENDLESS: Final = re.compile(r"(\S{200})(?=\S)")  # no word, but encoded data or a text that has lost its blanks


@dataclass(frozen=True)
class Chunk:
    """A passage to be: the headings it comes under, where it begins, its text."""

    heading: str
    locator: str
    text: str


@dataclass(frozen=True)
class _Piece:
    heading: str
    locator: str
    text: str
    words: int
    ends_paragraph: bool


def chunk(sections: Sequence[Section]) -> list[Chunk]:
    """Passages of the sections, in order. Every word of the sections is in exactly one of them.

    No passage has more than 220 words, and none fewer than 60 where that can be had: a section shorter than that
    shares a passage with its neighbours, and the headings are given. Sentences are kept whole up to 220 words.

    The cut is the one of least cost over all cuts at sentence ends (dynamic programming): squared distance of each
    passage from 130 words, and a little for each paragraph that is divided.
    """
    return [_joined(pieces) for group in _groups(sections) for pieces in _cut(group)]


def _groups(sections: Sequence[Section]) -> list[list[_Piece]]:
    """The pieces of each section; sections too short for a passage are joined with the next, the last with the one before."""
    groups: list[list[_Piece]] = []
    for section in sections:
        pieces = [piece for block in section.blocks for piece in _pieces(section.heading, block.locator, block.text)]
        if not pieces:
            continue
        if groups and _words(groups[-1]) < MIN_WORDS:
            groups[-1] += pieces
        else:
            groups.append(pieces)
    if len(groups) > 1 and _words(groups[-1]) < MIN_WORDS:
        last = groups.pop()
        groups[-1] += last
    return groups


def _pieces(heading: str, locator: str, text: str) -> list[_Piece]:
    words = _ENDLESS.sub(r"\1 ", text)
    sentences = [part for sentence in split_sentences(words) for part in _short_enough(sentence)]
    last = len(sentences) - 1
    return [
        _Piece(heading, locator, sentence, len(sentence.split()), index == last)
        for index, sentence in enumerate(sentences)
    ]


def _short_enough(sentence: str) -> list[str]:
    """A sentence longer than a passage is divided after a comma or semicolon, or else anywhere."""
    if len(sentence.split()) <= MAX_WORDS:
        return [sentence]
    parts: list[str] = []
    current: list[str] = []
    for clause in _CLAUSE.split(sentence):
        words = clause.split()
        if current and len(current) + len(words) > TARGET_WORDS:
            parts.append(" ".join(current))
            current = []
        current += words
        while len(current) > TARGET_WORDS:
            parts.append(" ".join(current[:TARGET_WORDS]))
            current = current[TARGET_WORDS:]
    return [*parts, " ".join(current)] if current else parts


def _cut(pieces: Sequence[_Piece]) -> list[Sequence[_Piece]]:
    """The cut of least cost, as slices of `pieces`."""
    best: list[tuple[float, int]] = [(0.0, 0)]  # for the first i pieces: cost, and where the last passage begins
    for end in range(1, len(pieces) + 1):
        options: list[tuple[float, int]] = []
        words = 0
        for start in range(end - 1, -1, -1):
            words += pieces[start].words
            if words > MAX_WORDS and start < end - 1:
                break
            options.append((best[start][0] + _cost(words, pieces[end - 1].ends_paragraph), start))
        best.append(min(options))
    slices: list[Sequence[_Piece]] = []
    end = len(pieces)
    while end:
        start = best[end][1]
        slices.append(pieces[start:end])
        end = start
    return slices[::-1]


def _cost(words: int, ends_paragraph: bool) -> float:
    distance = (words - TARGET_WORDS) / TARGET_WORDS
    return distance * distance + (_OUTSIDE if words < MIN_WORDS else 0.0) + (0.0 if ends_paragraph else _MID_PARAGRAPH)


def _joined(pieces: Sequence[_Piece]) -> Chunk:
    headings = list(dict.fromkeys(piece.heading for piece in pieces if piece.heading))
    heading = " to ".join((headings[0], headings[-1])) if len(headings) > 2 else "; ".join(headings)
    return Chunk(heading, pieces[0].locator, " ".join(piece.text for piece in pieces))


def _words(pieces: Sequence[_Piece]) -> int:
    return sum(piece.words for piece in pieces)
