"""Citations that a chat model wrote itself: each must be one that a tool returned in this run."""

from __future__ import annotations

import re
from collections.abc import Sequence

from assistant.grounding import Untraceable
from knowledge.schemas import Source
from tools.schemas import ToolResult

# A mark in brackets that is not the text of a Markdown link and holds a digit: [pmid-123], [3], [smith-2020].
_MARK = re.compile(r"\[(?=[^\]]*\d)([\w.\-/, ]{1,80})\](?!\()")
_PMID = re.compile(r"\bPMID:?\s*(\d+)", re.IGNORECASE)
_DOI = re.compile(r"\b(10\.\d{4,9}/[^\s\])>\"'|]+)")
_REGISTRY = re.compile(r"\b(NCT\d{8})\b", re.IGNORECASE)
_URL = re.compile(r"https?://[^\s\])>\"'|]+", re.IGNORECASE)
_SENTENCE = re.compile(r"[^\n]*?(?:[.!?](?=\s)|\n|$)")


def sources_of(results: Sequence[ToolResult]) -> set[str]:
    """Identifiers of all sources that the tools returned."""
    found = {source_id for result in results for source_id in result.source_ids}
    for result in results:
        found |= {hit.source.source_id for hit in result.passages}
        found |= {weight.source_id for weight in getattr(result, "evidence", ())}
        found |= {stated.source_id for stated in getattr(result, "preferences", ()) if stated.source_id}
        found |= {source_id for estimate in result.estimates for source_id in estimate.source_ids}
    return {name.lower() for name in found}


def unknown_citations(text: str, sources: Sequence[Source], told: str) -> list[Untraceable]:
    """Marks, PMIDs, DOIs, registry numbers and web addresses of `text` that belong to none of the run's sources.

    Parameters
    ----------
    sources : what the tools returned.
    told : the question and the tools' own words, where a registry number may stand.
    """
    names = {source.source_id.lower() for source in sources}
    pmids = {source.pmid for source in sources if source.pmid}
    dois = {source.doi.lower() for source in sources if source.doi}
    faults = [(match, match[1].strip().lower() in names) for match in _MARK.finditer(text)]
    faults += [(match, match[1] in pmids) for match in _PMID.finditer(text)]
    faults += [(match, match[1].lower().rstrip(".,;") in dois) for match in _DOI.finditer(text)]
    faults += [(match, match[1].lower() in told.lower()) for match in _REGISTRY.finditer(text)]
    known = {*dois, *pmids} - {""}
    faults += [(match, _address_known(match.group().lower(), known)) for match in _URL.finditer(text)]
    faults.sort(key=lambda fault: fault[0].start())
    return [Untraceable(match.group(), _sentence(text, match.start())) for match, fine in faults if not fine]


def _address_known(address: str, identifiers: set[str]) -> bool:
    """An address is known when it ends in the PMID or DOI of a source."""
    return any(address.rstrip("/.,;").endswith(identifier) for identifier in identifiers)


def _sentence(text: str, position: int) -> str:
    """The sentence around a position; a full stop inside a DOI or address ends none."""
    for match in _SENTENCE.finditer(text):
        if match.start() <= position < match.end():
            return match.group().strip()
    return text[position:].split("\n")[0]
