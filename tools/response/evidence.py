"""One endpoint's rows under an evidence view, chosen, weighed and put into arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from knowledge.arms import EvidenceTable
from knowledge.base import KnowledgeBase
from knowledge.errors import NoEvidence
from knowledge.schemas import EvidenceView
from tools.response.assemble import Prepared, prepare
from tools.response.doses import DoseRange, dose_ranges
from tools.response.rows import ArmLookup, select_rows


@dataclass(frozen=True)
class SharedTables:
    """What all endpoints of an evidence view have in common: its rows, arms by label, studied doses by drug."""

    table: EvidenceTable
    lookup: ArmLookup
    doses: Mapping[str, DoseRange]


def shared_tables(knowledge: KnowledgeBase, view: EvidenceView) -> SharedTables:
    """The tables of an evidence view."""
    table = knowledge.arms.view(view)
    return SharedTables(table, ArmLookup.of(table.arms), dose_ranges(table.arms, knowledge.vocabulary.drugs))


def prepare_endpoint(
    knowledge: KnowledgeBase, view: EvidenceView, endpoint_id: str, shared: SharedTables | None = None
) -> Prepared:
    """Rows, arrays and names of one endpoint under an evidence view.

    Parameters
    ----------
    knowledge, view : the evidence.
    endpoint_id : endpoint.
    shared : tables of that view where they have been made already.

    Raises
    ------
    UnknownEndpoint : not in the vocabulary.
    NoEvidence : the view has no usable row of the endpoint.
    """
    endpoint = knowledge.vocabulary.endpoint(endpoint_id)
    shared = shared or shared_tables(knowledge, view)
    arms, drugs = shared.table.select(endpoint.endpoint_id), knowledge.vocabulary.drugs
    selection = select_rows(arms, shared.lookup, endpoint, knowledge.sources)
    if not selection.rows:
        raise NoEvidence(
            f"No figure on {endpoint.label} in this evidence base can be used under this evidence view.",
            "Choose another endpoint, or widen the evidence view.",
        )
    return prepare(endpoint, selection, drugs, shared.doses)
