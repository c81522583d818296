"""PubMed's MEDLINE format (`.nbib`, or saved as "PubMed" to `.txt`).

Source: NLM, MEDLINE/PubMed Data Element (Field) Descriptions.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from knowledge.errors import LiteratureError
from knowledge.faults import Fault
from knowledge.ingest.designs import is_retracted
from knowledge.ingest.records import (
    Record,
    Section,
    author_line,
    doi_of,
    earliest,
    medline_date,
    pmid_of,
    publication_date,
    registry_ids_in,
    section,
)
from knowledge.ingest.text import clean
from knowledge.schemas import Seen

_FIELD: Final = re.compile(r"([A-Z][A-Z0-9]{1,3}) {0,2}- ?(.*)", re.ASCII)
_CONTINUED: Final = "      "
# "BACKGROUND: … METHODS: …" inside one abstract: a label in capitals at its beginning or after a sentence.
_LABEL: Final = re.compile(r"(?:^|(?<=[.?!)\]%] ))([A-Z][A-Z /&,'()-]{2,58}[A-Z)]):\s+(?=\S)")


@dataclass
class _Fields:
    line: int
    values: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    faulty: bool = False


def parse_medline(text: str, name: str, faults: list[Fault]) -> list[Record]:
    """The records of a MEDLINE file.

    Parameters
    ----------
    text : the file.
    name : under which it is reported.
    faults : receives, with its line, each record that cannot be read; the others are returned.

    Raises
    ------
    LiteratureError
        the file holds no record at all.
    """
    records: list[Record] = []
    found = 0
    for fields in _split(text, name, faults):
        found += 1
        if fields.faulty:
            continue
        record = _record(fields)
        if record is None:
            faults.append(Fault(name, fields.line, "PMID", "the record has neither a title nor a PMID"))
        else:
            records.append(record)
    if not found:
        raise LiteratureError(
            f"{name}: holds no MEDLINE record.", "Export it from PubMed with Send to, Citation manager."
        )
    return records


def abstract_sections(text: str) -> tuple[Section, ...]:
    """An abstract by its labels (`RESULTS: …`), or as one section named Abstract."""
    text = clean(text)
    labels = list(_LABEL.finditer(text))
    if not labels:
        return (section("Abstract", text, "abstract"),) if text else ()
    found = [section("Abstract", text[: labels[0].start()], "abstract")] if labels[0].start() else []
    for label, following in zip(labels, [*labels[1:], None], strict=True):
        body = text[label.end() : following.start() if following else len(text)]
        found.append(section(label.group(1).capitalize(), body, "abstract"))
    return tuple(part for part in found if part.blocks[0].text)


def _split(text: str, name: str, faults: list[Fault]) -> Iterator[_Fields]:
    """Fields of each record. A blank line, or another PMID, begins the next."""
    current: _Fields | None = None
    tag = ""
    for number, line in enumerate(text.splitlines(), start=1):
        match = _FIELD.match(line)
        if not line.strip() or (match and match.group(1) == "PMID" and current and current.values):
            if current is not None:
                yield current
            current, tag = None, ""
        if not line.strip():
            continue
        current = current or _Fields(number)
        if match:
            tag = match.group(1)
            current.values[tag].append(match.group(2))
        elif tag and line.startswith(_CONTINUED):
            current.values[tag][-1] += f" {line.strip()}"
        elif not current.faulty:
            current.faulty = True
            message = (
                f"'{clean(line)[:40]}' is neither a field (TAG - value) nor a continued line; the record is left out"
            )
            faults.append(Fault(name, number, "", message))
    if current is not None:
        yield current


def _record(fields: _Fields) -> Record | None:
    values: Mapping[str, Sequence[str]] = fields.values

    def first(*tags: str) -> str:
        return next((clean(value) for tag in tags for value in values.get(tag, ()) if value.strip()), "")

    pmid = pmid_of(first("PMID"))
    title = first("TI", "BTI", "TT", "CTI")
    if not title and not pmid:
        return None
    types = tuple(clean(kind) for kind in values.get("PT", ()))
    electronic = first("DEP")
    published = earliest(
        publication_date(electronic[:4], electronic[4:6], electronic[6:8]), medline_date(first("DP"))
    ) or publication_date(first("EDAT", "CRDT")[:4])
    dois = [value for tag in ("LID", "AID") for value in values.get(tag, ()) if value.rstrip().endswith("[doi]")]
    noticed = "; ".join(values.get("ROF", ()))
    return Record(
        title=title.rstrip(".") or f"PMID {pmid}",
        sections=abstract_sections(first("AB", "OAB")),
        line=fields.line,
        authors=author_line(values.get("AU", ()) or values.get("FAU", ()) or values.get("CN", ())),
        journal=first("TA", "JT"),
        published=published,
        pmid=pmid,
        doi=doi_of(dois[0]) if dois else "",
        registry_ids=registry_ids_in(" ".join(values.get("SI", ())), first("AB")),
        publication_types=types,
        seen=Seen.ABSTRACT,
        retracted=bool(values.get("RIN")) or bool(noticed) or is_retracted(types, title),
        retracts=tuple(filter(None, (*re.findall(r"PMID:?\s*(\d{1,9})", noticed), doi_of(noticed)))),
        bibliographic=True,
    )
