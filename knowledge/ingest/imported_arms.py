"""Rows of a user's table → trial arms and their sources, decided against what is already known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

from knowledge.arm_rows import Report, RowContext, parse_arm
from knowledge.base import KnowledgeBase
from knowledge.faults import Fault
from knowledge.ingest.arm_table import ArmRow
from knowledge.ingest.catalogue import Catalogue, short_hash, slug
from knowledge.ingest.library import OwnSource
from knowledge.ingest.publications import Outcome, Publisher
from knowledge.ingest.records import Record, doi_of, pmid_of, publication_date, registry_ids_in
from knowledge.merging import FigureKey, KnownFigures
from knowledge.schemas import Design, Seen, Source, TrialArm
from knowledge.tables import AREAS
from knowledge.views import folded


class ArmTaker:
    """Takes trial arms into the library.

    A figure that the shipped evidence has, under whatever source, is a duplicate; so is one that was imported before
    with the same value. One that was imported with another value is a fault: one of the two is wrong.

    Parameters
    ----------
    base : vocabulary and evidence.
    catalogue : sources that are known; changed by what is added.
    publisher : makes sources.
    arms : what was imported before.
    """

    def __init__(
        self, base: KnowledgeBase, catalogue: Catalogue, publisher: Publisher, arms: Iterable[TrialArm]
    ) -> None:
        self._base, self._catalogue, self._publisher = base, catalogue, publisher
        self._shipped = KnownFigures(base.arms)
        self._own: dict[tuple[FigureKey, str, str, str], TrialArm] = {}
        self.add(arms)
        self._areas: dict[tuple[str, str], Counter[str]] = {}
        for arm in base.arms.arms:
            for drug in (arm.intervention, ""):
                self._areas.setdefault((arm.endpoint, drug), Counter())[arm.area] += 1

    def add(self, arms: Iterable[TrialArm]) -> None:
        """Remember arms that are in the library."""
        for arm in arms:
            self._own[self._key(arm)] = arm

    def forget(self, row_ids: Collection[str]) -> None:
        """Forget arms that go with a file that is read anew."""
        self._own = {key: arm for key, arm in self._own.items() if arm.row_id not in row_ids}

    def take(
        self, rows: Iterable[ArmRow], file: str, stem: str, name: str, outcome: Outcome, faults: list[Fault]
    ) -> None:
        """Add the arms of a table to `outcome`; what is wrong in a row goes into `faults`, with its number.

        Parameters
        ----------
        rows : of one table.
        file : its name without folders.
        stem : begins the row ids, unique for the table.
        name : under which faults are reported.
        outcome, faults : receive the result.
        """
        for row in rows:
            before = len(faults)

            def report(ours: str, message: str, row: ArmRow = row) -> None:
                faults.append(Fault(name, row.row, row.theirs.get(ours, ours), message))

            area = self._area(row, report)
            source = self._source(row, area, file, name, report, faults)
            if source is None or len(faults) > before:
                continue
            context = RowContext(self._base.vocabulary, {source.source_id: source}, area, stem)
            arm = parse_arm({**row.cells, "source_id": source.source_id}, row.row, context, report)
            if arm is not None and self._is_new(arm, outcome, report):
                self._own[self._key(arm)] = arm
                outcome.additions.arms[arm.row_id] = arm
                if source.source_id not in self._catalogue.own:
                    self._publisher.add_source(
                        OwnSource(source, source.source_id in self._catalogue.shipped), outcome, new=True
                    )
                outcome.additions.known.add(source.source_id)

    def _is_new(self, arm: TrialArm, outcome: Outcome, report: Report) -> bool:
        before = self._own.get(self._key(arm))
        if arm in self._shipped:
            outcome.duplicate(f"{arm.trial}, {arm.arm}, {arm.endpoint} is already in the shipped evidence")
        elif before is None:
            return True
        elif before.value == arm.value:
            outcome.additions.known.add(before.source_id)
            outcome.duplicate(f"{arm.trial}, {arm.arm}, {arm.endpoint} is already there as {before.row_id}")
        else:
            report(
                "value", f"{arm.value:g} is not the {before.value:g} of the same figure in {before.row_id}; keep one"
            )
        return False

    def _key(self, arm: TrialArm) -> tuple[FigureKey, str, str, str]:
        return self._shipped.key(arm), arm.statistic.value, arm.comparator_arm, arm.estimand

    def _source(
        self, row: ArmRow, area: str, file: str, name: str, report: Report, faults: list[Fault]
    ) -> Source | None:
        """The publication that a row names, or one made of what the row says of its trial."""
        stated, trial = row.cells["source_id"], row.cells["trial"]
        if stated:
            source = self._catalogue.source(stated)
            if source is None:
                report("source_id", f"'{stated[:60]}' is not a source of the library; give a pmid or doi instead")
            return source
        pmid, doi = pmid_of(row.source["pmid"]), doi_of(row.source["doi"])
        published = publication_date(*([*row.source["published"].split("-"), "", ""])[:3])
        for ours, found in (("pmid", pmid), ("doi", doi), ("published", published)):
            if row.source[ours] and not found:
                report(ours, f"'{row.source[ours][:60]}' is none")
                return None
        known = self._catalogue.find(pmid, doi)
        if known is not None:
            return known
        record = Record(
            title=row.source["title"] or f"{trial}: trial arms of {file}",
            line=row.row,
            authors=row.source["authors"],
            journal=row.source["journal"],
            published=published,
            pmid=pmid,
            doi=doi,
            registry_ids=registry_ids_in(row.cells["registry_id"]),
            design=Design.RCT,
            seen=Seen.SECONDARY,
            trial=trial,
            area=area,
        )
        # Without an identifier the trial's name stands for it, in this file: "Study 3" of another is another.
        own_id = f"user-{slug(trial)[:40].rstrip('-.')}-{short_hash(f'{folded(trial)}|{file}')}"
        source_id = self._catalogue.new_id(record, ()) if pmid or doi else own_id
        return self._catalogue.source(source_id) or self._publisher.source(record, source_id, file, name, faults)

    def _area(self, row: ArmRow, report: Report) -> str:
        """The area that is stated, or the one in which the endpoint, best with the same drug, was studied."""
        stated = row.source["area"]
        if stated:
            if stated not in AREAS:
                report("area", f"'{stated[:60]}' is not an area; there are {', '.join(AREAS)}")
            return stated
        for drug in (row.cells["intervention"], ""):
            counts = self._areas.get((row.cells["endpoint"], drug))
            if counts:
                return max(sorted(counts), key=counts.__getitem__)
        report("area", "cannot be told from the endpoint; state it in a mapping file (constants: {area: obesity})")
        return ""
