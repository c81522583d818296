"""The whole way from a user's data to an archetype: read, check, count, fit, compare, attack. Nothing is written here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from knowledge.errors import InvalidInput, PrivacyRefused
from knowledge.schemas import Frozen
from personas.fitting.archetype import Identity, settled_archetype
from personas.fitting.defaults import default
from personas.fitting.design import Design, make_design
from personas.fitting.fhir import read_fhir
from personas.fitting.fit import Fit, fit_statistics
from personas.fitting.mapping import Format, Mapping, read_mapping_file
from personas.fitting.missing import has_gaps, impute
from personas.fitting.noise import add_noise
from personas.fitting.privacy import PrivacyReport, check_privacy
from personas.fitting.records import Records
from personas.fitting.representativeness import Representativeness, compare
from personas.fitting.statistics import Statistics, add, count, read_statistics, safe_to_share
from personas.fitting.table import PatientTable, QualityReport, build_table, found_levels
from personas.fitting.tables import read_csv, read_omop, read_synthea
from personas.fitting.unusual import without_unusual
from personas.library import PersonaLibrary
from personas.schemas import Persona

MissingMethod = Literal["auto", "available", "impute"]
Progress = Callable[[float, str], None]

_READERS: dict[str, Callable[[Path, Mapping], Records]] = {
    "csv": read_csv,
    "synthea": read_synthea,
    "fhir": read_fhir,
    "omop": read_omop,
}


class FitRequest(Frozen):
    """What to read and how to treat it. `parent` and `reference` are ids of archetypes."""

    data: Path
    mapping: Path
    format: Format | None = None
    parent: str | None = None
    reference: str | None = None
    smallest_cell: int | None = None
    refuse_small_cells: bool = False
    missing: MissingMethod = "auto"
    epsilon: float | None = None
    seed: int = 1

    @property
    def cell(self) -> int:
        """Smallest group of people that may be described."""
        return int(default("smallest_cell")) if self.smallest_cell is None else self.smallest_cell


class SiteReport(Frozen):
    """A site's statistics, ready to leave it, with what was wrong in its data (which stays)."""

    statistics: Statistics
    quality: QualityReport
    unusual: int


class FitReport(Frozen):
    """The archetype as YAML text, and everything that was found on the way. No rows.

    `refused` says why the archetype must not be stored; empty when it may.
    """

    identity: Identity
    text: str
    fit: Fit
    missing_method: str
    epsilon: float | None = None
    unusual: int = 0
    quality: QualityReport | None = None
    privacy: PrivacyReport | None = None
    representativeness: Representativeness | None = None
    parent_gave_way: bool = False
    misfits: tuple[str, ...] = ()
    refused: str = ""


@dataclass(frozen=True)
class _Prepared:
    """Everything read and checked, before anything is counted."""

    mapping: Mapping
    design: Design
    table: PatientTable
    quality: QualityReport
    content: str


def fit_data(
    request: FitRequest, identity: Identity, library: PersonaLibrary, progress: Progress = lambda _share, _text: None
) -> FitReport:
    """Learn an archetype from a user's data.

    Raises
    ------
    PatientDataError : the data or the mapping file; names file and row.
    PrivacyRefused : too few people, or small cells with `refuse_small_cells`.
    UnknownPersona, InvalidInput, PersonaError : parent, reference or id; what the library finds wrong.
    """
    ready = _prepare(request, library, federated=request.epsilon is not None)
    progress(0.3, "Counting and fitting")
    table, unusual = _usual(ready, request)
    statistics = _counts(request, table, ready.design)
    fit = fit_statistics(statistics, request.cell, refuse=request.refuse_small_cells)
    progress(0.5, "Attacking the fit")
    privacy = check_privacy(ready.table, ready.design, request.cell, epsilon=request.epsilon, seed=request.seed)
    as_of = f", as of {ready.mapping.as_of}" if ready.mapping.as_of else ""
    made_from = f"{fit.people:,.0f} people in data of the user's own (content {ready.content}{as_of})"
    report = _report(statistics, fit, identity, made_from, request.cell, library, request.reference)
    refused = ""
    if not privacy.passed:
        refused = (
            "A simple attack tells members from others too well: area under the curve "
            f"{privacy.attack.value:.2f} for everybody, {privacy.attack_unusual.value:.2f} for the most unusual people."
        )
    return report.model_copy(
        update={"quality": ready.quality, "privacy": privacy, "unusual": unusual, "refused": refused}
    )


