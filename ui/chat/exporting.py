"""Buttons that write a run to a file. The bytes go to the page that asked and are never stored on the way."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gradio as gr

from knowledge.errors import CohortTwinError
from ui.chat.visitor import visitor_of
from ui.exports import FORMS, export_run

if TYPE_CHECKING:
    from assistant.owners import Owners

# The page makes a file of it; see page.js.
DOWNLOAD = "(file) => { if (file && file.data) window.cohort.download(file); }"


def export_buttons(owners: Owners, state: gr.State, *, prefix: str) -> None:
    """'Export' with a button for each form; `state` holds the run under 'run_id'."""
    with gr.Accordion("Export", open=False, elem_id=f"{prefix}-export"), gr.Row():
        file = gr.JSON(visible=False)
        for form in FORMS:
            button = gr.Button(form.upper(), size="sm", min_width=70, elem_id=f"{prefix}-export-{form}")
            made = button.click(
                _writer(owners, form), [state], [file], api_visibility="private", show_progress="minimal"
            )
            made.then(None, [file], None, js=DOWNLOAD)


def _writer(owners: Owners, form: str) -> Callable[..., dict[str, str]]:
    def write(state: dict[str, Any], request: gr.Request) -> dict[str, str]:
        if not state.get("run_id"):
            raise gr.Error("Ask something first, or choose a run.", print_exception=False)
        visitor = visitor_of(owners, request)
        try:
            visitor.answer(state["run_id"])  # only a run of this visitor's own
            made = export_run(visitor.assistant.ledger.record(state["run_id"]), form)
        except CohortTwinError as error:
            raise gr.Error(f"{error.message} {error.hint}", print_exception=False) from error
        data = base64.b64encode(made.content).decode()
        return {"name": made.file_name, "type": made.media_type, "data": data}

    return write
