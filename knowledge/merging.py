"""What users imported, joined with what is shipped: sources by id, trial arms without counting a figure twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from knowledge.arms import EvidenceTable, without_retracted
from knowledge.schemas import Source, TrialArm
from knowledge.views import folded
from knowledge.vocabulary import Vocabulary

FigureKey = tuple[str, str, str, float | None, str, float | None]


def merge_sources(shipped: Mapping[str, Source], imported: Mapping[str, Source]) -> dict[str, Source]:
    """Source id → source. One that is in both is described as shipped, and retracted if either says so."""
    merged = {**imported, **shipped}
    for source_id in shipped.keys() & imported.keys():
        if imported[source_id].retracted and not shipped[source_id].retracted:
            merged[source_id] = shipped[source_id].model_copy(update={"retracted": True})
    return merged


class KnownFigures:
    """Tells whether a figure is already in an evidence table, under whatever source.

    Two publications of one trial often print the same figure; a model that saw it twice would be too sure of it. So a
    figure is one figure when trial, cohort, treatment, dose, endpoint and time are the same.

    Parameters
    ----------
    table : the evidence. A trial is known by its name without regard to case and hyphens, by its registry id, and by
        a source that reports no other trial.
    """

    def __init__(self, table: EvidenceTable) -> None:
        self._names = {folded(arm.trial): arm.trial for arm in table.arms}
        by_registry_id: dict[str, set[str]] = defaultdict(set)
        by_source: dict[str, set[str]] = defaultdict(set)
        for arm in table.arms:
            by_source[arm.source_id].add(arm.trial)
            by_registry_id[arm.registry_id.upper()].add(arm.trial)
        by_registry_id.pop("", None)
        self._by_registry_id = {key: min(names) for key, names in by_registry_id.items() if len(names) == 1}
        self._by_source = {key: min(names) for key, names in by_source.items() if len(names) == 1}
        self._figures = {self.key(arm) for arm in table.arms}

    def trial_named(self, name: str, registry_ids: Iterable[str] = (), source_id: str = "") -> str:
        """The name that the table has for a trial; empty when it is not in the table."""
        found = (self._by_registry_id.get(registry_id.upper(), "") for registry_id in registry_ids)
        return self._names.get(folded(name)) or next(filter(None, found), "") or self._by_source.get(source_id, "")

    def trial_of(self, arm: TrialArm) -> str:
        """The name that the table has for the trial of an arm, or the arm's own."""
        return self.trial_named(arm.trial, (arm.registry_id,), arm.source_id) or arm.trial

    def key(self, arm: TrialArm) -> FigureKey:
        """What makes a figure one figure, whoever printed it."""
        trial, cohort = folded(self.trial_of(arm)), folded(arm.cohort)
        return trial, cohort, arm.intervention, arm.dose, arm.endpoint, arm.weeks

    def __contains__(self, arm: TrialArm) -> bool:
        return self.key(arm) in self._figures


def merge_arms(
    shipped: EvidenceTable, imported: Iterable[TrialArm], sources: Mapping[str, Source], vocabulary: Vocabulary
) -> EvidenceTable:
    """The evidence table with imported arms behind the shipped ones.

    An arm that cannot be used is left out with a warning that names its trial, its row and the reason: a drug or an
    endpoint that the vocabulary does not have, a source that is not there, or a figure that the table already has. A
    trial is left out whole when any of its sources was retracted, shipped or imported.

    Parameters
    ----------
    shipped : the table of a knowledge folder.
    imported : arms from a user's files.
    sources : source id → source, of all arms; imported retractions applied.
    vocabulary : drugs and endpoints as they are now; the class of an imported arm's drug is taken from it.
    """
    known = KnownFigures(shipped)
    kept = list(shipped.arms)
    left_out: dict[tuple[str, str], list[str]] = defaultdict(list)
    for arm in imported:
        reason = _unusable(arm, sources, vocabulary)
        if not reason and arm in known:
            reason = "the shipped evidence already has the same figure"
        if reason:
            left_out[arm.trial, reason].append(arm.row_id)
            continue
        drug_class = vocabulary.drugs[arm.intervention].drug_class
        kept.append(arm.model_copy(update={"trial": known.trial_of(arm), "drug_class": drug_class}))
    warnings = tuple(
        f"The trial {trial} that you imported is used without {_rows(rows)}: {reason}."
        for (trial, reason), rows in left_out.items()
    )
    merged = without_retracted(kept, sources)
    return EvidenceTable(merged.arms, merged.sources, (*shipped.warnings, *merged.warnings, *warnings))


def _unusable(arm: TrialArm, sources: Mapping[str, Source], vocabulary: Vocabulary) -> str:
    """Why an arm cannot be used; empty when it can."""
    if arm.intervention not in vocabulary.drugs:
        return f"'{arm.intervention}' is not in the drug vocabulary"
    if arm.endpoint not in vocabulary.endpoints:
        return f"'{arm.endpoint}' is not in the endpoint vocabulary"
    if arm.source_id not in sources:
        return f"its source {arm.source_id} is not there"
    return ""


def _rows(rows: list[str]) -> str:
    shown = ", ".join(rows[:5]) + (" …" if len(rows) > 5 else "")
    return f"{len(rows)} {'figure' if len(rows) == 1 else 'figures'} ({shown})"
