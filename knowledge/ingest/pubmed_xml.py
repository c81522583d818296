"""PubMed XML (`PubmedArticleSet`), as efetch and the baseline files give it.

Source: NLM, PubMed DTD documentation (MEDLINE/PubMed XML Data Elements).
"""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element

from knowledge.faults import Fault
from knowledge.ingest.designs import is_retracted
from knowledge.ingest.medline import abstract_sections
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
from knowledge.ingest.xml_text import child_text, text_of
from knowledge.schemas import Seen

ROOTS: Final = frozenset({"PubmedArticleSet", "PubmedArticle", "PubmedBookArticleSet"})
RECORDS: Final = frozenset({"PubmedArticle", "PubmedBookArticle"})


def parse_pubmed_article(element: Element, line: int, name: str, faults: list[Fault]) -> Record | None:
    """The record of a `PubmedArticle`; None, and a fault with its line, when it cannot be used.

    Parameters
    ----------
    element : the article.
    line : where it begins.
    name : of the file.
    faults : receives what is wrong.
    """
    citation = element.find("MedlineCitation")
    article = citation.find("Article") if citation is not None else None
    if citation is None or article is None:
        faults.append(Fault(name, line, element.tag, "is not a journal article; book records are not imported"))
        return None
    pmid = pmid_of(child_text(citation, "PMID"))
    title = child_text(article, "ArticleTitle") or child_text(article, "VernacularTitle")
    if not title and not pmid:
        faults.append(Fault(name, line, "PMID", "the record has neither a title nor a PMID"))
        return None
    types = tuple(text_of(kind) for kind in article.findall("PublicationTypeList/PublicationType"))
    corrections = citation.findall("CommentsCorrectionsList/CommentsCorrections")
    notices = [one for one in corrections if one.get("RefType") in ("RetractionOf", "PartialRetractionOf")]
    retracted = is_retracted(types, title) or any(one.get("RefType") == "RetractionIn" for one in corrections)
    return Record(
        title=title.rstrip(".") or f"PMID {pmid}",
        sections=_abstract(article),
        line=line,
        authors=author_line([_author(one) for one in article.findall("AuthorList/Author")]),
        journal=child_text(article, "Journal/ISOAbbreviation") or child_text(article, "Journal/Title"),
        published=_published(element, article),
        pmid=pmid,
        doi=_doi(element, article),
        registry_ids=_registry_ids(article),
        publication_types=types,
        seen=Seen.ABSTRACT,
        retracted=retracted or bool(notices),
        retracts=tuple(filter(None, (pmid_of(child_text(one, "PMID")) for one in notices))),
        bibliographic=True,
    )


def _abstract(article: Element) -> tuple[Section, ...]:
    found: list[Section] = []
    for part in article.findall("Abstract/AbstractText"):
        text = text_of(part)
        label = (part.get("Label") or "").strip()
        if not text:
            continue
        if label and label.upper() != "UNLABELLED":
            found.append(section(label.capitalize() if label.isupper() else label, text, "abstract"))
        else:
            found += abstract_sections(text)
    return tuple(found)


def _author(author: Element) -> str:
    names = (child_text(author, "LastName"), child_text(author, "Initials"))
    return " ".join(filter(None, names)) or child_text(author, "CollectiveName")


def _published(element: Element, article: Element) -> str:
    """Online first counts; without any date, the year in which PubMed took it up."""
    issue = article.find("Journal/JournalIssue/PubDate")
    online = [_date(one) for one in article.findall("ArticleDate")]
    found = earliest(*online, _date(issue) or medline_date(child_text(issue, "MedlineDate")))
    return found or publication_date(child_text(element, "PubmedData/History/PubMedPubDate/Year"))


def _date(element: Element | None) -> str:
    return publication_date(child_text(element, "Year"), child_text(element, "Month"), child_text(element, "Day"))


def _doi(element: Element, article: Element) -> str:
    """The article's own: identifiers also stand in the reference list."""
    own = element.findall("PubmedData/ArticleIdList/ArticleId[@IdType='doi']")
    return next(filter(None, (doi_of(text_of(one)) for one in (*own, *article.findall("ELocationID")))), "")


def _registry_ids(article: Element) -> tuple[str, ...]:
    numbers = " ".join(
        text_of(one) for one in article.findall("DataBankList/DataBank/AccessionNumberList/AccessionNumber")
    )
    return registry_ids_in(numbers, child_text(article, "Abstract"))
