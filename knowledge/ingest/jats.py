"""JATS XML, the full text of articles as PubMed Central and publishers give it.

Source: ANSI/NISO Z39.96, Journal Article Tag Suite 1.3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from xml.etree.ElementTree import Element

from knowledge.faults import Fault
from knowledge.ingest.designs import is_retracted
from knowledge.ingest.records import (
    Block,
    Record,
    Section,
    author_line,
    doi_of,
    earliest,
    pmid_of,
    publication_date,
    registry_ids_in,
)
from knowledge.ingest.xml_text import SEPARATORS, child_text, text_of
from knowledge.schemas import Seen

ROOTS: Final = frozenset({"article", "pmc-articleset"})
RECORDS: Final = frozenset({"article"})
_PARAGRAPHS: Final = frozenset({"p", "list", "def-list", "disp-quote", "boxed-text", "statement"})
_FLOATS: Final = frozenset({"table-wrap", "fig"})
_NOT_TEXT: Final = _FLOATS | {
    "fn", "tex-math", "graphic", "inline-graphic", "media", "supplementary-material", "object-id", "alt-text", "long-desc",
}  # fmt: skip
# What is left of "[12, 13]" once the reference numbers are gone, which would otherwise read as figures.
_EMPTY_BRACKETS: Final = re.compile(r"\s*[\[(][\s,;–—-]*[\])]")
_BEFORE_POINT: Final = re.compile(r"\s+(?=[.,;:](?:\s|$))")
_OTHER_ABSTRACTS: Final = frozenset({"graphical", "teaser", "precis", "executive-summary", "web-summary"})


def parse_jats_article(element: Element, line: int, name: str, faults: list[Fault]) -> Record | None:
    """The record of an `article`: metadata, abstract and the sections of the body.

    Reference numbers, figures without caption, footnotes, back matter and reference list are left out.

    Parameters
    ----------
    element : the article.
    line : where it begins.
    name : of the file.
    faults : receives, with the line, an article that has no title.
    """
    meta = element.find("front/article-meta")
    title = text_of(meta.find("title-group/article-title"), _skip) if meta is not None else ""
    if meta is None or not title:
        faults.append(Fault(name, line, "article-title", "the article has no title"))
        return None
    ids = {one.get("pub-id-type", ""): text_of(one) for one in meta.findall("article-id")}
    types = (element.get("article-type", ""), *(text_of(one) for one in meta.iter("subject")))
    related = {one.get("related-article-type", ""): one.get("href", "") for one in meta.iter("related-article")}
    abstract = tuple(_abstracts(meta))
    body = element.find("body")
    sections = tuple(_sections(body, "")) if body is not None else ()
    notice = "retracted-article" in related
    return Record(
        title=title,
        sections=(*abstract, *sections),
        line=line,
        authors=author_line([_author(one) for one in meta.findall("contrib-group/contrib[@contrib-type='author']")]),
        journal=_journal(element),
        published=earliest(*(_date(one) for one in meta.findall("pub-date"))),
        pmid=pmid_of(ids.get("pmid", "")),
        doi=doi_of(ids.get("doi", "")),
        registry_ids=registry_ids_in("", _all_text(abstract)),
        publication_types=tuple(filter(None, types)),
        seen=Seen.FULL_TEXT if sections else Seen.ABSTRACT,
        retracted=notice or "retraction-forward" in related or is_retracted(types, title),
        retracts=(doi_of(related["retracted-article"]),) if notice and doi_of(related["retracted-article"]) else (),
        bibliographic=True,
    )


def _skip(element: Element) -> bool:
    """What is no text: floats, formulas as code, reference numbers and the superscripts that hold nothing else."""
    if element.tag == "sup" and len(element):
        return all(_skip(child) and not (child.tail or "").strip(SEPARATORS) for child in element)
    return element.tag in _NOT_TEXT or (element.tag == "xref" and element.get("ref-type") in ("bibr", "fn", "aff"))


def _prose(element: Element) -> str:
    return _BEFORE_POINT.sub("", _EMPTY_BRACKETS.sub("", text_of(element, _skip)))


def _all_text(sections: tuple[Section, ...]) -> str:
    return " ".join(block.text for part in sections for block in part.blocks)


def _abstracts(meta: Element) -> Iterator[Section]:
    for abstract in meta.findall("abstract"):
        if abstract.get("abstract-type", "") in _OTHER_ABSTRACTS:
            continue
        for part in _sections(abstract, "", "Abstract"):
            yield Section(part.heading, tuple(Block(block.text, "abstract") for block in part.blocks))


def _sections(parent: Element, path: str, default: str = "Text") -> Iterator[Section]:
    """A section and those below it, in the order of the text; `path` is the heading of the parent."""
    heading = path or default
    blocks: list[Block] = []
    for child in parent:
        if child.tag == "sec":
            if blocks:
                yield Section(heading, tuple(blocks))
                blocks = []
            title = text_of(child.find("title"), _skip)
            yield from _sections(child, ": ".join(filter(None, (path, title))) or default)
        elif child.tag in _PARAGRAPHS:
            text = _prose(child)
            if text:
                blocks.append(Block(text, f"{heading}, para {len(blocks) + 1}"))
            blocks += [_float(one) for one in child.iter() if one.tag in _FLOATS]
        elif child.tag in _FLOATS:
            blocks.append(_float(child))
    blocks = [block for block in blocks if block.text]
    if blocks:
        yield Section(heading, tuple(blocks))


def _float(element: Element) -> Block:
    """A table as its caption and one sentence for each row; a figure as its caption."""
    label = child_text(element, "label") or ("Table" if element.tag == "table-wrap" else "Figure")
    caption = element.find("caption")
    parts = [label, _prose(caption) if caption is not None else ""]
    for row in element.iter("tr"):
        parts.append("; ".join(filter(None, (_prose(cell) for cell in row if cell.tag in ("td", "th")))))
    sentences = [part.rstrip(".;: ") for part in parts if part]
    return Block(". ".join(sentences) + "." if len(sentences) > 1 else "", label.rstrip(".:").lower())


def _author(contrib: Element) -> str:
    given = child_text(contrib, "name/given-names")
    initials = "".join(word[0] for word in given.replace("-", " ").split())
    return " ".join(filter(None, (child_text(contrib, "name/surname"), initials))) or child_text(contrib, "collab")


def _journal(element: Element) -> str:
    journal = element.find("front/journal-meta")
    if journal is None:
        return ""
    title = child_text(journal, "journal-title-group/journal-title") or child_text(journal, "journal-title")
    return child_text(journal, "journal-title-group/abbrev-journal-title") or title


def _date(element: Element) -> str:
    return publication_date(child_text(element, "year"), child_text(element, "month"), child_text(element, "day"))
