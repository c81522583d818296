"""Answers as files: HTML, PDF, DOCX, JSON and CSV, each with what made them. The same run always gives the same bytes."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from knowledge.errors import InvalidInput

_TYPES = {
    "html": "text/html; charset=utf-8",
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
}
FORMS = tuple(_TYPES)


class Export(NamedTuple):
    """A file: its bytes, its media type and a name for it."""

    content: bytes
    media_type: str
    file_name: str


def export_run(record: Mapping[str, Any], form: str) -> Export:
    """A recorded run as a file.

    Parameters
    ----------
    record : what `Ledger.record(run_id)` gives; whoever calls this has checked that the asker may see it.
    form : one of FORMS.

    Raises
    ------
    InvalidInput
        There is no such form.
    """
    form = form.strip().lower()
    if form not in _TYPES:
        raise InvalidInput(f"An answer cannot be written as '{form[:40]}'.", f"Choose one of: {', '.join(FORMS)}.")
    from ui.exports.report import Recorded

    render: Callable[[Recorded], bytes] = importlib.import_module(f"ui.exports.as_{form}").render
    return Export(render(Recorded.of(record)), _TYPES[form], f"cohort-{record['run_id']}.{form}")
