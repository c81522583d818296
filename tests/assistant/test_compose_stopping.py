"""The prose on stopping holds the tool's own figures and its sources."""

from __future__ import annotations

from assistant import language
from assistant.calls import STOP
from assistant.compose_stopping import compose_stopping, stopped_here
from knowledge.base import KnowledgeBase
from knowledge.retrieval import LiteratureRetriever
from personas.library import PersonaLibrary
from tools.catalog import build_registry
from tools.context import ToolContext


def _no_search() -> LiteratureRetriever:
    raise AssertionError("stopping needs no search")


def test_what_comes_back_is_said_first(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    declared = build_registry()[STOP]
    request = declared.parse(
        {
            "cohort": {"persona_id": "obesity_adults"},
            "treatment": {"intervention": "tirzepatide", "dose": 15, "dose_unit": "mg"},
            "endpoints": ["weight_percent_change", "nausea"],
        }
    )
    result = declared(request, ToolContext(knowledge=shipped, personas=library, retriever=_no_search))
    stopped = stopped_here([result])
    assert stopped is not None
    text = compose_stopping(stopped, "adults with obesity", ("who row",))
    of = {estimate.id: estimate for estimate in result.estimates}
    back = of["weight_percent_change.returned"]
    assert text.startswith("## Adults with obesity · stopping tirzepatide 15 mg")
    assert f"about {language.number(back.point, 0)} %" in text
    assert language.number(of["weight_percent_change.after"].point, 1) in text
    assert f"[{result.source_ids[0]}]" in text
    assert "“who row”" in text
    assert "What this evidence base does not hold" in text
    assert stopped_here([]) is None
