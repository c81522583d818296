"""How much the evidence base holds, area by area, and whether a view leaves out what exists."""

from __future__ import annotations

import fnmatch
from pathlib import Path

from rapidfuzz import process

from assistant.schemas import AreaStats
from knowledge.base import KnowledgeBase
from knowledge.errors import InvalidInput
from knowledge.retrieval import LiteratureRetriever
from knowledge.schemas import EvidenceView


def area_stats(knowledge: KnowledgeBase) -> list[AreaStats]:
    """Trials, rows, sources and passages by area, and in all (area 'all')."""
    arms = knowledge.arms.arms
    sources = list(knowledge.sources.values())
    passages = knowledge.passages
    areas = sorted({item.area for items in (arms, sources, passages) for item in items})

    def row(area: str) -> AreaStats:
        chosen = [arm for arm in arms if area in ("all", arm.area)]
        return AreaStats(
            area=area,
            trials=len({arm.trial for arm in chosen}),
            rows=len(chosen),
            rows_with_se=sum(arm.se is not None for arm in chosen),
            subgroup_rows=sum(arm.cohort != "all" for arm in chosen),
            sources=sum(area in ("all", source.area) for source in sources),
            passages=sum(area in ("all", passage.area) for passage in passages),
        )

    return [row(area) for area in [*areas, "all"]]


def index_state(knowledge: KnowledgeBase, retriever: LiteratureRetriever, data_dir: Path) -> dict[str, str | int]:
    """Counts of the evidence base and the state of its index."""
    arms = knowledge.arms
    return {
        "evidence_hash": knowledge.evidence_hash(EvidenceView()),
        "sources": len(knowledge.sources),
        "trials": len(arms.trials()),
        "trial_arm_rows": len(arms.arms),
        "passages": len(knowledge.passages),
        "indexed_passages": retriever.count,
        "embedder": retriever.embedder_name,
        "data_directory": str(data_dir),
    }


def check_exclusions(knowledge: KnowledgeBase, view: EvidenceView) -> None:
    """An exclusion that excludes nothing is a slip of the pen, not a wish (InvalidInput names the nearest)."""
    arms = knowledge.arms
    for name in view.exclude:
        wanted = EvidenceView(exclude=(name,))
        if arms.hidden_trials(wanted) or fnmatch.filter(knowledge.sources, name.casefold()):
            continue
        near = [match[0] for match in process.extract(name, arms.trials(), limit=3, score_cutoff=60)]
        raise InvalidInput(
            f"No trial or source is called '{name}', so it cannot be left out.",
            f"Did you mean {' or '.join(near)}?" if near else "",
        )
