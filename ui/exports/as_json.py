"""The whole answer as JSON: typed, with what made it."""

from __future__ import annotations

import json
from typing import Any

from ui.exports.report import NOTICE, Recorded, citation_link

FORMAT = "cohort-answer-1"


def render(run: Recorded) -> bytes:
    """JSON with sorted keys; every number as it was computed. Any text can be held: what UTF-8 cannot is escaped."""
    answer, view = run.answer, run.question.view
    value: dict[str, Any] = {
        "format": FORMAT,
        "notice": NOTICE,
        "provenance": {
            "run_id": answer.run_id,
            "recorded": run.created.isoformat(),
            "question": run.question.model_dump(mode="json"),
            "model": answer.model,
            "model_version": run.model_version,
            "seed": answer.seed,
            "evidence_hash": answer.evidence_hash,
            "evidence_view": view.model_dump(mode="json"),
            "ledger_hash": run.ledger_hash,
            "tools": [made.model_dump(mode="json") for made in run.provenances],
            "links": {citation.source_id: citation_link(citation) for citation in answer.citations},
            "replay": f"cohort runs replay {answer.run_id}",
        },
        "answer": answer.model_dump(mode="json"),
    }
    text = json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode("utf-8", "backslashreplace")
