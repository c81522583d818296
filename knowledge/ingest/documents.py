"""A file of publications → its records, whatever its format."""

from __future__ import annotations

from pathlib import Path

from knowledge.errors import LiteratureError
from knowledge.faults import Fault
from knowledge.ingest import jats, pubmed_xml
from knowledge.ingest.files import decode, shown
from knowledge.ingest.markdown import parse_markdown
from knowledge.ingest.medline import parse_medline
from knowledge.ingest.plain_text import parse_text
from knowledge.ingest.records import Record
from knowledge.ingest.safe_xml import read_records
from knowledge.ingest.schemas import FileFormat


def read_documents(
    content: bytes, path: Path, file_format: FileFormat, encoding: str, faults: list[Fault]
) -> list[Record]:
    """The records of a file.

    Parameters
    ----------
    content : the file.
    path : its name, for messages and as the title of last resort.
    file_format : any but a table of trial arms.
    encoding : of text files; XML and PDF state their own.
    faults : receives what is wrong with single records, which are left out.

    Raises
    ------
    LiteratureError
        the file as a whole cannot be used.
    """
    name, stem = shown(path), shown(path.stem).replace("_", " ")
    if file_format is FileFormat.XML:
        return _read_xml(content, name, faults)
    if file_format is FileFormat.PDF:
        from knowledge.ingest.pdf import parse_pdf

        return [parse_pdf(content, name, stem)]
    text = decode(content, path, encoding)
    if file_format is FileFormat.MEDLINE:
        return parse_medline(text, name, faults)
    record = parse_markdown(text, name, stem) if file_format is FileFormat.MARKDOWN else parse_text(text, stem)
    if not record.sections:
        raise LiteratureError(f"{name}: has no text.", "Check the file.")
    return [record]


def _read_xml(content: bytes, name: str, faults: list[Fault]) -> list[Record]:
    records: list[Record] = []
    found = 0
    for element, line in read_records(content, name, pubmed_xml.ROOTS | jats.ROOTS, pubmed_xml.RECORDS | jats.RECORDS):
        found += 1
        parse = jats.parse_jats_article if element.tag in jats.RECORDS else pubmed_xml.parse_pubmed_article
        record = parse(element, line, name, faults)
        if record is not None:
            records.append(record)
    if not found:
        raise LiteratureError(f"{name}: holds no article.", "Export it again.")
    return records
