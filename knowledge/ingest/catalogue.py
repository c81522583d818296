"""What the library already has: publications by PMID, DOI and text, so that nothing enters twice."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Final

from knowledge.base import KnowledgeBase
from knowledge.ingest.library import Belongings, Library, OwnSource
from knowledge.ingest.records import Record
from knowledge.schemas import Passage, Seen, Source

_NOT_ID: Final = re.compile(r"[^a-z0-9.]+")
_SLUG_CHARACTERS: Final = 80
_HASH_CHARACTERS: Final = 12


class Level(IntEnum):
    """How much text of a publication there is."""

    NONE = 0
    ABSTRACT = 1
    FULL_TEXT = 2


class Catalogue:
    """Publications that are shipped or imported. Changed as an import goes on, in memory only.

    Parameters
    ----------
    base : the shipped sources and passages.
    library : what the owner imported before.
    """

    def __init__(self, base: KnowledgeBase, library: Library) -> None:
        self.shipped = dict(base.shipped_sources)
        self.own = library.sources()
        self.retracts = library.retracts()
        self.former: dict[str, Source] = {}  # what was taken out, and may come back from the same file
        self._levels: dict[str, Level] = {}
        self._texts: dict[str, str] = {}
        self._passages: dict[str, str] = {}
        self._pmids: dict[str, str] = {}
        self._dois: dict[str, str] = {}
        for source in (*(one.source for one in self.own.values()), *self.shipped.values()):
            self._index(source)
        for passage in base.passages:
            self._texts.setdefault(text_digest(passage.text), passage.source_id)
            self._levels[passage.source_id] = Level.ABSTRACT
        self.add_passages(library.passages())

    def find(self, pmid: str, doi: str) -> Source | None:
        """The source with this PMID, else with this DOI; None when there is neither."""
        found = self._pmids.get(pmid, "") or self._dois.get(doi.casefold(), "")
        return self.source(found) if found else None

    def source(self, source_id: str) -> Source | None:
        """The source as it is known, shipped or imported."""
        own = self.own.get(source_id)
        return self.shipped.get(source_id) or (own.source if own else None)

    def level(self, source_id: str) -> Level:
        """How much text of a source the library has."""
        return self._levels.get(source_id, Level.NONE)

    def holder(self, texts: Iterable[str]) -> str:
        """The source that has the first of `texts` when each of them is known; empty when one is new."""
        holders = [self._texts.get(text_digest(text), "") for text in texts]
        return holders[0] if holders and all(holders) else ""

    def has_passage(self, passage_id: str) -> bool:
        """True when an imported passage has this id."""
        return passage_id in self._passages

    def new_id(self, record: Record, texts: Iterable[str]) -> str:
        """A source id for a record that is not known: by PMID, by DOI, else by its text."""
        if record.pmid:
            return f"pmid-{record.pmid}"
        if record.doi:
            plain = f"doi-{slug(record.doi)}"
            known = self.source(plain)
            taken = known is not None and known.doi.casefold() != record.doi.casefold()
            return f"{plain}-{short_hash(record.doi.casefold())}" if taken else plain
        return f"user-{short_hash(chr(0).join((record.title, *texts)))}"

    def is_retracted(self, pmid: str, doi: str) -> bool:
        """True when a notice that was imported retracts this publication."""
        return bool(pmid and pmid in self.retracts) or bool(doi and doi.casefold() in self.retracts)

    def add_source(self, own: OwnSource) -> None:
        """Take in a new or changed source."""
        self.own[own.source.source_id] = own
        self._index(own.source)

    def add_passages(self, passages: Iterable[Passage]) -> None:
        """Take in passages whose source is known."""
        for passage in passages:
            digest = text_digest(passage.text)
            self._passages[passage.passage_id] = digest
            self._texts.setdefault(digest, passage.source_id)
            source = self.own[passage.source_id].source
            found = Level.FULL_TEXT if source.seen is Seen.FULL_TEXT else Level.ABSTRACT
            self._levels[passage.source_id] = max(found, self.level(passage.source_id))

    def forget(self, belongings: Belongings, left: Mapping[str, Iterable[Passage]]) -> None:
        """Take out what goes with a file that is read anew.

        Parameters
        ----------
        belongings : what goes.
        left : the passages that stay, by source, of each source that loses some.
        """
        for passage_id in belongings.passages:
            digest = self._passages.pop(passage_id, "")
            source_id = passage_id.partition("#")[0]
            if self._texts.get(digest) == source_id:
                del self._texts[digest]
            self._levels[source_id] = Level.ABSTRACT if source_id in self.shipped else Level.NONE
        for source_id, own in belongings.sources.items():
            self.own.pop(source_id, None)
            if source_id in self.shipped:
                continue
            self.former[source_id] = own.source
            if own.source.retracted:  # a retraction outlives the file that brought the paper
                self.retracts |= {own.source.pmid, own.source.doi.casefold()} - {""}
            for index, key in ((self._pmids, own.source.pmid), (self._dois, own.source.doi.casefold())):
                if index.get(key) == source_id:
                    del index[key]
        for passages in left.values():
            self.add_passages(passages)

    def _index(self, source: Source) -> None:
        if source.pmid:
            self._pmids[source.pmid] = source.source_id
        if source.doi:
            self._dois[source.doi.casefold()] = source.source_id


def text_digest(text: str) -> str:
    """SHA-256 of a text without regard to case and blanks."""
    return hashlib.sha256(" ".join(text.casefold().split()).encode()).hexdigest()


def short_hash(text: str) -> str:
    """12 hex digits."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_CHARACTERS]


def slug(text: str) -> str:
    """Letters, digits and points of a name in lower case, joined by hyphens."""
    return _NOT_ID.sub("-", text.casefold()).strip("-.")[:_SLUG_CHARACTERS].rstrip("-.") or "x"
