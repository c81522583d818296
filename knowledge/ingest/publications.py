"""Records → sources and passages of the library, decided against what it already has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from pydantic import ValidationError

from knowledge.base import KnowledgeBase
from knowledge.faults import Fault, describe
from knowledge.ingest.catalogue import Catalogue, Level, short_hash
from knowledge.ingest.chunking import Chunk, chunk
from knowledge.ingest.designs import guess_design
from knowledge.ingest.library import Additions, OwnSource
from knowledge.ingest.records import Record
from knowledge.ingest.text import shortened
from knowledge.merging import KnownFigures
from knowledge.schemas import Passage, Seen, Source
from knowledge.tables import AREAS

MAX_PASSAGES: Final = 10_000  # of one document: some 3,000 pages
MIN_CHARACTERS: Final = 20  # as Passage demands
_TITLE: Final = 500  # characters
_TITLE_IN_HEADING: Final = 90
_EXACT: Final = 100.0
_NOT_TREATMENTS: Final = frozenset({"placebo", "usual care"})


@dataclass
class Outcome:
    """What the records of a file come to."""

    additions: Additions = field(default_factory=Additions)
    duplicates: int = 0
    notes: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)  # of the duplicates

    @property
    def is_empty(self) -> bool:
        """True when nothing in the file is of use, not even as a duplicate."""
        added = self.additions
        return not (added.sources or added.passages or added.arms or self.duplicates)

    def duplicate(self, reason: str) -> None:
        """Count a publication or figure that the library already has."""
        self.duplicates += 1
        self.reasons.append(reason)


class Publisher:
    """Turns records into rows.

    A publication whose PMID or DOI is known adds nothing, with three exceptions: its full text where only an abstract
    was known, the bibliographic record of what a PDF described poorly, and the news that it was retracted.

    Parameters
    ----------
    base : vocabulary, trials and shipped sources.
    catalogue : what is known; changed by what is added.
    today : day of import; the date of a publication that states none, so that no `as_of` view before it sees it.
    area : of all records that state none; guessed from the drugs they name when empty.
    """

    def __init__(self, base: KnowledgeBase, catalogue: Catalogue, today: date, area: str = "") -> None:
        self._vocabulary, self._catalogue, self._today, self._area = base.vocabulary, catalogue, today, area
        self._trials = KnownFigures(base.arms)
        areas: dict[str, Counter[str]] = {}
        for arm in base.arms.arms:
            areas.setdefault(arm.intervention, Counter())[arm.area] += 1
        self._areas = {drug: counts.most_common(1)[0][0] for drug, counts in areas.items()}

    def publish(self, record: Record, file: str, name: str, outcome: Outcome, faults: list[Fault]) -> None:
        """Add a record to `outcome`, or say there why it adds nothing.

        Parameters
        ----------
        record : as parsed.
        file : the file's name without folders, for the note of the source.
        name : under which faults are reported.
        outcome, faults : receive the result.
        """
        chunks = [one for one in chunk(record.sections) if len(one.text) >= MIN_CHARACTERS]
        if len(chunks) > MAX_PASSAGES:
            faults.append(
                Fault(name, record.line, "", f"has {len(chunks)} passages, more than {MAX_PASSAGES}; split it")
            )
            return
        retracts = self._retract(record, outcome)
        known = self._catalogue.find(record.pmid, record.doi)
        if known is not None:
            self._join(record, known, chunks, file, outcome)
            return
        holder = self._catalogue.holder(one.text for one in chunks)
        if holder:
            outcome.additions.known.add(holder)
            outcome.duplicate(f"its text is already in {holder}")
            return
        if not chunks and not record.retracted and not retracts:
            outcome.notes.append(f"'{shortened(record.title, 80)}' has no abstract or text and is left out.")
            return
        source_id = self._catalogue.new_id(record, (one.text for one in chunks))
        begins = " ".join((record.title, *(one.text for one in chunks[:3])))
        source = self.source(record, source_id, file, name, faults, self.drugs_in(begins))
        if source is not None:
            self.add_source(OwnSource(source, record.bibliographic), outcome, new=True)
            self._add_passages(record, source, chunks, outcome)

    def source(
        self, record: Record, source_id: str, file: str, name: str, faults: list[Fault], drugs: Sequence[str] = ()
    ) -> Source | None:
        """The source of a record; None, and a fault, when the record does not make one. `drugs` tell its area."""
        note = f"imported from {file}"
        former = self._catalogue.former.get(source_id)
        published = record.published or (former.published if former else self._today.isoformat())
        if not record.published:
            note += "; states no date of publication, the day of import counts"
        title = shortened(record.title, _TITLE)
        try:
            return Source(
                source_id=source_id,
                title=title if len(title) >= 3 else f"Document {title}",
                authors=record.authors,
                journal=record.journal,
                published=published,
                design=record.design or guess_design(record.publication_types, record.title),
                pmid=record.pmid,
                doi=record.doi,
                registry_id=next(iter(record.registry_ids), ""),
                seen=record.seen,
                retracted=record.retracted or self._catalogue.is_retracted(record.pmid, record.doi),
                note=note,
                area=record.area if record.area in AREAS else self._area or self.area_of(drugs),
            )
        except ValidationError as error:
            faults += [Fault(name, record.line, column, message) for column, message in describe(error)]
            return None

    def add_source(self, own: OwnSource, outcome: Outcome, *, new: bool) -> None:
        """Take in a source that is new or changed."""
        source_id = own.source.source_id
        outcome.additions.sources[source_id] = own
        if new:
            outcome.additions.new.add(source_id)
        self._catalogue.add_source(own)

    def drugs_in(self, text: str) -> tuple[str, ...]:
        """Canonical names of the drugs that a text names in their right spelling, in order."""
        found = self._vocabulary.find_drugs(text)
        return tuple(dict.fromkeys(mention.drug for mention in found if mention.score == _EXACT))

    def area_of(self, drugs: Sequence[str]) -> str:
        """The area in which most of `drugs` were studied; empty when none of them was."""
        counts = Counter(self._areas[drug] for drug in drugs if drug in self._areas and drug not in _NOT_TREATMENTS)
        return max(sorted(counts), key=counts.__getitem__, default="")

    def _join(self, record: Record, known: Source, chunks: list[Chunk], file: str, outcome: Outcome) -> None:
        """A publication that is known: add what the record has and the library has not."""
        source_id = known.source_id
        own = self._catalogue.own.get(source_id)
        current = own or OwnSource(known, described=True)
        changed = current.source
        level = Level.FULL_TEXT if record.seen is Seen.FULL_TEXT else Level.ABSTRACT
        news: list[str] = []
        if record.bibliographic and not current.described and source_id not in self._catalogue.shipped:
            changed = self._described(changed, record)
            news.append(f"describes {source_id}")
        if record.retracted and not known.retracted and not changed.retracted:
            changed = changed.model_copy(update={"retracted": True})
            news.append(f"says that {source_id} was retracted")
        adds_text = bool(chunks) and level > self._catalogue.level(source_id)
        if adds_text:
            changed = changed.model_copy(update={"seen": record.seen})
            news.append(f"adds {'full text' if level is Level.FULL_TEXT else 'an abstract'} to {source_id}")
        if not news:
            outcome.additions.known.add(source_id)
            outcome.duplicate(f"{source_id} is already in the library")
            return
        described = current.described or (record.bibliographic and source_id not in self._catalogue.shipped)
        self.add_source(OwnSource(changed, described), outcome, new=own is None)
        outcome.additions.known.add(source_id)
        outcome.notes.append(f"{file} {' and '.join(news)}.")
        if adds_text:
            self._add_passages(record, changed, chunks, outcome)

    def _described(self, source: Source, record: Record) -> Source:
        """A source with the better description of a bibliographic record; what the record lacks stays."""
        update = {
            "title": record.title,
            "authors": record.authors or source.authors,
            "journal": record.journal or source.journal,
            "published": record.published or source.published,
            "pmid": record.pmid or source.pmid,
            "doi": source.doi or record.doi,
            "registry_id": source.registry_id or next(iter(record.registry_ids), ""),
            "design": guess_design(record.publication_types, record.title),
        }
        return source.model_copy(update={key: value for key, value in update.items() if value})

    def _retract(self, record: Record, outcome: Outcome) -> set[str]:
        """Mark the publications that a notice retracts, now and when they are imported later."""
        keys = {key.casefold() for key in record.retracts}
        outcome.additions.retracts |= keys
        self._catalogue.retracts |= keys
        for key in sorted(keys):
            known = self._catalogue.find("" if "/" in key else key, key if "/" in key else "")
            if known is None or known.retracted:
                continue
            own = self._catalogue.own.get(known.source_id)
            if own is not None and own.source.retracted:
                continue
            current = own or OwnSource(known, described=True)
            marked = current.source.model_copy(update={"retracted": True})
            self.add_source(OwnSource(marked, current.described), outcome, new=own is None)
            outcome.notes.append(f"{known.source_id} was retracted, as a notice in this file says.")
        return keys

    def _add_passages(self, record: Record, source: Source, chunks: list[Chunk], outcome: Outcome) -> None:
        title = shortened(source.title, _TITLE_IN_HEADING)
        of_title = self.drugs_in(source.title)
        trial = record.trial or self._trials.trial_named("", (source.registry_id,), source.source_id)
        added: list[Passage] = []
        for position, one in enumerate(chunks):
            passage_id = f"{source.source_id}#u{short_hash(one.text)}"
            if self._catalogue.has_passage(passage_id) or passage_id in outcome.additions.passages:
                continue
            passage = Passage(
                passage_id=passage_id,
                source_id=source.source_id,
                area=source.area,
                trial=trial,
                # A passage of a long text seldom says what the text is about; its heading does.
                heading=f"{title} – {shortened(one.heading, _TITLE_IN_HEADING)}" if one.heading else title,
                locator=one.locator,
                text=one.text,
                drugs=tuple(dict.fromkeys((*of_title, *self.drugs_in(one.text)))),
                tags=record.tags,
                published=source.published,
            )
            outcome.additions.passages[passage_id] = passage
            outcome.additions.positions[passage_id] = position
            added.append(passage)
        self._catalogue.add_passages(added)
