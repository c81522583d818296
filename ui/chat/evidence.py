"""The Evidence tab: search the literature store, and take in files of one's own after a dry run."""

from __future__ import annotations

import shutil
import tempfile
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from assistant.calls import SEARCH
from assistant.grades import grade
from assistant.owners import LOCAL
from knowledge.errors import CohortTwinError
from ui.chat.markup import area_words, grid, link, notice
from ui.chat.visitor import visitor_of

if TYPE_CHECKING:
    from assistant.owners import Owners
    from knowledge.schemas import RetrievedPassage

EVERY = "all areas"
KINDS = [".nbib", ".txt", ".xml", ".nxml", ".pdf", ".md", ".csv"]
FOUND = 8
_SAFE = 80


class EvidenceTab:
    """Builds the tab; `fill` loads areas and counts when it is first opened."""

    def __init__(self, owners: Owners) -> None:
        self._owners = owners
        gr.HTML("<h2>Search the evidence</h2>")
        with gr.Row(elem_classes="ct-bottom"):
            query = gr.Textbox(
                label="What to look for", placeholder="nausea with semaglutide", scale=4, elem_id="evidence-query"
            )
            area = gr.Dropdown([EVERY], value=EVERY, label="Area", scale=1, elem_id="evidence-area")
            go = gr.Button("Search", variant="primary", scale=0, min_width=110, elem_id="evidence-search")
        found = gr.HTML(elem_id="evidence-found", elem_classes="ct-panel")
        with gr.Accordion("Import your own files", open=False, elem_id="importing"):
            gr.HTML(
                '<p class="soft">PubMed exports (.nbib, XML), JATS XML, PDF, Markdown, text, or a table of trial arms (CSV). '
                "First a dry run says what would be taken in; nothing is stored until you import.</p>"
            )
            files = gr.File(label="Files", file_count="multiple", file_types=KINDS, elem_id="import-files", height=140)
            with gr.Row():
                check = gr.Button("Dry run", elem_id="import-check", min_width=120)
                take = gr.Button("Import", variant="primary", interactive=False, elem_id="import-take", min_width=120)
            report = gr.HTML(elem_id="import-report", elem_classes="ct-panel")
        held = gr.HTML(elem_id="evidence-held", elem_classes="ct-panel")
        kept = gr.State("", delete_callback=_forget)
        quiet: dict[str, Any] = {"show_progress": "minimal", "api_visibility": "private"}

        def search(text: str, wanted: str, request: gr.Request) -> str:
            assistant = visitor_of(owners, request).assistant
            arguments = {"query": text or "", "areas": [] if wanted == EVERY else [wanted], "k": FOUND}
            try:
                result = assistant.run_tool(SEARCH, arguments)
            except CohortTwinError as error:
                return notice(error.message, hint=error.hint, alarm=True)
            return "".join(_hit(hit) for hit in result.passages) or notice(" ".join(result.warnings))

        def try_out(uploaded: list[str] | None, before: str, request: gr.Request) -> list[Any]:
            _forget(before)
            if not uploaded:
                return [notice("Choose a file first.", alarm=True), "", gr.update(interactive=False)]
            folder = _moved(uploaded)
            shown, fine = self._import(request, folder, dry_run=True)
            return [shown, folder, gr.update(interactive=fine)]

        def take_in(folder: str, request: gr.Request) -> list[Any]:
            if not folder:
                return [notice("Make a dry run first.", alarm=True), "", gr.update(interactive=False), gr.skip()]
            shown, _fine = self._import(request, folder, dry_run=False)
            _forget(folder)
            return [shown, "", gr.update(interactive=False), None]

        def fill(request: gr.Request) -> list[Any]:
            assistant = visitor_of(owners, request).assistant
            stats = assistant.evidence_stats()
            areas = [row.area for row in stats if row.area != "all"]
            rows = [
                [area_words(row.area), f"{row.trials:,}", f"{row.rows:,}", f"{row.sources:,}", f"{row.passages:,}"]
                for row in stats
            ]
            table = grid(
                ["Area", "Trials", "Trial-arm figures", "Sources", "Passages"], rows, "What the evidence base holds"
            )
            return [
                gr.update(choices=[(EVERY, EVERY), *[(area_words(one), one) for one in areas]]),
                f"<h2>What is held</h2>{table}",
            ]

        self.fill, self.filled = fill, [area, held]
        gr.on([query.submit, go.click], search, [query, area], [found], **quiet)
        check.click(try_out, [files, kept], [report, kept, take], **quiet)
        take.click(take_in, [kept], [report, kept, take, files], **quiet)

    def _import(self, request: gr.Request, folder: str, *, dry_run: bool) -> tuple[str, bool]:
        name = request.username or LOCAL
        paths = sorted(path for path in Path(folder).iterdir())
        try:
            made = self._owners.import_evidence(name, paths, dry_run=dry_run)
        except CohortTwinError as error:
            return notice(error.message, hint=error.hint, alarm=True), False
        rows = [
            [
                Path(one.path).name, one.status.value, f"{one.sources}", f"{one.passages}", f"{one.arms}", f"{one.duplicates}",
                " ".join([one.reason, *one.faults, *one.notes]).strip(),
            ]
            for one in made.files
        ]  # fmt: skip
        did = "would be taken in" if dry_run else "were taken in and are used from now on"
        said = f"{made.sources} source(s), {made.passages} passage(s) and {made.arms} trial arm(s) {did}."
        head = ["File", "Result", "Sources", "Passages", "Trial arms", "Known already", "Remarks"]
        return notice(said) + grid(head, rows, "File by file"), made.taken > 0


def _hit(hit: RetrievedPassage) -> str:
    source = hit.source
    url = (
        f"https://pubmed.ncbi.nlm.nih.gov/{source.pmid}/"
        if source.pmid
        else f"https://doi.org/{source.doi}"
        if source.doi
        else ""
    )
    return (
        f'<article class="ct-hit"><h3>{escape(source.title)}</h3><blockquote>{escape(hit.passage.text)}</blockquote>'
        f'<p class="soft">{link(url, source.citation) if url else escape(source.citation)} · {escape(grade(source))}'
        f" · {escape(hit.passage.locator)}</p></article>"
    )


def _moved(uploaded: list[str]) -> str:
    """A folder of this page's own: what Gradio keeps can be fetched by whoever knows its path."""
    folder = Path(tempfile.mkdtemp(prefix="cohort-import-"))
    for position, path in enumerate(uploaded):
        name = "".join(c if c.isalnum() or c in "-_. " else "_" for c in Path(path).name)[-_SAFE:].lstrip(".")
        target = folder / (name or f"file-{position}")
        if target.exists():
            target = folder / f"{position}-{target.name}"
        try:
            shutil.move(path, target)
        except FileNotFoundError as error:
            raise gr.Error("The files are gone: choose them again.", print_exception=False) from error
    return str(folder)


def _forget(folder: str) -> None:
    if folder and Path(folder).name.startswith("cohort-import-"):
        shutil.rmtree(folder, ignore_errors=True)