def site_statistics(request: FitRequest, library: PersonaLibrary) -> SiteReport:
    """Statistics of one site for a federated fit: small cells merged, noise added if `epsilon` is given.

    Levels must be stated in the mapping file or by the parent, so that all sites have the same. Errors as `fit_data`.
    """
    ready = _prepare(request, library, federated=True)
    table, unusual = _usual(ready, request)
    method: MissingMethod = "available" if request.missing == "auto" else request.missing
    statistics = _counts(request.model_copy(update={"missing": method}), table, ready.design)
    if request.epsilon is None:
        statistics = safe_to_share(statistics, request.cell)
    return SiteReport(statistics=statistics, quality=ready.quality, unusual=unusual)


def merge_sites(
    paths: Sequence[Path],
    identity: Identity,
    library: PersonaLibrary,
    *,
    reference: str | None = None,
    smallest_cell: int | None = None,
) -> FitReport:
    """Learn an archetype from the statistics of several sites. Errors as `fit_data` and `statistics.add`."""
    statistics = add([read_statistics(path) for path in paths])
    cell = int(default("smallest_cell")) if smallest_cell is None else smallest_cell
    fit = fit_statistics(statistics, cell)
    sites = "one site" if statistics.sites == 1 else f"{statistics.sites} sites"
    made_from = f"{fit.people:,.0f} people at {sites}"
    identity = identity.model_copy(update={"parent": statistics.design.parent})
    return _report(statistics, fit, identity, made_from, cell, library, reference)


def _prepare(request: FitRequest, library: PersonaLibrary, *, federated: bool) -> _Prepared:
    mapping = read_mapping_file(request.mapping)
    kind = request.format or mapping.format
    if kind is None:
        raise InvalidInput("The format of the data is not stated.", "Give --format csv, synthea, fhir or omop.")
    parent = _persona(library, request.parent)
    reference = _persona(library, request.reference)
    if not request.data.exists():
        raise InvalidInput(f"There is nothing at '{request.data}'.", "Check the path given by --data.")
    records = _READERS[kind](request.data, mapping)
    levels = {} if federated else found_levels(records, mapping)
    design = make_design(mapping, parent, reference, levels)
    table, quality = build_table(records, mapping, design)
    return _Prepared(mapping=mapping, design=design, table=table, quality=quality, content=records.content)


def _persona(library: PersonaLibrary, persona_id: str | None) -> Persona | None:
    return library.get(persona_id) if persona_id else None


def _usual(ready: _Prepared, request: FitRequest) -> tuple[PatientTable, int]:
    """With noise nobody is left out: the choice would depend on the others, and noise hides everybody."""
    least = int(default("smallest_cohort"))
    if ready.table.n < least:
        raise PrivacyRefused(
            f"{ready.table.n} people belong to the cohort; an archetype takes at least {least}.", "Pool more data."
        )
    if request.epsilon is not None:
        return ready.table, 0
    return without_unusual(ready.table, ready.design, request.cell)


def _counts(request: FitRequest, table: PatientTable, design: Design) -> Statistics:
    wanted = request.missing == "impute" or (request.missing == "auto" and request.epsilon is None)
    if request.epsilon is not None:
        if request.missing == "impute":
            raise InvalidInput("Imputed values cannot be given noise: one person's enter everybody's.", "Drop one.")
        return add_noise(count(table, design), request.epsilon)
    return (
        impute(table, design, request.cell, request.seed)
        if wanted and has_gaps(table, design)
        else count(table, design)
    )


def _report(
    statistics: Statistics,
    fit: Fit,
    identity: Identity,
    made_from: str,
    cell: int,
    library: PersonaLibrary,
    reference: str | None,
) -> FitReport:
    compared = compare(statistics, library.get(reference)) if reference else None
    notes = [
        "Learned by `cohort personas fit`. It holds margins and correlations, no person's values.",
        f"Margins: grouped maximum likelihood, family by AIC. Missing values: {statistics.missing_method}.",
        f"No group of fewer than {cell} people is described."
        + (f" Differential privacy: epsilon {statistics.epsilon:g}." if statistics.epsilon else ""),
    ]
    if compared is not None and not compared.representative:
        notes.append(f"Not representative of {compared.reference}: see the report of the fit.")
    text, _persona_made, gave_way = settled_archetype(fit, statistics.design, identity, made_from, notes, library)
    bad = default("misfit")
    return FitReport(
        identity=identity,
        text=text,
        fit=fit,
        missing_method=statistics.missing_method,
        epsilon=statistics.epsilon,
        representativeness=compared,
        parent_gave_way=gave_way,
        misfits=tuple(name for name, item in fit.attributes.items() if item.misfit is not None and item.misfit > bad),
    )
