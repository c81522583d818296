"""`cohort personas fit` and `merge`: an archetype from one's own data, from one site or several."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from knowledge.errors import InvalidInput
from ui.console import JsonFlag, open_assistant, say, write, write_json

if TYPE_CHECKING:
    from assistant.persona_fitting import FitReport


class DataFormat(StrEnum):
    """Formats that can be read."""

    CSV = "csv"
    SYNTHEA = "synthea"
    FHIR = "fhir"
    OMOP = "omop"


class Missing(StrEnum):
    """What becomes of missing values."""

    AUTO = "auto"
    AVAILABLE = "available"
    IMPUTE = "impute"


Out = Annotated[Path | None, typer.Option(help="Where to write the archetype: FOLDER/<id>.yaml.")]
Cell = Annotated[int, typer.Option("--smallest-cell", min=1, help="No group of fewer people is described.")]
Against = Annotated[str, typer.Option(help="Archetype to compare the data with: whom do they under-represent?")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only report; write nothing.")]


def fit(
    data: Annotated[Path, typer.Option(help="CSV file, Synthea or OMOP folder, FHIR bundle or folder of bundles.")],
    mapping: Annotated[Path, typer.Option("--map", help="YAML file that says which field is which attribute.")],
    data_format: Annotated[DataFormat | None, typer.Option("--format", help="Else as the mapping file says.")] = None,
    persona_id: Annotated[str, typer.Option("--id", help="Id of the new archetype.")] = "",
    name: Annotated[str, typer.Option(help="Its name for readers.")] = "",
    area: Annotated[str, typer.Option(help="Its area; else the parent's.")] = "",
    geography: Annotated[str, typer.Option(help="Whom the data describe, for example a country.")] = "",
    parent: Annotated[str, typer.Option(help="Archetype it inherits from, with its restrictions.")] = "",
    reference: Against = "",
    out: Out = None,
    statistics_out: Annotated[
        Path | None, typer.Option(help="Write this site's statistics for `cohort personas merge` instead.")
    ] = None,
    epsilon: Annotated[float | None, typer.Option(help="Differential privacy: noise for this epsilon.")] = None,
    smallest_cell: Cell = 10,
    refuse_small_cells: Annotated[
        bool, typer.Option("--refuse-small-cells", help="Refuse small cells instead of merging them.")
    ] = False,
    missing: Annotated[
        Missing, typer.Option(help="auto: impute, but use the available cases for statistics and with noise.")
    ] = Missing.AUTO,
    seed: Annotated[int, typer.Option(min=0, help="Seed of imputations and attacks.")] = 1,
    dry_run: DryRun = False,
    as_json: JsonFlag = False,
) -> None:
    """Learn an archetype from data: CSV, Synthea CSV, FHIR R4 bundles or OMOP tables. No row is kept.

    See personas/fitting/README.md for mapping files.
    """
    from assistant.persona_fitting import FitRequest

    request = FitRequest(
        data=data,
        mapping=mapping,
        format=data_format.value if data_format else None,
        parent=parent or None,
        reference=reference or None,
        smallest_cell=smallest_cell,
        refuse_small_cells=refuse_small_cells,
        missing=missing.value,
        epsilon=epsilon,
        seed=seed,
    )
    if statistics_out is not None:
        _site(request, None if dry_run else statistics_out, as_json)
        return
    _need(persona_id, out, dry_run)
    with open_assistant() as assistant:
        identity = _identity(assistant, persona_id, name, area, parent, geography)
        report = assistant.fitting.fit(request, identity, progress=say)
        _show(report, as_json)
        if not dry_run and out is not None:
            assistant.fitting.write(report, out)
    _end(out, dry_run, as_json)


def merge(
    files: Annotated[list[Path], typer.Argument(help="Statistics of the sites, from `fit --statistics-out`.")],
    persona_id: Annotated[str, typer.Option("--id", help="Id of the new archetype.")] = "",
    name: Annotated[str, typer.Option(help="Its name for readers.")] = "",
    area: Annotated[str, typer.Option(help="Its area; else the parent's.")] = "",
    parent: Annotated[str, typer.Option(help="Only to take the area from; the parent stands in the files.")] = "",
    geography: Annotated[str, typer.Option(help="Whom the data describe, for example a country.")] = "",
    reference: Against = "",
    out: Out = None,
    smallest_cell: Cell = 10,
    dry_run: DryRun = False,
    as_json: JsonFlag = False,
) -> None:
    """Learn an archetype from the statistics of several sites, without their rows."""
    _need(persona_id, out, dry_run)
    with open_assistant() as assistant:
        identity = _identity(assistant, persona_id, name, area, parent, geography)
        report = assistant.fitting.merge(files, identity, reference=reference or None, smallest_cell=smallest_cell)
        _show(report, as_json)
        if not dry_run and out is not None:
            assistant.fitting.write(report, out)
    _end(out, dry_run, as_json)


def _need(persona_id: str, out: Path | None, dry_run: bool) -> None:
    if not persona_id:
        raise InvalidInput("The archetype needs an id.", "Give --id, for example --id t2d_our_clinic.")
    if out is None and not dry_run:
        raise InvalidInput("Nothing says where to write the archetype.", "Give --out FOLDER/<id>.yaml, or --dry-run.")


def _identity(assistant: Any, persona_id: str, name: str, area: str, parent: str, geography: str) -> Any:
    from assistant.persona_fitting import Identity

    if not area and not parent:
        raise InvalidInput("The archetype needs an area.", "Give --area, or a --parent to take it from.")
    where = area or assistant.persona(parent).area
    return Identity(id=persona_id, name=name, area=where, parent=parent or None, geography=geography)


def _site(request: Any, out: Path | None, as_json: bool) -> None:
    with open_assistant() as assistant:
        report = assistant.fitting.site(request, out)
    if as_json:
        write_json(report.model_dump(mode="json", exclude={"statistics"}))
        return
    from ui.persona_fit_report import quality_lines

    for line in quality_lines(report.quality, report.unusual):
        write(line)
    statistics = report.statistics
    for what, why in statistics.withheld.items():
        write(f"Withheld: {what} ({why}).")
    noise = "no noise" if statistics.epsilon is None else f"noise for epsilon {statistics.epsilon:g}"
    where = f"written to {out}" if out else "not written (dry run)"
    write(
        f"Statistics of {statistics.people:,.0f} people: {len(statistics.attributes)} attributes, "
        f"{len(statistics.pairs)} pairs, no cell below {statistics.smallest_cell}, {noise}; {where}."
    )


def _show(report: FitReport, as_json: bool) -> None:
    if as_json:
        write_json(report.model_dump(mode="json", exclude_none=True))
        return
    from ui.persona_fit_report import report_lines

    for line in report_lines(report):
        write(line)


def _end(out: Path | None, dry_run: bool, as_json: bool) -> None:
    if not as_json:
        write("Nothing was written (dry run)." if dry_run or out is None else f"Written to {out}.")
