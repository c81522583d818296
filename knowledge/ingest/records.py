"""What a parser makes of a file: records of publications, each with its sections."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from knowledge.ingest.text import clean
from knowledge.schemas import Design, Seen

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DOI: Final = re.compile(r"10\.\d{4,9}/[^\s\"<>]{1,200}", re.ASCII)
_PMID: Final = re.compile(r"[1-9]\d{0,8}", re.ASCII)
REGISTRY_ID: Final = re.compile(
    r"\b(?:NCT\d{8}|ISRCTN\d{8}|EUCTR\d{4}-\d{6}-\d{2}|ACTRN\d{14}|UMIN\d{9}|ChiCTR[\w-]{4,20})\b"
)
_EARLIEST_YEAR: Final = 1500  # what is dated earlier is a misprint


@dataclass(frozen=True)
class Block:
    """A paragraph, and where in the source it stands."""

    text: str
    locator: str


@dataclass(frozen=True)
class Section:
    """Paragraphs under one heading; the heading is empty where there is none."""

    heading: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Record:
    """One publication as a file describes it.

    Attributes
    ----------
    line : where it begins in the file, for messages.
    published : YYYY, YYYY-MM or YYYY-MM-DD; empty when the file does not say.
    publication_types : as the file has them (`Randomized Controlled Trial`).
    design : when the file states one of ours; otherwise it is guessed.
    registry_ids : of the trials it is about.
    retracted : the publication was retracted, or is itself a notice of retraction.
    retracts : PMIDs and DOIs of the publications that it retracts.
    bibliographic : it comes from a bibliographic record, whose title, authors and date can be relied on.
    """

    title: str
    sections: tuple[Section, ...] = ()
    line: int = 0
    authors: str = ""
    journal: str = ""
    published: str = ""
    pmid: str = ""
    doi: str = ""
    registry_ids: tuple[str, ...] = ()
    publication_types: tuple[str, ...] = ()
    design: Design | None = None
    seen: Seen = Seen.SECONDARY
    retracted: bool = False
    retracts: tuple[str, ...] = ()
    trial: str = ""
    tags: tuple[str, ...] = ()
    area: str = ""
    bibliographic: bool = False


def section(heading: str, text: str, locator: str) -> Section:
    """A section of one paragraph."""
    return Section(clean(heading), (Block(clean(text), locator),))


def author_line(names: Sequence[str]) -> str:
    """First author, with "et al" when there are others."""
    names = [name for name in map(clean, names) if name]
    return f"{names[0]} et al" if len(names) > 1 else "".join(names)


def pmid_of(text: str) -> str:
    """The PMID, digits only; empty when `text` is none."""
    text = text.strip()
    return text if _PMID.fullmatch(text) else ""


def doi_of(text: str) -> str:
    """The first bare DOI in `text`, e.g. of `https://doi.org/10.1056/x.`; empty when there is none."""
    match = _DOI.search(text)
    if match is None:
        return ""
    doi = match.group().rstrip(".,;:'")
    while doi.endswith((")", "]")) and doi.count(doi[-1]) > doi.count({")": "(", "]": "["}[doi[-1]]):
        doi = doi[:-1].rstrip(".,;:'")
    return doi


def registry_ids_in(stated: str, text: str = "") -> tuple[str, ...]:
    """Registry ids that a record states; else the one in its text, unless that names several: a review does."""
    found = tuple(dict.fromkeys(REGISTRY_ID.findall(stated)))
    of_text = tuple(dict.fromkeys(REGISTRY_ID.findall(text)))
    return found or (of_text if len(of_text) == 1 else ())


def publication_date(year: str | int, month: str | int = "", day: str | int = "") -> str:
    """`YYYY[-MM[-DD]]` as far as the parts make a date of the calendar; empty without a year."""
    digits = re.fullmatch(r"\d{4}", str(year).strip(), re.ASCII)
    if digits is None or not _EARLIEST_YEAR <= int(year) <= date.max.year:
        return ""
    head = digits.group()
    number = month_number(str(month))
    if not number:
        return head
    try:
        return date(int(head), number, int(str(day))).isoformat()
    except ValueError:
        return f"{head}-{number:02d}"


def month_number(text: str) -> int:
    """1 to 12 for `4`, `04`, `Apr` or `April`; 0 for anything else."""
    text = text.strip().lower()
    if re.fullmatch(r"\d{1,2}", text, re.ASCII):
        return int(text) if 1 <= int(text) <= 12 else 0
    return _MONTHS.index(text[:3]) + 1 if text[:3] in _MONTHS else 0


def medline_date(text: str) -> str:
    """The date of `2017 Apr 5`, `2017 Apr-Jun`, `2017 Spring` or `2016 Dec-2017 Jan`: the latest that it may mean."""
    years = re.findall(r"\b\d{4}\b", text, re.ASCII)
    if not years:
        return ""
    year = max(years)
    months = [word for word in re.findall(r"[A-Za-z]+", text[text.rindex(year) :]) if month_number(word)]
    if not months:
        return publication_date(year)
    days = re.findall(r"\b\d{1,2}\b", text[text.rindex(months[-1]) :], re.ASCII)
    return publication_date(year, months[-1], days[-1] if days else "")


def earliest(*dates: str) -> str:
    """The earliest of several dates of one publication; of two that agree as far as they go, the more exact one."""

    def parts(text: str) -> list[int]:
        return [int(part) for part in [*text.split("-"), "99", "99"][:3]]

    return min(filter(None, dates), key=parts, default="")
